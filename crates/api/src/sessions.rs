//! Sessions: who, when, how much; never what was said.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{GrantId, SessionId, Timestamp};

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The grant that it lives under.
    pub grant: GrantId,
    /// Who connected, by name.
    pub principal: String,
    /// Who answers for the workload that connected, by name; absent when a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// On what, by name.
    pub resource: String,
    /// As which role.
    pub role: String,
    /// Where it stands.
    pub state: SessionState,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SessionState {
    /// Bytes pass.
    Open {
        /// Since when.
        since: Timestamp,
    },
    /// Over.
    Closed {
        /// Since when it was open.
        since: Timestamp,
        /// When it ended.
        at: Timestamp,
        /// Why.
        cause: SessionEnd,
        /// Statements begun.
        statements: u64,
        /// Bytes from the client.
        bytes_in: u64,
        /// Bytes to the client.
        bytes_out: u64,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The client left.
    ClientLeft,
    /// The grant ended.
    GrantEnded,
    /// Somebody ended this one session.
    Killed,
    /// The target closed the connection or vanished.
    TargetLost,
    /// Its statements could no longer be recorded.
    RecordingFailed,
    /// Nothing passed for too long.
    Idle,
    /// The gateway's lease ran out.
    LeaseLost,
    /// The client or the target broke the protocol.
    ProtocolError,
    /// The gateway was stopped.
    Shutdown,
    /// The gateway died, and found the session open at its next start.
    NodeLost,
}
