//! One statement: what a request for one carries, what its grant opens, and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SessionId, Timestamp, grants::Receipt};

/// The statement of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// Its text; absent when it was erased, and in answers that aren't for looking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The SHA-256 digest of its text. The request's own digest covers it.
    pub digest: String,
    /// What the target said of it; absent when nobody has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// What a target says of a statement before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "estimate", rename_all = "snake_case")]
pub enum Estimate {
    /// It planned it.
    Planned {
        /// How many rows it expects to give or to change; absent when its plan doesn't say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// What it expects it to cost, in its own units (a page read in sequence is 1), rounded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<u64>,
        /// The plan, in its words.
        plan: String,
    },
    /// It didn't.
    NotPlanned {
        /// Why.
        why: String,
    },
}

/// What a grant opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "opens", rename_all = "snake_case")]
pub enum Opens {
    /// Sessions, until it ends.
    #[default]
    Sessions,
    /// One statement, run once.
    Statement {
        /// How far that is.
        run: Run,
    },
    /// An approver's look at the statement of a pending request.
    Look {
        /// How far that is.
        run: Run,
    },
}

impl Opens {
    /// Whether it is what most grants open.
    #[must_use]
    pub const fn is_sessions(&self) -> bool {
        match self {
            Self::Sessions => true,
            Self::Statement { .. } | Self::Look { .. } => false,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "run", rename_all = "snake_case")]
#[schema(as = StatementRun)]
pub enum Run {
    /// Nobody has begun it.
    NotBegun,
    /// It was begun: it may have run, and is never begun again.
    Begun {
        /// The session that it runs in.
        session: SessionId,
        /// When.
        at: Timestamp,
    },
    /// It is over.
    Over {
        /// The session that it ran in.
        session: SessionId,
        /// When that was known.
        at: Timestamp,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[schema(as = StatementOutcome)]
pub enum Outcome {
    /// The target said that its transaction is committed.
    Committed {
        /// How many rows it gave or changed, as its command tag says; 0 where that says none.
        rows: u64,
    },
    /// The target refused it, or its commit: it was rolled back.
    Refused {
        /// Why, as SQLSTATE.
        sqlstate: String,
    },
    /// It was looked at, in a transaction that was rolled back.
    Looked,
    /// Its commit was never asked for, so it had no effect.
    NoEffect,
    /// Its commit may have been asked for, and no answer came: it may have run.
    Unknown,
}

/// What came of a run, for whom it was run: `POST /v1/grants/{id}/run`. It is shown once, and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ran {
    /// What came of it.
    pub outcome: Outcome,
    /// What the target said against it, as it said it; absent when it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ServerError>,
    /// Why it broke off, in words; absent when it didn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it did, in the target's words, like `UPDATE 3`; empty when it did nothing.
    pub tag: String,
    /// Its columns; none when it gives no rows.
    pub columns: Vec<Column>,
    /// Its rows, from the first on, each value as the target writes it; null is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows it gave: more than `rows` holds when a result had more than is shown (10,000 rows, 1 MiB).
    pub rows_given: u64,
    /// What the target said besides.
    pub notices: Vec<ServerError>,
    /// The end of the grant.
    pub receipt: Receipt,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's OID in the target (`pg_type.oid`).
    pub type_oid: u32,
}

/// An error or a notice of the target's, as it sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerError {
    /// `ERROR`, `FATAL`, `NOTICE` and so on.
    pub severity: String,
    /// SQLSTATE.
    pub sqlstate: String,
    /// What happened.
    pub message: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the statement, in characters from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}
