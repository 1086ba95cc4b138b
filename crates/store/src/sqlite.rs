//! The store as everybody else sees it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use daypass_domain::{Name, PayloadId, Time};
use daypass_ledger::VerifierKey;
use daypass_ports::{
    record::{Commit, CommitError, Committed, Kind, Revision, Scope},
    store::{Changes, Query, Row, Store, StoreError},
};
use serde_json::Value;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    backup, changes,
    committer::{Job, Published, Waiting},
    error::OpenError,
    log,
    member::Tools,
    open::{self, Options},
    prepare::{key_scope, prepare},
    rows::Reader,
};

/// A store in one SQLite database. Cheap to share behind an `Arc`.
///
/// When the last handle goes, the committer finishes what is queued, and lets go of the folder a moment later; wait for
/// [`SqliteStore::close`] to know when.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) pool: SqlitePool,
    pub(crate) tools: Arc<Tools>,
    pub(crate) published: Arc<Published>,
    pub(crate) lag: Arc<AtomicUsize>,
    pub(crate) log_key: VerifierKey,
    pub(crate) file: PathBuf,
    pub(crate) accepted: Option<OpenError>,
}

impl SqliteStore {
    /// Opens the store in a data folder, or makes one. Must be called within a Tokio runtime, which runs the committer.
    ///
    /// # Errors
    /// [`OpenError`]: the folder is in use, damaged, put back, or belongs to other keys.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        open::open(options).await
    }

    /// What [`crate::Rollback::Accept`] accepted, if anything had to be. The head file still says the same until the next
    /// commit, so that a folder whose live grants were not ended stays refused: end them in that commit, with an entry that
    /// says what was accepted.
    #[must_use]
    pub fn accepted(&self) -> Option<&OpenError> {
        self.accepted.as_ref()
    }

    /// Destroys the keys of a scope: what was sealed for it can't be opened any more, the log still verifies, and later
    /// parts get a new key. Gives how many keys there were. What an older backup holds isn't reached. // I9
    ///
    /// # Errors
    /// [`CommitError::NotDurable`].
    pub async fn destroy_key(&self, scope: &Scope) -> Result<u64, CommitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::DestroyKey { scope: key_scope(scope), reply }).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets the database grow to at most so many pages of 4 KiB; more reads as a full disk. `u32::MAX` is no limit.
    ///
    /// # Errors
    /// [`CommitError::NotDurable`] when the store is closed.
    pub async fn limit_pages(&self, most: u32) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        // SQLite's own highest number of pages (sqlite.org/limits.html).
        self.send(Job::LimitPages { most: most.min(4_294_967_294), reply }).await?;
        answer.await.map_err(|_| closed())
    }

    /// Finishes what is queued, and lets go of the folder. What is committed later is answered as not durable.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        self.pool.close().await;
        if self.jobs.send(Job::Close { reply }).await.is_ok() {
            // Dropped when the runtime ends, and then the folder is let go of as well.
            answer.await.ok();
        }
    }

    async fn send(&self, job: Job) -> Result<(), CommitError> {
        self.jobs.send(job).await.map_err(|_| closed())
    }

    fn reader(&self) -> Reader<'_> {
        Reader { pool: &self.pool, key: &self.tools.mac }
    }
}

fn closed() -> CommitError {
    CommitError::NotDurable { why: "the store is closed".to_owned() }
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, commit: Commit) -> Result<Committed, CommitError> {
        let commit = Box::new(prepare(commit, &*self.tools.random)?);
        let waiting = Waiting::new(&self.lag, commit.entries.len());
        let (reply, answer) = oneshot::channel();
        self.send(Job::Append { commit, waiting, reply }).await?;
        answer.await.map_err(|_| closed())?
    }

    async fn row(&self, kind: Kind, id: &str) -> Result<Option<Row>, StoreError> {
        self.reader().row(kind, id).await
    }

    async fn rows(&self, query: Query<'_>) -> Result<Vec<Row>, StoreError> {
        self.reader().rows(query).await
    }

    async fn due(&self, kind: Kind, now: Time, most: u32) -> Result<Vec<Row>, StoreError> {
        self.reader().due(kind, now, most).await
    }

    async fn next_due(&self) -> Result<Option<Time>, StoreError> {
        self.reader().next_due().await
    }

    async fn payload(&self, id: PayloadId) -> Result<Option<Value>, StoreError> {
        self.tools.sealer.read(&self.pool, &self.tools.places, id).await
    }

    async fn changes(&self, since: Revision) -> Result<Changes, StoreError> {
        changes::since(&self.pool, since).await
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.published.revision.subscribe()
    }

    fn last_time(&self) -> Time {
        Time::from_micros(self.published.last_time_us.load(Ordering::Acquire))
    }

    async fn checkpoint(&self) -> Result<String, StoreError> {
        log::checkpoint(&self.pool).await
    }

    async fn log_file(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        log::file(&self.pool, path).await
    }

    async fn leaves(&self, from: u64, most: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        log::leaves(&self.pool, &self.log_key, from, most).await
    }

    async fn receipt(&self, entry: u64) -> Result<String, StoreError> {
        log::receipt(&self.pool, entry).await
    }

    fn log_key(&self) -> String {
        self.log_key.to_string()
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        backup::backup(&self.file, to).await
    }

    fn keeps(&self, region: &Name) -> bool {
        self.tools.places.keeps(region.as_str())
    }

    fn lag(&self) -> usize {
        self.lag.load(Ordering::Relaxed)
    }
}
