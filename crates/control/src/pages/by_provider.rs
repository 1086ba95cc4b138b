//! Signing in by a provider, in a browser. What must fit when it comes back is sealed in a cookie of its own, so nobody is
//! signed in as somebody else by a link (RFC 9700, 4.7), and a code is good for nothing in another browser.
//!
//! Going there is a link and no form: browsers take `form-action` for the whole way that a form goes.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use daypass_app::signin::{CameBack, Return};
use daypass_ports::secret::Secret;
use serde::Deserialize;

use super::{
    cookie,
    shell::redirect,
    sign_in::{Secretly, own_place},
};
use crate::{
    body::Raw,
    call::{Call, name},
    fault::{Fault, Result},
    identity,
    route::{Access::Anybody, Route},
};

/// What is kept in the browser while it is at the provider. `Lax`: it comes back by a link of another site.
const COOKIE: &str = "__Host-daypass-oidc";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";
/// As long as what is in it is good.
const LASTS_S: u32 = 600;
/// Where a browser comes back to, as it is registered at the provider.
const CALLBACK: &str = "/signin/oidc/callback";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/signin/oidc/start", Anybody, "Send a browser to a provider", start),
        Route::get(CALLBACK, Anybody, "A browser comes back from a provider", callback)
            .shows_a_secret()
            .writes(identity::ENTERS),
    ]
}

#[derive(Default, Deserialize)]
struct Asked {
    /// Which provider; the only one when absent.
    provider: Option<String>,
    #[serde(default)]
    next: String,
}

/// What a provider sends a browser back with (RFC 6749, 4.1.2; RFC 9207). It may add more.
#[derive(Deserialize)]
struct Back {
    code: Option<Secretly>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Sends a browser to a provider.
async fn start(call: Call) -> Result<Raw> {
    let asked: Asked = serde_urlencoded::from_str(call.uri.query().unwrap_or_default()).unwrap_or_default();
    let provider = asked.provider.map(|provider| name("provider", &provider)).transpose()?;
    let url = format!("{}{CALLBACK}", call.control.state.info.url);
    let to = Return::Pages { url, next: own_place(&asked.next).to_owned() };
    let began = call.app().begin_provider_sign_in(provider.as_ref(), &to, call.peer.ip()).await?;
    let mut response = redirect(&began.url);
    let kept = format!("{COOKIE}={}; {ATTRIBUTES}; Max-Age={LASTS_S}", began.attempt.expose());
    response.0.headers_mut().append(header::SET_COOKIE, set(&kept)?);
    Ok(response)
}

/// A browser comes back: it is in, or hears why not. What it went with is forgotten only when it was good, so that a link of
/// another site spoils nobody's way.
async fn callback(call: Call) -> Result<Raw> {
    let query = call.uri.query().unwrap_or_default();
    let back: Back = serde_urlencoded::from_str(query).map_err(|_| denied("what it sent can't be read"))?;
    let (Some(Secretly(code)), Some(state)) = (back.code, back.state) else {
        return Err(denied(&back.error.unwrap_or_default()));
    };
    let attempt = kept(&call.headers).ok_or_else(|| {
        let what = "this browser began no sign-in, or it took more than ten minutes";
        Fault::new(StatusCode::UNAUTHORIZED, "no_such_attempt", what, "begin again, on the page to sign in")
    })?;
    let came = CameBack { code, state, issuer: back.iss };
    let made = call.app().finish_provider_sign_in_browser(&attempt, came, call.peer.ip()).await?;
    let mut response = redirect(own_place(&made.next));
    let headers = response.0.headers_mut();
    headers.append(header::SET_COOKIE, cookie::keep(&made.sign_in, call.app().time())?);
    headers.append(header::SET_COOKIE, set(&format!("{COOKIE}=; {ATTRIBUTES}; Max-Age=0"))?);
    Ok(response)
}

/// The provider's own word for its no (RFC 6749, 4.1.2.1), or ours.
fn denied(word: &str) -> Fault {
    let word: String = word.chars().take(100).flat_map(char::escape_debug).collect();
    Fault::new(
        StatusCode::UNAUTHORIZED,
        "provider_denied",
        format!("the provider says no: {word}"),
        "begin again, on the page to sign in",
    )
}

fn set(text: &str) -> Result<HeaderValue> {
    // What we seal is base64url, which is a header's text.
    let mut value =
        HeaderValue::try_from(text).map_err(|e| Fault::from(daypass_app::Problem::unavailable(e.to_string())))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What this browser went with: the one cookie of that name, since two would be one of somebody else's making.
fn kept(headers: &HeaderMap) -> Option<Secret> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut found = all.flat_map(|text| text.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| Secret::new(value.to_owned()))
    });
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_cookie_of_its_name_is_read() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(text));
            kept(&headers).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(with("__Host-daypass=a; __Host-daypass-oidc=b"), Some("b".to_owned()));
        assert_eq!(with("__Host-daypass-oidc=a; __Host-daypass-oidc=b"), None);
        assert_eq!(with("__Host-daypass=a"), None);
    }
}
