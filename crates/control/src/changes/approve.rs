//! `POST /v1/changes/{id}/approve`: another administrator says yes, and the change is done. // I12
//!
//! The approver may name the digest of what they looked at. A change's digest never changes, so comparing it before the
//! use case leaves no gap: what is approved under this id is what has this digest.

use daypass_api::changes::{ApproveChange, Proposed};
use daypass_app::entry::event;
use daypass_domain::{ChangeId, Digest};

use crate::{
    body::{Json, Maybe},
    call::{Call, digest},
    fault::{Fault, Result},
    show::changes,
};

/// What approving may write: whatever a change brings.
pub(super) const WRITES: &[&str] = &[
    event::CHANGE_COMMITTED,
    event::FOUR_EYES,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

/// What approving by a page may write: a person may show their second factor with it.
pub(crate) const WRITES_BY_PAGE: &[&str] = &[
    event::SECOND_FACTOR_SHOWN,
    event::RECOVERY_CODE_USED,
    event::PASSKEY_SUSPECT,
    event::CHANGE_COMMITTED,
    event::FOUR_EYES,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(super) async fn approve(call: Call, Maybe(body): Maybe<ApproveChange>) -> Result<Json<Proposed>> {
    let (actor, id): (_, ChangeId) = (call.actor()?, call.id("id")?);
    if let Some(text) = &body.digest {
        must_be_seen(&call, id, digest("digest", text)?).await?;
    }
    Ok(Json(changes::proposed(call.app().approve_change(actor, id).await?)))
}

/// Lets an approval through that names what stands under this id.
///
/// # Errors
/// When it names something else, or there is no such change that they may see.
pub(crate) async fn must_be_seen(call: &Call, id: ChangeId, seen: Digest) -> Result<()> {
    let change = call.app().show_change(call.actor()?, id).await?.change;
    if change.digest == seen {
        return Ok(());
    }
    Err(Fault::new(
        axum::http::StatusCode::CONFLICT,
        "another_digest",
        format!("{id} isn't what you looked at: its digest is {}", change.digest),
        format!("look at it with `daypass show {id}`"),
    ))
}
