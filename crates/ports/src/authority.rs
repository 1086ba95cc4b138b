//! What a gateway knows of control: nobody calls a gateway, it asks and follows.
//!
//! An attacker holding a gateway can misuse and misreport the sessions that it carries, until its lease is refused. It
//! never sees an administrator's credential, the ledger's key or the CA's.

use async_trait::async_trait;
use daypass_domain::{
    GrantId, Name, PrincipalId, RequestId, SessionId, Span,
    session::{Passed, SessionEnd},
};
use daypass_wire::{
    postgres::once::{How, Over},
    scram::ScramVerifier,
};

use crate::{
    record::{Permit, Revision},
    store::Changes,
};

/// How long a lease lasts: a byte passes only while it holds. // I3: L
pub const LEASE: Span = Span::from_secs(10);
/// How often a node renews.
pub const RENEW_EVERY: Span = Span::from_micros(2_500_000);
/// By how much two clocks may differ in rate: one thousandth. // I3: rho
pub const RATE_DOUBT_PER_MILLE: i64 = 1;
/// A jump between wall and boot clock, or a wall clock behind the ledger, that ends all trust in time.
pub const CLOCK_DOUBT: Span = Span::from_micros(500_000);

/// A gateway node: its number is in the key data that clients cancel with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u8);

/// What a gateway asks of control.
#[async_trait]
pub trait Authority: Send + Sync {
    /// What a client that says it is `user` must prove; for a user that there isn't, a mock that nothing satisfies.
    async fn door(&self, user: &str) -> Result<Door, AuthorityError>;

    /// A client that proved who it is wants in: a durable permit, or what it waits for, or why not. // I1, I4
    async fn open_session(&self, ask: OpenSession) -> Result<Opening, AuthorityError>;

    /// Renews a node's lease: a linearizable read, one store write, however many grants. // I3
    async fn renew(&self, node: NodeId, since: Revision) -> Result<Renewal, AuthorityError>;

    /// What ended after `since`; waits up to a second for something to have.
    async fn changes(&self, since: Revision) -> Result<Changes, AuthorityError>;

    /// Waits, up to about a second, until the revision is past `since`, whatever moved it, and says where it is: for a
    /// client that waits at the door. An implementation that can wait for any commit does so here.
    async fn moved(&self, since: Revision) -> Result<Revision, AuthorityError> {
        Ok(self.changes(since).await?.revision)
    }

    /// The node has cut everything that ended up to this revision.
    async fn confirm(&self, node: NodeId, revision: Revision) -> Result<(), AuthorityError>;

    /// The session's backend at the target is this one: what else uses its login, nobody claims.
    async fn connected(&self, session: SessionId, backend_pid: i32) -> Result<(), AuthorityError>;

    /// Waits, up to about a second, for a statement that a node is to run by itself. That its run is begun is durable by
    /// then, so it is given to one node, once: whoever loses it has lost it. // I1, I4
    async fn next_statement(&self, node: NodeId) -> Result<Option<Statement>, AuthorityError>;

    /// What came of a statement that the node was given.
    async fn statement_over(&self, session: SessionId, over: Over) -> Result<(), AuthorityError>;

    /// A second of recording is durable: its root over the sessions that changed enters the ledger.
    async fn seal(&self, node: NodeId, seal: RecordingSeal) -> Result<(), AuthorityError>;

    /// A session is over.
    async fn close_session(&self, session: SessionId, cause: SessionEnd, passed: Passed) -> Result<(), AuthorityError>;
}

/// What a client must prove.
#[derive(Debug, Clone)]
pub enum Door {
    /// There is such a principal, and it has signed in: its personal connection secret is live.
    Known {
        /// Who.
        principal: PrincipalId,
        /// What their personal secret must satisfy.
        verifier: ScramVerifier,
    },
    /// There isn't, or it has no sign-in: nothing satisfies this one.
    Mock {
        /// Looks like a real one, the same each time.
        verifier: ScramVerifier,
    },
}

/// A client that proved who it is wants in.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The node that it came to.
    pub node: NodeId,
    /// Who it proved to be.
    pub principal: PrincipalId,
    /// What it gave as the resource's name.
    pub resource: String,
    /// The database at the target that it named, if any.
    pub database: Option<String>,
    /// The role that it named, if any; needed only where it holds several.
    pub role: Option<String>,
    /// The client's address and port, for the ledger.
    pub peer: String,
    /// What the client called itself (`application_name`), cut to 64 bytes.
    pub application: String,
}

/// The answer to a client that wants in.
#[derive(Debug)]
pub enum Opening {
    /// It may dial.
    Admitted(Box<Permit>),
    /// A request of its waits: it is held at the door and told what for.
    Waiting {
        /// The request.
        request: RequestId,
        /// What is missing, in words.
        missing: String,
        /// The revision to follow from, taken before anything was read for this answer: ask again when it has moved.
        revision: Revision,
    },
    /// It may not.
    Refused(Refusal),
}

/// A statement that a node runs by itself, in a session like any other.
#[derive(Debug)]
pub struct Statement {
    /// What it may dial.
    pub permit: Permit,
    /// Its text.
    pub sql: String,
    /// Whether it is run, or only estimated.
    pub how: How,
}

/// Why a client may not in: what the gateway makes a PostgreSQL error of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal.
    pub kind: RefusalKind,
    /// What happened.
    pub message: String,
    /// Why.
    pub detail: String,
    /// What to do next.
    pub hint: String,
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such resource, or no role of that name.
    NoSuchResource,
    /// There is no grant.
    NoGrant,
    /// Several grants, and the client didn't say which role.
    WhichRole,
    /// Policy forbids it.
    Forbidden,
    /// The target can't be reached or refuses its administrator.
    TargetUnavailable,
    /// Too many sessions under the grant.
    TooMany,
    /// The ledger can't be written, or the clock is in doubt: nothing is given. // I1, I3
    NothingGiven,
}

/// A renewed lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// What ended since, and the revision that this is true of.
    pub changes: Changes,
    /// How long each live grant that has sessions on the node still has, at the moment of the answer.
    pub remaining: Vec<(GrantId, Span)>,
}

/// A second of recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSeal {
    /// The region of the segment stream.
    pub region: Name,
    /// The segment's file name.
    pub segment: String,
    /// Its length in bytes that this seal covers.
    pub length: u64,
    /// Merkle root over the sessions that changed.
    pub root: [u8; 32],
    /// The sessions that changed, with the digest chain of each so far.
    pub sessions: Vec<(SessionId, [u8; 32])>,
}

/// Why control didn't answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// It can't be reached, or its store can't: the lease runs out.
    #[error("control doesn't answer: {why}")]
    Unavailable {
        /// Why.
        why: String,
    },
    /// The node may not go on.
    #[error("control refuses this node: {why}")]
    Refused {
        /// Why.
        why: String,
    },
}
