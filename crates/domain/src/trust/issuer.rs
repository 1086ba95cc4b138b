//! An issuer of tokens: where it is, and what its signatures may be.

use std::net::IpAddr;
use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::Digest;

/// An issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What it calls itself in `iss`, and where it is found.
    pub url: IssuerUrl,
    /// What it may sign by.
    pub algorithms: BTreeSet<Algorithm>,
    /// Where its keys come from.
    pub keys: Keys,
    /// The authorities that its certificate must be of, PEM; the system's when absent.
    pub authorities: Option<String>,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// From itself (OpenID Connect Discovery 1.0).
    Discovered,
    /// From itself, as a transmitter of signals says it (SSF 1.0, "Transmitter Configuration Discovery").
    OfTransmitter,
    /// From there.
    At(IssuerUrl),
    /// These, a JWK set (RFC 7517): for an issuer that can't be reached, like a cluster's own. Public keys, no secret.
    Given(String),
}

/// A signature algorithm (RFC 7518, RFC 8037). All take a public key to check: there is no `none`, and no secret that is
/// shared with who makes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As it is written in a token.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The one that is written so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// The address of an issuer: `https`, or `http` on this machine alone; without user, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerUrl(String);

/// Why a text is no address of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an issuer is an https address without user, query or fragment (http only on this machine): write https://HOST"
)]
pub struct BadIssuer;

impl IssuerUrl {
    /// As it stands in `iss`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        host(self.0.split_once("://").map_or("", |(_, rest)| rest))
    }

    /// What rows know it by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_value("provider", &self.0)
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }
}

impl FromStr for IssuerUrl {
    type Err = BadIssuer;
    fn from_str(text: &str) -> Result<Self, BadIssuer> {
        let plain = text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic() && !b"?#@\\\"<>".contains(&b));
        let fine = |rest: &str| !host(rest).is_empty();
        match (plain, text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (true, Some(rest), _) if fine(rest) => Ok(Self(text.to_owned())),
            (true, None, Some(rest)) if is_loopback(host(rest)) => Ok(Self(text.to_owned())),
            _ => Err(BadIssuer),
        }
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of what follows the scheme.
fn host(rest: &str) -> &str {
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// Whether a host is this machine, whatever a name service says.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
