//! The log's own files: the checkpoint, tiles, proofs. Hash tiles and proofs tell nothing of what happened; bundles of
//! entries hold every header, so they are for those who may read the evidence of the installation.

use axum::http::StatusCode;
use daypass_app::{App, follow::Sees};

use crate::{
    body::Raw,
    call::Call,
    fault::{Fault, Result},
};

const TEXT: &str = "text/plain; charset=utf-8";

pub(super) async fn checkpoint(call: Call) -> Result<Raw> {
    Ok(Raw::of(TEXT, call.app().store().checkpoint().await?))
}

pub(super) async fn tile(call: Call) -> Result<Raw> {
    let path = call.part("path");
    if path.starts_with("entries/") {
        match call.app().sees_of_ledger(call.actor()?).await {
            Sees::Everything => {}
            Sees::TheirOwn => {
                return Err(Fault::new(
                    StatusCode::FORBIDDEN,
                    "not_permitted",
                    "bundles of entries hold every header, and policy doesn't let you read them all",
                    "what concerns you is at /v1/ledger/entries",
                ));
            }
        }
    }
    let file = call.app().store().log_file(&format!("tile/{path}")).await?;
    let file = file.ok_or_else(|| none("tile"))?;
    Ok(Raw::of("application/octet-stream", file))
}

pub(super) async fn receipt(call: Call) -> Result<Raw> {
    let seq: u64 = call.id("seq")?;
    if seq >= size(call.app()).await? {
        return Err(none("entry"));
    }
    Ok(Raw::of(TEXT, call.app().store().receipt(seq).await?))
}

/// How many entries the newest checkpoint has: its second line (C2SP tlog-checkpoint).
pub(crate) async fn size(app: &App) -> Result<u64> {
    let checkpoint = app.store().checkpoint().await?;
    let size = checkpoint.lines().nth(1).and_then(|line| line.parse().ok());
    size.ok_or_else(|| daypass_app::Problem::unavailable("the newest checkpoint can't be read").into())
}

fn none(what: &str) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "not_found", format!("the log has no such {what}"), "see /v1/ledger/checkpoint")
}
