//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same key and the same request get the
//! same answer again; see [`daypass_app::idempotency`]. As the draft has it, a try that isn't known to have ended is 409,
//! and a key that came with something else is 422.

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use daypass_app::{
    ProblemKind,
    idempotency::{Began, Reservation},
};
use daypass_domain::{Digest, PrincipalId};

use crate::{
    call::Call,
    fault::{Fault, Result},
    route::{Once, ReadBody, Route},
    state::Control,
};

/// The header that carries the key.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an answer is an old one, said again.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// An answer that is longer than this can't be kept.
const ANSWER_MAX: usize = 4 << 20;

/// The digest of everything that a write depends on.
pub(crate) fn asked(method: &Method, uri: &Uri, body: &Bytes) -> Digest {
    let target = uri.path_and_query().map_or("", |p| p.as_str());
    Digest::of_value("idempotent request", &(method.as_str(), target, Digest::of(body)))
}

/// Does a write once.
pub(crate) async fn once(
    control: &Arc<Control>,
    route: &Route,
    principal: PrincipalId,
    key: &str,
    asked: Digest,
    call: Call,
    body: ReadBody,
) -> Result<Response> {
    let began = match control.app().begin_once(principal, key, asked).await {
        Err(problem) if problem.kind == ProblemKind::Unavailable && route.once == Once::KeptIfItCan => {
            tracing::warn!(%problem, "what takes away is done without its idempotency key, which can't be recorded");
            return (route.run)(call, body)?.await;
        }
        began => began?,
    };
    match began {
        Began::Again { status, body } => Ok(again(status, body)),
        Began::First(reservation) => {
            let answer = match (route.run)(call, body) {
                Ok(answer) => answer.await,
                Err(fault) => Err(fault),
            };
            match answer {
                Ok(response) => keep(control, reservation, response).await,
                Err(fault) => {
                    forget(control, reservation).await;
                    Err(fault)
                }
            }
        }
    }
}

async fn keep(control: &Control, reservation: Reservation, response: Response) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, ANSWER_MAX).await.map_err(|_| {
        Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "answer_too_large",
            "it was done, and the answer is too long to be kept under an idempotency key",
            "look at what was done, and send such writes without a key",
        )
    })?;
    // It was done, so it is answered even when the answer can't be kept: then the key says that it isn't known.
    if let Err(problem) = control.app().keep_answer(reservation, parts.status.as_u16(), &bytes).await {
        tracing::warn!(%problem, "the answer to a write can't be kept under its idempotency key");
    }
    Ok(Response::from_parts(parts, bytes.into()))
}

async fn forget(control: &Control, reservation: Reservation) {
    if let Err(problem) = control.app().forget_answer(reservation).await {
        tracing::warn!(%problem, "the idempotency key of a write that was refused can't be freed");
    }
}

fn again(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let empty = body.is_empty();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if empty {
        headers.remove(header::CONTENT_TYPE);
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}
