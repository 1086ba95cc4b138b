//! Everything that one judgement reads: who, what, what was asked, and the facts of the moment (I2, I7).
//!
//! It is built from the domain by plain functions, holds every entity that a policy can reach, and goes to JSON and
//! back, so that the judgement can be made again under another policy.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Digest, Name, PrincipalId, ResourceId, Span, Time,
    approval::Approval,
    principal::Person,
    request::{Asked, Purpose, Reason, Request, Start, TicketRef},
    resource::{Classification, Environment, Resource, Target},
    signals::Told,
    trust::Attributes,
};
use serde::{Deserialize, Serialize};

use crate::Directory;

/// Everything that one judgement reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The moment of the judgement, in authority time: `context.now.hour_utc` and `weekday_utc` come from it.
    pub at: Time,
    /// Whose access it is: for [`Act::Use`] the one who would hold the grant, which need not be the one who asks.
    pub principal: Party,
    /// What it would do.
    pub act: Act,
}

/// A user or a workload, as policy reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Its id.
    pub id: PrincipalId,
    /// Its name: policies write `User::"alice"`, `Workload::"nightly"`.
    pub name: Name,
    /// The person behind it. // I8
    pub person: Person,
    /// What it is.
    pub kind: PartyKind,
    /// Whether it may do anything: a workload is active when its owner is too.
    pub active: bool,
    /// The groups that it is in.
    pub groups: BTreeSet<Name>,
    /// What transmitters of signals said of the person behind it.
    #[serde(default, skip_serializing_if = "Told::is_empty")]
    pub told: Told,
}

/// What a party is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PartyKind {
    /// A person.
    User,
    /// A program, and the person who answers for it.
    Workload {
        /// That person.
        owner: Holder,
    },
}

/// The owner of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Their id.
    pub id: PrincipalId,
    /// Their name.
    pub name: Name,
    /// The groups that they are in.
    pub groups: BTreeSet<Name>,
}

/// What a principal would do: the action, what it acts on, and what is known only for that action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Hold a role on a resource (`Action::"use"`).
    Use(Box<Use>),
    /// Change what decisions read (`Action::"administer"`, I12).
    Administer {
        /// What would be changed, in the word of the change: `policy`, `resource`, `group`, ...
        subject: String,
        /// How long ago a second factor was shown, in seconds; nothing when none was.
        second_factor_age_s: Option<i64>,
    },
    /// End other people's grants and sessions (`Action::"revoke"`). Releasing one's own needs no policy.
    Revoke {
        /// On this resource.
        resource: Thing,
        /// Grants of this role.
        role: Name,
        /// How long ago a second factor was shown, in seconds; nothing when none was.
        second_factor_age_s: Option<i64>,
    },
    /// See other people's sessions: who, when, how much, never what was said (`Action::"view_sessions"`).
    ViewSessions {
        /// On this resource.
        resource: Thing,
        /// How long ago a second factor was shown, in seconds; nothing when none was.
        second_factor_age_s: Option<i64>,
    },
    /// Read what the ledger keeps besides headers: reasons, facts, lists (`Action::"read_evidence"`, I11).
    ReadEvidence {
        /// Of what.
        scope: Scope,
        /// How long ago a second factor was shown, in seconds; nothing when none was.
        second_factor_age_s: Option<i64>,
    },
    /// Serve others as a product that asks Daypass: `Action::"decide"` or `Action::"request_for"`.
    Serve {
        /// With what.
        service: Service,
        /// On this resource.
        resource: Thing,
        /// For this role.
        role: Name,
        /// How long ago a second factor was shown, in seconds; nothing when none was.
        second_factor_age_s: Option<i64>,
    },
}

/// What another product does for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Be told whether they have a role, and who has it (`Action::"decide"`).
    Decide,
    /// Ask for a role that they would hold (`Action::"request_for"`).
    RequestFor,
}

/// What evidence is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Scope {
    /// Of Daypass itself: changes of policies, principals, groups.
    Installation,
    /// Of one resource.
    Resource {
        /// Which.
        resource: Thing,
    },
}

/// A resource, as policy reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its id.
    pub id: ResourceId,
    /// Its name: policies write `Resource::"orders"`.
    pub name: Name,
    /// What kind it is, like `postgres`.
    pub kind: ThingKind,
    /// Where its data lives.
    pub region: Name,
    /// The group that answers for it.
    pub owner: Name,
    /// Where it stands.
    pub environment: Environment,
    /// What data it holds.
    pub classification: BTreeSet<Classification>,
    /// Whatever else it is sorted by.
    pub tags: BTreeMap<Name, Name>,
}

/// What kind a resource is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    /// A PostgreSQL server.
    Postgres,
}

/// Holding a role on a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The resource.
    pub resource: Thing,
    /// The role: policies write `Role::"orders/readonly"`.
    pub role: Name,
    /// What was asked, fixed at the act.
    pub asked: AskedFacts,
    /// Who has said yes and is still entitled to: held, and looked up again at every judgement.
    pub approvals: Vec<Yes>,
    /// That the owner of the workload that asks has confirmed it, where that stands: held too, and never counted as a yes. // I8
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmed>,
}

/// The standing word of a workload's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// How long before it a second factor was shown, in seconds; nothing when none was. It is the owner's, for what the
    /// owner could have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_age_s: Option<i64>,
}

/// What was asked: fixed at the act (I2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedFacts {
    /// The person behind who asked. Never counted in a quorum. // I8
    pub requester: Person,
    /// The person behind who would hold it. Never counted in a quorum. // I8
    pub beneficiary: Person,
    /// For how long, from the start of the grant to its deadline: for an extension too, so that "one hour at most"
    /// can't be passed by asking twice.
    pub duration: Span,
    /// How long after the asking it would start.
    pub start_in: Span,
    /// What for.
    pub purpose: Purpose,
    /// Whether a reason was given. Its text isn't judged.
    pub reason_given: bool,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketRef>,
    /// How long before the asking a second factor was shown, in seconds; nothing when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_age_s: Option<i64>,
    /// Whether it is for one statement, and not for sessions.
    #[serde(default)]
    pub one_statement: bool,
    /// What the token said by which a workload asked.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub claims: Attributes,
}

/// One person's standing yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yes {
    /// The person. However often they appear, they count once. // I8
    pub person: Person,
    /// Their name.
    pub name: Name,
    /// The groups that they are in now.
    pub groups: BTreeSet<Name>,
}

/// Why the facts of a request can't be gathered. Nothing is judged, so nothing is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFacts {
    /// A principal of the request isn't known.
    #[error("{0} isn't a principal of this installation (any more): ask again as one that is")]
    UnknownPrincipal(PrincipalId),
    /// The request names another resource than the one given to judge it on.
    #[error("the request is for {asked}, not for {given}")]
    OtherResource {
        /// The one that it names.
        asked: ResourceId,
        /// The one given.
        given: ResourceId,
    },
    /// The resource has no such role.
    #[error("the resource {resource} has no role {role} (any more): see its roles with `daypass resources`")]
    UnknownRole {
        /// The resource.
        resource: Name,
        /// The role.
        role: Name,
    },
    /// An approver picked a role that isn't declared narrower than the one asked for.
    #[error("the role {picked} isn't declared narrower than {asked}, so an approval can't pick it instead")]
    NotNarrower {
        /// What was asked for.
        asked: Name,
        /// What was picked.
        picked: Name,
    },
}

impl Input {
    /// The facts of a request at `at`: what was asked as its approvers narrowed it, and the approvals that stand.
    ///
    /// # Errors
    /// When a party or the role is unknown, or an approver picked a role that isn't declared narrower.
    pub fn for_request(
        request: &Request,
        resource: &Resource,
        directory: &Directory,
        at: Time,
    ) -> Result<Self, BadFacts> {
        let asked = &request.asked;
        if asked.resource != resource.id {
            return Err(BadFacts::OtherResource { asked: asked.resource, given: resource.id });
        }
        let unknown = |role: &Name| BadFacts::UnknownRole { resource: resource.name.clone(), role: role.clone() };
        let (duration, role) = request.narrowed();
        let wanted = resource.roles.get(&asked.role).ok_or_else(|| unknown(&asked.role))?;
        if role != asked.role && !wanted.narrower.contains(&role) {
            return Err(BadFacts::NotNarrower { asked: asked.role.clone(), picked: role });
        }
        if !resource.roles.contains_key(&role) {
            return Err(unknown(&role));
        }
        let principal = directory.party(asked.beneficiary).ok_or(BadFacts::UnknownPrincipal(asked.beneficiary))?;
        let facts = AskedFacts { duration, ..AskedFacts::of(asked, request.made) };
        let approvals = standing_approvals(request, resource, directory);
        let confirmation = standing_confirmation(request, resource, &principal);
        let used = Use { resource: Thing::of(resource), role, asked: facts, approvals, confirmation };
        Ok(Self { at, principal, act: Act::Use(Box::new(used)) })
    }
}

impl Use {
    /// Whose approval never counts: who asks, who would hold it by the request, and who is judged. // I8
    pub(crate) fn parties(&self, principal: &Party) -> [Person; 3] {
        [self.asked.requester, self.asked.beneficiary, principal.person]
    }
}

/// The approvals of a request that stand: given by an active user, for exactly this request, and for a role that still
/// gives what it gave then and is at least as wide as the one that would be given now. So a later approver who picks
/// another narrower role doesn't take along the yes of one who picked this. Anything else is left out, never an error: an
/// approval that lapsed is a missing approval. // I8
#[must_use]
pub fn standing_approvals(request: &Request, resource: &Resource, directory: &Directory) -> Vec<Yes> {
    let request_digest = request.asked.digest();
    let (_, given) = request.narrowed();
    let gives = |role: &Name, digest: Digest| resource.roles.get(role).is_some_and(|r| r.digest(resource) == digest);
    let covers = |role: &Name| *role == given || resource.roles.get(role).is_some_and(|r| r.narrower.contains(&given));
    let stands = |approval: &&Approval| {
        let asked = approval.request_digest == request_digest && gives(&request.asked.role, approval.role_digest);
        asked
            && match &approval.narrowing.role {
                Some(picked) => gives(&picked.role, picked.digest) && covers(&picked.role),
                None => covers(&request.asked.role),
            }
    };
    request.approvals.iter().filter(stands).filter_map(|a| directory.yes_of(a.approver)).collect()
}

/// The confirmation of a request that stands: of whoever owns the workload now, for exactly this request, and for a role that
/// still gives what it gave then. // I8
fn standing_confirmation(request: &Request, resource: &Resource, principal: &Party) -> Option<Confirmed> {
    let given = request.confirmed.given()?;
    let PartyKind::Workload { owner } = &principal.kind else { return None };
    let role = resource.roles.get(&request.asked.role)?;
    let stands = given.by == owner.id
        && given.request_digest == request.asked.digest()
        && given.role_digest == role.digest(resource);
    stands.then_some(Confirmed { second_factor_age_s: given.second_factor_age_s })
}

impl AskedFacts {
    /// What was asked at `made`, before any narrowing.
    #[must_use]
    pub fn of(asked: &Asked, made: Time) -> Self {
        let start_in = match asked.start {
            Start::AtOnce => Span::ZERO,
            Start::At { time } => time.since(made),
        };
        let reason_given = match asked.reason {
            Reason::Missing => false,
            Reason::Kept { .. } => true,
        };
        Self {
            requester: asked.requester_person,
            beneficiary: asked.beneficiary_person,
            duration: asked.duration,
            start_in,
            purpose: asked.purpose,
            reason_given,
            ticket: asked.ticket.clone(),
            second_factor_age_s: asked.second_factor_age_s,
            one_statement: !asked.wants.is_sessions(),
            claims: asked.claims.clone(),
        }
    }
}

impl Thing {
    /// A resource, as policy reads it.
    #[must_use]
    pub fn of(resource: &Resource) -> Self {
        let kind = match resource.target {
            Target::Postgres(_) => ThingKind::Postgres,
        };
        Self {
            id: resource.id,
            name: resource.name.clone(),
            kind,
            region: resource.region.clone(),
            owner: resource.owner.clone(),
            environment: resource.labels.environment,
            classification: resource.labels.classification.clone(),
            tags: resource.labels.tags.clone(),
        }
    }
}

impl ThingKind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Postgres];

    /// As written in policies: `Kind::"postgres"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
        }
    }
}

impl Act {
    /// How long ago, at the act, a second factor was shown, in seconds; nothing when none was.
    #[must_use]
    pub fn second_factor_age_s(&self) -> Option<i64> {
        match self {
            Self::Use(used) => used.asked.second_factor_age_s,
            Self::Administer { second_factor_age_s, .. }
            | Self::Revoke { second_factor_age_s, .. }
            | Self::ViewSessions { second_factor_age_s, .. }
            | Self::ReadEvidence { second_factor_age_s, .. }
            | Self::Serve { second_factor_age_s, .. } => *second_factor_age_s,
        }
    }

    pub(crate) fn set_second_factor_age_s(&mut self, age_s: i64) {
        let place = match self {
            Self::Use(used) => &mut used.asked.second_factor_age_s,
            Self::Administer { second_factor_age_s, .. }
            | Self::Revoke { second_factor_age_s, .. }
            | Self::ViewSessions { second_factor_age_s, .. }
            | Self::ReadEvidence { second_factor_age_s, .. }
            | Self::Serve { second_factor_age_s, .. } => second_factor_age_s,
        };
        *place = Some(age_s);
    }

    /// For how long something is asked for, where it is for a while.
    #[must_use]
    pub fn duration(&self) -> Option<Span> {
        match self {
            Self::Use(used) => Some(used.asked.duration),
            Self::Administer { .. }
            | Self::Revoke { .. }
            | Self::ViewSessions { .. }
            | Self::ReadEvidence { .. }
            | Self::Serve { .. } => None,
        }
    }

    pub(crate) fn set_duration(&mut self, duration: Span) {
        if let Self::Use(used) = self {
            used.asked.duration = duration;
        }
    }
}
