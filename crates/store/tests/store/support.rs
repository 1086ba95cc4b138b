//! A clock that is set, random bytes that repeat, a folder to throw away, and values to keep.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use daypass_domain::{Digest, Name, PayloadId, PrincipalId, Time};
use daypass_ledger::{
    Report, SignedCheckpoint, VerifierKey,
    tile::{bundles, tiles},
    verify::verify,
};
use daypass_ports::{
    record::{Commit, CommitError, Committed, Due, Entry, Expect, Kind, Part, Read, RetentionClass, Scope, Stored},
    store::Store,
    world::{Boot, Clock, Random},
};
use daypass_seal::MasterKey;
use daypass_store::{OpenError, Options, Regions, Rollback, SqliteStore};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use zeroize::Zeroizing;

/// A clock that stands where it was set.
#[derive(Debug)]
pub struct SetClock(AtomicI64);

impl SetClock {
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
    fn boot(&self) -> Boot {
        Boot(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

/// Bytes that look random, never the same twice within a fixture.
#[derive(Debug)]
pub struct Counted(AtomicU64, u64);

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            let bytes = Digest::of(&[count.to_be_bytes(), self.1.to_be_bytes()].concat());
            chunk.copy_from_slice(&bytes.bytes()[..chunk.len()]);
        }
    }
}

pub const START: i64 = 1_700_000_000_000_000;

/// A data folder and a head file beside it, thrown away at the end.
#[derive(Debug)]
pub struct Fixture {
    pub root: tempfile::TempDir,
    pub clock: Arc<SetClock>,
    pub random: Arc<Counted>,
}

impl Fixture {
    pub fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a temporary folder"),
            clock: Arc::new(SetClock(AtomicI64::new(START))),
            random: Arc::new(Counted(AtomicU64::new(0), 0)),
        }
    }

    pub fn folder(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub fn head_file(&self) -> PathBuf {
        self.root.path().join("head")
    }

    pub fn database(&self) -> PathBuf {
        self.folder().join("daypass.db")
    }

    pub fn options(&self) -> Options {
        options(self.folder(), self.head_file(), self.clock.clone(), self.random.clone())
    }

    pub async fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(self.options()).await.expect("the store opens"))
    }

    pub async fn open_error(&self) -> OpenError {
        SqliteStore::open(self.options()).await.expect_err("the store must not open")
    }

    /// Past the store, as somebody who holds the folder would.
    pub async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.database());
        SqliteConnection::connect_with(&options).await.expect("SQLite opens the file")
    }
}

/// What a store is opened with in these tests.
pub fn options(folder: PathBuf, head_file: PathBuf, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Options {
    Options {
        folder,
        head_file,
        regions: Regions::only(name("local")),
        keys: MasterKey::from_bytes([7; 32]),
        log_name: "daypass.local/test".to_owned(),
        log_seed: Zeroizing::new([9; 32]),
        clock,
        random,
        rollback: Rollback::Refuse,
    }
}

/// A value with a name, a state, and perhaps something due.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Thing {
    pub id: String,
    pub state: String,
    pub tags: Vec<String>,
    pub due: Option<i64>,
    pub text: String,
}

pub fn thing(id: &str, state: &str) -> Thing {
    Thing { id: id.to_owned(), state: state.to_owned(), tags: Vec::new(), due: None, text: String::new() }
}

impl Stored for Thing {
    const KIND: Kind = Kind::Setting;
    fn row_id(&self) -> String {
        self.id.clone()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let tags = self.tags.iter().map(|tag| ("tag", tag.clone()));
        std::iter::once(("state", self.state.clone())).chain(tags).collect()
    }
    fn due(&self) -> Due {
        self.due.map_or(Due::Never, |us| Due::At(Time::from_micros(us)))
    }
}

/// An entry about something, without parts.
pub fn entry(about: &str) -> Entry {
    Entry {
        event: "thing.changed",
        ids: vec![("thing", about.to_owned())],
        region: name("local"),
        retention: RetentionClass::Operational,
        parts: Vec::new(),
    }
}

pub fn part(id: PayloadId, scope: Scope, content: Value) -> Part {
    Part { id, scope, content }
}

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn payload_id(n: u8) -> PayloadId {
    PayloadId::new(Time::from_micros(START), [n; 10])
}

pub fn principal(n: u8) -> PrincipalId {
    PrincipalId::new(Time::from_micros(START), [n; 10])
}

/// A commit that puts a value over nothing.
pub fn new(thing: &Thing) -> Commit {
    let mut commit = Commit::default();
    commit.expect_none(Kind::Setting, &thing.id);
    commit.put(thing);
    commit.entry(entry(&thing.id));
    commit
}

/// A commit that puts a value over what was read.
pub fn over(read: &Read<Thing>, next: &Thing) -> Commit {
    let mut commit = Commit::default();
    commit.replace(read, next);
    commit.entry(entry(&next.id));
    commit
}

pub async fn put(store: &dyn Store, value: &Thing) -> Committed {
    store.append(new(value)).await.expect("it commits")
}

pub async fn get(store: &dyn Store, id: &str) -> Option<Read<Thing>> {
    store.get(id).await.expect("it reads")
}

pub fn stale(id: &str) -> Result<Committed, CommitError> {
    Err(CommitError::Stale { kind: Kind::Setting, id: id.to_owned() })
}

pub fn expect(id: &str, version: u64) -> Expect {
    Expect { kind: Kind::Setting, id: id.to_owned(), version }
}

/// The whole log as the store serves it, verified as an auditor does.
pub async fn verified(store: &dyn Store) -> Report {
    let key: VerifierKey = store.log_key().parse().expect("a verifier key");
    let head = store.checkpoint().await.expect("a checkpoint");
    let size = SignedCheckpoint::parse(head.as_bytes()).expect("it parses").unverified().size;
    let mut folder = BTreeMap::new();
    let paths = tiles(size).map(|t| t.to_string()).chain(bundles(size).map(|b| b.to_string()));
    for path in paths {
        let bytes = store.log_file(&path).await.expect("it reads").unwrap_or_else(|| panic!("{path} is missing"));
        folder.insert(path, bytes);
    }
    folder.insert("checkpoint".to_owned(), head.into_bytes());
    verify(&folder, &key, None).expect("the log verifies")
}

pub fn said(text: &str) -> Value {
    json!({ "said": text })
}
