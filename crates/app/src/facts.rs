//! What decisions read, loaded for one judgement, with the versions that the commit then relies on.

use std::sync::{Arc, PoisonError};

use daypass_domain::{
    DecisionId, Name, PrincipalId, ResourceId, Span, Time,
    principal::{ADMINISTRATORS, Actor, Group, Principal, SecondFactor, Via},
    request::Request,
    resource::Resource,
};
use daypass_policy::{
    Act, Decision, Directory, Input,
    missing::{Missing, missing},
};
use daypass_ports::{
    record::{Commit, Kind, Part, Read},
    rows::{Settings, key},
    signals::SaidOf,
};

use crate::{App, Problem, ProblemKind, Result};

/// Everything that a judgement of one request reads.
pub(crate) struct Facts {
    pub settings: Read<Settings>,
    pub resource: Read<Resource>,
    pub directory: Arc<Directory>,
}

impl Facts {
    /// The commit relies on all of it: the policy revision, the resource, and the principals of the request. // I2
    pub fn expect(&self, commit: &mut Commit) {
        commit.expect(&self.settings);
        commit.expect(&self.resource);
    }
}

impl App {
    /// Everybody there is, and what signals said of them. Every change of a principal, a group or such a fact moves the settings row, in the same commit, and so
    /// does every commit that relies on either: what was read at one version of that row stays true while it stands.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn directory(&self) -> Result<Arc<Directory>> {
        let version = self.settings().await?.version;
        let kept = self.directory.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, directory)) = kept
            && at == version
        {
            return Ok(directory);
        }
        let directory = Arc::new(self.read_directory().await?);
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = Some((version, Arc::clone(&directory)));
        Ok(directory)
    }

    async fn read_directory(&self) -> Result<Directory> {
        let principals = self.store_ref().all::<Principal>().await?;
        let groups = self.store_ref().all::<Group>().await?;
        let said = self.store_ref().all::<SaidOf>().await?;
        let told = said.into_iter().map(|row| (row.value.principal, row.value.sayings.told())).collect();
        let directory = Directory::new(principals.into_iter().map(|p| p.value), groups.into_iter().map(|g| g.value));
        Ok(directory.telling(told))
    }

    pub(crate) async fn facts(&self, resource: ResourceId) -> Result<Facts> {
        let settings = self.settings_and_policy().await?;
        let resource = self
            .store_ref()
            .get::<Resource>(&resource.to_string())
            .await?
            .ok_or_else(|| Problem::not_found("resource", resource))?;
        let directory = self.directory().await?;
        Ok(Facts { settings, resource, directory })
    }

    /// Judges a request on the facts as they are now, and keeps what was read (I7).
    pub(crate) fn judge(&self, request: &Request, facts: &Facts, now: Time) -> Result<Decision> {
        let input = Input::for_request(request, &facts.resource.value, &facts.directory, now)?;
        Ok(self.decide(input))
    }

    /// Judges.
    pub(crate) fn decide(&self, input: Input) -> Decision {
        let id = DecisionId::new(self.now(), self.id_bytes());
        Decision::make(id, &self.policy(), input)
    }

    /// What would turn a no into a yes.
    pub(crate) fn missing(&self, judged: &Decision, facts: &Facts) -> Missing {
        if judged.verdict.is_permitted() {
            return Missing::default();
        }
        missing(&self.policy(), &judged.input, &facts.directory)
    }

    /// The record of a decision, under the key of whom it is about. // I7
    pub(crate) fn decision_part(&self, decision: &Decision) -> Part {
        self.subject_part(decision.input.principal.id, decision)
    }

    /// The resource of that name.
    pub async fn resource_named(&self, name: &str) -> Result<Read<Resource>> {
        let found = self.store_ref().find::<Resource>(key::NAME, name).await?;
        found.into_iter().next().ok_or_else(|| Problem::not_found("resource", name))
    }

    /// The principal of that name.
    pub async fn principal_named(&self, name: &str) -> Result<Read<Principal>> {
        let found = self.store_ref().find::<Principal>(key::NAME, name).await?;
        found.into_iter().next().ok_or_else(|| Problem::not_found("principal", name))
    }

    /// The principal of that id.
    pub async fn principal(&self, id: PrincipalId) -> Result<Read<Principal>> {
        let found = self.store_ref().get::<Principal>(&id.to_string()).await?;
        found.ok_or_else(|| Problem::not_found("principal", id))
    }

    /// The group of that name.
    pub async fn group_named(&self, name: &str) -> Result<Read<Group>> {
        let found = self.store_ref().find::<Group>(key::NAME, name).await?;
        found.into_iter().next().ok_or_else(|| Problem::not_found("group", name))
    }

    /// The administrators.
    pub(crate) async fn administrators(&self) -> Result<Read<Group>> {
        self.group_named(ADMINISTRATORS).await
    }

    /// Judges an act that isn't the use of a role, and refuses when policy doesn't permit it. // I12
    pub(crate) async fn must_be_permitted(&self, actor: &Actor, act: Act) -> Result<Decision> {
        let directory = self.directory().await?;
        let principal =
            directory.party(actor.principal).ok_or_else(|| Problem::not_found("principal", actor.principal))?;
        let decision = self.decide(Input { at: self.now(), principal, act });
        if decision.verdict.is_permitted() {
            return Ok(decision);
        }
        Err(Problem::new(
            ProblemKind::NotAllowed,
            "not_permitted",
            format!("policy doesn't permit you to do this: {}", decision.verdict),
            "ask an administrator, or see `daypass explain`",
        ))
    }

    /// How long ago the actor showed a second factor, in seconds.
    pub(crate) fn second_factor_age_s(&self, actor: &Actor) -> Option<i64> {
        match actor.via {
            Via::SignIn { second_factor: SecondFactor::ShownAt { at } } => Some(self.now().since(at).secs()),
            Via::SignIn { second_factor: SecondFactor::NotShown } | Via::Token { .. } => None,
        }
    }
}

/// The same facts for another length of time: what an extension makes of a grant.
pub(crate) fn lasting(mut input: Input, length: Span) -> Input {
    match &mut input.act {
        Act::Use(used) => used.asked.duration = length,
        Act::Administer { .. }
        | Act::Revoke { .. }
        | Act::ViewSessions { .. }
        | Act::ReadEvidence { .. }
        | Act::Serve { .. } => {}
    }
    input
}

/// Reads a name that came from outside.
pub(crate) fn name(text: &str) -> Result<Name> {
    text.parse().map_err(|e: daypass_domain::BadName| Problem::invalid("bad_name", e.to_string(), ""))
}

/// A row's kind for [`Commit::expect_none`].
pub(crate) const REQUEST: Kind = Kind::Request;
