//! `/access/v1/requests` (Access Request and Approval Profile, draft 1): a denial that can be asked for, and what became of
//! it. The task is a request like any other.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use daypass_api::{
    GrantId,
    authzen::{
        AccessRequest, ApprovalResult, Cancellation, Display, ResultMode, Task, TaskAnswer, TaskLinks, TaskResult,
        TaskStatus,
    },
};
use daypass_app::authzen::{self, Submission, TaskState};
use daypass_domain::request::{Purpose, TicketRef};
use serde_json::Value;
use utoipa::openapi::Ref;

use super::{REQUESTS, at, question};
use crate::{
    body::{Gives, Json, Maybe, Raw, Schemas},
    call::{Call, time as read_time},
    fault::{Fault, Result},
    requests::purpose,
    show::time,
};

/// What may be said with a request for access, for programs that fill it in.
const SCHEMA: &str = include_str!("schema.json");

/// 202 while it waits, 201 once it is answered.
pub(super) struct Submitted(TaskAnswer);

pub(super) async fn schema(_: Call) -> Result<Raw> {
    Ok(Raw::of("application/schema+json", SCHEMA))
}

pub(super) async fn submit(call: Call, Json(body): Json<AccessRequest>) -> Result<Submitted> {
    let context = body.context.as_ref();
    let wanted = body.requested_access.unwrap_or_default();
    let reason = match context.and_then(|context| context.get("business_justification")) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => {
            let field = "context.business_justification";
            return Err(Fault::invalid(field, format!("`{field}` must be text"), ""));
        }
    };
    let ticket = wanted.ticket.map(TicketRef::try_from).transpose();
    let usual = if wanted.emergency { Purpose::Incident } else { Purpose::Operations };
    let submission = Submission {
        question: question(&body.subject, &body.resource, &body.action, context)?,
        evaluation: body.denial.evaluation_id.unwrap_or_default(),
        until: wanted.requested_until.map(read_time),
        purpose: wanted.purpose.map_or(usual, purpose),
        ticket: ticket.map_err(|e| Fault::invalid("requested_access.urn:daypass:ticket", e.to_string(), ""))?,
        reason,
    };
    let task = call.app().submit(call.actor()?, submission).await?;
    Ok(Submitted(shown(&call, task)))
}

pub(super) async fn show(call: Call) -> Result<Json<TaskAnswer>> {
    let task = call.app().task_shown(call.actor()?, call.part("id")).await?;
    Ok(Json(shown(&call, task)))
}

pub(super) async fn cancel(call: Call, _: Maybe<Cancellation>) -> Result<Json<TaskAnswer>> {
    let task = call.app().cancel_task(call.actor()?, call.part("id")).await?;
    Ok(Json(shown(&call, task)))
}

fn shown(call: &Call, task: authzen::Task) -> TaskAnswer {
    let here = at(call, &format!("{REQUESTS}/{}", task.id));
    let mut said = Task {
        id: task.id.to_string(),
        status: TaskStatus::Pending,
        status_endpoint: here.clone(),
        expires_at: None,
        display: None,
        links: TaskLinks { ticket: at(call, &format!("/requests/{}", task.id)), cancel: None },
    };
    let mut result = None;
    match task.state {
        TaskState::Pending { expires, missing } => {
            let title = "Access was asked for".to_owned();
            said.expires_at = Some(time(expires));
            said.display = Some(Display { title, description: format!("It needs {missing}") });
            said.links.cancel = Some(format!("{here}/cancel"));
        }
        TaskState::Approved { grant, at, until } => {
            said.status = TaskStatus::Approved;
            let approval =
                ApprovalResult { id: GrantId::of(grant), approved_at: Some(time(at)), approved_until: time(until) };
            result = Some(TaskResult { mode: ResultMode::Reevaluate, approval });
        }
        TaskState::Denied => said.status = TaskStatus::Denied,
        TaskState::Expired => said.status = TaskStatus::Expired,
        TaskState::Cancelled => said.status = TaskStatus::Cancelled,
    }
    TaskAnswer { task: said, result }
}

impl Gives for Submitted {
    const STATUS: StatusCode = StatusCode::ACCEPTED;

    fn respond(self) -> Response {
        let status = match self.0.task.status {
            TaskStatus::Pending => StatusCode::ACCEPTED,
            TaskStatus::Approved | TaskStatus::Denied | TaskStatus::Expired | TaskStatus::Cancelled => {
                StatusCode::CREATED
            }
        };
        let place = HeaderValue::try_from(&self.0.task.status_endpoint);
        let mut response = Json(self.0).respond();
        *response.status_mut() = status;
        if let Ok(place) = place {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }

    fn describe(schemas: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        Json::<TaskAnswer>::describe(schemas)
    }
}
