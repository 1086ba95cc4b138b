//! `GET /v1/requests/{id}`, which waits until the request is answered when it is asked to.

use std::time::Duration;

use daypass_api::requests::Request;
use daypass_domain::{RequestId, request};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{body::Json, call::Call, fault::Result, show};

/// The longest wait.
const WAIT_MOST_S: u32 = 60;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Wait up to so many seconds, 60 at most, for the request to be no longer pending.
    wait_s: Option<u32>,
}

pub(super) async fn show(call: Call) -> Result<Json<Request>> {
    let query: ShowQuery = call.query()?;
    let id: RequestId = call.id("id")?;
    let mut view = call.app().request_shown(call.actor()?, id).await?;
    let wait = query.wait_s.unwrap_or(0).min(WAIT_MOST_S);
    if wait > 0 && view.request.is_pending() {
        // Only a change that is seen is shown again: for whoever is no party, each showing is an entry. // I11
        if moved_on(&call, &view.request, Duration::from_secs(wait.into())).await? {
            view = call.app().request_shown(call.actor()?, id).await?;
        }
    }
    Ok(Json(show::requests::view(call.app(), view).await?))
}

/// Waits until it isn't pending any more; answers whether it changed at all.
async fn moved_on(call: &Call, seen: &request::Request, wait: Duration) -> Result<bool> {
    let until = tokio::time::Instant::now() + wait;
    let mut revisions = call.app().store().watch();
    let mut stopping = call.stopping.clone();
    loop {
        revisions.mark_unchanged();
        let read = call.app().store().get::<request::Request>(&seen.id.to_string()).await?;
        let changed = read.as_ref().is_none_or(|r| r.value != *seen);
        if read.is_none_or(|r| !r.value.is_pending()) {
            return Ok(changed);
        }
        tokio::select! {
            moved = revisions.changed() => {
                if moved.is_err() {
                    return Ok(changed);
                }
            }
            () = tokio::time::sleep_until(until) => return Ok(changed),
            () = stopping.stopped() => return Ok(changed),
        }
    }
}
