//! All routes, and the router that they make.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{Method, StatusCode, Uri},
    middleware,
    response::IntoResponse as _,
    routing::{MethodFilter, on},
};

use crate::{
    authzen, changes, directories,
    dispatch::dispatch,
    emergency, events,
    fault::Fault,
    grants, groups, headers, health, identity, ledger, me, notices,
    openapi::openapi,
    pages, people, policy, requests, resources,
    route::Route,
    scim, sessions, signals, signin,
    state::{Control, State},
    tokens, trust,
};

/// Every route there is, by noun.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        health::routes(),
        signin::routes(),
        identity::routes(),
        me::routes(),
        tokens::routes(),
        people::routes(),
        groups::routes(),
        directories::routes(),
        emergency::routes(),
        scim::routes(),
        signals::routes(),
        resources::routes(),
        policy::routes(),
        trust::routes(),
        changes::routes(),
        requests::routes(),
        grants::routes(),
        authzen::routes(),
        sessions::routes(),
        notices::routes(),
        ledger::routes(),
        events::routes(),
        pages::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router. Its requests carry a [`crate::Peer`] and a [`crate::Stopping`] where [`crate::serve()`] serves it.
pub fn router(state: State) -> Router {
    let document = openapi(&state.info.version);
    // The document is plain data, which always has a JSON form.
    let control = Arc::new(Control::new(state, document.to_json().unwrap_or_default()));
    let mut router = Router::new();
    for route in routes() {
        let (filter, path) = (filter_of(&route.method), route.path);
        let (control, route) = (Arc::clone(&control), Arc::new(route));
        router = router.route(
            path,
            on(filter, move |request: Request| dispatch(Arc::clone(&control), Arc::clone(&route), request)),
        );
    }
    let counted = Arc::clone(&control);
    router
        .fallback(move |method: Method, uri: Uri| {
            counted.metrics.answered(&method, "none", StatusCode::NOT_FOUND);
            let to_scim = uri.path().starts_with(scim::ROOT);
            std::future::ready(if to_scim { scim::nothing_here() } else { nothing_here().into_response() })
        })
        .method_not_allowed_fallback(move |method: Method, uri: Uri| {
            control.metrics.answered(&method, "none", StatusCode::METHOD_NOT_ALLOWED);
            std::future::ready(other_method(&method, &uri).into_response())
        })
        .layer(middleware::from_fn(headers::add))
}

fn filter_of(method: &Method) -> MethodFilter {
    // The table knows these five; anything else would be a GET that nobody asked for, and the test of the table says so.
    match method.as_str() {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

fn nothing_here() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "no_such_route", "there is nothing at this path", "see /v1/openapi.json")
}

fn other_method(method: &Method, uri: &Uri) -> Fault {
    let path: String = uri.path().chars().take(100).flat_map(char::escape_debug).collect();
    let method: String = method.as_str().chars().take(20).collect();
    let what = format!("{path} doesn't take {method}");
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", what, "see the header Allow")
}
