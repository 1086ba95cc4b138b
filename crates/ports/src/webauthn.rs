//! Passkeys (W3C Web Authentication, Level 3): beginning and finishing the two ceremonies.
//!
//! Whoever implements this knows the server's name and origin, and verifies what an authenticator says. Whoever uses it
//! sees to what a verification can't know: that a ceremony is finished once, by who began it, and in time.

use std::any::Any;

use daypass_domain::PrincipalId;
use serde::{Deserialize, Serialize};

/// The longest answer of an authenticator that is looked at, in bytes: some attest with chains of certificates.
pub const ANSWER_MAX: usize = 16 << 10;

/// What an authenticator is recognized by: its public key, its id, its sign counter. Opaque to whoever keeps it, and no
/// secret; `format` says which implementation in which version wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Who wrote it.
    pub format: String,
    /// What they wrote.
    pub content: serde_json::Value,
}

/// What is kept of a ceremony between its beginning and its end: in memory, by who began it, and used once.
pub struct Ceremony(Box<dyn Any + Send + Sync>);

impl Ceremony {
    /// Of whatever the implementation needs to finish it.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Box::new(kept))
    }

    /// What the implementation kept; nothing when it is of another kind of ceremony.
    #[must_use]
    pub fn kept<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl std::fmt::Debug for Ceremony {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ceremony")
    }
}

/// A ceremony that was begun.
#[derive(Debug)]
pub struct Begun {
    /// What a browser gives to `navigator.credentials`, as `PublicKeyCredential.parse...OptionsFromJSON` reads it.
    pub options: serde_json::Value,
    /// What finishing it takes.
    pub ceremony: Ceremony,
}

/// Whom an authenticator shows when it asks which passkey is meant.
#[derive(Debug, Clone)]
pub struct Whom {
    /// The user's id. It says nothing of them to whoever reads the authenticator.
    pub id: PrincipalId,
    /// Their name.
    pub name: String,
}

/// A passkey that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Which of those that were given to [`Passkeys::begin_showing`].
    pub which: usize,
    /// What is to be kept of it from now on: its counter moved.
    pub credential: Credential,
}

/// Why an authenticator's answer isn't taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// It isn't what was asked for: another challenge, origin, key, or a bad signature.
    #[error("the passkey's answer isn't one to what was asked: {0}")]
    Refused(String),
    /// The authenticator didn't see to it that it is its owner who holds it: no PIN, finger or face.
    #[error("the authenticator didn't check that it is you: it needs a PIN, a finger or a face")]
    NotVerified,
    /// The sign counter went back, or stood still: there may be a copy of the authenticator.
    #[error("the passkey's counter went back: there may be a copy of it")]
    CounterWentBack {
        /// Which of those that were given to [`Passkeys::begin_showing`].
        which: usize,
    },
    /// What was kept of a passkey can't be read.
    #[error("what is kept of a passkey can't be read: {0}")]
    Unreadable(String),
    /// This server can't take passkeys, and why.
    #[error("this server takes no passkeys: {0}")]
    Unavailable(String),
}

/// Verifies passkeys. User verification is required in both ceremonies.
pub trait Passkeys: Send + Sync {
    /// Begins to enrol one, that isn't any of those that they have.
    ///
    /// # Errors
    /// When a kept credential can't be read.
    fn begin_enrolment(&self, whom: &Whom, have: &[Credential]) -> Result<Begun, PasskeyError>;

    /// Finishes it with the browser's answer (`RegistrationResponseJSON`).
    ///
    /// # Errors
    /// When the answer isn't one to this ceremony.
    fn finish_enrolment(&self, ceremony: &Ceremony, answer: &str) -> Result<Credential, PasskeyError>;

    /// Begins to have one of these shown.
    ///
    /// # Errors
    /// When a kept credential can't be read.
    fn begin_showing(&self, have: &[Credential]) -> Result<Begun, PasskeyError>;

    /// Finishes it with the browser's answer (`AuthenticationResponseJSON`). `have` is what is kept now: its counters are
    /// those that count, not those of the beginning.
    ///
    /// # Errors
    /// When the answer isn't one to this ceremony, or the counter went back.
    fn finish_showing(&self, ceremony: &Ceremony, answer: &str, have: &[Credential]) -> Result<Shown, PasskeyError>;
}
