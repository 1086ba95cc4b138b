//! `GET /v1/ledger/entries`: headers as JSON, oldest first.

use daypass_api::{
    Page, Timestamp,
    ledger::{Entry, EntryId},
};
use daypass_ledger::leaf::Leaf;
use daypass_ports::store::StoreError;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{body::Json, call::Call, fault::Result, page};

/// How many entries are looked at for one page: whoever sees few of them gets a short page with a next.
const LOOKED_AT: usize = 2_000;
const AT_ONCE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    /// Only entries after this sequence number: what the page before said as `next`.
    after: Option<u64>,
    /// The most items: 50 when absent, 200 at most.
    most: Option<u32>,
}

pub(super) async fn list(call: Call) -> Result<Json<Page<Entry>>> {
    let query: EntriesQuery = call.query()?;
    let most = page::most(query.most) as usize;
    let app = call.app();
    let mut follower = app.follower(call.actor()?).await;
    let mut from = query.after.map_or(0, |after| after.saturating_add(1));
    let (mut items, mut looked) = (Vec::new(), 0);
    loop {
        let leaves = app.store().leaves(from, AT_ONCE).await?;
        let whole = leaves.len() == AT_ONCE as usize;
        for (seq, bytes) in leaves {
            if items.len() >= most || looked >= LOOKED_AT {
                return Ok(Json(Page { items, next: Some((seq - 1).to_string()) }));
            }
            let leaf = read(&bytes)?;
            let header = leaf.header();
            if app.concerns(&mut follower, header.event.as_str(), &header.ids).await {
                items.push(entry(&leaf));
            }
            (from, looked) = (seq + 1, looked + 1);
        }
        if !whole {
            return Ok(Json(Page { items, next: None }));
        }
    }
}

/// A leaf as the store gives it.
pub(crate) fn read(bytes: &[u8]) -> Result<Leaf> {
    Leaf::parse(bytes).map_err(|e| StoreError::Unreadable { why: format!("an entry of the log: {e}") }.into())
}

/// A header as JSON.
pub(crate) fn entry(leaf: &Leaf) -> Entry {
    let header = leaf.header();
    let id = |(kind, id): (&String, &String)| EntryId { kind: kind.clone(), id: id.clone() };
    Entry {
        seq: header.seq,
        at: Timestamp::from_micros(header.time_us),
        event: header.event.to_string(),
        ids: header.ids.iter().map(id).collect(),
        region: header.region.to_string(),
        retention: header.retention.to_string(),
        parts: u32::try_from(leaf.commitments().len()).unwrap_or(u32::MAX),
    }
}
