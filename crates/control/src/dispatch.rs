//! What happens to every request, in this order: who calls, may they by their scope, the body within its limit, whether
//! a form is the caller's own, the idempotency key, the use case. Whoever isn't let through can't make us read a body.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequestParts as _, RawPathParams, Request},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use daypass_app::signin::{Caller, Touch};
use daypass_ports::rows::TokenScope;

use crate::{
    authzen,
    call::Call,
    fault::{Fault, Result},
    idempotent, pages,
    route::{Access, Face, Once, ReadBody, Route},
    scim,
    serve::{Certificates, Peer, Stopping},
    signals,
    state::Control,
};

/// The code of a write that the store couldn't make durable: readiness hears of it. // I1
const NOT_DURABLE: &str = "not_durable";
/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Answers a request to a route.
pub async fn dispatch(control: Arc<Control>, route: Arc<Route>, request: Request) -> Response {
    let uri = request.uri().clone();
    let asked_by = request.headers().get(authzen::REQUEST_ID).cloned();
    let mut response = match answer(&control, &route, request).await {
        Ok(response) => response,
        Err(fault) => {
            if fault.problem().code == NOT_DURABLE {
                control.probe.failed(&control, &fault.problem().detail);
            }
            match route.face {
                Face::Programs => fault.into_response(),
                Face::Directories => scim::refusal(&fault),
                Face::Products => authzen::refusal(&fault),
                Face::Transmitters => signals::refusal(&fault),
                Face::People => pages::refusal(&route, &uri, &fault),
            }
        }
    };
    match (route.face, asked_by) {
        (Face::Products, Some(id)) => drop(response.headers_mut().insert(authzen::REQUEST_ID, id)),
        (Face::Products | Face::Programs | Face::People | Face::Directories | Face::Transmitters, _) => {}
    }
    control.metrics.answered(&route.method, route.path, response.status());
    response
}

async fn answer(control: &Arc<Control>, route: &Arc<Route>, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    pages::from_own_site(route, &parts.headers)?;
    let certificates = parts.extensions.remove::<Certificates>().unwrap_or_default();
    let touch = pages::touch(&parts.headers);
    let caller = caller_of(control, route.access, &parts.headers, &certificates, touch).await?;
    let path = path_of(&mut parts).await?;
    let body = read_body(route, &parts.headers, body).await?;
    if let Some((caller, _)) = &caller {
        pages::own_form(control.app(), route, caller, &body.bytes)?;
    }
    let key = idempotency_key(route, &parts.headers)?;
    let peer = peer_of(&parts);
    let principal = caller.as_ref().map(|(caller, _)| caller.principal());
    let asked = idempotent::asked(&route.method, &parts.uri, &body.bytes);
    let stopping = parts.extensions.remove::<Stopping>().unwrap_or_default();
    let (control, route) = (Arc::clone(control), Arc::clone(route));
    let Parts { uri, headers, .. } = parts;
    let call = Call { control: Arc::clone(&control), caller, peer, path, uri, headers, stopping, certificates };
    match (route.once, key, principal) {
        (Once::Kept | Once::KeptIfItCan, Some(key), Some(principal)) => {
            finish(async move { idempotent::once(&control, &route, principal, &key, asked, call, body).await }).await
        }
        (Once::Kept | Once::KeptIfItCan | Once::Refused | Once::Idempotent, _, _) => {
            let answer = (route.run)(call, body)?;
            finish(answer).await
        }
        (Once::Reads, _, _) => (route.run)(call, body)?.await,
    }
}

/// Runs to the end even when the client goes away: a use case that writes is never dropped halfway.
async fn finish(answer: impl Future<Output = Result<Response>> + Send + 'static) -> Result<Response> {
    tokio::spawn(answer).await.unwrap_or_else(|e| {
        tracing::error!(error = %e, "a request failed in a way that it never should");
        Err(Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed in a way that it never should",
            "look at the server's log, and report what it says",
        ))
    })
}

/// Who calls, by their bearer secret.
///
/// # Errors
/// When there is none, or it is good for nothing.
async fn authenticate(control: &Control, headers: &HeaderMap, certificates: &Certificates) -> Result<Caller> {
    Ok(control.app().authenticate_over(bearer(headers), certificates.digest()).await?)
}

/// Who calls, where a route lets somebody in, and the scope of what they may do there.
///
/// # Errors
/// When they show nothing that lets them in.
pub(crate) async fn caller_of(
    control: &Control,
    access: Access,
    headers: &HeaderMap,
    certificates: &Certificates,
    touch: Touch,
) -> Result<Option<(Caller, TokenScope)>> {
    match access {
        Access::Anybody => Ok(None),
        Access::Scope(scope) => {
            let caller = authenticate(control, headers, certificates).await?;
            caller.may(scope)?;
            Ok(Some((caller, scope)))
        }
        // A person who signed in may all that they may; what that is, policy says.
        Access::Browser => {
            let caller = control.app().authenticate_browser(pages::cookie(headers), touch).await?;
            Ok(Some((caller, TokenScope::Administer)))
        }
    }
}

/// The bearer secret (RFC 6750, 2.1); nothing at all is no secret either.
pub(crate) fn bearer(headers: &HeaderMap) -> &str {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (given.next(), given.next()) else { return "" };
    let Some((scheme, secret)) = one.to_str().ok().and_then(|text| text.split_once(' ')) else { return "" };
    if scheme.eq_ignore_ascii_case("bearer") { secret.trim() } else { "" }
}

async fn path_of(parts: &mut Parts) -> Result<Vec<(String, String)>> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        Err(_) => Err(Fault::new(StatusCode::BAD_REQUEST, "bad_path", "the path can't be read: it isn't UTF-8", "")),
    }
}

fn peer_of(parts: &Parts) -> SocketAddr {
    // Without one (in tests, or behind another server that forgets it) the peer is nobody in particular, and not local.
    let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
    parts.extensions.get::<Peer>().map_or(nobody, |Peer(address)| *address)
}

fn idempotency_key(route: &Route, headers: &HeaderMap) -> Result<Option<String>> {
    let mut given = headers.get_all(idempotent::KEY).iter();
    let Some(one) = given.next() else { return Ok(None) };
    let next = "use a new UUID for each write";
    let bad = |what: &str| Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_idempotency_key", what, next);
    if given.next().is_some() {
        return Err(bad("there are several idempotency keys"));
    }
    match (route.once, route.access) {
        (Once::Refused, _) | (Once::Kept | Once::KeptIfItCan, Access::Anybody) => Err(Fault::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_not_kept",
            "the answer to this may hold a secret that is shown once and kept nowhere, so it can't be said again",
            "send it without `Idempotency-Key`; before trying again, look whether it was done",
        )),
        (Once::Kept | Once::KeptIfItCan, Access::Scope(_) | Access::Browser) => {
            let text = one.to_str().map_err(|_| bad("an idempotency key has visible ASCII characters only"))?;
            Ok(Some(text.to_owned()))
        }
        (Once::Reads | Once::Idempotent, _) => Ok(None),
    }
}

async fn read_body(route: &Route, headers: &HeaderMap, body: Body) -> Result<ReadBody> {
    let too_large = || {
        Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is longer than {} bytes", route.body_max),
            "send less, or in several parts",
        )
    };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
    if route.method == Method::GET && body.is_end_stream() {
        return Ok(ReadBody { content_type, bytes: Bytes::new() });
    }
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > route.body_max {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, route.body_max)).await {
        Ok(Ok(bytes)) => Ok(ReadBody { content_type, bytes }),
        // The limit and a connection that broke look the same here; nobody reads the answer to the second.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long to come", "try again"))
        }
    }
}
