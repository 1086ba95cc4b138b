//! `GET /readyz`: whether the server can do its work. Each check says why it isn't fine.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{http::StatusCode, response::IntoResponse as _};
use daypass_api::health::{Check, Health, Readiness};
use daypass_ports::record::Revision;

use crate::{
    body::{Gives, Json, Raw, Schemas},
    call::Call,
    fault::Result,
    state::Control,
};

/// How long a write that was durable speaks for the store.
const RECENT: Duration = Duration::from_secs(5);
/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was last seen of the store's writing: by a probe, or by a request whose write wasn't durable. However often
/// anybody asks, it is probed once in [`RECENT`].
#[derive(Default)]
pub(crate) struct Probe {
    seen: Mutex<Option<Seen>>,
    probing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Seen {
    at: Instant,
    revision: Revision,
    outcome: std::result::Result<(), String>,
}

impl Probe {
    /// A write for somebody wasn't durable. A probe is small, and may fit where that didn't.
    pub(crate) fn failed(&self, control: &Control, why: &str) {
        self.saw(control, Err(why.to_owned()));
    }

    fn saw(&self, control: &Control, outcome: std::result::Result<(), String>) {
        let revision = *control.app().store().watch().borrow();
        *self.seen() = Some(Seen { at: Instant::now(), revision, outcome });
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        // Plain data: whole whatever a panicking thread was doing.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> Option<Seen> {
        self.seen().clone().filter(|seen| seen.at.elapsed() < RECENT)
    }

    async fn writable(&self, control: &Control) -> std::result::Result<(), String> {
        let _one_at_a_time = self.probing.lock().await;
        if let Some(last) = self.recent() {
            // A commit since then speaks for the store, whatever was seen before.
            let revision = *control.app().store().watch().borrow();
            return if revision > last.revision { Ok(()) } else { last.outcome };
        }
        let outcome = match tokio::time::timeout(PATIENCE, control.app().can_record()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(problem.to_string()),
            Err(_) => Err(format!("a write wasn't durable within {} s", PATIENCE.as_secs())),
        };
        self.saw(control, outcome.clone());
        outcome
    }
}

/// 200 when everything is fine, 503 when something isn't: the same body.
pub(super) struct Told(Readiness);

impl Gives for Told {
    const STATUS: StatusCode = StatusCode::OK;

    fn respond(self) -> axum::response::Response {
        let status = if self.0.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut response = Json(self.0).respond();
        *response.status_mut() = status;
        Raw(response.into_response()).0
    }

    fn describe(schemas: &mut Schemas) -> Option<(&'static str, Option<utoipa::openapi::Ref>)> {
        Json::<Readiness>::describe(schemas)
    }
}

pub(super) async fn ready(call: Call) -> Result<Told> {
    let control = &call.control;
    let clock = control.app().clock_is_sound().map_err(|problem| problem.to_string());
    let policy = match control.app().current_policy().await {
        Ok(active) if active.files.is_empty() => Err("no policy is active, so nothing is given".to_owned()),
        Ok(_) => Ok(()),
        Err(problem) => Err(problem.to_string()),
    };
    let gateway = if control.state.gateway.numbers().holds_lease {
        Ok(())
    } else {
        Err("the gateway's lease ran out, so nothing passes until it is renewed".to_owned())
    };
    // Anybody may ask this, so it isn't said of whom.
    let unheard = match control.app().unheard().await {
        Ok(0) => Ok(()),
        Ok(some) => Err(format!("{some} transmitters of signals can't be heard: see `daypass signals list`")),
        Err(problem) => Err(problem.to_string()),
    };
    let emergency = match control.app().alarms().await {
        Ok(used) if used.is_empty() => Ok(()),
        Ok(used) => Err(format!(
            "{} emergency kits were used, and wait to be sealed anew or reviewed: see `daypass emergency-kit list`",
            used.len()
        )),
        Err(problem) => Err(problem.to_string()),
    };
    let checks = vec![
        check("store", control.probe.writable(control).await),
        check("clock", clock),
        check("policy", policy),
        check("gateway", gateway),
        to_look_at("signals", unheard),
        to_look_at("emergency", emergency),
    ];
    Ok(Told(Readiness { ready: checks.iter().all(|c| c.health != Health::Broken), checks }))
}

/// Of something without which the server does its work: somebody should look at it.
fn to_look_at(name: &str, outcome: std::result::Result<(), String>) -> Check {
    let health = if outcome.is_ok() { Health::Fine } else { Health::Attention };
    Check { health, ..check(name, outcome) }
}

fn check(name: &str, outcome: std::result::Result<(), String>) -> Check {
    let health = if outcome.is_ok() { Health::Fine } else { Health::Broken };
    Check { name: name.to_owned(), health, why: outcome.err() }
}
