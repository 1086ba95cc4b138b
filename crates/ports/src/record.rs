//! Rows, entries and the durable commit; `Intent` and `Permit`, which only that commit makes. // I1, I4

use daypass_domain::{
    GrantId, Name, PayloadId, PrincipalId, ResourceId, SessionId, Time,
    end::EndCause,
    resource::{Limits, PostgresTarget, RecordMode},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{secret::Secret, store::Store};

pub use daypass_ledger::leaf::RetentionClass;

/// A kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A user or a workload.
    Principal,
    /// A named set of principals.
    Group,
    /// A resource with its roles.
    Resource,
    /// A request with its approvals.
    Request,
    /// A grant.
    Grant,
    /// A session.
    Session,
    /// A pending change (I12).
    Change,
    /// An API token, hashed.
    Token,
    /// A sign-in, hashed, with its personal connection secret's verifier.
    SignIn,
    /// A password's hash and a second factor, sealed.
    Factors,
    /// A policy set by digest.
    Policy,
    /// One-of-a-kind settings: the installation, the active policy, the set-up token.
    Setting,
    /// The answer to a write with an idempotency key.
    Answer,
    /// Where a person hears notices.
    Contact,
    /// What gives rise to notices.
    Occasion,
    /// A notice.
    Notice,
    /// A directory whose connector says who is there.
    Directory,
    /// A user of a directory.
    DirectoryUser,
    /// A group of a directory.
    DirectoryGroup,
    /// A transmitter of signals.
    Transmitter,
    /// What came from a transmitter so far.
    SignalStream,
    /// A signal that came.
    Signal,
    /// What transmitters said of a person.
    Sayings,
    /// An emergency kit.
    Kit,
}

impl Kind {
    /// As it stands in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Group => "group",
            Self::Resource => "resource",
            Self::Request => "request",
            Self::Grant => "grant",
            Self::Session => "session",
            Self::Change => "change",
            Self::Token => "token",
            Self::SignIn => "signin",
            Self::Factors => "factors",
            Self::Policy => "policy",
            Self::Setting => "setting",
            Self::Answer => "answer",
            Self::Contact => "contact",
            Self::Occasion => "occasion",
            Self::Notice => "notice",
            Self::Directory => "directory",
            Self::DirectoryUser => "directory_user",
            Self::DirectoryGroup => "directory_group",
            Self::Transmitter => "transmitter",
            Self::SignalStream => "signal_stream",
            Self::Signal => "signal",
            Self::Sayings => "sayings",
            Self::Kit => "kit",
        }
    }
}

/// A value that is kept as a row: JSON under a MAC, with a version that each write moves by one.
pub trait Stored: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;

    /// Its id, unique in its kind.
    fn row_id(&self) -> String;

    /// What it can be found by, besides its id: pairs of a key and a value.
    fn keys(&self) -> Vec<(&'static str, String)>;

    /// When something must be done about it, if ever: rows are found by that too.
    fn due(&self) -> Due {
        Due::Never
    }
}

/// When something must be done about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing will ever have to be done because of time.
    Never,
    /// Then.
    At(Time),
}

/// A value as it was read, with the version to expect when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// Its version: 1 at first.
    pub version: u64,
}

impl<T: Stored> Read<T> {
    /// That this row still has the version that was read.
    #[must_use]
    pub fn expect(&self) -> Expect {
        Expect { kind: T::KIND, id: self.value.row_id(), version: self.version }
    }
}

/// A version that a commit relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The row's kind.
    pub kind: Kind,
    /// The row's id.
    pub id: String,
    /// The version that was read; 0 says that there is no such row.
    pub version: u64,
}

/// A row to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// What to do with it.
    pub what: Written,
}

/// What to do with a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It becomes this.
    Put {
        /// Its content.
        body: Value,
        /// What it can be found by.
        keys: Vec<(&'static str, String)>,
        /// When it is due.
        due: Due,
    },
    /// It goes.
    Delete,
}

/// A part of an entry's payload, kept under a key of its own (I9).
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What rows refer to it by.
    pub id: PayloadId,
    /// Whose key seals it.
    pub scope: Scope,
    /// What it says.
    pub content: Value,
}

/// Whose key seals a part: destroying the key erases the part, and the log still verifies. // I9
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A person's.
    Subject(PrincipalId),
    /// A session's.
    Session(SessionId),
    /// The installation's.
    #[default]
    Operational,
}

/// An entry to append to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What happened: dotted and readable, like `grant.activated`.
    pub event: &'static str,
    /// Whom and what it concerns: pseudonymous ids by kind.
    pub ids: Vec<(&'static str, String)>,
    /// The region that its payload stays in (I10).
    pub region: Name,
    /// How long it is kept.
    pub retention: RetentionClass,
    /// What it says beyond that.
    pub parts: Vec<Part>,
}

/// Everything that becomes durable together, or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// What it relies on: the policy revision and every row that was read for it.
    pub expect: Vec<Expect>,
    /// The rows.
    pub writes: Vec<Write>,
    /// The entries.
    pub entries: Vec<Entry>,
    /// The grants that end by it: gateways are told at once.
    pub ended: Vec<(GrantId, EndCause)>,
    /// The sessions that end by it though their grant goes on: gateways are told at once.
    pub killed: Vec<SessionId>,
}

impl Commit {
    /// Relies on a row as it was read.
    pub fn expect<T: Stored>(&mut self, read: &Read<T>) {
        let expect = read.expect();
        if !self.expect.contains(&expect) {
            self.expect.push(expect);
        }
    }

    /// Relies on there being no such row.
    pub fn expect_none(&mut self, kind: Kind, id: &str) {
        self.expect.push(Expect { kind, id: id.to_owned(), version: 0 });
    }

    /// Writes a row.
    ///
    /// # Panics
    /// Never for our rows: they are plain data, which always has a JSON form.
    pub fn put<T: Stored>(&mut self, value: &T) {
        let body = serde_json::to_value(value).unwrap_or(Value::Null);
        let what = Written::Put { body, keys: value.keys(), due: value.due() };
        self.write(Write { kind: T::KIND, id: value.row_id(), what });
    }

    /// Removes a row.
    pub fn delete<T: Stored>(&mut self, read: &Read<T>) {
        self.expect(read);
        self.write(Write { kind: T::KIND, id: read.value.row_id(), what: Written::Delete });
    }

    /// A row changes from what was read to `next`.
    pub fn replace<T: Stored>(&mut self, read: &Read<T>, next: &T) {
        self.expect(read);
        self.put(next);
    }

    /// Adds an entry.
    pub fn entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    fn write(&mut self, write: Write) {
        self.writes.retain(|w| w.kind != write.kind || w.id != write.id);
        self.writes.push(write);
    }
}

/// A commit that became durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The store's revision after it.
    pub revision: Revision,
    /// The time that its entries carry.
    pub at: Time,
    /// The sequence numbers of its entries, in their order.
    pub entries: Vec<u64>,
}

/// A point in the history of the store: each commit moves it by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// The proof that an effect's entry is durable. Only [`commit`] makes one, so forgetting to record doesn't compile. // I1
#[derive(Debug)]
pub struct Intent<E> {
    effect: E,
    committed: Committed,
}

impl<E> Intent<E> {
    /// The effect that may happen now.
    pub fn effect(&self) -> &E {
        &self.effect
    }

    /// Gives up the proof for the effect.
    pub fn into_effect(self) -> E {
        self.effect
    }

    /// Where it is in the history.
    pub fn committed(&self) -> &Committed {
        &self.committed
    }
}

/// Makes `what` durable, and gives the proof that the effect may happen. // I1
///
/// # Errors
/// See [`CommitError`]: nothing became durable then.
pub async fn commit<E>(store: &dyn Store, what: Commit, effect: E) -> Result<Intent<E>, CommitError> {
    debug_assert!(!what.entries.is_empty(), "every change of state has an entry (I1)");
    let committed = store.append(what).await?;
    Ok(Intent { effect, committed })
}

/// What a permit allows.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The session that may dial.
    pub session: SessionId,
    /// The grant that it lives under.
    pub grant: GrantId,
    /// Who holds the grant.
    pub principal: PrincipalId,
    /// On what.
    pub resource: ResourceId,
    /// The resource's name, for people.
    pub resource_name: Name,
    /// Which of its roles.
    pub role: Name,
    /// Where to, resolved.
    pub target: PostgresTarget,
    /// The database there.
    pub database: String,
    /// The login that exists only for this grant.
    pub login: String,
    /// Its password. // I6: it opens nothing but this grant's role, while the grant lives
    pub password: Secret,
    /// Until when, in authority time.
    pub deadline: Time,
    /// How long from the moment of the permit that is. // I3: the node counts it on its own boot clock
    pub remaining: daypass_domain::Span,
    /// The region that recordings stay in (I10).
    pub region: Name,
    /// How statements are recorded.
    pub record: RecordMode,
    /// The key that seals this session's recording, and never another's.
    pub recording_key: RecordingKey,
    /// Limits of the session.
    pub limits: Limits,
    /// The policy set that permitted it.
    pub policy: daypass_domain::Digest,
    /// Which other live grant rows and facts it was judged on, as `kind id version`.
    pub judged_on: Vec<Expect>,
}

/// The key that seals one session's recording: 32 bytes, wiped when dropped.
#[derive(Clone)]
pub struct RecordingKey(pub zeroize::Zeroizing<[u8; 32]>);

impl std::fmt::Debug for RecordingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordingKey(..)")
    }
}

/// What dials: nothing else does. Made only from the proof of a durable commit. // I4
#[derive(Debug)]
pub struct Permit {
    terms: Terms,
    committed: Committed,
}

impl Permit {
    /// What it allows.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The entry that made it durable.
    pub fn committed(&self) -> &Committed {
        &self.committed
    }
}

impl From<Intent<Terms>> for Permit {
    fn from(intent: Intent<Terms>) -> Self {
        Self { terms: intent.effect, committed: intent.committed }
    }
}

/// Why nothing became durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A row that the commit relied on has changed: read again, judge again, try again.
    #[error("{kind} {id} was changed by somebody else meanwhile: look at it again, and try again", kind = .kind.as_str())]
    Stale {
        /// The row's kind.
        kind: Kind,
        /// The row's id.
        id: String,
    },
    /// The disk is full, or can't be written. Nothing is given while this lasts; what is live still ends. // I1
    #[error(
        "the ledger can't be written, so nothing is given: {why}. Make room on the disk of the data folder, or mend it"
    )]
    NotDurable {
        /// What the system said.
        why: String,
    },
    /// An entry doesn't fit the ledger.
    #[error("the entry can't be recorded: {why}")]
    BadEntry {
        /// Why.
        why: String,
    },
}
