//! Asking for a role on a resource: judged at once, and granted, left pending, or refused.

use daypass_domain::{
    Digest, GrantId, Name, PrincipalId, RequestId, Span, Time,
    confirmation::Confirmed,
    grant::{Grant, GrantState, Login},
    notice::KnownTo,
    principal::Actor,
    request::{Asked, Purpose, Reason, Request, RequestEvent, RequestState, Start, TicketRef},
    statement::{Looked, Opens, Run, Wants},
};
use daypass_policy::{Decision, Missing, Verdict, Way};
use daypass_ports::record::{Commit, Part, Read};

use crate::{
    App, Problem, Result,
    entry::{access, decision, event, owner_id},
    facts::{self, Facts},
    retry_stale,
};

/// How long a request waits for what is missing, unless its start comes sooner.
pub const PENDING_FOR: Span = Span::from_mins(24 * 60);
/// How far ahead a start may be.
const START_AHEAD: Span = Span::from_mins(90 * 24 * 60);
/// How long a reason may be, in characters.
pub const REASON_CHARS: usize = 2_000;

/// What somebody asks for, as it came from outside.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The resource's name.
    pub resource: String,
    /// The role's name.
    pub role: String,
    /// For how long.
    pub duration: Span,
    /// From when.
    pub start: Start,
    /// What for.
    pub purpose: Purpose,
    /// The ticket it belongs to.
    pub ticket: Option<TicketRef>,
    /// Why, in the requester's words; may be empty.
    pub reason: String,
    /// Who shall hold it, by name, when not the requester.
    pub beneficiary: Option<String>,
    /// The one statement that it is for; absent when it is for sessions.
    pub statement: Option<String>,
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The request as it now stands.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
    /// The entry that records it.
    pub entry: u64,
}

/// What came of a judgement of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is granted.
    Granted(Box<Grant>),
    /// It waits for one of these.
    Pending {
        /// What would let it through.
        missing: Missing,
    },
    /// Policy says no.
    Refused {
        /// By which policies, or why else, in words.
        why: String,
        /// What would let it through if it were asked for otherwise.
        missing: Missing,
    },
}

impl App {
    /// Asks for a role on a resource.
    ///
    /// # Errors
    /// When there is no such resource, role or beneficiary, or what was sent makes no sense. That policy says no is an
    /// answer, not an error.
    pub async fn request(&self, actor: &Actor, asking: Asking) -> Result<Answered> {
        self.clock_is_sound()?;
        let id = RequestId::new(self.now(), self.id_bytes());
        retry_stale!(self.try_request(actor, &asking, id).await)
    }

    async fn try_request(&self, actor: &Actor, asking: &Asking, id: RequestId) -> Result<Answered> {
        let resource = self.resource_named(&asking.resource).await?;
        let facts = self.facts(resource.value.id).await?;
        self.request_on(actor, asking, id, &facts).await
    }

    /// Asks, on facts that somebody may have judged by already: the commit relies on them.
    pub(crate) async fn request_on(
        &self,
        actor: &Actor,
        asking: &Asking,
        id: RequestId,
        facts: &Facts,
    ) -> Result<Answered> {
        let now = self.now();
        let (request, said) = self.form(actor, asking, id, facts, now).await?;
        let judged = self.judge(&request, facts, now)?;
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect_none(facts::REQUEST, &id.to_string());
        let (request, outcome) = self.settle(request, &judged, facts, now)?;
        self.tell_of_settled(&request, &outcome, KnownTo::Doer { principal: actor.person.id() }, &mut commit);
        let parts = std::iter::once(self.decision_part(&judged)).chain(said).collect();
        self.record_settled(&request, &outcome, event::REQUESTED, parts, facts, &mut commit);
        let intent = self.commit(commit, ()).await?;
        let entry = intent.committed().entries.first().copied().unwrap_or_default();
        Ok(Answered { request, outcome, entry })
    }

    /// Checks what came from outside, and makes a request of it.
    pub(crate) async fn form(
        &self,
        actor: &Actor,
        asking: &Asking,
        id: RequestId,
        facts: &Facts,
        now: Time,
    ) -> Result<(Request, Vec<Part>)> {
        let resource = &facts.resource.value;
        let role: Name = facts::name(&asking.role)?;
        let definition = resource.roles.get(&role).ok_or_else(|| {
            let known: Vec<&str> = resource.roles.keys().map(Name::as_str).collect();
            Problem::invalid(
                "no_such_role",
                format!("{} has no role `{role}`", resource.name),
                format!("its roles are: {}", known.join(", ")),
            )
        })?;
        if asking.duration == Span::ZERO {
            return Err(Problem::invalid("bad_duration", "a grant of no time is no use", "say how long: --for 30m"));
        }
        if let Start::At { time } = asking.start
            && time > now + START_AHEAD
        {
            return Err(Problem::invalid(
                "bad_start",
                "a start can be at most 90 days ahead",
                "ask again nearer to it",
            ));
        }
        let beneficiary = match &asking.beneficiary {
            Some(name) => self.principal_named(name).await?.value,
            None => self.principal(actor.principal).await?.value,
        };
        let (reason, said) = self.keep_reason(actor.principal, &asking.reason)?;
        let (wants, statement) = self.keep_statement(actor.principal, asking.statement.as_deref())?;
        let asked = Asked {
            requester: actor.principal,
            requester_person: actor.person,
            beneficiary: beneficiary.id,
            beneficiary_person: beneficiary.person(),
            resource: resource.id,
            role,
            duration: asking.duration,
            start: asking.start,
            purpose: asking.purpose,
            ticket: asking.ticket.clone(),
            reason,
            second_factor_age_s: self.second_factor_age_s(actor),
            wants,
            claims: self.claims_of(actor).await?,
        };
        let expires = match asking.start {
            Start::At { time } if time > now => time.min(now + PENDING_FOR).max(now + Span::from_mins(5)),
            Start::At { .. } | Start::AtOnce => now + PENDING_FOR,
        };
        let role_digest = definition.digest(resource);
        let state = RequestState::Pending { expires };
        let (approvals, looked, confirmed) = (Vec::new(), Looked::Never, Confirmed::Never);
        let request = Request { id, asked, role_digest, made: now, state, approvals, looked, confirmed };
        Ok((request, said.into_iter().chain(statement).collect()))
    }

    /// Free text never stands in a row (I9): it goes under its writer's key, and the row says where.
    pub(crate) fn keep_reason(&self, writer: PrincipalId, text: &str) -> Result<(Reason, Option<Part>)> {
        let text = text.trim();
        if text.chars().count() > REASON_CHARS {
            return Err(Problem::invalid(
                "reason_too_long",
                format!("the reason has more than {REASON_CHARS} characters"),
                "say it shorter, and put the rest in the ticket",
            ));
        }
        if text.is_empty() {
            return Ok((Reason::Missing, None));
        }
        let part = self.subject_part(writer, &text);
        Ok((Reason::Kept { at: part.id, digest: Digest::of(text.as_bytes()) }, Some(part)))
    }

    /// What a judgement makes of a pending request. Nothing is durable yet.
    pub(crate) fn settle(
        &self,
        request: Request,
        judged: &Decision,
        facts: &Facts,
        now: Time,
    ) -> Result<(Request, Outcome)> {
        let missing = self.missing(judged, facts);
        match &judged.verdict {
            Verdict::Permitted { .. } => {
                let id = GrantId::new(now, self.id_bytes());
                let request = request.apply(RequestEvent::Grant(id), now)?;
                let grant = self.grant_for(&request, id, facts, now);
                Ok((request, Outcome::Granted(Box::new(grant))))
            }
            Verdict::NotPermitted | Verdict::Forbidden { .. } if missing.ways.iter().any(Way::waits_for_people) => {
                Ok((request, Outcome::Pending { missing }))
            }
            Verdict::NotPermitted | Verdict::Forbidden { .. } | Verdict::Failed { .. } | Verdict::Inactive => {
                let policies = judged.verdict.policies().map(|p| p.id.clone()).collect();
                let request = request.apply(RequestEvent::Forbid(policies), now)?;
                Ok((request, Outcome::Refused { why: judged.verdict.to_string(), missing }))
            }
        }
    }

    fn grant_for(&self, request: &Request, id: GrantId, facts: &Facts, now: Time) -> Grant {
        let (duration, role) = request.narrowed();
        let state = match request.asked.start {
            Start::At { time } if time > now => GrantState::Scheduled { start: time, duration },
            Start::At { .. } | Start::AtOnce => {
                GrantState::Active { since: now, deadline: now + duration, login: Login::NotMade }
            }
        };
        Grant {
            id,
            request: request.id,
            holder: request.asked.beneficiary,
            person: request.asked.beneficiary_person,
            resource: request.asked.resource,
            role_digest: facts
                .resource
                .value
                .roles
                .get(&role)
                .map_or(request.role_digest, |r| r.digest(&facts.resource.value)),
            role,
            opens: match request.asked.wants {
                Wants::Sessions => Opens::Sessions,
                Wants::Statement { .. } => Opens::Statement { run: Run::NotBegun },
            },
            state,
        }
    }

    /// Adds a settled request, and its grant if there is one, to a commit.
    pub(crate) fn record_settled(
        &self,
        request: &Request,
        outcome: &Outcome,
        what: &'static str,
        parts: Vec<Part>,
        facts: &Facts,
        commit: &mut Commit,
    ) {
        let region = facts.resource.value.region.clone();
        let word = match outcome {
            Outcome::Granted(_) => "granted",
            Outcome::Pending { .. } => "pending",
            Outcome::Refused { .. } => "refused",
        };
        let mut ids = request_ids(request);
        ids.push(("outcome", word.to_owned()));
        commit.put(request);
        commit.entry(decision(what, ids, region.clone(), parts));
        if let Outcome::Granted(grant) = outcome {
            let event = match grant.state {
                GrantState::Scheduled { .. } => event::GRANT_SCHEDULED,
                GrantState::Active { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => {
                    event::GRANT_ACTIVATED
                }
            };
            let parts = vec![self.operational_part(&**grant)];
            commit.put(&**grant);
            commit.entry(access(event, crate::ending::grant_ids(grant), region, parts));
        }
    }

    /// There is something to tell about a request that was judged, and about its grant if there is one.
    pub(crate) fn tell_of_settled(&self, request: &Request, outcome: &Outcome, known_to: KnownTo, commit: &mut Commit) {
        self.tell_of_request(request, known_to, commit);
        match outcome {
            Outcome::Granted(grant) => self.tell_of_grant(grant, known_to, commit),
            Outcome::Pending { .. } | Outcome::Refused { .. } => {}
        }
    }

    /// The requester takes a request back.
    ///
    /// # Errors
    /// When there is no such request of theirs, or it isn't pending.
    pub async fn withdraw(&self, actor: &Actor, id: RequestId) -> Result<Request> {
        retry_stale!(self.try_withdraw(actor, id).await)
    }

    async fn try_withdraw(&self, actor: &Actor, id: RequestId) -> Result<Request> {
        let read = self.request_row(id).await?;
        if !read.value.is_party(actor.person) {
            return Err(Problem::not_found("request", id));
        }
        let known_to = KnownTo::Doer { principal: actor.person.id() };
        self.end_request(read, RequestEvent::Withdraw, event::WITHDRAWN, Vec::new(), known_to).await
    }

    /// Moves a pending request to an end that needs no judgement.
    pub(crate) async fn end_request(
        &self,
        read: Read<Request>,
        how: RequestEvent,
        what: &'static str,
        parts: Vec<Part>,
        known_to: KnownTo,
    ) -> Result<Request> {
        let next = read.value.clone().apply(how, self.now())?;
        let region = match self.facts(next.asked.resource).await {
            Ok(facts) => facts.resource.value.region,
            Err(_) => self.region().await?,
        };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        commit.entry(decision(what, request_ids(&next), region, parts));
        self.tell_of_request(&next, known_to, &mut commit);
        self.commit(commit, ()).await?;
        Ok(next)
    }

    /// The request of that id.
    pub(crate) async fn request_row(&self, id: RequestId) -> Result<Read<Request>> {
        let read = self.store_ref().get::<Request>(&id.to_string()).await?;
        read.ok_or_else(|| Problem::not_found("request", id))
    }
}

/// The ids that every entry about a request carries.
pub(crate) fn request_ids(request: &Request) -> Vec<(&'static str, String)> {
    [
        ("request", request.id.to_string()),
        ("principal", request.asked.beneficiary.to_string()),
        ("requester", request.asked.requester.to_string()),
        ("resource", request.asked.resource.to_string()),
    ]
    .into_iter()
    .chain(owner_id(request.asked.beneficiary, request.asked.beneficiary_person))
    .chain(requesters_owner(request))
    .collect()
}

/// Who answers for a workload that asks for somebody else.
fn requesters_owner(request: &Request) -> Option<(&'static str, String)> {
    let asked = &request.asked;
    let for_other = asked.requester != asked.beneficiary;
    let owner = owner_id(asked.requester, asked.requester_person).filter(|_| for_other);
    owner.map(|(_, owner)| ("requester_owner", owner))
}
