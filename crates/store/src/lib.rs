//! The durable commit: SQLite, rows under a MAC, the ledger and its payloads.
//!
//! [`SqliteStore`] is the store of one installation on one machine. One committer task owns the only connection that
//! writes: it drains a queue, runs up to a few hundred commits in one transaction, each in a savepoint of its own, appends
//! their leaves, signs one checkpoint, and answers when SQLite has synced (WAL, `synchronous=FULL`). // I1
//!
//! Whoever holds the data folder can withhold and roll back, not forge:
//!
//! - A row is JSON under a MAC that covers its kind, id, version, keys and due time. A changed row, or a row copied to
//!   another id, is refused on reading. An old row put back with its old MAC is *not* seen by that: it was ours.
//! - The log's newest signed checkpoint is kept in a head file outside the folder. A folder put back to an earlier state
//!   has a log that is shorter than its head, or doesn't extend it, and is refused at the opening. Since every change of
//!   state has an entry, putting back the rows alone leaves a log that tells what they should say.
//!
//! Payload parts are sealed under a random key for each subject and session; that key is stored wrapped by the master
//! key, and destroying it erases the parts while the log still verifies. // I9

mod backup;
mod changes;
mod committer;
mod error;
mod head;
mod lock;
mod log;
mod logstate;
mod member;
mod open;
mod payloads;
mod places;
mod prepare;
mod rows;
mod schema;
mod sqlite;

pub use backup::{Restored, backup_folder, backup_region, restore, restore_region};
pub use error::OpenError;
pub use head::{Rollback, RolledBack};
pub use open::Options;
pub use places::Regions;
pub use sqlite::SqliteStore;
