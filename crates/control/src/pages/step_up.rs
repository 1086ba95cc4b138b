//! How a form asks for a second factor that is shown with it: a code that is typed, or a passkey that the script of the
//! page asks the browser for before the form is sent.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use daypass_app::signin::{Freshness, Showing};
use daypass_domain::principal::Actor;
use daypass_ports::{rows::Way, secret::Secret};

use crate::{
    call::Call,
    fault::{Fault, Result},
};

/// What a form asks for. `step_up.html` shows it.
pub(super) enum StepUp {
    /// Nothing.
    NotAsked,
    /// A code.
    Code,
    /// A passkey, or a code in its place. `options` is what the browser is asked with, as JSON; empty where the script
    /// gets it when the form is sent.
    Passkey { options: String, code: &'static str },
}

impl StepUp {
    /// For somebody who is signed in.
    pub(super) fn of(freshness: &Freshness) -> Self {
        match freshness {
            // A barred account is refused whatever it shows; the refusal says what to do.
            Freshness::Enough | Freshness::Barred => Self::NotAsked,
            Freshness::Needed(ways) => Self::with(ways, &serde_json::Value::Null),
        }
    }

    /// In one of these ways; a passkey with these options, where they are known already.
    pub(super) fn with(ways: &BTreeSet<Way>, options: &serde_json::Value) -> Self {
        if !ways.contains(&Way::Passkey) {
            return Self::Code;
        }
        let options = if options.is_null() { String::new() } else { options.to_string() };
        let code = if ways.contains(&Way::Totp) { "or a code of your authenticator" } else { "or a recovery code" };
        Self::Passkey { options, code }
    }
}

/// What a form that asked carries: a passkey's answer goes before a code.
pub(super) fn showing(code: &str, passkey: &str) -> Option<Showing> {
    let code = code.replace(' ', "");
    match (passkey, code.as_str()) {
        ("", "") => None,
        ("", _) => Some(Showing::Code(Secret::new(code))),
        (answer, _) => Some(Showing::Passkey(answer.to_owned())),
    }
}

/// Who acts, with the second factor that a form carried, if it did; without one, as they are.
pub(super) async fn shown(call: &Call, code: &str, passkey: &str) -> Result<Actor> {
    // A scope first: whoever is barred uses no code up.
    let actor = call.actor()?;
    match showing(code, passkey) {
        Some(showing) => call.app().show_second_factor(call.caller()?, &showing, call.peer.ip()).await.map_err(wrong),
        None => Ok(actor.clone()),
    }
}

/// The same where a barred account may act too: on its own factors.
pub(super) async fn show_for_factors(call: &Call, code: &str, passkey: &str) -> Result<()> {
    if let Some(showing) = showing(code, passkey) {
        call.app().show_second_factor(call.caller()?, &showing, call.peer.ip()).await.map_err(wrong)?;
    }
    Ok(())
}

/// A wrong code ends nobody's sign-in, as a 401 would look on a page.
fn wrong(problem: daypass_app::Problem) -> Fault {
    match problem.code {
        "wrong_sign_in" => Fault::new(
            StatusCode::FORBIDDEN,
            "wrong_code",
            "the code is wrong, or was used already, so nothing was done",
            "go back, wait for the next code, and try again",
        ),
        "passkey_refused" | "passkey_not_verified" | "passkey_suspect" => Fault::new(
            StatusCode::FORBIDDEN,
            problem.code,
            format!("{}, so nothing was done", problem.what),
            problem.next,
        ),
        _ => problem.into(),
    }
}
