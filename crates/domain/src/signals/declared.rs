//! Whose signals are heard, of whom they speak, and how they come: as administrators declare it. // I12

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Name,
    trust::{Algorithm, BadIssuer, Issuer, IssuerUrl, Keys},
};

/// A transmitter, as administrators declare it. // I12
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transmitter {
    /// What it calls itself in `iss`.
    pub issuer: String,
    /// Where its keys are; it says so itself (`/.well-known/ssf-configuration`) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// What it may sign by.
    pub algorithms: BTreeSet<String>,
    /// The authorities that its certificate must be of, PEM; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
    /// To whom it speaks: what this installation is called there.
    pub audience: String,
    /// How its signals come.
    pub delivery: Delivery,
    /// What Daypass calls its stream by, where it is asked to verify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The credential that Daypass shows there, by its name in the server's own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Name>,
    /// Whose subjects it speaks of: people who sign in by this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Name>,
    /// And users of this directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Name>,
    /// What becomes of grants when sessions are revoked there.
    pub grants: Grants,
}

/// How signals come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delivery", rename_all = "snake_case")]
pub enum Delivery {
    /// It sends them (RFC 8935).
    Push,
    /// It is asked for them (RFC 8936).
    Poll {
        /// Where.
        url: String,
    },
}

/// What becomes of grants when sessions are revoked at the transmitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grants {
    /// They end.
    End,
    /// They go on, for whoever signs in again; open sessions are cut.
    Keep,
}

/// Why a declaration makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTransmitter {
    /// An address is none.
    #[error("`{field}`: {why}")]
    Address {
        /// Which.
        field: &'static str,
        /// Why.
        why: BadIssuer,
    },
    /// An algorithm isn't known, or there is none.
    #[error("its algorithms are some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA")]
    Algorithms,
    /// A text is empty, too long or has control characters.
    #[error("`{0}` is 1 to 512 bytes of visible text")]
    Text(&'static str),
    /// The authorities are too long.
    #[error("its authorities have more than 65536 bytes")]
    Authorities,
    /// It speaks of nobody.
    #[error("it speaks of nobody: name the provider or the directory whose subjects it means")]
    OfNobody,
    /// Polling needs a credential.
    #[error("a transmitter that is polled wants to know who asks: name a credential")]
    NoCredential,
}

impl Transmitter {
    /// The one issuer that may sign for it.
    ///
    /// # Errors
    /// When the declaration makes no sense.
    pub fn signer(&self) -> Result<Issuer, BadTransmitter> {
        let address =
            |field, text: &str| text.parse::<IssuerUrl>().map_err(|why| BadTransmitter::Address { field, why });
        let algorithms: Option<BTreeSet<Algorithm>> = self.algorithms.iter().map(|a| Algorithm::named(a)).collect();
        let algorithms = algorithms.filter(|all| !all.is_empty()).ok_or(BadTransmitter::Algorithms)?;
        let keys = match &self.jwks {
            Some(place) => Keys::At(address("jwks", place)?),
            None => Keys::OfTransmitter,
        };
        if self.authorities.as_ref().is_some_and(|pem| pem.len() > 64 << 10) {
            return Err(BadTransmitter::Authorities);
        }
        Ok(Issuer { url: address("issuer", &self.issuer)?, algorithms, keys, authorities: self.authorities.clone() })
    }

    /// Where it is polled, if it is.
    ///
    /// # Errors
    /// When that is no address.
    pub fn polled_at(&self) -> Result<Option<IssuerUrl>, BadTransmitter> {
        match &self.delivery {
            Delivery::Push => Ok(None),
            Delivery::Poll { url } => {
                url.parse().map(Some).map_err(|why| BadTransmitter::Address { field: "poll", why })
            }
        }
    }

    /// Checks all of it.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn check(&self) -> Result<(), BadTransmitter> {
        self.signer()?;
        let fine = |text: &str| (1..=512).contains(&text.len()) && !text.chars().any(char::is_control);
        if !fine(&self.audience) {
            return Err(BadTransmitter::Text("audience"));
        }
        if self.stream.as_deref().is_some_and(|stream| !fine(stream)) {
            return Err(BadTransmitter::Text("stream"));
        }
        if self.polled_at()?.is_some() && self.credential.is_none() {
            return Err(BadTransmitter::NoCredential);
        }
        if self.provider.is_none() && self.directory.is_none() {
            return Err(BadTransmitter::OfNobody);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_that_makes_no_sense_is_refused() {
        let fine = Transmitter {
            issuer: "https://t.example".into(),
            jwks: None,
            algorithms: ["RS256".to_owned()].into(),
            authorities: None,
            audience: "https://daypass.example".into(),
            delivery: Delivery::Push,
            stream: None,
            credential: None,
            provider: Some("corp".parse().unwrap()),
            directory: None,
            grants: Grants::End,
        };
        assert_eq!(fine.check(), Ok(()));
        let poll = Delivery::Poll { url: "https://t.example/poll".into() };
        for bad in [
            Transmitter { issuer: "http://t.example".into(), ..fine.clone() },
            Transmitter { jwks: Some("t.example/keys".into()), ..fine.clone() },
            Transmitter { algorithms: BTreeSet::new(), ..fine.clone() },
            Transmitter { algorithms: ["HS256".to_owned()].into(), ..fine.clone() },
            Transmitter { algorithms: ["none".to_owned()].into(), ..fine.clone() },
            Transmitter { audience: String::new(), ..fine.clone() },
            Transmitter { stream: Some("a\nb".into()), ..fine.clone() },
            Transmitter { provider: None, ..fine.clone() },
            Transmitter { delivery: poll.clone(), ..fine.clone() },
            Transmitter { delivery: Delivery::Poll { url: "ftp://t".into() }, ..fine.clone() },
            Transmitter { authorities: Some("x".repeat(70_000)), ..fine.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        assert_eq!(Transmitter { delivery: poll, credential: Some("okta".parse().unwrap()), ..fine }.check(), Ok(()));
    }
}
