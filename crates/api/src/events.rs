//! The event stream: `GET /v1/events`, server-sent events.
//!
//! Each event has the name [`ENTRY`], the sequence number of the ledger's entry as its id, and a
//! [`crate::ledger::Entry`] as its data. Come back with `Last-Event-ID` to go on where you were. Comments are heartbeats.

/// The name of an event that tells of an entry.
pub const ENTRY: &str = "entry";
