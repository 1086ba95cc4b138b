//! The ledger as JSON, for tables and programs. The log itself is served in its C2SP formats: `GET
//! /v1/ledger/checkpoint` (tlog-checkpoint), `/v1/ledger/tile/...` (tlog-tiles), `/v1/ledger/receipts/{seq}`
//! (tlog-proof). A client that holds an older checkpoint proves consistency from the tiles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PayloadId, Timestamp};

/// The ledger's verifier key: `GET /v1/ledger/key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogKey {
    /// As a C2SP vkey.
    pub key: String,
}

/// An entry's header: `GET /v1/ledger/entries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its sequence number, from 0.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: dotted, like `grant.activated`.
    pub event: String,
    /// Whom and what it concerns.
    pub ids: Vec<EntryId>,
    /// The region that its payload stays in.
    pub region: String,
    /// How long it is kept.
    pub retention: String,
    /// How many payload parts it commits to.
    pub parts: u32,
}

/// One id of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntryId {
    /// In which part: `grant`, `principal`, `by`.
    pub kind: String,
    /// The id, or the word.
    pub id: String,
}

/// What a payload says: `POST /v1/evidence/{payload}`. The reading is an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Which.
    pub payload: PayloadId,
    /// What it says; absent when its key was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub content: Option<serde_json::Value>,
}
