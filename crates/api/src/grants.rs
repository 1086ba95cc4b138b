//! Grants: what is held, and how it ends.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{GrantId, PayloadId, RequestId, Timestamp, statements::Opens};

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The request that it answers.
    pub request: RequestId,
    /// Who holds it, by name.
    pub holder: String,
    /// Who answers for the workload that holds it, by name; absent when a person does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// On what, by name.
    pub resource: String,
    /// Which role.
    pub role: String,
    /// What it opens; absent when that is sessions.
    #[serde(default, skip_serializing_if = "Opens::is_sessions")]
    pub opens: Opens,
    /// Where it stands.
    pub state: GrantState,
}

/// Where a grant stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum GrantState {
    /// It starts later.
    Scheduled {
        /// When.
        start: Timestamp,
        /// For how long from then.
        duration_s: i64,
    },
    /// It opens doors.
    Active {
        /// Since when.
        since: Timestamp,
        /// Until when.
        deadline: Timestamp,
    },
    /// It opens nothing any more; its end at the target isn't confirmed yet.
    Ending {
        /// When it ended.
        at: Timestamp,
        /// Why.
        cause: EndCause,
        /// How far the target is.
        progress: EndProgress,
    },
    /// Over, and confirmed.
    Ended {
        /// When it ended.
        at: Timestamp,
        /// Why.
        cause: EndCause,
        /// When the end was confirmed.
        confirmed: Timestamp,
        /// What is known of it.
        confirmation: EndConfirmation,
    },
}

/// Why a grant ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum EndCause {
    /// Its time was up.
    Deadline,
    /// Its holder gave it back.
    Released {
        /// Who, by name.
        by: String,
    },
    /// Somebody took it.
    Revoked {
        /// Who, by name.
        by: String,
        /// Where the reason is kept: those who may read evidence can open it.
        reason: PayloadId,
    },
    /// A principal was disabled.
    Disabled {
        /// Which, by name.
        principal: String,
    },
    /// A transmitter of signals said that the holder's sessions or credentials are revoked.
    Signalled {
        /// Which, by name.
        transmitter: String,
    },
    /// An approval that it rested on is gone.
    ApprovalGone {
        /// The request that it was for.
        request: RequestId,
    },
    /// Something that policy read reads differently now.
    FactGone,
    /// The policies changed.
    PolicyChanged {
        /// The digest of the new set.
        policy: String,
    },
    /// The role or the resource was changed or removed.
    RoleChanged,
    /// It was for one statement, and that is over.
    StatementOver,
    /// The data folder was restored from a backup.
    Restored,
}

/// Where an ending stands at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum EndProgress {
    /// The cut was ordered.
    Cutting,
    /// No backend is left, what remains is listed.
    Listed {
        /// What a successful drop will confirm.
        found: EndConfirmation,
    },
    /// The target couldn't be reached, or refused: it is tried again.
    Unknown {
        /// When it was last tried.
        tried: Timestamp,
        /// How often.
        times: u32,
    },
}

/// What is known of the end at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "confirmation", rename_all = "snake_case")]
pub enum EndConfirmation {
    /// No login was ever made.
    NothingMade,
    /// The login is gone, and nothing remains of it.
    Clean,
    /// What it owned belongs to the role's declared owner.
    Kept {
        /// How many objects.
        objects: u32,
        /// Where their list is kept.
        list: PayloadId,
    },
    /// Something remains that nobody declared.
    Residue {
        /// How many things.
        items: u32,
        /// Where their list is kept.
        list: PayloadId,
    },
}

/// Moves a grant's deadline: `POST /v1/grants/{id}/extend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// By how much.
    pub by_s: u32,
}

/// Takes access away: `POST /v1/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// What.
    pub what: RevokeWhat,
    /// Why.
    pub reason: String,
}

/// What is to be taken away: `{"of": "grant", "grant": "grant_0193..."}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum RevokeWhat {
    /// One grant.
    Grant {
        /// Which.
        grant: GrantId,
    },
    /// Whatever a principal holds.
    Principal {
        /// Its name.
        principal: String,
    },
    /// Whatever is held on a resource.
    Resource {
        /// Its name.
        resource: String,
    },
    /// Whatever is held of one role.
    Role {
        /// The resource's name.
        resource: String,
        /// The role's.
        role: String,
    },
    /// Whatever is held.
    Everything,
}

/// What a revocation or a release brought about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The grants that ended by it.
    pub grants: Vec<GrantId>,
    /// When it was ordered.
    pub ordered: Timestamp,
    /// When its entries were durable.
    pub recorded: Timestamp,
    /// Their sequence numbers.
    pub entries: Vec<u64>,
    /// What the gateway nodes said.
    pub nodes: Vec<NodeReceipt>,
    /// What is known at the targets, by grant.
    pub targets: Vec<TargetReceipt>,
}

/// One node's answer to a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "node_receipt", rename_all = "snake_case")]
pub enum NodeReceipt {
    /// It has cut everything that ended.
    Confirmed {
        /// The node's number.
        node: u8,
        /// When its word came.
        at: Timestamp,
    },
    /// It hasn't said so yet.
    LeaseUntil {
        /// The node's number.
        node: u8,
        /// When nothing passes any more, whatever was lost.
        latest: Timestamp,
    },
}

/// What is known of one grant's end at its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetReceipt {
    /// The grant.
    pub grant: GrantId,
    /// When no backend of it was left, if that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutAtTarget>,
    /// Where the grant stands.
    pub state: GrantState,
}

/// When the last backend of a grant was seen to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CutAtTarget {
    /// When.
    pub at: Timestamp,
    /// How many backends were ended.
    pub backends: u32,
}
