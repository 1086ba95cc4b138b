//! Answers of SCIM: resources, lists, errors (RFC 7644, 3.1, 3.4.2, 3.12).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use daypass_scim::schema::{ERROR, LIST};
use serde_json::{Value, json};
use utoipa::openapi::Ref;

use crate::{
    body::{Gives, Schemas},
    fault::Fault,
};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// The words that SCIM has for what is wrong (RFC 7644, 3.12, table 9). Ours for the rest aren't told as such.
const SCIM_TYPES: [&str; 8] = [
    "invalidFilter",
    "invalidPath",
    "invalidSyntax",
    "invalidValue",
    "mutability",
    "noTarget",
    "tooMany",
    "uniqueness",
];

/// A resource, or a list of them.
#[derive(Debug)]
pub(crate) struct Answer(pub Value);

/// A resource that was made: 201, and where it is.
#[derive(Debug)]
pub(crate) struct Made(pub Value);

/// A page of a list: `start` counts from 1.
pub(crate) fn page(shown: Vec<Value>, total: usize, start: usize) -> Answer {
    Answer(json!({
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": shown.len(),
        "Resources": shown,
    }))
}

/// What went wrong, as SCIM says it: in our words, under its own word where it has one.
pub(crate) fn refusal(fault: &Fault) -> Response {
    let problem = fault.problem();
    // What can be read and makes no sense is 400 here (RFC 7644, table 8).
    let status = match fault.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
    let mut detail = problem.detail.clone();
    if let Some(next) = problem.next.as_deref().filter(|next| !next.is_empty()) {
        detail.push_str("; ");
        detail.push_str(next);
    }
    let mut said = json!({"schemas": [ERROR], "status": status.as_u16().to_string(), "detail": detail});
    if let Some(word) = SCIM_TYPES.iter().find(|word| **word == problem.code) {
        said["scimType"] = (*word).into();
    } else if status == StatusCode::BAD_REQUEST {
        said["scimType"] = "invalidValue".into();
    }
    // The headers are those of any refusal: whether to sign in, when to try again.
    let mut response = fault.clone().into_response();
    *response.status_mut() = status;
    *response.body_mut() = said.to_string().into();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, MEDIA_TYPE);
    response
}

/// A path under SCIM's that isn't there.
pub(crate) fn nothing_here() -> Response {
    refusal(&Fault::new(StatusCode::NOT_FOUND, "no_such_route", "there is nothing at this path", "see /ResourceTypes"))
}

fn respond(status: StatusCode, value: &Value) -> Response {
    let mut response = (status, value.to_string()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, MEDIA_TYPE);
    response
}

impl Gives for Answer {
    const STATUS: StatusCode = StatusCode::OK;

    fn respond(self) -> Response {
        respond(Self::STATUS, &self.0)
    }

    fn describe(_: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        Some(("application/scim+json", None))
    }
}

impl Gives for Made {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn respond(self) -> Response {
        let mut response = respond(Self::STATUS, &self.0);
        let place = self.0["meta"]["location"].as_str().and_then(|place| place.parse().ok());
        if let Some(place) = place {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }

    fn describe(schemas: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        Answer::describe(schemas)
    }
}
