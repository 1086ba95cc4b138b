//! A session: one connection through the gateway, under one grant.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{GrantId, PayloadId, PrincipalId, SessionId, Time, grant::Refusal};

/// One connection through the gateway. It belongs to one grant and dies with it, even where another would cover it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id; the target sees it in `application_name`.
    pub id: SessionId,
    /// The grant that it lives under.
    pub grant: GrantId,
    /// Who connected.
    pub principal: PrincipalId,
    /// Where the key of its recording is kept, under the session's own key (I9).
    pub recording: PayloadId,
    /// Where it stands.
    pub state: SessionState,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SessionState {
    /// Bytes pass.
    Open {
        /// Since when.
        since: Time,
    },
    /// Over.
    Closed {
        /// Since when it was open.
        since: Time,
        /// When it ended.
        at: Time,
        /// Why.
        cause: SessionEnd,
        /// What passed.
        passed: Passed,
    },
}

/// What passed through a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Statements begun.
    pub statements: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its statements could no longer be recorded (fail closed).
    RecordingFailed,
    /// Nothing passed for too long.
    Idle,
    /// The node's lease ran out (I3).
    LeaseLost,
    /// The client or the target broke the protocol.
    ProtocolError,
    /// The gateway was stopped.
    Shutdown,
    /// The gateway died, and found the session open at its next start.
    NodeLost,
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientLeft => "the client left",
            Self::GrantEnded => "the grant ended",
            Self::Killed => "the session was ended by an administrator",
            Self::TargetLost => "the target closed the connection",
            Self::RecordingFailed => "statements could no longer be recorded",
            Self::Idle => "nothing passed for too long",
            Self::LeaseLost => "the gateway lost its lease",
            Self::ProtocolError => "the protocol was broken",
            Self::Shutdown => "the gateway was stopped",
            Self::NodeLost => "the gateway stopped without a farewell",
        })
    }
}

impl Session {
    /// It ends.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn close(self, at: Time, cause: SessionEnd, passed: Passed) -> Result<Self, Refusal> {
        match self.state {
            SessionState::Open { since } => {
                Ok(Self { state: SessionState::Closed { since, at, cause, passed }, ..self })
            }
            SessionState::Closed { .. } => {
                Err(Refusal { machine: "session", state: "closed", event: "close", why: "it has ended already" })
            }
        }
    }

    /// Whether bytes may still pass, as far as this row knows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.state {
            SessionState::Open { .. } => true,
            SessionState::Closed { .. } => false,
        }
    }
}
