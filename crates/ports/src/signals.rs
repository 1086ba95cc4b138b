//! Signals: transmitters as administrators declare them (I12), what came from each, and what is held of people by it.

use daypass_domain::{
    Digest, Name, PayloadId, PrincipalId, Span, Time,
    signals::{Hearing, Sayings, Taking, Transmitter},
    trust::Issuer,
};
use serde::{Deserialize, Serialize};

use crate::{
    record::{Due, Kind, Stored},
    rows::key,
    secret::Secret,
};

/// How long ago a token may have been made: a transmitter that was away for a while still counts, and one that was recorded
/// is good for nothing later.
pub const SIGNAL_AGE: Span = Span::from_mins(7 * 24 * 60);
/// How long it is remembered that one came: longer than it could be taken, so that each counts once.
pub const SIGNAL_KEPT: Span = Span::from_mins(8 * 24 * 60);

/// Keys that only these rows are found by.
pub mod signal_key {
    /// By the transmitter.
    pub const TRANSMITTER: &str = "transmitter";
}

/// A transmitter, as administrators declared it. // I12
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// What it is called here.
    pub name: Name,
    /// What was declared.
    pub transmitter: Transmitter,
    /// SHA-256 of the bearer secret that it shows, where it sends; the secret has 256 random bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Digest>,
}

impl Stored for Declared {
    const KIND: Kind = Kind::Transmitter;
    fn row_id(&self) -> String {
        self.name.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// What came from a transmitter so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Which.
    pub transmitter: Name,
    /// How many signals.
    pub signals: u64,
    /// When the last one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Time>,
    /// What it says of its stream.
    pub state: StreamState,
    /// When Daypass last asked it to verify the stream, and a digest of what must come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Verifying>,
    /// When that last came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Time>,
}

/// What a transmitter says of its stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// It runs, as far as is known.
    #[default]
    Enabled,
    /// It is held.
    Paused,
    /// Nothing comes any more.
    Disabled,
}

/// A stream that is being verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifying {
    /// Since when.
    pub at: Time,
    /// A digest of what must come back.
    pub state: Digest,
}

impl Stream {
    /// Of a transmitter from which nothing came yet.
    #[must_use]
    pub fn new(transmitter: Name) -> Self {
        let (heard, asked, verified) = (None, None, None);
        Self { transmitter, signals: 0, heard, state: StreamState::Enabled, asked, verified }
    }
}

impl Stored for Stream {
    const KIND: Kind = Kind::SignalStream;
    fn row_id(&self) -> String {
        self.transmitter.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A signal that came, so that it counts once, and is seen when it concerned nobody who is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// From which transmitter.
    pub transmitter: Name,
    /// A digest of what it is known by there.
    pub jti: Digest,
    /// When it came.
    pub at: Time,
    /// What happened, in the standards' words: `session-revoked`.
    pub events: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Where what it says is kept.
    pub content: PayloadId,
    /// Whom it names, sealed, in base64, where nobody is known by that. // I9
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is about nobody who is known here.
    Unmatched,
    /// Its identifiers are those of several people, so it was done to none of them.
    Ambiguous,
    /// It was about the stream.
    Stream,
    /// It is about this person.
    Done {
        /// Whom.
        principal: PrincipalId,
        /// What was taken from them.
        took: Taking,
        /// What became of what it says holds of them, if it says such.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heard: Option<Hearing>,
    },
    /// It would have disabled the last who can administer: it was taken as if a credential of theirs were revoked.
    Spared {
        /// Whom.
        principal: PrincipalId,
    },
}

impl Outcome {
    /// One word for headers and tables.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Ambiguous => "ambiguous",
            Self::Stream => "stream",
            Self::Done { took: Taking::Sessions, .. } => "sessions_ended",
            Self::Done { took: Taking::Credentials, .. } => "credentials_ended",
            Self::Done { took: Taking::Account, .. } => "account_disabled",
            Self::Done { took: Taking::Nothing, heard: Some(Hearing::News), .. } => "heard",
            Self::Done { took: Taking::Nothing, heard: Some(Hearing::Older), .. } => "older",
            Self::Done { took: Taking::Nothing, heard: None, .. } => "nothing_to_do",
            Self::Spared { .. } => "spared",
        }
    }

    /// Whom it was about, where that is known.
    #[must_use]
    pub const fn principal(&self) -> Option<PrincipalId> {
        match self {
            Self::Done { principal, .. } | Self::Spared { principal } => Some(*principal),
            Self::Unmatched | Self::Ambiguous | Self::Stream => None,
        }
    }
}

impl Received {
    /// The id of the row of a transmitter's token.
    #[must_use]
    pub fn id_of(transmitter: &Name, jti: &Digest) -> String {
        format!("{transmitter} {jti}")
    }
}

impl Stored for Received {
    const KIND: Kind = Kind::Signal;
    fn row_id(&self) -> String {
        Self::id_of(&self.transmitter, &self.jti)
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(signal_key::TRANSMITTER, self.transmitter.to_string())]
    }
    fn due(&self) -> Due {
        Due::At(self.at + SIGNAL_KEPT)
    }
}

/// What transmitters said of a person. One row a principal; its id is the principal's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidOf {
    /// Of whom.
    pub principal: PrincipalId,
    /// What.
    pub sayings: Sayings,
}

impl Stored for SaidOf {
    const KIND: Kind = Kind::Sayings;
    fn row_id(&self) -> String {
        self.principal.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::PRINCIPAL, self.principal.to_string())]
    }
}

/// Daypass, as a transmitter knows it.
#[derive(Debug, Clone, Copy)]
pub struct Listener<'a> {
    /// The transmitter.
    pub issuer: &'a Issuer,
    /// What Daypass shows there.
    pub credential: Option<&'a Secret>,
}
