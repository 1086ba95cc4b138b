//! Bodies of SCIM: JSON that says it is SCIM's, or JSON.

use axum::{body::Bytes, http::StatusCode};
use serde_json::Value;
use utoipa::openapi::Ref;

use crate::{
    body::{Presence, Schemas, Takes},
    fault::{Fault, Result},
};

/// A body, as JSON. It nests at most 128 deep: the reader's own limit.
#[derive(Debug)]
pub(crate) struct Body(pub Value);

impl Takes for Body {
    fn read(content_type: Option<&str>, bytes: &Bytes) -> Result<Self> {
        let kind = content_type.and_then(|c| c.split(';').next()).map(str::trim).unwrap_or_default();
        if !["application/scim+json", "application/json"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be SCIM's JSON, and say so",
                "send `Content-Type: application/scim+json`",
            ));
        }
        let read = serde_json::from_slice(bytes).map(Self);
        read.map_err(|e| {
            let what = format!("the body is no JSON: it goes wrong at line {}, column {}", e.line(), e.column());
            Fault::new(StatusCode::BAD_REQUEST, "invalidSyntax", what, "send one JSON object")
        })
    }

    fn describe(_: &mut Schemas) -> Option<(Ref, Presence)> {
        None
    }
}
