//! The one task that writes: it drains a queue, and makes what it takes durable in one transaction.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use daypass_domain::Time;
use daypass_ledger::{KeyScope, NoteSigner};
use daypass_ports::{
    record::{CommitError, Committed, Revision},
    world::Clock,
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    changes,
    error::column,
    head::HeadFile,
    lock::FolderLock,
    log as ledger_log,
    logstate::LogState,
    member::{self, MemberError, Point, Tail, Tools},
    payloads,
    places::{Away, PlaceWriter},
    prepare::Prepared,
    schema,
};

/// How many jobs may wait; who comes then waits for a place.
pub(crate) const QUEUE: usize = 1_024;
/// How many jobs one transaction takes.
const BATCH: usize = 256;

/// What the committer is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    Append { commit: Box<Prepared>, waiting: Waiting, reply: Reply<Committed> },
    DestroyKey { scope: KeyScope, reply: Reply<u64> },
    LimitPages { most: u32, reply: oneshot::Sender<()> },
    Close { reply: oneshot::Sender<()> },
}

type Reply<T> = oneshot::Sender<Result<T, CommitError>>;

/// Entries that wait to become durable, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    lag: Arc<AtomicUsize>,
    entries: usize,
}

impl Waiting {
    pub(crate) fn new(lag: &Arc<AtomicUsize>, entries: usize) -> Self {
        lag.fetch_add(entries, Ordering::Relaxed);
        Self { lag: Arc::clone(lag), entries }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.lag.fetch_sub(self.entries, Ordering::Relaxed);
    }
}

/// What everybody may see of the newest commit.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) revision: watch::Sender<Revision>,
    pub(crate) last_time_us: AtomicI64,
}

impl Published {
    fn tell(&self, log: &LogState) {
        self.last_time_us.store(log.last_time.micros(), Ordering::Release);
        self.revision.send_if_modified(|seen| std::mem::replace(seen, log.revision) != log.revision);
    }
}

/// A member of a batch, and who waits for it.
#[derive(Debug)]
enum Member {
    Append(Box<Prepared>, Waiting, Reply<Committed>),
    DestroyKey(KeyScope, Reply<u64>),
}

/// What became of a member.
#[derive(Debug)]
enum Outcome {
    Committed(Committed),
    Destroyed(u64),
    Refused(CommitError),
}

/// What a transaction did.
struct Done {
    log: LogState,
    outcomes: Vec<Outcome>,
}

/// The committer.
pub(crate) struct Committer {
    /// Nothing after a failure: the next batch connects and reads the log back, since a COMMIT that failed may have been
    /// durable all the same.
    pub(crate) open: Option<(SqliteConnection, LogState)>,
    pub(crate) file: PathBuf,
    pub(crate) signer: NoteSigner,
    pub(crate) tools: Arc<Tools>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) head: Arc<Mutex<HeadFile>>,
    pub(crate) published: Arc<Published>,
    pub(crate) lock: FolderLock,
    pub(crate) page_limit: Option<u32>,
    pub(crate) wal: Wal,
    pub(crate) places: Vec<PlaceWriter>,
}

/// Whether the write-ahead log may still hold what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wal {
    /// It may hold anything but destroyed keys.
    Clean,
    /// A key was destroyed since it was last emptied.
    HoldsDestroyed,
}

impl Committer {
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closers = Vec::new();
        while jobs.recv_many(&mut batch, BATCH).await > 0 {
            let mut members = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Append { commit, waiting, reply } => members.push(Member::Append(commit, waiting, reply)),
                    Job::DestroyKey { scope, reply } => members.push(Member::DestroyKey(scope, reply)),
                    Job::LimitPages { most, reply } => {
                        self.limit_pages(most).await;
                        answer(reply, ());
                    }
                    Job::Close { reply } => {
                        jobs.close();
                        closers.push(reply);
                    }
                }
            }
            self.batch(members).await;
        }
        if let Some((db, _)) = self.open.take() {
            schema::close(db).await;
        }
        for place in self.places {
            place.close().await;
        }
        drop(self.lock);
        closers.into_iter().for_each(|reply| answer(reply, ()));
    }

    /// Runs a batch, and answers each member once it is durable or won't be. // I1
    async fn batch(&mut self, members: Vec<Member>) {
        if members.is_empty() {
            return;
        }
        match self.transaction(&members).await {
            Ok(done) => {
                self.publish(&done.log).await;
                if let Some((_, log)) = &mut self.open {
                    *log = done.log;
                }
                if done.outcomes.iter().any(|o| matches!(o, Outcome::Destroyed(1..))) {
                    self.wal = Wal::HoldsDestroyed;
                }
                // Before the answer: who is told that a key is destroyed may rely on it.
                self.empty_wals().await;
                for (member, outcome) in members.into_iter().zip(done.outcomes) {
                    member.answer(outcome);
                }
            }
            Err(why) => {
                tracing::error!(why, commits = members.len(), "a batch could not be made durable");
                if let Some((mut db, _)) = self.open.take() {
                    // SQLite may have rolled back by itself; then there is nothing to roll back, and that is fine.
                    sqlx::query("ROLLBACK").execute(&mut db).await.ok();
                    schema::close(db).await;
                }
                for member in members {
                    member.answer(Outcome::Refused(CommitError::NotDurable { why: why.clone() }));
                }
            }
        }
    }

    /// Makes sure of a connection and of the log's state.
    async fn ready(&mut self) -> Result<(), String> {
        if self.open.is_some() {
            return Ok(());
        }
        let mut db = SqliteConnection::connect_with(&schema::writer(&self.file)).await.map_err(|e| e.to_string())?;
        let log = LogState::load(&mut db, self.signer.verifier()).await.map_err(|e| e.to_string())?;
        // A COMMIT that failed may have been durable: whoever follows is told what is.
        self.publish(&log).await;
        self.open = Some((db, log));
        if let Some(most) = self.page_limit {
            self.limit_pages(most).await;
        }
        Ok(())
    }

    async fn transaction(&mut self, members: &[Member]) -> Result<Done, String> {
        self.ready().await?;
        let Some((db, log)) = &mut self.open else {
            return Err("there is no connection to the database".to_owned());
        };
        // I3: authority time never goes back, whatever the wall clock does.
        let time = self.clock.wall().max(log.last_time);
        let mut elsewhere = Vec::with_capacity(members.len());
        for member in members {
            elsewhere.push(member.destroy_elsewhere(&mut self.places).await);
        }
        let run = Run { tools: &self.tools, signer: &self.signer, members, elsewhere: &elsewhere, time };
        // A region that is away refuses its own, and keeps nobody else waiting: without them, the batch is run again.
        let mut away = Vec::new();
        loop {
            match run.batch(db, log, &mut self.places, &away).await {
                Ok(done) => return Ok(done),
                Err(BatchError::Away(place)) => {
                    tracing::error!(error = %place, "a region's payloads can't be kept");
                    sqlx::query("ROLLBACK").execute(&mut *db).await.map_err(|e| e.to_string())?;
                    away.push(place);
                }
                Err(error @ (BatchError::Sqlite(_) | BatchError::Sign(_))) => return Err(error.to_string()),
            }
        }
    }

    /// Tells of what is durable: to the head file first, so that no answer is ahead of it.
    async fn publish(&mut self, log: &LogState) {
        let moved = self.open.as_ref().is_none_or(|(_, before)| before.head != log.head);
        if moved {
            self.write_head(log).await;
        }
        self.published.tell(log);
    }

    async fn write_head(&mut self, log: &LogState) {
        let (file, note, now) = (Arc::clone(&self.head), log.head.to_bytes(), self.clock.boot());
        let written =
            tokio::task::spawn_blocking(move || file.lock().unwrap_or_else(PoisonError::into_inner).write(&note, now));
        match written.await {
            Ok(Ok(())) => {}
            // What is durable is durable. Until the head can be written again, a rollback to here wouldn't show.
            Ok(Err(e)) => tracing::error!(error = %e, "the head file can't be written"),
            Err(e) => tracing::error!(error = %e, "the head file was not written"),
        }
    }

    async fn empty_wals(&mut self) {
        if let Some((db, _)) = &mut self.open {
            empty_wal(db, &mut self.wal).await;
        }
        for place in &mut self.places {
            place.empty_wal().await;
        }
    }

    async fn limit_pages(&mut self, most: u32) {
        self.page_limit = Some(most);
        if let Some((db, _)) = &mut self.open {
            // A number; a PRAGMA takes no parameters.
            let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {most}"));
            if let Err(e) = sqlx::raw_sql(limit).execute(db).await {
                tracing::error!(error = %e, "the page limit could not be set");
            }
        }
    }
}

/// How many keys of a member were destroyed in other regions than home; none for one that destroys none.
type Elsewhere = Result<u64, CommitError>;

impl Member {
    /// Does what this member takes away in other regions: once, however often its batch is run. // I9
    async fn destroy_elsewhere(&self, places: &mut [PlaceWriter]) -> Elsewhere {
        match self {
            Self::Append(..) => Ok(0),
            Self::DestroyKey(scope, _) => {
                let mut keys = 0;
                for place in places {
                    keys += place.destroy(scope).await.map_err(|away| not_durable(&away))?;
                }
                Ok(keys)
            }
        }
    }

    async fn run(
        &self,
        db: &mut SqliteConnection,
        elsewhere: &Elsewhere,
        tools: &Tools,
        at: Point,
        tail: &mut Tail,
    ) -> Result<Outcome, MemberError> {
        match self {
            Self::Append(commit, ..) => {
                let entries = member::run(db, tools, commit, at, tail).await?;
                Ok(Outcome::Committed(Committed { revision: at.revision, at: at.time, entries }))
            }
            Self::DestroyKey(scope, _) => {
                let elsewhere = elsewhere.clone().map_err(MemberError::Refused)?;
                Ok(Outcome::Destroyed(elsewhere + payloads::destroy(db, scope).await?))
            }
        }
    }

    fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Append(_, waiting, reply), Outcome::Committed(committed)) => {
                drop(waiting);
                answer(reply, Ok(committed));
            }
            (Self::Append(_, waiting, reply), Outcome::Refused(error)) => {
                drop(waiting);
                answer(reply, Err(error));
            }
            (Self::DestroyKey(_, reply), Outcome::Destroyed(keys)) => answer(reply, Ok(keys)),
            (Self::DestroyKey(_, reply), Outcome::Refused(error)) => answer(reply, Err(error)),
            // `run` gives each member an outcome of its own kind; a reply that is dropped reads as not durable.
            (Self::Append(..), Outcome::Destroyed(_)) | (Self::DestroyKey(..), Outcome::Committed(_)) => {}
        }
    }
}

/// Empties a write-ahead log when it holds a destroyed key; a reader in the way means later. // I9
pub(crate) async fn empty_wal(db: &mut SqliteConnection, wal: &mut Wal) {
    if *wal == Wal::Clean {
        return;
    }
    let busy: Result<i64, sqlx::Error> = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(db).await;
    match busy {
        Ok(0) => *wal = Wal::Clean,
        Ok(_) => tracing::debug!("the write-ahead log is being read; it is emptied after the next commit"),
        Err(e) => tracing::warn!(error = %e, "the write-ahead log could not be emptied after a key was destroyed"),
    }
}

/// Answers, if whoever asked still waits.
fn answer<T>(reply: oneshot::Sender<T>, with: T) {
    reply.send(with).ok();
}

fn not_durable(away: &Away) -> CommitError {
    CommitError::NotDurable { why: away.to_string() }
}

/// A batch, and what it is run with.
struct Run<'a> {
    tools: &'a Tools,
    signer: &'a NoteSigner,
    members: &'a [Member],
    elsewhere: &'a [Elsewhere],
    time: Time,
}

impl Run<'_> {
    /// One transaction: each member in a savepoint, then what goes to other regions, then the log, its head, and COMMIT.
    async fn batch(
        &self,
        db: &mut SqliteConnection,
        log: &LogState,
        places: &mut [PlaceWriter],
        away: &[Away],
    ) -> Result<Done, BatchError> {
        execute(db, "BEGIN IMMEDIATE").await?;
        let mut tail = Tail::new(log.frontier.clone());
        let mut revision = log.revision;
        let mut outcomes = Vec::with_capacity(self.members.len());
        for (member, elsewhere) in self.members.iter().zip(self.elsewhere) {
            let at = Point { revision: Revision(revision.0.saturating_add(1)), time: self.time };
            let mark = tail.mark();
            execute(db, "SAVEPOINT member").await?;
            let run = member.run(db, elsewhere, self.tools, at, &mut tail).await;
            let needs = away.iter().find(|away| tail.strays_since(&mark).any(|stray| stray.place == away.place));
            match (run, needs) {
                (Ok(outcome), None) => {
                    revision = at.revision;
                    outcomes.push(outcome);
                }
                (Ok(_), Some(away)) => {
                    execute(db, "ROLLBACK TO member").await?;
                    tail.back_to(mark);
                    outcomes.push(Outcome::Refused(not_durable(away)));
                }
                (Err(MemberError::Refused(error)), _) => {
                    execute(db, "ROLLBACK TO member").await?;
                    tail.back_to(mark);
                    outcomes.push(Outcome::Refused(error));
                }
                (Err(MemberError::Failed(error)), _) => return Err(error.into()),
            }
            execute(db, "RELEASE member").await?;
        }
        // Before the log: no entry names a payload that isn't durable. // I10
        for (at, place) in places.iter_mut().enumerate() {
            let strays = tail.strays_of(at);
            if !strays.is_empty() {
                place.write(&self.tools.sealer, &*self.tools.random, &strays).await.map_err(BatchError::Away)?;
            }
        }
        let log = finish(db, log, self.signer, &tail, Point { revision, time: self.time }).await?;
        execute(db, "COMMIT").await?;
        Ok(Done { log, outcomes })
    }
}

/// Writes what the batch adds to the log, signed once.
async fn finish(
    db: &mut SqliteConnection,
    log: &LogState,
    signer: &NoteSigner,
    tail: &Tail,
    at: Point,
) -> Result<LogState, BatchError> {
    let mut next = LogState { revision: at.revision, ..log.clone() };
    if !tail.is_empty() {
        tail.write(db).await?;
        next.frontier = tail.frontier.clone();
        next.last_time = at.time;
        next.head = ledger_log::sign(&tail.frontier, signer).map_err(BatchError::Sign)?;
    }
    if at.revision != log.revision {
        sqlx::query("UPDATE head SET revision = $1, note = $2")
            .bind(column(at.revision.0))
            .bind(next.head.note().to_string())
            .execute(&mut *db)
            .await?;
        changes::prune(db, log.revision, at.revision).await?;
    }
    Ok(next)
}

async fn execute(db: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(db).await.map(drop)
}

/// Why a batch failed as a whole.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error(transparent)]
    Sqlite(#[from] sqlx::Error),
    #[error("the log's head can't be signed: {0}")]
    Sign(String),
    #[error(transparent)]
    Away(Away),
}
