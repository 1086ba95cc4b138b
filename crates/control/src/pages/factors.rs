//! Your factors: passkeys, recovery codes, and what there is else.

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use daypass_app::{Problem, entry::event, signin::Again};
use daypass_domain::PasskeyId;
use daypass_ports::rows::{Bar, PasskeyUse, Way};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    shell::{self, Here, Shell, Who, redirect},
    sign_in::Secretly,
    step_up::{self, StepUp},
    words::{self, Moment},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::{Call, name},
    fault::{Fault, Result},
    route::{Access::Browser, Route},
};

const SHOWING: [&str; 3] = [event::SECOND_FACTOR_SHOWN, event::RECOVERY_CODE_USED, event::PASSKEY_SUSPECT];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/factors", Browser, "One's second factors", show),
        Route::post("/factors/show", Browser, "Ask for a passkey: what the browser is asked with, as JSON", ask)
            .for_people()
            .only_looks()
            .gives("application/json"),
        Route::post("/factors/passkeys/begin", Browser, "Begin to enrol a passkey: the same", begin)
            .for_people()
            .only_looks()
            .gives("application/json"),
        Route::post("/factors/passkeys", Browser, "Finish enrolling a passkey, as a form", finish)
            .for_people()
            .writes(&[SHOWING[0], SHOWING[1], SHOWING[2], event::FACTOR_ENROLLED]),
        Route::post("/factors/passkeys/{id}/remove", Browser, "Remove a passkey, as a form", remove)
            .for_people()
            .writes(&[SHOWING[0], SHOWING[1], SHOWING[2], event::FACTOR_REMOVED]),
        Route::post("/factors/recovery-codes", Browser, "Make recovery codes, and show them once", recovery_codes)
            .for_people()
            .shows_a_secret()
            .writes(&[SHOWING[0], SHOWING[1], SHOWING[2], event::RECOVERY_CODES_MADE]),
    ]
}

#[derive(Template)]
#[template(path = "factors.html")]
struct Page {
    shell: Shell,
    bar: Bar,
    passkeys: Vec<Shown>,
    /// Whether there would be a second factor left without one of them.
    removable: bool,
    has_totp: bool,
    totp: &'static str,
    recovery_codes: usize,
    /// What a new passkey is called unless they say otherwise.
    proposed: String,
    step_up: StepUp,
}

struct Shown {
    id: String,
    name: String,
    enrolled: Moment,
    last: String,
}

async fn show(call: Call) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Factors, "Your factors").await?;
    let caller = call.caller()?;
    let held = call.app().factors(caller).await?;
    let has_totp = held.ways.contains(&Way::Totp);
    let passkeys = held.passkeys.iter().map(|key| Shown {
        id: key.id.to_string(),
        name: key.name.to_string(),
        enrolled: words::moment(key.enrolled),
        last: match key.last {
            PasskeyUse::Never => "not used yet".to_owned(),
            PasskeyUse::At { at } => format!("last used {}", words::moment(at).words),
        },
    });
    shell::page(&Page {
        shell,
        bar: held.bar,
        removable: has_totp || held.passkeys.len() > 1,
        proposed: if held.passkeys.is_empty() {
            "passkey".to_owned()
        } else {
            format!("passkey-{}", held.passkeys.len() + 1)
        },
        passkeys: passkeys.collect(),
        has_totp,
        totp: if has_totp {
            "You have an authenticator (TOTP). Its codes do wherever a code is asked for."
        } else {
            "You have no authenticator (TOTP). `daypass totp enrol` on a command line enrols one."
        },
        recovery_codes: held.recovery_codes,
        step_up: StepUp::of(&call.app().freshness_now(caller).await?),
    })
}

async fn ask(call: Call, _: Form<NoFields>) -> Result<Raw> {
    options(call.app().ask_for_passkey(call.caller()?).await)
}

#[derive(Deserialize)]
struct Beginning {
    #[serde(default = "nothing")]
    password: Secretly,
}

fn nothing() -> Secretly {
    Secretly(daypass_ports::secret::Secret::new(String::new()))
}

async fn begin(call: Call, Form(form): Form<Beginning>) -> Result<Raw> {
    let again =
        if form.password.0.expose().is_empty() { Again::SignedInJustNow } else { Again::Password(form.password.0) };
    options(call.app().begin_passkey(call.caller()?, again).await)
}

/// What the script goes on with: the options, or why there are none.
fn options(begun: std::result::Result<Value, Problem>) -> Result<Raw> {
    match begun {
        Ok(options) => Ok(said(StatusCode::OK, &json!({ "options": options }))),
        Err(problem) => refused(&Fault::from(problem)),
    }
}

fn refused(fault: &Fault) -> Result<Raw> {
    if fault.status().is_server_error() {
        return Err(fault.clone());
    }
    let problem = fault.problem();
    let next = problem.next.as_deref().unwrap_or_default();
    // A 401 would mean that nobody is signed in.
    let status = if fault.status() == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { fault.status() };
    Ok(said(status, &json!({ "refused": format!("{}: {next}.", problem.detail) })))
}

fn said(status: StatusCode, value: &Value) -> Raw {
    Raw((status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response())
}

#[derive(Deserialize)]
struct Finishing {
    name: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

async fn finish(call: Call, Form(form): Form<Finishing>) -> Result<Raw> {
    let called = name("name", form.name.trim())?;
    step_up::show_for_factors(&call, &form.code, &form.passkey).await?;
    call.app().finish_passkey(call.caller()?, called, &form.answer).await.map_err(as_page)?;
    Ok(redirect("/factors?done=enrolled"))
}

#[derive(Deserialize)]
struct With {
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

async fn remove(call: Call, Form(with): Form<With>) -> Result<Raw> {
    let id: PasskeyId = call.id("id")?;
    step_up::show_for_factors(&call, &with.code, &with.passkey).await?;
    call.app().remove_passkey(call.caller()?, id).await?;
    Ok(redirect("/factors?done=removed"))
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct Codes {
    shell: Shell,
    codes: Vec<String>,
}

async fn recovery_codes(call: Call, Form(with): Form<With>) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Factors, "Your recovery codes").await?;
    step_up::show_for_factors(&call, &with.code, &with.passkey).await?;
    let codes = call.app().make_recovery_codes(call.caller()?).await?;
    shell::page(&Codes { shell, codes: codes.iter().map(|code| code.expose().to_owned()).collect() })
}

/// A 401 on a page would mean that nobody is signed in.
fn as_page(problem: Problem) -> Fault {
    let fault = Fault::from(problem);
    if fault.status() != StatusCode::UNAUTHORIZED {
        return fault;
    }
    let said = fault.problem().clone();
    Fault::new(StatusCode::FORBIDDEN, "passkey_refused", said.detail, said.next.unwrap_or_default())
}
