//! A request for access that another product makes, in its subject's place or its own. It is a request like any other: judged
//! by policy, approved by other people, and neither its subject nor whoever asks approves it. // I8

use daypass_domain::{
    GrantId, Name, RequestId, Span, Time,
    grant::{Grant, GrantState},
    principal::Actor,
    request::{Purpose, Request, RequestState, Start, TicketRef},
};

use super::{Called, Question};
use crate::{
    App, Problem, ProblemKind, Result,
    request::{Answered, Asking},
    retry_stale,
};

/// How long access is asked for when nobody says.
const USUAL: Span = Span::from_mins(60);

/// A request for access, as it came.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What was asked about, and denied.
    pub question: Question,
    /// The id of the evaluation that denied it.
    pub evaluation: String,
    /// Until when access is wanted; for an hour when nothing is said.
    pub until: Option<Time>,
    /// What for.
    pub purpose: Purpose,
    /// The ticket that it belongs to.
    pub ticket: Option<TicketRef>,
    /// Why; may be empty.
    pub reason: String,
}

/// A request for access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What it is told by.
    pub id: RequestId,
    /// Where it stands.
    pub state: TaskState,
}

/// Where a request for access stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It waits.
    Pending {
        /// Until when.
        expires: Time,
        /// For what, in words.
        missing: String,
    },
    /// A grant was given.
    Approved {
        /// Which.
        grant: GrantId,
        /// When.
        at: Time,
        /// Until when at most: when it ended, where it has.
        until: Time,
    },
    /// A person or a policy said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// It was taken back.
    Cancelled,
}

impl App {
    /// Asks for access that was denied.
    ///
    /// # Errors
    /// When it names no fresh denial of just this that the asker was told, the asker may not ask for the subject, or what is
    /// asked makes no sense. That policy says no is an answer.
    pub async fn submit(&self, actor: &Actor, submission: Submission) -> Result<Task> {
        self.clock_is_sound()?;
        let fresh_until = self.tied(&submission.evaluation, actor, submission.question.said)?;
        let now = self.now();
        if now >= fresh_until {
            return Err(Problem::invalid(
                "expired_denial",
                "that denial is older than ten minutes",
                "evaluate again, and name the new one",
            ));
        }
        let duration = match submission.until {
            None => USUAL,
            Some(until) if until > now => until.since(now),
            Some(_) => {
                let next = "say a time that is ahead";
                return Err(Problem::invalid("bad_duration", "`requested_access.requested_until` has passed", next));
            }
        };
        let Submission { question, purpose, ticket, reason, evaluation: _, until: _ } = submission;
        let asking = Asking {
            resource: question.resource.id.clone(),
            role: question.role.clone(),
            duration,
            start: Start::AtOnce,
            purpose,
            ticket,
            reason,
            beneficiary: Some(question.subject.id.clone()),
            statement: None,
        };
        let id = RequestId::new(now, self.id_bytes());
        let answered = retry_stale!(self.try_submit(actor, &question, &asking, id).await)?;
        self.task(answered.request).await
    }

    /// Whether the asker may ask for the subject is judged on the facts that the request's commit relies on. // I12
    async fn try_submit(&self, actor: &Actor, question: &Question, asking: &Asking, id: RequestId) -> Result<Answered> {
        let gone = |called: &Called| Problem::not_found("subject or resource", &called.id);
        let resource = self.called_resource(&question.resource).await?.ok_or_else(|| gone(&question.resource))?;
        let facts = self.facts(resource.id).await?;
        let subject = self.called_subject(&question.subject).await?.ok_or_else(|| gone(&question.subject))?;
        let role: Name = crate::facts::name(&question.role)?;
        self.may_request_for(actor, &subject, &facts.resource.value, &role).await?;
        self.request_on(actor, asking, id, &facts).await
    }

    /// Where a request for access stands, for its parties.
    ///
    /// # Errors
    /// When there is none of theirs.
    pub async fn task_shown(&self, actor: &Actor, id: &str) -> Result<Task> {
        let request = self.task_row(actor, id).await?;
        self.task(request).await
    }

    /// Takes a request for access back, for its parties.
    ///
    /// # Errors
    /// When there is none of theirs, or it waits no more.
    pub async fn cancel_task(&self, actor: &Actor, id: &str) -> Result<Task> {
        let request = self.task_row(actor, id).await?;
        match self.withdraw(actor, request.id).await {
            Ok(withdrawn) => self.task(withdrawn).await,
            Err(Problem { kind: ProblemKind::Conflict, what, .. }) => Err(Problem::conflict(
                "invalid_task_state",
                what,
                "give the access back instead, if there is any: `daypass release`",
            )),
            Err(problem) => Err(problem),
        }
    }

    async fn task_row(&self, actor: &Actor, id: &str) -> Result<Request> {
        let read = match id.parse::<RequestId>() {
            Ok(id) => self.store_ref().get::<Request>(&id.to_string()).await?,
            Err(_) => None,
        };
        let request = read.map(|read| read.value).filter(|request| request.is_party(actor.person));
        request.ok_or_else(|| {
            let what = "there is no such task, or none that you may see";
            Problem::new(ProblemKind::NotFound, "unknown_task", what, "ask for access again")
        })
    }

    async fn task(&self, request: Request) -> Result<Task> {
        let state = match &request.state {
            RequestState::Pending { expires } => {
                let facts = self.facts(request.asked.resource).await?;
                let judged = self.judge(&request, &facts, self.now())?;
                TaskState::Pending { expires: *expires, missing: self.missing(&judged, &facts).to_string() }
            }
            RequestState::Granted { grant, at } => {
                let read = self.store_ref().get::<Grant>(&grant.to_string()).await?;
                let until = read.map_or(*at, |read| ends(&read.value));
                TaskState::Approved { grant: *grant, at: *at, until }
            }
            RequestState::Denied { .. } | RequestState::Forbidden { .. } => TaskState::Denied,
            RequestState::Withdrawn { .. } => TaskState::Cancelled,
            RequestState::Expired { .. } => TaskState::Expired,
        };
        Ok(Task { id: request.id, state })
    }
}

/// When a grant ends at the latest, or ended.
fn ends(grant: &Grant) -> Time {
    match grant.state {
        GrantState::Scheduled { start, duration } => start + duration,
        GrantState::Active { deadline, .. } => deadline,
        GrantState::Ending { at, .. } | GrantState::Ended { at, .. } => at,
    }
}
