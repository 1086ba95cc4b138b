//! Another person says yes, takes it back, or says no (I8).

use daypass_domain::{
    ApprovalId, Digest, Name, PrincipalId, RequestId, Span, Time,
    approval::{Approval, Narrowing, Picked},
    end::{EndCause, HeldFact},
    notice::KnownTo,
    principal::{Actor, Via},
    request::{Request, RequestEvent, RequestState},
    resource::Resource,
};
use daypass_policy::{Act, Directory, Input, PolicySet, judge};
use daypass_ports::record::Commit;

use crate::{
    App, Problem, Result,
    entry::{decision, event},
    request::{Answered, REASON_CHARS, request_ids},
    retry_stale,
    signin::Giving,
};

impl App {
    /// Says yes to a request, perhaps to less than was asked. `seen` is the digest of what the approver looked at.
    ///
    /// # Errors
    /// When it is a token that asks (I8), when their second factor has to be shown first, when they are a party to it, when their yes counts for nothing, when it has
    /// changed since they looked, or when it isn't pending.
    pub async fn approve(&self, actor: &Actor, id: RequestId, seen: Seen, less: Less) -> Result<Answered> {
        self.clock_is_sound()?;
        person_only(actor)?;
        self.must_be_fresh(actor, Giving::Approval).await?;
        retry_stale!(self.try_approve(actor, id, seen, &less).await)
    }

    async fn try_approve(&self, actor: &Actor, id: RequestId, seen: Seen, less: &Less) -> Result<Answered> {
        let now = self.now();
        let read = self.request_row(id).await?;
        let facts = self.facts(read.value.asked.resource).await?;
        self.must_count(actor, &read.value).await?;
        let (request_digest, role_digest) = match seen {
            // Nobody says yes to a statement that they haven't seen. // I8
            Seen::AsItIs if !read.value.asked.wants.is_sessions() => return Err(unseen()),
            Seen::AsItIs => (read.value.asked.digest(), read.value.role_digest),
            Seen::Digest(digest) => (digest, read.value.role_digest),
        };
        let current = facts.resource.value.roles.get(&read.value.asked.role).map(|r| r.digest(&facts.resource.value));
        if current != Some(role_digest) {
            return Err(Problem::conflict(
                "role_changed",
                "the role was changed since it was asked for, so an approval of it would be void",
                "the requester has to ask again",
            ));
        }
        if !read.value.asked.wants.is_sessions() {
            // What is gone, or isn't what was asked for, is approved by nobody.
            self.statement_of(&read.value).await?;
        }
        let approval = Approval {
            id: ApprovalId::new(now, self.id_bytes()),
            approver: actor.principal,
            at: now,
            request_digest,
            role_digest,
            narrowing: narrowing(&read.value, &facts.resource.value, less)?,
        };
        let event = RequestEvent::Approve { approval: approval.clone(), person: actor.person };
        let request = read.value.clone().apply(event, now)?;

        let judged = self.judge(&request, &facts, now)?;
        let (request, outcome) = self.settle(request, &judged, &facts, now)?;
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(&read);
        let mut ids = request_ids(&request);
        ids.push(("approver", actor.principal.to_string()));
        let region = facts.resource.value.region.clone();
        commit.entry(decision(event::APPROVED, ids, region, vec![self.subject_part(actor.principal, &approval)]));
        let parts = vec![self.decision_part(&judged)];
        self.tell_of_settled(&request, &outcome, KnownTo::Nobody, &mut commit);
        self.record_settled(&request, &outcome, event::REJUDGED, parts, &facts, &mut commit);
        let intent = self.commit(commit, ()).await?;
        let entry = intent.committed().entries.first().copied().unwrap_or_default();
        Ok(Answered { request, outcome, entry })
    }

    /// A yes that no policy would count is refused, so that nobody believes they helped.
    pub(crate) async fn must_count(&self, actor: &Actor, request: &Request) -> Result<()> {
        if request.is_party(actor.person) {
            return Err(Problem::not_allowed(
                "own_request",
                "nobody approves what they asked for or would hold",
                "somebody else has to; `daypass show` says who can",
            ));
        }
        if self.counts(actor, request).await? {
            return Ok(());
        }
        Err(Problem::not_allowed(
            "not_an_approver",
            "your answer to this request counts for nothing",
            "`daypass show` says whose does",
        ))
    }

    /// Whether the actor's yes would bring a pending request nearer, as the evaluator sees it.
    pub(crate) async fn counts(&self, actor: &Actor, request: &Request) -> Result<bool> {
        if request.is_party(actor.person) {
            return Ok(false);
        }
        let facts = self.facts(request.asked.resource).await?;
        let resource = &facts.resource.value;
        counts_under(&self.policy(), &facts.directory, resource, request, actor.principal, self.now())
    }

    /// Takes an approval back. A grant that rests on it is judged again, and ends when policy no longer permits it.
    ///
    /// # Errors
    /// When they hadn't approved it, or it is over.
    pub async fn withdraw_approval(&self, actor: &Actor, id: RequestId) -> Result<Request> {
        person_only(actor)?;
        let request = retry_stale!(self.try_withdraw_approval(actor, id).await)?;
        match &request.state {
            RequestState::Granted { grant, .. } => {
                let fact = HeldFact::Approval { request: id };
                self.rejudge(&[*grant], EndCause::FactGone { fact }).await?;
            }
            RequestState::Pending { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => {}
        }
        Ok(request)
    }

    async fn try_withdraw_approval(&self, actor: &Actor, id: RequestId) -> Result<Request> {
        let read = self.request_row(id).await?;
        let region = self.facts(read.value.asked.resource).await?.resource.value.region;
        let event = RequestEvent::WithdrawApproval { approver: actor.principal };
        let next = read.value.clone().apply(event, self.now())?;
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let mut ids = request_ids(&next);
        ids.push(("approver", actor.principal.to_string()));
        commit.entry(decision(event::APPROVAL_WITHDRAWN, ids, region, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(next)
    }

    /// Says no, with a note. Whoever could say yes may say no.
    ///
    /// # Errors
    /// When they may not, or it isn't pending.
    pub async fn deny(&self, actor: &Actor, id: RequestId, note: &str) -> Result<Request> {
        person_only(actor)?;
        if note.chars().count() > REASON_CHARS {
            return Err(Problem::invalid("note_too_long", "the note is too long", "say it shorter"));
        }
        retry_stale!(self.try_deny(actor, id, note).await)
    }

    async fn try_deny(&self, actor: &Actor, id: RequestId, note: &str) -> Result<Request> {
        let read = self.request_row(id).await?;
        self.must_count(actor, &read.value).await?;
        let part = self.subject_part(actor.principal, &note);
        let event = RequestEvent::Deny { by: actor.principal, person: actor.person, note: part.id };
        self.end_request(read, event, event::DENIED, vec![part], KnownTo::Nobody).await
    }
}

/// Whether a principal's yes would bring a pending request nearer under `policy`, as the evaluator sees it.
pub(crate) fn counts_under(
    policy: &PolicySet,
    directory: &Directory,
    resource: &Resource,
    request: &Request,
    approver: PrincipalId,
    now: Time,
) -> Result<bool> {
    let Some(yes) = directory.yes_of(approver) else { return Ok(false) };
    if request.is_party(yes.person) {
        return Ok(false);
    }
    let without = Input::for_request(request, resource, directory, now)?;
    let mut with = without.clone();
    match &mut with.act {
        Act::Use(used) => used.approvals.push(yes.clone()),
        Act::Administer { .. }
        | Act::Revoke { .. }
        | Act::ViewSessions { .. }
        | Act::ReadEvidence { .. }
        | Act::Serve { .. } => {}
    }
    let missing = |input: &Input| daypass_policy::missing::missing(policy, input, directory);
    let (before, after) = (missing(&without), missing(&with));
    Ok(before != after || (!judge(policy, &without).is_permitted() && judge(policy, &with).is_permitted()))
}

pub(crate) fn unseen() -> Problem {
    Problem::conflict(
        "say_what_you_saw",
        "the request is for one statement, and whoever answers it names what was looked at",
        "look at it (`daypass show`), and send the `digest` that was shown with the answer",
    )
}

/// What an approver looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The request as it is now: a request never changes what it asks.
    AsItIs,
    /// Exactly this.
    Digest(Digest),
}

/// What an approver makes smaller, as it came from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Less {
    /// A shorter time.
    pub duration: Option<Span>,
    /// A role that is declared narrower.
    pub role: Option<Name>,
}

/// The same with the definition of the picked role. A role that isn't narrower than what would be given now is refused:
/// another approver may have said yes to that one only. // I8
fn narrowing(request: &Request, resource: &Resource, less: &Less) -> Result<Narrowing> {
    let Some(role) = &less.role else { return Ok(Narrowing { duration: less.duration, role: None }) };
    let (_, now) = request.narrowed();
    let narrower = resource.roles.get(&now).is_some_and(|r| r.narrower.contains(role));
    let Some(definition) = resource.roles.get(role).filter(|_| *role == now || narrower) else {
        let known: Vec<&str> =
            resource.roles.get(&now).into_iter().flat_map(|r| &r.narrower).map(Name::as_str).collect();
        return Err(Problem::invalid(
            "not_narrower",
            format!("the role {role} isn't declared narrower than {now}, which would be given"),
            if known.is_empty() {
                "approve it as it is, or deny it".to_owned()
            } else {
                format!("pick one of: {}", known.join(", "))
            },
        ));
    };
    let picked = Picked { role: role.clone(), digest: definition.digest(resource) };
    Ok(Narrowing { duration: less.duration, role: Some(picked) })
}

/// Tokens never approve. // I8
pub(crate) fn person_only(actor: &Actor) -> Result<()> {
    let user = actor.person.id() == actor.principal;
    match (&actor.via, user) {
        (Via::SignIn { .. }, true) => Ok(()),
        (Via::SignIn { .. }, false) | (Via::Token { .. }, _) => Err(Problem::not_allowed(
            "person_only",
            "only a person who signed in can answer a request: tokens and workloads never do",
            "sign in with `daypass login` and answer it yourself",
        )),
    }
}
