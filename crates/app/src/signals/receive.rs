//! A signal that comes: is it the transmitter's, for us, of now, and new. Durable before it is acknowledged. // I1

use std::net::IpAddr;

use daypass_domain::{Digest, Name, Time};
use daypass_ports::{
    identity::{CLOCK_SKEW, Expected, IdentityError, TokenKind},
    signals::{Declared, SIGNAL_AGE},
};
use daypass_wire::secevent::{Set, poll};
use subtle::ConstantTimeEq as _;

use super::meaning::Meaning;
use crate::{App, Problem, Result, signin::hash_of};

/// What became of a signal that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reception {
    /// It is taken, and never has to come again.
    Taken,
    /// It isn't.
    Refused(Refused),
}

/// Why a signal was refused (RFC 8935, 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The registry's word.
    pub err: &'static str,
    /// In ours. It never repeats what is in the token.
    pub description: String,
}

impl Refused {
    pub(super) const REQUEST: &str = "invalid_request";
    const KEY: &str = "invalid_key";
    const ISSUER: &str = "invalid_issuer";
    const AUDIENCE: &str = "invalid_audience";
    pub(super) const STATE: &str = "invalid_state";
    const AUTHENTICATION: &str = "authentication_failed";

    pub(super) fn new(err: &'static str, description: impl Into<String>) -> Self {
        Self { err, description: description.into() }
    }

    /// As a transmitter that is asked is told.
    pub(super) fn told(self) -> poll::Refused {
        poll::Refused { err: self.err, description: self.description }
    }
}

impl App {
    /// Takes a signal that a transmitter sent, with the secret that it was given. (RFC 8935)
    ///
    /// # Errors
    /// When it can't be looked at or made durable now: then the transmitter sends it again.
    pub async fn signal_sent(&self, name: &str, bearer: &str, token: &str, peer: IpAddr) -> Result<Reception> {
        let Some(declared) = self.shown(name, bearer).await? else {
            // Only what is wrong is counted: behind one proxy, who guesses mustn't keep out what takes away.
            self.limits.take_for_code(peer, self.clock.boot())?;
            // A transmitter that isn't declared looks like a wrong secret.
            return Ok(Reception::Refused(Refused::new(
                Refused::AUTHENTICATION,
                "no transmitter is known by this address and this bearer secret: use those that `daypass signals add` gave",
            )));
        };
        self.take_signal(&declared, token).await
    }

    /// The transmitter that shows its secret.
    async fn shown(&self, name: &str, bearer: &str) -> Result<Option<Declared>> {
        let declared = match name.parse::<Name>() {
            Ok(name) => self.declared(&name).await?.map(|read| read.value),
            Err(_) => None,
        };
        let given = hash_of(bearer);
        let kept = declared.as_ref().and_then(|declared| declared.bearer);
        // Something is compared in any case, in the same time.
        let fits = kept.unwrap_or(Digest::from_bytes([0; 32])).bytes().ct_eq(given.bytes());
        Ok(declared.filter(|_| kept.is_some() && bool::from(fits)))
    }

    /// Takes a signal of a transmitter, however it came.
    pub(super) async fn take_signal(&self, declared: &Declared, token: &str) -> Result<Reception> {
        let received = self.now();
        let taken = match self.checked(declared, token, received).await? {
            Ok((set, meaning)) => self.act_on(declared, token, &set, &meaning, received).await?,
            Err(refused) => Err(refused),
        };
        match taken {
            Ok(()) => Ok(Reception::Taken),
            Err(refused) => {
                let Refused { err, description } = &refused;
                tracing::warn!(transmitter = %declared.name, err, description, "a signal was refused");
                self.streams.refused(&declared.name, received, &refused);
                Ok(Reception::Refused(refused))
            }
        }
    }

    /// Whether it is a signal of this transmitter, for us, of now; and what it means.
    async fn checked(
        &self,
        declared: &Declared,
        token: &str,
        received: Time,
    ) -> Result<std::result::Result<(Set, Meaning), Refused>> {
        let transmitter = &declared.transmitter;
        let set = match Set::parse(token) {
            Ok(set) => set,
            Err(why) => return Ok(Err(Refused::new(Refused::REQUEST, why.to_string()))),
        };
        let refused = |err, why: &str| Ok(Err(Refused::new(err, why)));
        if set.issuer != transmitter.issuer {
            return refused(Refused::ISSUER, "it is of another issuer than was declared for this transmitter");
        }
        if !set.audiences.contains(&transmitter.audience) {
            return refused(Refused::AUDIENCE, "it is for another audience than was declared for this transmitter");
        }
        let issued = Time::from_micros(set.issued_us);
        if issued > received + CLOCK_SKEW {
            return refused(Refused::REQUEST, "it was made in a time to come: look at the clocks of both");
        }
        if issued + SIGNAL_AGE + CLOCK_SKEW <= received {
            return refused(Refused::REQUEST, "it was made too long ago: signals are news for seven days");
        }
        let meaning = match Meaning::of(&set, received) {
            Ok(meaning) => meaning,
            Err(why) => return Ok(Err(why)),
        };
        let signer = transmitter.signer().map_err(|why| Problem::unavailable(why.to_string()))?;
        let expected = Expected { kind: TokenKind::Signal, audience: &transmitter.audience, now: received };
        match self.identity.verify(&signer, &expected, token).await {
            Ok(_) => Ok(Ok((set, meaning))),
            // Everything else was looked at above, so what is left is its signature and what it is by.
            Err(IdentityError::Refused(why)) => Ok(Err(Refused::new(Refused::KEY, why))),
            Err(error) => Err(away(&error)),
        }
    }
}

/// The transmitter's keys, or it, can't be had now.
pub(super) fn away(error: &IdentityError) -> Problem {
    Problem::new(
        crate::ProblemKind::Unavailable,
        "transmitter_away",
        error.to_string(),
        "try again; if it lasts, look at `daypass signals list`",
    )
}
