//! OpenID AuthZEN: the Authorization API 1.0, and the draft Access Request and Approval Profile (ADR 20). Other products
//! ask here whether somebody has access now, who has, and for access.
//!
//! What comes in is passed over where it isn't known, and what makes no sense is 400, as the specification has it. Errors
//! are problems like everywhere here, of the profile's types where it has one.

mod decisions;
mod requests;
mod search;

use axum::{
    http::{HeaderName, StatusCode},
    response::{IntoResponse as _, Response},
};
use daypass_api::authzen::{Action, Configuration, Resource, Subject};
use daypass_app::{
    authzen::{Asker, Called, Question, Requests, WORD_MOST},
    entry::event,
};
use daypass_domain::Digest;
use daypass_ledger::leaf::canonical_json;
use daypass_ports::rows::TokenScope::{Decide, Request as Ask};
use serde_json::{Map, Value};

use crate::{
    body::Json,
    call::Call,
    fault::{Fault, Result},
    route::{
        Access::{Anybody, Scope},
        Route,
    },
};

/// What a call is told by where it comes from: said again in the answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const SEARCH_SUBJECT: &str = "/access/v1/search/subject";
const SEARCH_RESOURCE: &str = "/access/v1/search/resource";
const SEARCH_ACTION: &str = "/access/v1/search/action";
const REQUESTS: &str = "/access/v1/requests";
const REQUEST_SCHEMA: &str = "/access/v1/requests/schema.json";

/// What the profile calls an error of ours, after `urn:openid:authzen:access-request:error:`, and its status.
const PROFILE: [(&str, &str, StatusCode); 6] = [
    ("not_requestable", "not_requestable", StatusCode::BAD_REQUEST),
    ("expired_denial", "expired_denial", StatusCode::GONE),
    ("invalid_denial_binding", "invalid_denial_binding", StatusCode::BAD_REQUEST),
    ("idempotency_key_reused", "duplicate_request", StatusCode::CONFLICT),
    ("unknown_task", "unknown_task", StatusCode::NOT_FOUND),
    ("invalid_task_state", "invalid_task_state", StatusCode::CONFLICT),
];
const PROFILE_URN: &str = "urn:openid:authzen:access-request:error:";

/// What is told of others is an entry.
const TELLS: &[&str] = &[event::DECISION_TOLD];

pub(crate) fn routes() -> Vec<Route> {
    let routes = vec![
        Route::get("/.well-known/authzen-configuration", Anybody, "Where other products ask", configuration),
        Route::post(EVALUATION, Scope(Decide), "Whether somebody has a role now", decisions::one)
            .only_looks()
            .writes(TELLS),
        Route::post(EVALUATIONS, Scope(Decide), "The same, several at once", decisions::several)
            .only_looks()
            .writes(TELLS),
        Route::post(SEARCH_SUBJECT, Scope(Decide), "Who has a role on a resource now", search::subjects)
            .only_looks()
            .writes(TELLS),
        Route::post(SEARCH_RESOURCE, Scope(Decide), "On what somebody has a role now", search::resources)
            .only_looks()
            .writes(TELLS),
        Route::post(SEARCH_ACTION, Scope(Decide), "Which roles somebody has on a resource now", search::actions)
            .only_looks()
            .writes(TELLS),
        Route::get(REQUEST_SCHEMA, Anybody, "What may be said with a request for access", requests::schema)
            .gives("application/schema+json"),
        Route::post(REQUESTS, Scope(Ask), "Ask for access that was denied", requests::submit).writes(&[
            event::REQUESTED,
            event::GRANT_ACTIVATED,
            event::GRANT_SCHEDULED,
        ]),
        Route::get("/access/v1/requests/{id}", Scope(Ask), "What became of a request for access", requests::show),
        Route::post("/access/v1/requests/{id}/cancel", Scope(Ask), "Take a request for access back", requests::cancel)
            .writes(&[event::WITHDRAWN]),
    ];
    routes.into_iter().map(Route::for_products).collect()
}

/// Where this is: as the operator says it, never as the caller does, so that nobody is led elsewhere.
async fn configuration(call: Call) -> Result<Json<Configuration>> {
    Ok(Json(Configuration {
        policy_decision_point: at(&call, ""),
        access_evaluation_endpoint: at(&call, EVALUATION),
        access_evaluations_endpoint: at(&call, EVALUATIONS),
        search_subject_endpoint: at(&call, SEARCH_SUBJECT),
        search_resource_endpoint: at(&call, SEARCH_RESOURCE),
        search_action_endpoint: at(&call, SEARCH_ACTION),
        access_request_endpoint: at(&call, REQUESTS),
        capabilities: vec![Configuration::ACCESS_REQUEST.to_owned()],
    }))
}

fn at(call: &Call, path: &str) -> String {
    format!("{}{path}", call.control.state.info.url.trim_end_matches('/'))
}

fn asker(call: &Call) -> Result<Asker<'_>> {
    let requests = match call.caller()?.may(Ask) {
        Ok(()) => Requests::Allowed,
        Err(_) => Requests::NotAllowed,
    };
    Ok(Asker { actor: call.actor()?, requests })
}

/// What went wrong, with the statuses and types that are said here.
pub(crate) fn refusal(fault: &Fault) -> Response {
    let code = fault.problem().code.as_str();
    if let Some((_, word, status)) = PROFILE.iter().find(|(ours, ..)| *ours == code) {
        return fault.clone().told_as(*status, Some(format!("{PROFILE_URN}{word}"))).into_response();
    }
    fault.clone().told_as(status(fault), None).into_response()
}

/// What is read and makes no sense is 400 here, and so is what isn't JSON.
fn status(fault: &Fault) -> StatusCode {
    match fault.status() {
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::BAD_REQUEST,
        other => other,
    }
}

/// What is asked, as the use cases read it.
fn question(
    subject: &Subject,
    resource: &Resource,
    action: &Action,
    context: Option<&Map<String, Value>>,
) -> Result<Question> {
    let approval = context.and_then(|context| context.get("approval")).and_then(|approval| approval.get("id"));
    Ok(Question {
        subject: called("subject", &subject.kind, &subject.id)?,
        resource: called("resource", &resource.kind, &resource.id)?,
        role: word("action.name", &action.name)?,
        said: said(subject, resource, action),
        approval: approval.map(|id| id.as_str().unwrap_or_default().chars().take(WORD_MOST).collect()),
    })
}

fn called(of: &str, kind: &str, id: &str) -> Result<Called> {
    Ok(Called { kind: word(&format!("{of}.type"), kind)?, id: word(&format!("{of}.id"), id)? })
}

fn word(field: &str, text: &str) -> Result<String> {
    if text.len() > WORD_MOST {
        return Err(Fault::invalid(field, format!("`{field}` is longer than {WORD_MOST} bytes"), ""));
    }
    Ok(text.to_owned())
}

/// The digest of all three as they were sent: what a request for access must say again, member by member, save who acts for
/// the subject, which it may say elsewhere.
fn said(subject: &Subject, resource: &Resource, action: &Action) -> Digest {
    let mut subject = subject.clone();
    if let Some(properties) = &mut subject.properties {
        properties.remove("act");
    }
    // They are plain data, which always has a JSON form.
    let values = serde_json::to_value((subject, resource, action)).unwrap_or_default();
    Digest::of_value("authzen question", &canonical_json(&plain(values)))
}

/// With one spelling for each number: `1.0` is `1` (RFC 8785).
fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => members.into_iter().map(|(name, member)| (name, plain(member))).collect(),
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and well within what an i64 holds")]
            Some(n) if n.fract() == 0.0 && n.abs() < 9e15 => (n as i64).into(),
            Some(_) | None => Value::Number(number),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(subject: Value) -> Digest {
        let read = |value| serde_json::from_value(value).unwrap();
        let resource = serde_json::from_value(json!({"type": "postgres", "id": "orders"})).unwrap();
        said(&read(subject), &resource, &serde_json::from_value(json!({"name": "readonly"})).unwrap())
    }

    /// Profile, "Structural Comparison".
    #[test]
    fn the_same_is_the_same_however_it_is_written_and_nothing_else_is() {
        let alice = |properties: Value| json!({"type": "user", "id": "alice", "properties": properties});
        let one = digest(alice(json!({"a": 1, "b": [1, {"c": 2.5}]})));
        assert_eq!(one, digest(alice(json!({"b": [1.0, {"c": 2.5}], "a": 1.0}))));
        assert_eq!(one, digest(alice(json!({"a": 1, "b": [1, {"c": 2.5}], "act": {"sub": "agent"}}))));
        for other in [
            alice(json!({"a": 1, "b": [{"c": 2.5}, 1]})),
            alice(json!({"a": "1", "b": [1, {"c": 2.5}]})),
            alice(json!({"a": null, "b": [1, {"c": 2.5}]})),
            json!({"type": "user", "id": "alice"}),
            json!({"type": "user", "id": "bob", "properties": {"a": 1, "b": [1, {"c": 2.5}]}}),
        ] {
            assert_ne!(one, digest(other));
        }
    }
}
