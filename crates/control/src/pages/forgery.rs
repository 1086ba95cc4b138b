//! Forms of other sites are refused, twice over: by where the browser says that the form was (Fetch Metadata, or `Origin`
//! where a browser hasn't that), before anything is read of it; and by a token that only pages shown to this sign-in
//! carry. The cookie's `SameSite` is a third.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use daypass_app::{App, signin::Caller};
use serde::Deserialize;

use crate::{
    fault::{Fault, Result},
    route::{Face, Route},
};

/// Lets a form through that was sent from a page of this site.
///
/// # Errors
/// When it was sent from elsewhere, or the browser doesn't say from where.
pub(crate) fn from_own_site(route: &Route, headers: &HeaderMap) -> Result<()> {
    if !takes_forms(route) {
        return Ok(());
    }
    let own = match one(headers, "sec-fetch-site") {
        Some(site) => site == b"same-origin",
        None => same_origin(headers),
    };
    if own { Ok(()) } else { Err(foreign()) }
}

/// Lets a form through that carries the token of this sign-in.
///
/// # Errors
/// When it doesn't.
pub(crate) fn own_form(app: &App, route: &Route, caller: &Caller, form: &Bytes) -> Result<()> {
    #[derive(Deserialize)]
    struct Mark {
        form_token: String,
    }
    if !takes_forms(route) {
        return Ok(());
    }
    let mark: Mark = serde_urlencoded::from_bytes(form).map_err(|_| foreign())?;
    Ok(app.is_own_form(caller, &mark.form_token)?)
}

fn takes_forms(route: &Route) -> bool {
    match route.face {
        Face::Programs | Face::Directories | Face::Products | Face::Transmitters => false,
        Face::People => route.method != Method::GET,
    }
}

/// Whether the origin is that of the host that was asked: https always, since nothing else is served.
fn same_origin(headers: &HeaderMap) -> bool {
    match (one(headers, header::ORIGIN.as_str()), one(headers, header::HOST.as_str())) {
        (Some(origin), Some(host)) => origin.strip_prefix(b"https://") == Some(host),
        (None | Some(_), None | Some(_)) => false,
    }
}

/// The only header of that name.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    match (all.next(), all.next()) {
        (Some(value), None) => Some(value),
        // Two are as good as a wrong one.
        (Some(_), Some(_)) => Some(b""),
        (None, _) => None,
    }
}

fn foreign() -> Fault {
    Fault::new(
        StatusCode::FORBIDDEN,
        "foreign_form",
        "this form wasn't sent from a page of this server, so nothing was done",
        "open the page here, and send the form from there",
    )
}
