//! Changes to what decisions read: done at once, or pending until another administrator approves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChangeId, KitId, SecretText, Timestamp, emergency::KitFile};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proposed {
    /// Whether it was done.
    pub outcome: Outcome,
    /// What is, or would be, done: one line each.
    pub plan: Vec<String>,
    /// What may not be meant: of policies and resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// A secret for the caller, shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
}

/// Whether a change was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[schema(as = ChangeOutcome)]
pub enum Outcome {
    /// It was only to be planned.
    Planned,
    /// Everything is so already.
    NothingToDo,
    /// It was done.
    Done,
    /// It waits for another administrator.
    Pending {
        /// As this.
        change: ChangeId,
        /// Until then.
        expires: Timestamp,
    },
}

/// A secret that is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "handed", rename_all = "snake_case")]
pub enum Handed {
    /// The code of an invitation.
    Invitation {
        /// The whole code.
        code: SecretText,
    },
    /// Half of the code of an invitation: the invited person needs both, with a dot between.
    InvitationHalf {
        /// This half.
        half: SecretText,
    },
    /// A token, good once the change is done.
    Token {
        /// It.
        token: SecretText,
    },
    /// An emergency kit, good once the change is done and the target has it.
    Kit {
        /// Which.
        kit: KitId,
        /// What each of the two holders gets.
        files: Vec<KitFile>,
    },
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// What it changes, in one word: `principal`, `group`, `token`, `directory`, `resource`, `emergency`, `trust`, `signals`,
    /// `policy`.
    pub subject: String,
    /// Who proposed it, by name.
    pub proposer: String,
    /// The digest of exactly what will be done.
    pub digest: String,
    /// When it was proposed.
    pub made: Timestamp,
    /// Where it stands.
    pub state: ChangeState,
}

/// Where a change stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// It waits for another administrator.
    Pending {
        /// Until when.
        expires: Timestamp,
    },
    /// It was done.
    Committed {
        /// Who approved it, by name.
        approver: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody said no, or the proposer took it back.
    Rejected {
        /// Who, by name.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Timestamp,
    },
}

/// A change with exactly what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeDetail {
    /// The change.
    pub change: Change,
    /// What was proposed, as it is kept: an object with the tag `change`.
    #[schema(value_type = Object)]
    pub proposal: serde_json::Value,
    /// What would be done now: one line each. Empty once it is over.
    pub plan: Vec<String>,
    /// Whether it can be done.
    pub standing: Standing,
}

/// Whether a change can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It can.
    Fine,
    /// It can't any more.
    Outdated {
        /// Why.
        why: String,
    },
    /// It is over.
    Over,
}

/// Approves a change: `POST /v1/changes/{id}/approve`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveChange {
    /// The digest of what the approver looked at: a change of another digest isn't approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
