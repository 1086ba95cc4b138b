//! Secrets in memory: wiped when dropped, never shown.

use std::fmt;

use async_trait::async_trait;
use daypass_domain::Name;
use zeroize::Zeroizing;

/// A text that nobody may see: a password, a key. Wiped when dropped; its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Call it where it is used, and don't keep what it gives.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the server's own configuration binds credential names to (I12): `env:`, `file:`, `exec:`.
///
/// An attacker holding this can read the credentials that the configuration names, and nothing else.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The secret that a name is bound to, read anew each time, so that a rotated one is used at once.
    ///
    /// # Errors
    /// When the name isn't bound, or what it is bound to can't be read.
    async fn credential(&self, name: &Name) -> Result<Secret, CredentialError>;
}

/// Why there is no secret for a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The configuration doesn't bind it.
    #[error(
        "no credential is bound to the name `{0}`: add it to the server's configuration, \
         like [credentials] {0} = \"file:/etc/daypass/{0}\", and restart"
    )]
    NotBound(Name),
    /// What it is bound to can't be read.
    #[error("the credential `{name}` is bound to {binding}, which can't be read: {why}")]
    Unreadable {
        /// The name.
        name: Name,
        /// What it is bound to: never its content.
        binding: String,
        /// What the system said.
        why: String,
    },
}
