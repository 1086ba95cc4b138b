//! `POST /signals/{name}`: a transmitter sends a signal (RFC 8935). 202 once it is durable; a no is 400 with a word of the
//! registry and ours; what may go better later is 503, and comes again.

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use daypass_app::signals::Reception;
use utoipa::openapi::Ref;

use crate::{
    body::{Gives, Presence, Schemas, Takes},
    call::Call,
    dispatch::bearer,
    fault::{Fault, Result},
};

/// What a signal is sent as.
const MEDIA_TYPE: &str = "application/secevent+jwt";

/// A token, not looked at.
pub(super) struct Token(String);

/// It is taken: 202, and nothing to say.
pub(super) struct Accepted;

pub(super) async fn push(call: Call, Token(token): Token) -> Result<Accepted> {
    let peer = call.peer.ip();
    match call.app().signal_sent(call.part("name"), bearer(&call.headers), token.trim(), peer).await? {
        Reception::Taken => Ok(Accepted),
        Reception::Refused(why) => Err(Fault::new(StatusCode::BAD_REQUEST, why.err, why.description, "")),
    }
}

/// What went wrong, as the RFC says it: 2.3, 2.4.
pub(crate) fn refusal(fault: &Fault) -> Response {
    let problem = fault.problem();
    let err = if fault.status() == StatusCode::BAD_REQUEST { problem.code.as_str() } else { "invalid_request" };
    let said = serde_json::json!({"err": err, "description": problem.detail});
    // The headers are those of any refusal: when to try again.
    let mut response = fault.clone().into_response();
    *response.body_mut() = said.to_string().into();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
    response
}

impl Takes for Token {
    fn read(content_type: Option<&str>, bytes: &Bytes) -> Result<Self> {
        let kind = content_type.and_then(|c| c.split(';').next()).map(str::trim).unwrap_or_default();
        if !kind.eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                format!("the body must be one security event token, and say so: send `Content-Type: {MEDIA_TYPE}`"),
                "",
            ));
        }
        let text = std::str::from_utf8(bytes).map(|text| Self(text.to_owned()));
        text.map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "invalid_request", "the body isn't text", ""))
    }

    const MEDIA_TYPE: &'static str = MEDIA_TYPE;

    fn describe(_: &mut Schemas) -> Option<(Ref, Presence)> {
        None
    }
}

impl Gives for Accepted {
    const STATUS: StatusCode = StatusCode::ACCEPTED;

    fn respond(self) -> Response {
        Self::STATUS.into_response()
    }

    fn describe(_: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        None
    }
}
