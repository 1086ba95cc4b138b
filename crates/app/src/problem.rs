//! Errors as people read them: what happened, why, what to do next, and whose fault it is. Never a secret.

use std::fmt;

use daypass_domain::{Span, grant::Refusal};
use daypass_policy::BadFacts;
use daypass_ports::{
    record::{CommitError, Kind},
    secret::CredentialError,
    store::StoreError,
    targets::TargetError,
};

/// What a use case answers.
pub type Result<T> = std::result::Result<T, Problem>;

/// Why a use case didn't do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whose fault it is, roughly.
    pub kind: ProblemKind,
    /// A stable word for programs, like `no_such_resource`.
    pub code: &'static str,
    /// What happened, and why.
    pub what: String,
    /// What to do next; empty when there is nothing to say.
    pub next: String,
}

/// Whose fault it is, roughly: what an HTTP status is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// What was sent makes no sense.
    Invalid,
    /// Nobody knows who is asking.
    Unauthenticated,
    /// It is known who asks, and they may not.
    NotAllowed,
    /// A fresh second factor would help.
    NeedsSecondFactor,
    /// There is no such thing, or none that they may see.
    NotFound,
    /// It isn't in a state in which that can be done.
    Conflict,
    /// Somebody else changed it meanwhile. Use cases try again by themselves.
    Stale,
    /// Too often.
    TooMany {
        /// How long until the next try is taken.
        wait: Span,
    },
    /// The server, its store or a target can't do it now.
    Unavailable,
}

impl Problem {
    /// The code of what a target said, or didn't.
    pub(crate) const TARGET: &str = "target";
    /// The code of a credential that can't be read.
    pub(crate) const CREDENTIAL: &str = "credential";

    /// A problem.
    pub fn new(kind: ProblemKind, code: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind, code, what: what.into(), next: next.into() }
    }

    /// What was sent makes no sense.
    pub fn invalid(code: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProblemKind::Invalid, code, what, next)
    }

    /// There is no such thing, or none that they may see: the two look the same on purpose.
    pub fn not_found(kind: &'static str, which: impl fmt::Display) -> Self {
        let which: String = which.to_string().chars().take(100).flat_map(char::escape_debug).collect();
        Self::new(
            ProblemKind::NotFound,
            "not_found",
            format!("there is no {kind} `{which}`, or none that you may see"),
            format!("list what there is with `daypass {kind}s`"),
        )
    }

    /// They may not.
    pub fn not_allowed(code: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotAllowed, code, what, next)
    }

    /// It isn't in a state in which that can be done.
    pub fn conflict(code: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, code, what, next)
    }

    /// The server can't do it now.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self::new(ProblemKind::Unavailable, "unavailable", what, "try again; if it lasts, look at the server's log")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.next.is_empty() {
            write!(f, " ({})", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(ProblemKind::Unavailable, "store", error.to_string(), "")
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        let what = error.to_string();
        match error {
            CommitError::Stale { kind: Kind::Answer, .. } => {
                Self::new(ProblemKind::Conflict, "idempotency_key_in_use", what, "use another idempotency key")
            }
            CommitError::Stale { .. } => Self::new(ProblemKind::Stale, "changed_meanwhile", what, "try again"),
            CommitError::NotDurable { .. } => Self::new(ProblemKind::Unavailable, "not_durable", what, ""),
            CommitError::BadEntry { .. } => Self::new(ProblemKind::Invalid, "too_large", what, "shorten what you sent"),
        }
    }
}

impl From<TargetError> for Problem {
    fn from(error: TargetError) -> Self {
        Self::new(ProblemKind::Unavailable, Self::TARGET, error.to_string(), "")
    }
}

impl From<CredentialError> for Problem {
    fn from(error: CredentialError) -> Self {
        Self::new(ProblemKind::Unavailable, Self::CREDENTIAL, error.to_string(), "")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(ProblemKind::Conflict, "refused_in_this_state", refusal.to_string(), "")
    }
}

impl From<BadFacts> for Problem {
    fn from(bad: BadFacts) -> Self {
        Self::new(ProblemKind::Conflict, "bad_facts", bad.to_string(), "")
    }
}
