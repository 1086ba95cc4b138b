//! `GET /readyz`: whether the server can do its work. Each check says why it isn't fine.

use std::time::{Duration, Instant};

use axum::{http::StatusCode, response::IntoResponse as _};
use daypass_api::health::{Check, Health, Readiness};
use daypass_ports::record::Revision;
use tokio::sync::Mutex;

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

/// The last time that the store was seen to write. However often anybody asks, it is probed once in [`RECENT`].
#[derive(Default)]
pub(crate) struct Probe(Mutex<Option<Seen>>);

struct Seen {
    at: Instant,
    revision: Revision,
    outcome: std::result::Result<(), String>,
}

impl Probe {
    async fn writable(&self, control: &Control) -> std::result::Result<(), String> {
        let mut seen = self.0.lock().await;
        let revision = *control.app().store().watch().borrow();
        if let Some(last) = seen.as_ref()
            && last.at.elapsed() < RECENT
        {
            // A commit since then speaks for the store, whatever the probe said.
            return if revision > last.revision { Ok(()) } else { last.outcome.clone() };
        }
        let outcome = match tokio::time::timeout(PATIENCE, control.app().can_record()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(problem.to_string()),
            Err(_) => Err(format!("a write wasn't durable within {} s", PATIENCE.as_secs())),
        };
        let revision = *control.app().store().watch().borrow();
        *seen = Some(Seen { at: Instant::now(), revision, outcome: outcome.clone() });
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
    let checks = vec![
        check("store", control.probe.writable(control).await),
        check("clock", clock),
        check("policy", policy),
        check("gateway", gateway),
    ];
    Ok(Told(Readiness { ready: checks.iter().all(|c| c.health == Health::Fine), checks }))
}

fn check(name: &str, outcome: std::result::Result<(), String>) -> Check {
    let health = if outcome.is_ok() { Health::Fine } else { Health::Broken };
    Check { name: name.to_owned(), health, why: outcome.err() }
}
