//! The store: rows, the ledger, payloads.
//!
//! An attacker holding the store can withhold and roll back; rows carry a MAC under a key that the store lacks, so it
//! can't forge, and a head kept outside shows a rollback.

use async_trait::async_trait;
use daypass_domain::{GrantId, Name, PayloadId, SessionId, Time, end::EndCause};
use serde_json::Value;

use crate::record::{Commit, CommitError, Committed, Kind, Read, Revision, Stored};

/// A row as the store gives it: its MAC has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u64,
    /// Its content.
    pub body: Value,
}

/// Rows, the ledger and payloads, durable together.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes a commit durable: all of it, or nothing. Entries get their sequence and time here.
    ///
    /// Call [`crate::record::commit`] instead: that gives the proof.
    async fn append(&self, commit: Commit) -> Result<Committed, CommitError>;

    /// The row of that kind and id.
    async fn row(&self, kind: Kind, id: &str) -> Result<Option<Row>, StoreError>;

    /// The rows of that kind under that key, by id, after `after`, at most `most`.
    async fn rows(&self, query: Query<'_>) -> Result<Vec<Row>, StoreError>;

    /// The rows of that kind that are due at or before `now`, the oldest first, at most `most`.
    async fn due(&self, kind: Kind, now: Time, most: u32) -> Result<Vec<Row>, StoreError>;

    /// When the next row of any kind is due.
    async fn next_due(&self) -> Result<Option<Time>, StoreError>;

    /// What a payload says; nothing when its key was destroyed. // I9
    async fn payload(&self, id: PayloadId) -> Result<Option<Value>, StoreError>;

    /// What ended after `since`, and the revision that this is true of: a read that no stale copy can answer. // I3
    async fn changes(&self, since: Revision) -> Result<Changes, StoreError>;

    /// Tells of each new revision.
    fn watch(&self) -> tokio::sync::watch::Receiver<Revision>;

    /// The time of the newest entry, zero when there is none. // I3: authority time never goes behind it
    fn last_time(&self) -> Time;

    /// The newest signed checkpoint, as a C2SP note.
    async fn checkpoint(&self) -> Result<String, StoreError>;

    /// A file of the log by its C2SP tlog-tiles path (`tile/0/000`, `tile/entries/000.p/7`), if it exists.
    async fn log_file(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Leaf bytes of entries from `from`, at most `most`, with their sequence numbers.
    async fn leaves(&self, from: u64, most: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;

    /// An inclusion proof of one entry in the newest checkpoint, as C2SP `tlog-proof@v1`.
    async fn receipt(&self, entry: u64) -> Result<String, StoreError>;

    /// The verifier key of the log, as a C2SP vkey.
    fn log_key(&self) -> String;

    /// A consistent copy of everything into a new file.
    async fn backup(&self, to: &std::path::Path) -> Result<(), StoreError>;

    /// Whether what belongs to a region may be placed here. Entries of other regions are refused. // I10
    fn keeps(&self, region: &Name) -> bool;

    /// How many entries wait to become durable.
    fn lag(&self) -> usize;
}

/// Which rows.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Their kind.
    pub kind: Kind,
    /// Under which key and value; all of the kind when absent.
    pub by: Option<(&'static str, &'a str)>,
    /// Only ids after this one, in the order that was asked.
    pub after: Option<&'a str>,
    /// In which order of their ids.
    pub order: Order,
    /// At most so many.
    pub most: u32,
}

/// An order of ids. Ids begin with their time, so it is an order of time too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Rising,
    /// Newest first.
    Falling,
}

/// What ended since a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The revision that this is true of.
    pub revision: Revision,
    /// The grants that ended.
    pub ended: Vec<(GrantId, EndCause)>,
    /// The sessions that were killed.
    pub killed: Vec<SessionId>,
}

/// Why the store didn't answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can't be read.
    #[error("the store can't be read: {why}")]
    Unreadable {
        /// What the system said.
        why: String,
    },
    /// A row doesn't carry our MAC: somebody wrote to the store past Daypass.
    #[error(
        "{kind} {id} in the store was not written by this Daypass: its authentication code is wrong. \
         Nothing is given on its word. Restore a backup, or remove what was written", kind = .kind.as_str()
    )]
    Forged {
        /// The row's kind.
        kind: Kind,
        /// The row's id.
        id: String,
    },
    /// A row has our MAC and can't be understood: a newer version wrote it.
    #[error("{kind} {id} in the store can't be understood by this version: {why}", kind = .kind.as_str())]
    Unknown {
        /// The row's kind.
        kind: Kind,
        /// The row's id.
        id: String,
        /// Why.
        why: String,
    },
}

fn read<T: Stored>(row: Row) -> Result<Read<T>, StoreError> {
    let value = serde_json::from_value(row.body).map_err(|e| StoreError::Unknown {
        kind: T::KIND,
        id: row.id.clone(),
        why: e.to_string(),
    })?;
    Ok(Read { value, version: row.version })
}

/// Reads values where the store knows rows.
impl dyn Store + '_ {
    /// The value of that id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn get<T: Stored>(&self, id: &str) -> Result<Option<Read<T>>, StoreError> {
        self.row(T::KIND, id).await?.map(read).transpose()
    }

    /// All values under a key. For keys under which there are few.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find<T: Stored>(&self, key: &'static str, value: &str) -> Result<Vec<Read<T>>, StoreError> {
        self.select(Some((key, value))).await
    }

    /// All values of a kind. For kinds of which there are few.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn all<T: Stored>(&self) -> Result<Vec<Read<T>>, StoreError> {
        self.select(None).await
    }

    async fn select<T: Stored>(&self, by: Option<(&'static str, &str)>) -> Result<Vec<Read<T>>, StoreError> {
        let mut values: Vec<Read<T>> = Vec::new();
        loop {
            let after = values.last().map(|v| v.value.row_id());
            let query = Query { kind: T::KIND, by, after: after.as_deref(), order: Order::Rising, most: PAGE };
            let page = self.rows(query).await?;
            let full = page.len() == PAGE as usize;
            for row in page {
                values.push(read(row)?);
            }
            if !full {
                return Ok(values);
            }
        }
    }

    /// One page of values.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn page<T: Stored>(&self, query: Query<'_>) -> Result<Vec<Read<T>>, StoreError> {
        debug_assert_eq!(query.kind, T::KIND);
        self.rows(query).await?.into_iter().map(read).collect()
    }

    /// The values that are due.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn due_now<T: Stored>(&self, now: Time) -> Result<Vec<Read<T>>, StoreError> {
        self.due(T::KIND, now, PAGE).await?.into_iter().map(read).collect()
    }
}

const PAGE: u32 = 500;
