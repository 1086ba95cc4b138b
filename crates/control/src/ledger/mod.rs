//! The ledger: its C2SP formats as they are, its headers as JSON, and what payloads say to those who may read them.
//!
//! A client that holds an older checkpoint computes the proof of consistency from the hash tiles, so the server needs no
//! route for it, and can't show different clients different logs without being caught.

mod entries;
mod files;

use daypass_api::{
    PayloadId,
    ledger::{Evidence, LogKey},
};
use daypass_app::entry::event;
use daypass_domain::PayloadId as Payload;
use daypass_ports::rows::TokenScope::Read;

use crate::{
    body::{Empty, Json},
    call::Call,
    fault::Result,
    route::{Access::Scope, Route},
};

pub(crate) use entries::{entry, read};
pub(crate) use files::size;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/ledger/checkpoint", Scope(Read), "The newest signed checkpoint (C2SP)", files::checkpoint)
            .gives("text/plain; charset=utf-8"),
        Route::get("/v1/ledger/key", Scope(Read), "The log's verifier key (C2SP vkey)", key),
        Route::get(
            "/v1/ledger/tile/{*path}",
            Scope(Read),
            "A tile (C2SP); bundles of entries for who may read them all",
            files::tile,
        )
        .gives("application/octet-stream"),
        Route::get(
            "/v1/ledger/receipts/{seq}",
            Scope(Read),
            "The proof of one entry (C2SP tlog-proof)",
            files::receipt,
        )
        .gives("text/plain; charset=utf-8"),
        Route::get(
            "/v1/ledger/entries",
            Scope(Read),
            "Headers: those that concern one, or all for who may",
            entries::list,
        )
        .query::<entries::EntriesQuery>(),
        Route::post("/v1/evidence/{payload}", Scope(Read), "What a payload says; the reading is an entry", evidence)
            .for_administrators()
            .writes(&[event::EVIDENCE_READ])
            .shows_a_secret(),
    ]
}

async fn key(call: Call) -> Result<Json<LogKey>> {
    Ok(Json(LogKey { key: call.app().store().log_key() }))
}

async fn evidence(call: Call, _: Empty) -> Result<Json<Evidence>> {
    let payload: Payload = call.id("payload")?;
    let content = call.app().evidence(call.actor()?, payload).await?;
    Ok(Json(Evidence { payload: PayloadId::of(payload), content }))
}
