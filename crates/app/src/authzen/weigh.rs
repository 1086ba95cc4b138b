//! Deciding whether a subject has a role now. Yes while a live grant opens doors for it and policy still permits it; no
//! otherwise, with what is missing by the same evaluator. // I2

use std::cmp::Reverse;

use daypass_domain::{
    DecisionId, GrantId, Name, RequestId, Span, Time,
    grant::{Grant, GrantState},
    principal::{Actor, Principal, SecondFactor, Via},
    request::{Purpose, Request, Start},
    statement::Opens,
};
use daypass_policy::{Answer, Decision, Giver, Input, Lack, Missing, answer};
use daypass_ports::{
    record::{Commit, Read},
    rows::key,
};

use super::{
    About, Asker, Decided, Denied, Evaluation, Next, Question, Reason, Requests, Semantic, permitted, tie::TIE_LASTS,
};
use crate::{
    App, ProblemKind, Result,
    entry::{decision, event, owner_id},
    facts::Facts,
    rejudge::input_of,
    request::Asking,
    retry_stale,
};

/// What is judged for somebody who holds nothing: what they would be answered if they asked for so long.
const SUPPOSED: Span = Span::from_mins(60);

/// What a subject holds of a role.
enum Held {
    /// This lets them in now.
    Opens { grant: Box<Read<Grant>>, decision: Box<Decision> },
    /// This did, and policy no longer permits it; without a decision when its role was changed.
    NoLonger { decision: Option<Box<Decision>> },
    /// This will.
    Later { start: Time },
    /// This is for one statement.
    OneStatement,
    /// Nothing.
    Nothing,
}

/// Why a subject has no access, before anybody looks at an approval that was named.
struct WhyNot {
    reason: Reason,
    words: String,
    decision: Option<Box<Decision>>,
    askable: bool,
    next: Option<Next>,
}

impl App {
    /// Answers several questions in their order. About others only where policy lets the asker be told, and then what is
    /// told is durable before it is told. // I1, I7, I11
    ///
    /// # Errors
    /// When nothing can be said at all. What is wrong with one question is its answer.
    pub async fn evaluate(
        &self,
        asker: Asker<'_>,
        asked: &[Result<Question>],
        semantic: Semantic,
    ) -> Result<Vec<Result<Evaluation>>> {
        self.clock_is_sound()?;
        retry_stale!(self.try_evaluate(asker, asked, semantic).await)
    }

    async fn try_evaluate(
        &self,
        asker: Asker<'_>,
        asked: &[Result<Question>],
        semantic: Semantic,
    ) -> Result<Vec<Result<Evaluation>>> {
        let mut commit = Commit::default();
        let mut told = Vec::with_capacity(asked.len());
        for question in asked {
            let outcome = match question {
                Ok(question) => self.weigh(asker, question, &mut commit).await,
                Err(problem) => Err(problem.clone()),
            };
            if let Err(problem) = &outcome
                && matches!(problem.kind, ProblemKind::Unavailable | ProblemKind::Stale)
            {
                return Err(problem.clone());
            }
            let yes = matches!(&outcome, Ok(Evaluation { decided: Decided::Yes { .. }, .. }));
            told.push(outcome);
            match (semantic, yes) {
                (Semantic::DenyOnFirstDeny, false) | (Semantic::PermitOnFirstPermit, true) => break,
                (Semantic::ExecuteAll, _)
                | (Semantic::DenyOnFirstDeny, true)
                | (Semantic::PermitOnFirstPermit, false) => {}
            }
        }
        if !commit.entries.is_empty() {
            self.commit(commit, ()).await?;
        }
        Ok(told)
    }

    async fn weigh(&self, asker: Asker<'_>, asked: &Question, commit: &mut Commit) -> Result<Evaluation> {
        let now = self.now();
        let Some(resource) = self.called_resource(&asked.resource).await? else {
            return Ok(self.unknown(asker, asked, (Reason::NoSuchResource, "there is no such resource"), now));
        };
        let facts = self.facts(resource.id).await?;
        let role = asked.role.parse::<Name>().ok().filter(|role| facts.resource.value.roles.contains_key(role));
        let Some(role) = role else {
            return Ok(self.unknown(asker, asked, (Reason::NoSuchRole, "the resource has no such role"), now));
        };
        let subject = self.called_subject(&asked.subject).await?;
        let about = self.may_be_told(asker.actor, subject.as_ref(), &facts.resource.value, &role).await?;
        let Some(subject) = subject else {
            return Ok(self.unknown(asker, asked, (Reason::NoSuchSubject, "there is no such user or workload"), now));
        };
        let held = self.held_by(subject.id).await?;
        let (decided, judged) = match self.held_of(held, &facts, &role, now).await? {
            Held::Opens { grant, decision } => {
                commit.expect(&*grant);
                (yes(&grant.value, now), Some(decision))
            }
            held => {
                let why = self.why_not(asker, &subject, &facts, &role, held).await?;
                let why = self.about_named(asked, &subject, &facts, &role, why).await?;
                let ask_until = why.askable.then_some(now + TIE_LASTS);
                let denied = Denied { reason: why.reason, words: why.words, ask_until, next: why.next };
                (Decided::No(denied), why.decision)
            }
        };
        let id = judged.as_ref().map_or_else(|| DecisionId::new(now, self.id_bytes()), |judged| judged.id);
        if about == About::Another {
            self.record_told(asker.actor, &subject, &facts, (id, &decided), judged.as_deref(), commit);
        }
        let ask_until = match &decided {
            Decided::Yes { .. } => None,
            Decided::No(denied) => denied.ask_until,
        };
        Ok(Evaluation { id: self.tie(id, asker.actor, asked.said, ask_until), at: now, decided })
    }

    /// What nobody knows is a no; it says nothing of anybody, so it is no entry.
    fn unknown(&self, asker: Asker<'_>, asked: &Question, (reason, words): (Reason, &str), now: Time) -> Evaluation {
        let denied = Denied { reason, words: words.to_owned(), ask_until: None, next: None };
        let id = self.tie(DecisionId::new(now, self.id_bytes()), asker.actor, asked.said, None);
        Evaluation { id, at: now, decided: Decided::No(denied) }
    }

    /// Of what a subject holds, the grant that lets them in as a role now.
    pub(super) async fn opening(
        &self,
        held: Vec<Read<Grant>>,
        facts: &Facts,
        role: &Name,
        now: Time,
    ) -> Result<Option<Box<Read<Grant>>>> {
        Ok(match self.held_of(held, facts, role, now).await? {
            Held::Opens { grant, .. } => Some(grant),
            Held::NoLonger { .. } | Held::Later { .. } | Held::OneStatement | Held::Nothing => None,
        })
    }

    async fn held_of(&self, mut held: Vec<Read<Grant>>, facts: &Facts, role: &Name, now: Time) -> Result<Held> {
        held.retain(|g| g.value.resource == facts.resource.value.id && g.value.role == *role);
        held.sort_by_key(|g| Reverse(lasts_until(&g.value)));
        let mut best = Held::Nothing;
        for grant in held {
            if grant.value.opens_doors(now) {
                match self.judge_held(&grant.value, facts, now).await? {
                    Some(decision) if decision.verdict.is_permitted() => {
                        return Ok(Held::Opens { grant: Box::new(grant), decision: Box::new(decision) });
                    }
                    decision => best = Held::NoLonger { decision: decision.map(Box::new) },
                }
                continue;
            }
            // What is past its deadline is over, though nobody has ended it yet.
            if lasts_until(&grant.value).is_some_and(|deadline| now >= deadline) {
                continue;
            }
            let other = match (grant.value.opens, grant.value.state) {
                (Opens::Sessions, GrantState::Scheduled { start, .. }) => Held::Later { start },
                (Opens::Statement { .. }, _) => Held::OneStatement,
                // A look is at what somebody else asks for, and gives its approver nothing.
                (Opens::Sessions | Opens::Look { .. }, _) => continue,
            };
            if matches!(best, Held::Nothing) {
                best = other;
            }
        }
        Ok(best)
    }

    /// A live grant, judged on the facts of now as the gateway would judge it; nothing when its role gives something else
    /// than it gave then. It ends nothing: whatever changes facts judges again and does. // I2
    async fn judge_held(&self, grant: &Grant, facts: &Facts, now: Time) -> Result<Option<Decision>> {
        let resource = &facts.resource.value;
        if resource.roles.get(&grant.role).map(|role| role.digest(resource)) != Some(grant.role_digest) {
            return Ok(None);
        }
        let request = self.request_row(grant.request).await?.value;
        Ok(Some(self.decide(input_of(grant, &request, resource, &facts.directory, now)?)))
    }

    async fn why_not(
        &self,
        asker: Asker<'_>,
        subject: &Principal,
        facts: &Facts,
        role: &Name,
        held: Held,
    ) -> Result<WhyNot> {
        let closed = |reason, words: String| WhyNot { reason, words, decision: None, askable: false, next: None };
        Ok(match held {
            Held::Later { start } => {
                let in_s = start.since(self.now());
                WhyNot {
                    next: Some(Next::Retry(in_s)),
                    ..closed(Reason::GrantPending, format!("access was given, and begins in {in_s}"))
                }
            }
            Held::NoLonger { decision } => {
                let words = match &decision {
                    Some(decision) => format!("policy no longer permits it: {}", decision.verdict),
                    None => "what the role gives was changed since it was granted".to_owned(),
                };
                WhyNot { decision, ..closed(Reason::PolicyDenied, words) }
            }
            Held::OneStatement | Held::Nothing | Held::Opens { .. } => {
                let mut why = self.prospect(asker, subject, facts, role).await?;
                if matches!(held, Held::OneStatement) {
                    why.words = format!("what is held is for one statement, and opens no session; {}", why.words);
                    why.reason = Reason::OneStatement;
                }
                why
            }
        })
    }

    /// What a subject who holds nothing would be answered, if it were asked for.
    async fn prospect(&self, asker: Asker<'_>, subject: &Principal, facts: &Facts, role: &Name) -> Result<WhyNot> {
        let resource = &facts.resource.value;
        if let Some(request) = self.pending_of(subject, facts, role).await? {
            let judged = self.judge(&request, facts, self.now())?;
            let words = format!("it was asked for, and needs {}", self.missing(&judged, facts));
            let decision = Some(Box::new(judged));
            return Ok(WhyNot { reason: Reason::RequestPending, words, decision, askable: false, next: None });
        }
        let may = match asker.requests {
            Requests::Allowed => permitted(self.may_request_for(asker.actor, subject, resource, role).await)?.is_some(),
            Requests::NotAllowed => false,
        };
        // Who may not ask in the subject's place is told what the subject would be answered.
        let themselves = Actor {
            principal: subject.id,
            person: subject.person(),
            via: Via::SignIn { second_factor: SecondFactor::NotShown },
        };
        let actor = if may { asker.actor } else { &themselves };
        let wish = Asking {
            resource: resource.name.to_string(),
            role: role.to_string(),
            duration: SUPPOSED,
            start: Start::AtOnce,
            purpose: Purpose::Operations,
            ticket: None,
            reason: String::new(),
            beneficiary: Some(subject.name.to_string()),
            statement: None,
        };
        let now = self.now();
        let (request, _) = self.form(actor, &wish, RequestId::new(now, self.id_bytes()), facts, now).await?;
        let input = Input::for_request(&request, resource, &facts.directory, now)?;
        let (reason, words, askable) = match answer(&self.policy(), &input, &facts.directory) {
            Answer::Granted { .. } => (Reason::RequestNeeded, "it is given at once when it is asked for".into(), may),
            Answer::Needs { missing } => {
                (Reason::ApprovalRequired, format!("it needs {missing}"), may && can_be_had(&missing, actor))
            }
            refused @ Answer::Refused { .. } => (Reason::PolicyDenied, refused.to_string(), false),
        };
        let decision = Some(Box::new(self.decide(input)));
        Ok(WhyNot { reason, words, decision, askable, next: None })
    }

    async fn pending_of(&self, subject: &Principal, facts: &Facts, role: &Name) -> Result<Option<Request>> {
        let pending = self.store_ref().find::<Request>(key::PENDING_HOLDER, &subject.id.to_string()).await?;
        let same = |request: &Request| {
            let asked = &request.asked;
            asked.resource == facts.resource.value.id && asked.role == *role && asked.wants.is_sessions()
        };
        Ok(pending.into_iter().map(|read| read.value).find(same))
    }

    /// What is to be said of the approval that a question names. It never makes a yes: a grant does. What it is for is
    /// looked up, so a borrowed or made-up one says nothing of anybody else.
    async fn about_named(
        &self,
        asked: &Question,
        subject: &Principal,
        facts: &Facts,
        role: &Name,
        why: WhyNot,
    ) -> Result<WhyNot> {
        let Some(named) = &asked.approval else { return Ok(WhyNot { next: None, ..why }) };
        let grant = match named.parse::<GrantId>() {
            Ok(id) => self.store_ref().get::<Grant>(&id.to_string()).await?.map(|read| read.value),
            Err(_) => None,
        };
        let now = self.now();
        let (reason, words) = match grant.filter(|grant| grant.holder == subject.id) {
            None => (Reason::ApprovalUnverifiable, "the approval that was named is none of this subject's".to_owned()),
            Some(grant) if grant.resource != facts.resource.value.id || grant.role != *role => {
                (Reason::OutOfScope, "the approval that was named is for something else".to_owned())
            }
            Some(grant) => match grant.state {
                GrantState::Scheduled { .. } => (why.reason, why.words),
                GrantState::Active { deadline, .. } if now < deadline && !self.taken.is_ended(grant.id) => {
                    (why.reason, why.words)
                }
                GrantState::Active { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => {
                    (Reason::ApprovalExpired, format!("the access that was given is over; {}", why.words))
                }
            },
        };
        let next = match (reason, why.next) {
            (Reason::GrantPending, Some(next)) => next,
            (Reason::ApprovalExpired | Reason::OutOfScope, _) if why.askable => Next::Request,
            (_, _) => Next::Nothing,
        };
        let askable = next == Next::Request;
        Ok(WhyNot { reason, words, decision: why.decision, askable, next: Some(next) })
    }

    fn record_told(
        &self,
        actor: &Actor,
        subject: &Principal,
        facts: &Facts,
        (id, decided): (DecisionId, &Decided),
        judged: Option<&Decision>,
        commit: &mut Commit,
    ) {
        facts.expect(commit);
        let resource = &facts.resource.value;
        let mut ids = vec![
            ("principal", subject.id.to_string()),
            ("reader", actor.principal.to_string()),
            ("resource", resource.id.to_string()),
            ("decision", id.to_string()),
        ];
        ids.extend(owner_id(subject.id, subject.person()));
        match decided {
            Decided::Yes { grant, .. } => {
                ids.extend([("outcome", "yes".to_owned()), ("grant", grant.to_string())]);
            }
            Decided::No(_) => ids.push(("outcome", "no".to_owned())),
        }
        let parts = judged.map(|judged| self.decision_part(judged)).into_iter().collect();
        commit.entry(decision(event::DECISION_TOLD, ids, resource.region.clone(), parts));
    }
}

fn yes(grant: &Grant, now: Time) -> Decided {
    let (since, until) = match grant.state {
        GrantState::Active { since, deadline, .. } => (since, deadline),
        GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => (now, now),
    };
    Decided::Yes { grant: grant.id, since, until }
}

fn lasts_until(grant: &Grant) -> Option<Time> {
    match grant.state {
        GrantState::Active { deadline, .. } => Some(deadline),
        GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => None,
    }
}

/// Whether there is a way that whoever asks could go: a token shows no second factor.
fn can_be_had(missing: &Missing, actor: &Actor) -> bool {
    let by_token = match actor.via {
        Via::Token { .. } => true,
        Via::SignIn { .. } => false,
    };
    let out_of_reach = |lack: &Lack| match lack.giver() {
        Giver::AskerSignedIn => by_token,
        Giver::Others(_) | Giver::Owner(_) | Giver::Asker | Giver::Transmitter => false,
    };
    missing.ways.iter().any(|way| !way.lacks.iter().any(out_of_reach))
}
