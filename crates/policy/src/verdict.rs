//! What judging answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What judging answers. Everything but [`Verdict::Permitted`] is a no.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Permitted {
        /// The policies that permit it, sorted by id: at least one.
        policies: Vec<PolicyRef>,
    },
    /// No: a policy forbids it, on the facts at hand.
    Forbidden {
        /// The policies that forbid it, sorted by id: at least one.
        policies: Vec<PolicyRef>,
    },
    /// No: nothing forbids it, and nothing permits it. Something may be missing: see [`crate::missing()`].
    NotPermitted,
    /// No: a policy couldn't be evaluated, and a policy that says nothing must not be taken for one that agrees. // I2
    Failed {
        /// The policies that failed, and how, sorted by id: at least one.
        failures: Vec<Failure>,
    },
    /// No, before any policy was read: who would hold it, or the owner of the workload that would, is disabled.
    Inactive,
}

/// A policy, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Its `@id`; the file's name and its place in it, like `starter.cedar#2`, when it has none.
    pub id: String,
    /// The file that it is in.
    pub file: String,
    /// Its `@why`: what people are told, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A policy that couldn't be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub policy: PolicyRef,
    /// What went wrong, as the evaluator says it.
    pub error: String,
}

impl Verdict {
    /// Whether it is a yes.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        match self {
            Self::Permitted { .. } => true,
            Self::Forbidden { .. } | Self::NotPermitted | Self::Failed { .. } | Self::Inactive => false,
        }
    }

    /// One word for metrics and tables.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Permitted { .. } => "permitted",
            Self::Forbidden { .. } => "forbidden",
            Self::NotPermitted => "not_permitted",
            Self::Failed { .. } => "failed",
            Self::Inactive => "inactive",
        }
    }

    /// The policies that determined it, sorted by id.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyRef> {
        let (refs, failures): (&[PolicyRef], &[Failure]) = match self {
            Self::Permitted { policies } | Self::Forbidden { policies } => (policies, &[]),
            Self::Failed { failures } => (&[], failures),
            Self::NotPermitted | Self::Inactive => (&[], &[]),
        };
        refs.iter().chain(failures.iter().map(|f| &f.policy))
    }
}

/// `lab-with-a-reason (a lab needs only a reason)`.
impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "{} ({why})", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// One line for people.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = || self.policies().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        match self {
            Self::Permitted { .. } => write!(f, "permitted by {}", list()),
            Self::Forbidden { .. } => write!(f, "forbidden by {}", list()),
            Self::NotPermitted => f.write_str("no policy permits it"),
            Self::Failed { failures } => {
                f.write_str("refused, because a policy can't be evaluated: ")?;
                for (i, Failure { policy, error }) in failures.iter().enumerate() {
                    let gap = if i == 0 { "" } else { "; " };
                    write!(f, "{gap}{}: {error}", policy.id)?;
                }
                Ok(())
            }
            Self::Inactive => f.write_str("the account is disabled, or its owner's is"),
        }
    }
}
