//! Signing in and out, as a person with a browser does it.

use askama::Template;
use axum::http::{StatusCode, header};
use daypass_app::{
    entry::event,
    signin::{BrowserSignIn, ProviderView, Showing, SignInInput, Step},
};
use daypass_ports::secret::Secret;
use serde::Deserialize;

use super::{
    cookie,
    shell::{self, Shell, Who, redirect},
    step_up::{self, StepUp},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::Call,
    fault::{Fault, Result},
    route::{
        Access::{Anybody, Browser},
        Route,
    },
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/signin", Anybody, "The page to sign in", show),
        Route::post("/signin", Anybody, "Sign in, and keep it in a cookie", sign_in).shows_a_secret().writes(&[
            event::SIGNED_IN,
            event::SIGN_IN_FAILED,
            event::RECOVERY_CODE_USED,
        ]),
        Route::post("/signin/second-factor", Anybody, "The second step: show a second factor", second_factor)
            .shows_a_secret()
            .writes(&[event::SIGNED_IN, event::SIGN_IN_FAILED, event::RECOVERY_CODE_USED, event::PASSKEY_SUSPECT]),
        Route::post("/signout", Browser, "End this browser's sign-in", sign_out)
            .for_people()
            .writes(&[event::SIGNED_OUT]),
    ]
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    shell: Shell,
    name: String,
    next: String,
    wrong: Wrong,
    /// What one can sign in by, beside a password.
    providers: Vec<ProviderView>,
}

/// What was wrong with what somebody gave.
enum Wrong {
    Nothing,
    Other { what: String, next: String },
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Given {
    name: String,
    password: Secretly,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// A field that is wiped.
pub(super) struct Secretly(pub(super) Secret);

impl<'de> Deserialize<'de> for Secretly {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

async fn show(call: Call) -> Result<Raw> {
    // Whatever else the address says isn't ours to mind.
    let asked: Asked = serde_urlencoded::from_str(call.uri.query().unwrap_or_default()).unwrap_or_default();
    shell::page(&page(&call, String::new(), &asked.next, Wrong::Nothing).await?)
}

async fn page(call: &Call, name: String, next: &str, wrong: Wrong) -> Result<Page> {
    let providers = call.app().providers().await?;
    Ok(Page { shell: Shell::of_nobody("Sign in"), name, next: own_place(next).to_owned(), wrong, providers })
}

/// A path of this site, and nothing that could lead elsewhere.
pub(super) fn own_place(next: &str) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-');
    if next.starts_with('/') && !next.starts_with("//") && next.bytes().all(plain) { next } else { "/" }
}

async fn sign_in(call: Call, Form(given): Form<Given>) -> Result<Raw> {
    let code = given.code.replace(' ', "");
    let input = SignInInput {
        name: given.name.trim().to_owned(),
        password: given.password.0,
        code: (!code.is_empty()).then(|| Secret::new(code)),
        peer: call.peer.ip(),
    };
    match call.app().sign_in_browser(input).await {
        Ok(Step::In(made)) => let_in(&call, &made, &given.next),
        Ok(Step::SecondFactor(step)) => shell::page(&SecondPage {
            shell: Shell::of_nobody("Your second factor"),
            ticket: step.ticket.expose().to_owned(),
            next: own_place(&given.next).to_owned(),
            step_up: StepUp::with(&step.ways, &step.options),
        }),
        Err(problem) => again(&call, given.name, &given.next, &Fault::from(problem)).await,
    }
}

/// Somebody is in: their browser keeps it.
pub(super) fn let_in(call: &Call, made: &BrowserSignIn, next: &str) -> Result<Raw> {
    let mut response = redirect(own_place(next));
    response.0.headers_mut().insert(header::SET_COOKIE, cookie::keep(made, call.app().time())?);
    Ok(response)
}

#[derive(Template)]
#[template(path = "second_step.html")]
struct SecondPage {
    shell: Shell,
    ticket: String,
    next: String,
    step_up: StepUp,
}

#[derive(Deserialize)]
struct Second {
    ticket: Secretly,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
    #[serde(default)]
    next: String,
}

async fn second_factor(call: Call, Form(second): Form<Second>) -> Result<Raw> {
    let showing = step_up::showing(&second.code, &second.passkey).unwrap_or(Showing::Code(Secret::new(String::new())));
    match call.app().finish_sign_in_browser(second.ticket.0.expose(), &showing, call.peer.ip()).await {
        Ok(made) => let_in(&call, &made, &second.next),
        Err(problem) => again(&call, String::new(), &second.next, &Fault::from(problem)).await,
    }
}

/// The page again, with what was wrong. A name that was typed stays, a password doesn't.
async fn again(call: &Call, name: String, next: &str, fault: &Fault) -> Result<Raw> {
    let problem = fault.problem();
    let wrong = match problem.code.as_str() {
        "wrong_sign_in"
        | "too_many_attempts"
        | "no_ceremony"
        | "passkey_refused"
        | "passkey_not_verified"
        | "passkey_suspect" => {
            Wrong::Other { what: problem.detail.clone(), next: problem.next.clone().unwrap_or_default() }
        }
        _ => return Err(fault.clone()),
    };
    let status = if fault.status() == StatusCode::FORBIDDEN { StatusCode::OK } else { fault.status() };
    shell::show(&page(call, name.chars().take(64).collect(), next, wrong).await?, status)
}

async fn sign_out(call: Call, _: Form<NoFields>) -> Result<Raw> {
    call.app().sign_out(call.caller()?).await?;
    let mut response = redirect("/signin");
    response.0.headers_mut().insert(header::SET_COOKIE, cookie::forget());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_taken_to_places_of_this_site_only() {
        for place in ["/", "/inbox", "/requests/request_0193a-b"] {
            assert_eq!(own_place(place), place);
        }
        let elsewhere =
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a?b=c", "/a\r\nX: y", "/%2f/evil", "x"];
        for place in elsewhere {
            assert_eq!(own_place(place), "/", "{place:?}");
        }
    }
}
