//! Other products ask: whether somebody has access now, who has, and for access (OpenID AuthZEN, ADR 20).
//!
//! | file | what it does |
//! | --- | --- |
//! | `weigh.rs` | decides whether a subject has a role now, and says why not |
//! | `find.rs`, `page.rs` | who has, on what, as which role |
//! | `tie.rs` | what ties a request for access to the denial that it answers |
//! | `submit.rs` | a request for access, where it stands, taking it back |
//!
//! A decision is `true` exactly while a live grant opens doors for that role and policy still permits it: judged again by
//! the one evaluator, on the facts of now. Nothing that the asking product says of anybody is believed.

mod find;
mod page;
mod submit;
mod tie;
mod weigh;

use daypass_domain::{
    Digest, GrantId, Name, Span, Time,
    principal::{Actor, Kind, Principal},
    resource::Resource,
};
use daypass_policy::{Act, Service, Thing};
use daypass_ports::record::Read;

pub use page::{Found, Paged};
pub use submit::{Submission, Task, TaskState};

use crate::{App, Problem, ProblemKind, Result};

/// The most evaluations in one call.
pub const EVALUATIONS_MOST: usize = 50;
/// The longest type, id or name that is read, in bytes. No name here is longer than 63.
pub const WORD_MOST: usize = 256;

/// The type that stands for any kind of resource.
const ANY_RESOURCE: &str = "daypass-resource";

/// A subject or a resource, as it was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its type.
    pub kind: String,
    /// Its id: a name.
    pub id: String,
}

/// What is asked: whether a subject has a role on a resource now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub subject: Called,
    /// On what.
    pub resource: Called,
    /// As which role.
    pub role: String,
    /// The digest of subject, resource and action as they were sent, with all their properties.
    pub said: Digest,
    /// The approval that it names, if it names one.
    pub approval: Option<String>,
}

/// Who asks, and whether their credential allows asking for access too.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// Whether they could ask for access by the same credential.
    pub requests: Requests,
}

/// Whether a credential allows asking for access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// It does.
    Allowed,
    /// It doesn't.
    NotAllowed,
}

/// Whether several evaluations stop at a first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantic {
    /// All are done.
    ExecuteAll,
    /// The first no is the last.
    DenyOnFirstDeny,
    /// The first yes is the last.
    PermitOnFirstPermit,
}

/// What came of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What it is told by, which ties a request for access to it.
    pub id: String,
    /// When.
    pub at: Time,
    /// The decision.
    pub decided: Decided,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// A grant lets them.
    Yes {
        /// Which.
        grant: GrantId,
        /// Since when.
        since: Time,
        /// Until when at most.
        until: Time,
    },
    /// None does.
    No(Denied),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// As a word.
    pub reason: Reason,
    /// In words.
    pub words: String,
    /// Whether access can be asked for, naming this denial, and until when.
    pub ask_until: Option<Time>,
    /// What to do about the approval that was named; nothing where none was.
    pub next: Option<Next>,
}

/// What to do about an approval that doesn't do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Ask for access anew.
    Request,
    /// Evaluate again, after so long.
    Retry(Span),
    /// Nothing helps.
    Nothing,
}

/// Why somebody has no access, as a word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is no such principal.
    NoSuchSubject,
    /// There is no such resource.
    NoSuchResource,
    /// The resource has no such role.
    NoSuchRole,
    /// It would be given at once, if it were asked for.
    RequestNeeded,
    /// It needs something that could be had: approvals, a reason, a ticket.
    ApprovalRequired,
    /// It was asked for, and waits.
    RequestPending,
    /// It was given, and starts later.
    GrantPending,
    /// What is held is for one statement, and opens no session.
    OneStatement,
    /// Policy says no, whatever is added.
    PolicyDenied,
    /// The approval that was named is over.
    ApprovalExpired,
    /// The approval that was named is for something else.
    OutOfScope,
    /// The approval that was named isn't the subject's, or isn't one.
    ApprovalUnverifiable,
}

impl Reason {
    /// As programs read it. Those about approvals are the profile's own words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSuchSubject => "no_such_subject",
            Self::NoSuchResource => "no_such_resource",
            Self::NoSuchRole => "no_such_role",
            Self::RequestNeeded => "request_needed",
            Self::ApprovalRequired => "approval_required",
            Self::RequestPending => "request_pending",
            Self::GrantPending => "grant_pending",
            Self::OneStatement => "one_statement",
            Self::PolicyDenied => "policy_denied",
            Self::ApprovalExpired => "approval_expired",
            Self::OutOfScope => "out_of_scope",
            Self::ApprovalUnverifiable => "approval_unverifiable",
        }
    }
}

/// Whom a question is about, as seen from who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The same person: themselves, or a workload and its owner. // I8
    Themselves,
    /// Somebody else. What is told is an entry. // I11
    Another,
}

impl App {
    /// The resource that was called so, where there is one.
    pub(crate) async fn called_resource(&self, called: &Called) -> Result<Option<Resource>> {
        let Some(read) = found(self.resource_named(&called.id).await)? else { return Ok(None) };
        Ok(is_of_kind(&called.kind, &read.value).then_some(read.value))
    }

    /// The principal that was called so, where there is one.
    pub(crate) async fn called_subject(&self, called: &Called) -> Result<Option<Principal>> {
        let Some(Read { value, .. }) = found(self.principal_named(&called.id).await)? else { return Ok(None) };
        Ok((subject_kind(&value) == called.kind).then_some(value))
    }

    /// Whom a question is about; a refusal where who asks may not be told of others. Where there is no such subject it is
    /// somebody else, so that nobody learns who is there.
    pub(crate) async fn may_be_told(
        &self,
        actor: &Actor,
        subject: Option<&Principal>,
        resource: &Resource,
        role: &Name,
    ) -> Result<About> {
        if subject.is_some_and(|subject| subject.person() == actor.person) {
            return Ok(About::Themselves);
        }
        self.must_be_permitted(actor, self.serve(actor, Service::Decide, resource, role)).await?;
        Ok(About::Another)
    }

    /// Whether who asks may ask for a role that the subject would hold: each for themselves, and for others where policy
    /// lets them.
    pub(crate) async fn may_request_for(
        &self,
        actor: &Actor,
        subject: &Principal,
        resource: &Resource,
        role: &Name,
    ) -> Result<()> {
        if subject.id == actor.principal {
            return Ok(());
        }
        let act = self.serve(actor, Service::RequestFor, resource, role);
        self.must_be_permitted(actor, act).await.map(drop)
    }

    fn serve(&self, actor: &Actor, service: Service, resource: &Resource, role: &Name) -> Act {
        Act::Serve {
            service,
            resource: Thing::of(resource),
            role: role.clone(),
            second_factor_age_s: self.second_factor_age_s(actor),
        }
    }
}

/// What a principal is, as AuthZEN's types say it.
pub(crate) const fn subject_kind(principal: &Principal) -> &'static str {
    match principal.kind {
        Kind::User => "user",
        Kind::Workload { .. } => "workload",
    }
}

pub(crate) fn is_of_kind(kind: &str, resource: &Resource) -> bool {
    kind == ANY_RESOURCE || kind == Thing::of(resource).kind.as_str()
}

/// What isn't there is nothing, and no error.
pub(crate) fn found<T>(looked: Result<T>) -> Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Whether it was permitted; an error where that can't be known.
pub(crate) fn permitted<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(Problem { kind: ProblemKind::NotAllowed, .. }) => Ok(None),
        Err(problem) => Err(problem),
    }
}
