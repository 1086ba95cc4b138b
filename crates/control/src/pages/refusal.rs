//! What went wrong, as a page: in words, with what to do next. Whoever isn't signed in is taken to where they can.

use askama::Template;
use axum::{
    http::{Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};

use super::shell::{self, Shell, Who};
use crate::{
    fault::Fault,
    route::{Access, Route},
};

#[derive(Template)]
#[template(path = "refusal.html")]
struct Page<'a> {
    shell: Shell,
    what: &'a str,
    next: &'a str,
}

/// The page that says it.
pub(crate) fn refusal(route: &Route, uri: &Uri, fault: &Fault) -> Response {
    let status = fault.status();
    if status == StatusCode::UNAUTHORIZED && route.access == Access::Browser {
        // What a form said is gone; what a page was, one comes back to.
        let there = if route.method == Method::GET { uri.path() } else { "/" };
        return shell::redirect(&format!("/signin?next={there}")).0;
    }
    let problem = fault.problem();
    let page = Page {
        shell: Shell::of_nobody(title(status)),
        what: &problem.detail,
        next: problem.next.as_deref().unwrap_or_default(),
    };
    match shell::show(&page, status) {
        Ok(page) => page.0,
        // A page that can't even say what is wrong: the problem as programs get it.
        Err(fault) => fault.into_response(),
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "That isn’t allowed",
        StatusCode::NOT_FOUND => "Nothing here that you may see",
        StatusCode::CONFLICT => "That can’t be done as things stand",
        StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
        StatusCode::SERVICE_UNAVAILABLE => "The server can’t do it now",
        StatusCode::INTERNAL_SERVER_ERROR => "The server failed",
        _ => "That didn’t work",
    }
}
