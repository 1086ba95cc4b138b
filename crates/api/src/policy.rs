//! Policies, and what they answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Mode, Timestamp, requests::Purpose};

/// The active policy set: `GET /v1/policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivePolicy {
    /// Its digest.
    pub digest: String,
    /// Since when it is active.
    pub since: Timestamp,
    /// Its files: name to Cedar text.
    pub files: BTreeMap<String, String>,
}

/// Checks policies: `POST /v1/policy/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPolicy {
    /// File name to Cedar text.
    pub files: BTreeMap<String, String>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "checked", rename_all = "snake_case")]
pub enum PolicyChecked {
    /// They can be applied.
    Fine {
        /// Their digest.
        digest: String,
        /// How many policies they hold.
        policies: u32,
        /// What may not be meant, each with its place.
        warnings: Vec<String>,
    },
    /// They can't.
    Refused {
        /// What is wrong, with the file, the line and the column where there is one.
        problems: Vec<String>,
    },
}

/// Applies policies: `POST /v1/policy/apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyPolicy {
    /// File name to Cedar text: the whole set.
    pub files: BTreeMap<String, String>,
    /// Whether to do it.
    pub mode: Mode,
}

/// What judging answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Permitted {
        /// The policies that permit it.
        policies: Vec<PolicyRef>,
    },
    /// No.
    Forbidden {
        /// The policies that forbid it.
        policies: Vec<PolicyRef>,
    },
    /// Nothing forbids it, and nothing permits it.
    NotPermitted,
    /// A policy couldn't be evaluated: that is a no.
    Failed {
        /// Which, and how.
        failures: Vec<PolicyFailure>,
    },
    /// Who would hold it is disabled.
    Inactive,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRef {
    /// Its `@id`, or its file and place in it.
    pub id: String,
    /// The file that it is in.
    pub file: String,
    /// Its `@why`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A policy that couldn't be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyFailure {
    /// Which.
    pub policy: PolicyRef,
    /// What went wrong.
    pub error: String,
}

/// Yes, not yet, or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Yes, at once.
    Granted {
        /// The policies that permit it.
        policies: Vec<PolicyRef>,
    },
    /// Not yet: something is missing, and could be had.
    Needs {
        /// The ways, of which each is enough.
        missing: Vec<Way>,
    },
    /// No, and nothing that could be added would change that.
    Refused {
        /// Why.
        verdict: Verdict,
    },
}

/// Things that are enough together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Way {
    /// All of them are needed.
    pub lacks: Vec<Lack>,
    /// The same in words.
    pub text: String,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "lack", rename_all = "snake_case")]
pub enum Lack {
    /// Approvals.
    Approvals {
        /// As the policy names it: `1 dba-leads, 1 security`.
        quorum: String,
        /// How many of its places are filled.
        given: u32,
        /// Who could fill the next one, by name.
        who: Vec<String>,
    },
    /// The confirmation of the owner of the workload that asks. It is no approval.
    Confirmation {
        /// Who, by name.
        owner: String,
        /// Whether it takes a second factor, shown with it.
        second_factor: bool,
    },
    /// A reason.
    Reason,
    /// A ticket.
    Ticket {
        /// What its key looks like (`*` stands for anything), where it matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        like: Option<String>,
    },
    /// A second factor, shown at most so long before asking.
    SecondFactor {
        /// How long.
        within_s: i64,
    },
    /// Less time.
    ShorterTime {
        /// The longest that would do.
        at_most_s: i64,
    },
    /// Another purpose.
    Purpose {
        /// Which.
        purpose: Purpose,
    },
    /// A transmitter of signals that says they are a lower risk.
    LowerRisk {
        /// The highest that would do: `low`, `medium`.
        at_most: String,
    },
    /// A transmitter of signals that says, by now, that their devices keep to the rules.
    CompliantDevice,
    /// A transmitter of signals that says it is as sure of who they are.
    Assurance {
        /// As that.
        level: String,
    },
}

/// What would be answered: `POST /v1/explain` with the body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// What judging answers.
    pub verdict: Verdict,
    /// What the one who asks would be told.
    pub answer: Answer,
    /// Lines for people.
    pub lines: Vec<String>,
}

/// What one principal could have of one role: `GET /v1/resources/{name}/who`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Prospect {
    /// Who, by name.
    pub name: String,
    /// The role.
    pub role: String,
    /// What they would be answered if they asked now.
    pub answer: Answer,
    /// The same in words.
    pub text: String,
}
