//! The text of SCRAM messages: attributes, nonces, mechanism names.

use std::fmt;

use data_encoding::BASE64;

use super::ScramError;

/// The longest nonce accepted from a peer, in bytes; libpq sends 24, other drivers up to about 64.
const NONCE_LEN_MAX: usize = 1024;

/// A SASL mechanism that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Without channel binding.
    ScramSha256,
    /// With channel binding.
    ScramSha256Plus,
}

impl Mechanism {
    /// The name on the wire (RFC 7677).
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// The mechanism of a name, if it is one of ours.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::ScramSha256, Self::ScramSha256Plus].into_iter().find(|mechanism| mechanism.name().as_bytes() == name)
    }
}

/// One side's part of the nonce: printable ASCII without a comma.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// From 18 fresh random bytes, as PostgreSQL makes them. They must never be used twice.
    pub fn from_random(bytes: [u8; 18]) -> Self {
        Self(BASE64.encode(&bytes))
    }

    /// From text that is a nonce already.
    ///
    /// # Errors
    /// [`ScramError::Malformed`] when it is empty, too long, or has characters that RFC 5802 doesn't allow.
    pub fn from_text(text: &str) -> Result<Self, ScramError> {
        check_nonce(text)?;
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

pub(super) fn check_nonce(text: &str) -> Result<(), ScramError> {
    let printable = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b',');
    if text.is_empty() || text.len() > NONCE_LEN_MAX || !printable {
        return Err(ScramError::Malformed("the nonce is empty, too long or not printable"));
    }
    Ok(())
}

pub(super) fn text(message: &[u8]) -> Result<&str, ScramError> {
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))
}

/// The value of the next attribute, which must be `name`; `what` says so in the error.
pub(super) fn attribute<'a>(
    parts: &mut impl Iterator<Item = &'a str>,
    name: &str,
    what: &'static str,
) -> Result<&'a str, ScramError> {
    parts
        .next()
        .and_then(|part| part.strip_prefix(name))
        .and_then(|part| part.strip_prefix('='))
        .ok_or(ScramError::Malformed(what))
}

pub(super) fn base64(value: &str, what: &'static str) -> Result<Vec<u8>, ScramError> {
    BASE64.decode(value.as_bytes()).map_err(|_| ScramError::Malformed(what))
}
