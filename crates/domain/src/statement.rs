//! One statement: a request may carry one, and its grant then opens nothing but the running of it, once.
//!
//! | the run | begin | over |
//! | --- | --- | --- |
//! | not begun | begun | |
//! | begun | | over |
//! | over | | |
//!
//! It is begun in a durable entry before anything is sent, and never begun again: whoever finds it begun and not over,
//! after a crash, knows only that it may have run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, PayloadId, SessionId, Time, grant::Refusal};

/// What a request is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wants", rename_all = "snake_case")]
pub enum Wants {
    /// Sessions, until the grant ends.
    #[default]
    Sessions,
    /// One statement, run once.
    Statement {
        /// Where its text is kept: rows hold no free text (I9).
        at: PayloadId,
        /// The digest of its text, so that an approval covers it (I8).
        digest: Digest,
    },
}

impl Wants {
    /// What every request was for before there were statements: left out where it is written, so that digests stay.
    #[must_use]
    pub const fn is_sessions(&self) -> bool {
        match self {
            Self::Sessions => true,
            Self::Statement { .. } => false,
        }
    }
}

/// What an approver can know of a statement before it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "looked", rename_all = "snake_case")]
pub enum Looked {
    /// Nobody has looked.
    #[default]
    Never,
    /// Somebody had the target estimate it.
    Then {
        /// When.
        at: Time,
        /// Where what the target said is kept.
        estimate: PayloadId,
    },
}

impl Looked {
    /// Left out where it is written.
    #[must_use]
    pub const fn is_never(&self) -> bool {
        match self {
            Self::Never => true,
            Self::Then { .. } => false,
        }
    }
}

/// What a grant opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "opens", rename_all = "snake_case")]
pub enum Opens {
    /// Doors, until it ends.
    #[default]
    Sessions,
    /// No door: the statement of its request is run, once.
    Statement {
        /// How far that is.
        run: Run,
    },
    /// No door: the target is asked, once, what the statement of a pending request would cost.
    Look {
        /// How far that is.
        run: Run,
    },
}

impl Opens {
    /// What every grant opened before there were statements: left out where it is written.
    #[must_use]
    pub const fn is_sessions(&self) -> bool {
        match self {
            Self::Sessions => true,
            Self::Statement { .. } | Self::Look { .. } => false,
        }
    }

    /// The one run of a grant that opens no door.
    #[must_use]
    pub const fn run(&self) -> Option<Run> {
        match self {
            Self::Sessions => None,
            Self::Statement { run } | Self::Look { run } => Some(*run),
        }
    }

    const fn with(self, run: Run) -> Self {
        match self {
            Self::Sessions => Self::Sessions,
            Self::Statement { .. } => Self::Statement { run },
            Self::Look { .. } => Self::Look { run },
        }
    }

    /// Its run begins, in this session.
    ///
    /// # Errors
    /// When it was begun before, or it isn't for one statement.
    pub(crate) fn begin(self, session: SessionId, at: Time) -> Result<Self, Refusal> {
        let refuse = |state, why| Err(Refusal { machine: "statement", state, event: "begin", why });
        match self.run() {
            None => refuse("none", "the grant is for sessions, not for one statement"),
            Some(Run::NotBegun) => Ok(self.with(Run::Begun { session, at })),
            Some(Run::Begun { .. }) => refuse("begun", "it was begun already, and nothing is run twice"),
            Some(Run::Over { .. }) => refuse("over", "it has run already, and nothing is run twice"),
        }
    }

    /// Its run is over.
    ///
    /// # Errors
    /// When it wasn't begun, or is over already.
    pub(crate) fn over(self, outcome: Outcome, at: Time) -> Result<Self, Refusal> {
        let refuse = |state, why| Err(Refusal { machine: "statement", state, event: "be over", why });
        match self.run() {
            None => refuse("none", "the grant is for sessions, not for one statement"),
            Some(Run::NotBegun) => refuse("not begun", "it wasn't begun"),
            Some(Run::Begun { session, .. }) => Ok(self.with(Run::Over { session, at, outcome })),
            Some(Run::Over { .. }) => refuse("over", "it is over already"),
        }
    }
}

/// How far the one run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "run", rename_all = "snake_case")]
pub enum Run {
    /// Nobody has begun it.
    NotBegun,
    /// It was begun: from here on it may have run, and is never begun again.
    Begun {
        /// The session that it runs in.
        session: SessionId,
        /// When.
        at: Time,
    },
    /// It is over.
    Over {
        /// The session that it ran in.
        session: SessionId,
        /// When that was known.
        at: Time,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The target said that its transaction is committed.
    Committed {
        /// How many rows it gave or changed, as its command tag says; 0 where that says none.
        rows: u64,
    },
    /// The target refused it, or its commit: its transaction was rolled back.
    Refused {
        /// Why, as five bytes: SQLSTATE.
        sqlstate: Sqlstate,
    },
    /// It was looked at in a transaction that reads only, which was rolled back.
    Looked,
    /// Its commit was never asked for, so it had no effect.
    NoEffect,
    /// Its commit may have been asked for, and no answer came: it may have run.
    Unknown,
}

impl Run {
    /// The word of a run that was begun and isn't over: rows are found by it.
    pub const BEGUN: &str = "begun";
}

impl Outcome {
    /// One word for headers and tables.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Committed { .. } => "committed",
            Self::Refused { .. } => "refused",
            Self::Looked => "looked",
            Self::NoEffect => "no_effect",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed { rows: 1 } => f.write_str("committed, 1 row"),
            Self::Committed { rows } => write!(f, "committed, {rows} rows"),
            Self::Refused { sqlstate } => write!(f, "refused by the target ({sqlstate}), and rolled back"),
            Self::Looked => f.write_str("looked at, and rolled back"),
            Self::NoEffect => f.write_str("without effect: its commit was never asked for"),
            Self::Unknown => f.write_str("unknown: it may have run"),
        }
    }
}

/// Five characters of `0-9 A-Z` that say what kind of error it is (PostgreSQL manual, "Error Codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sqlstate([u8; 5]);

/// Why a text is no SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an SQLSTATE is five of 0-9 and A-Z")]
pub struct BadSqlstate;

impl TryFrom<String> for Sqlstate {
    type Error = BadSqlstate;
    fn try_from(text: String) -> Result<Self, BadSqlstate> {
        let code: [u8; 5] = text.as_bytes().try_into().map_err(|_| BadSqlstate)?;
        let plain = code.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        if plain { Ok(Self(code)) } else { Err(BadSqlstate) }
    }
}

impl From<Sqlstate> for String {
    fn from(code: Sqlstate) -> Self {
        code.to_string()
    }
}

impl fmt::Display for Sqlstate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{}", char::from(*b)))
    }
}
