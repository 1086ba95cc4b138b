//! Shared signals: transmitters that are heard, and what came from them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PayloadId, Timestamp};

/// A transmitter of signals: `GET /v1/signals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transmitter {
    /// What it is called here.
    pub name: String,
    /// What it calls itself.
    pub issuer: String,
    /// To whom it speaks.
    pub audience: String,
    /// How its signals come.
    pub delivery: Delivery,
    /// Whose subjects it means: people who sign in by this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// And users of this directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What becomes of grants when it revokes sessions.
    pub grants: OnRevoked,
    /// What it calls the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What it says of the stream.
    pub state: StreamState,
    /// How many signals came.
    pub signals: u64,
    /// When the last one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// When it was last asked to show that its signals arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// When it last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// When it last answered, where it is asked for signals; since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// Why it can't be heard now; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// The last signal that was refused, since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedSignal>,
}

/// How signals come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "delivery", rename_all = "snake_case")]
#[schema(as = SignalDelivery)]
pub enum Delivery {
    /// It sends them.
    Push {
        /// Where.
        url: String,
    },
    /// It is asked for them.
    Poll {
        /// Where.
        url: String,
    },
}

/// What becomes of grants when sessions are revoked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRevoked {
    /// They end.
    #[default]
    End,
    /// They go on, for whoever signs in again.
    Keep,
}

/// What a transmitter says of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// It runs, as far as is known.
    Enabled,
    /// It is held.
    Paused,
    /// Nothing comes any more.
    Disabled,
}

/// Why a transmitter can't be heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failing {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

/// A signal that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedSignal {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// Declares a transmitter, or declares it otherwise: `POST /v1/signals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareTransmitter {
    /// What it is called here.
    pub name: String,
    /// What it calls itself in `iss`.
    pub issuer: String,
    /// Where its keys are; it says so itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// What it may sign by; RS256 when there is none.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// The authorities that its certificate must be of, PEM; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
    /// To whom it speaks: what this installation is called there.
    pub audience: String,
    /// Where it is asked for signals; it sends them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// What it calls the stream, for verifying it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What Daypass shows there: a credential of the server's own configuration, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Whose subjects it means: people who sign in by this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// And users of this directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What becomes of grants when it revokes sessions.
    #[serde(default)]
    pub grants: OnRevoked,
    /// Whether it gets another secret, where it has one.
    #[serde(default)]
    pub bearer: TransmitterBearer,
}

/// Whether a transmitter that sends gets another secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransmitterBearer {
    /// It keeps the one that it has; it gets one when it has none.
    #[default]
    Kept,
    /// It gets another.
    New,
}

/// A signal that came: `GET /v1/signals/{name}/received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signal {
    /// When it came.
    pub at: Timestamp,
    /// What happened, in the standards' words: `session-revoked`.
    pub events: Vec<String>,
    /// What became of it: `unmatched`, `ambiguous`, `stream`, `sessions_ended`, `credentials_ended`, `account_disabled`, `heard`,
    /// `older`, `nothing_to_do`, `spared`.
    pub outcome: String,
    /// Whom it was about, by name, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Whom it named, where nobody is known by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Where what it says is kept: those who may read evidence can open it.
    pub content: PayloadId,
}

/// A transmitter was asked to show that its signals arrive: `POST /v1/signals/{name}/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerificationAsked {
    /// When. It has done so once `verified` is not before this.
    pub asked: Timestamp,
}
