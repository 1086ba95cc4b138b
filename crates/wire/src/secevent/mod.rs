//! Security event tokens (RFC 8417): what a transmitter of signals says happened to somebody, read and not yet believed.
//!
//! | | |
//! | --- | --- |
//! | [`Set`] | a token: who says it, to whom, once, of whom, what |
//! | [`subject`] | of whom (RFC 9493; complex subjects of the Shared Signals Framework 1.0) |
//! | [`event`] | what (CAEP 1.0, RISC 1.0, SSF 1.0) |
//! | [`poll`] | what is asked and answered where a transmitter is polled (RFC 8936) |
//!
//! The subject stands in `sub_id`, for all events of a token. A `sub` or an `exp` would make an ID token or an access token
//! of it that somebody else might take (RFC 8417, 4.5, 4.6), so a token with either is refused, and so is one that doesn't
//! say what kind it is.

pub mod event;
pub mod poll;
pub mod subject;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::jwt::{BadToken, Unverified};

pub use event::{Event, What};
pub use subject::{Identifier, Subject};

/// The `typ` of a security event token (RFC 8417, 2.3), as [`crate::jwt::Header`] has it.
pub const TYPE: &str = "secevent+jwt";
/// The longest `jti`, and the longest text of any other kind, in bytes.
pub const TEXT_MAX: usize = 512;
/// What such a token never says: with it, it could pass for another kind.
pub const NEVER: [&str; 3] = ["sub", "exp", "nonce"];
/// How many events one token has at most. Transmitters of the framework send one.
pub const EVENTS_MAX: usize = 8;

/// A security event token.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Who says that it says it.
    pub issuer: String,
    /// To whom.
    pub audiences: Vec<String>,
    /// What it is known by, so that it counts once.
    pub jti: String,
    /// When it was made, in microseconds since 1970.
    pub issued_us: i64,
    /// Of whom.
    pub subject: Subject,
    /// What happened: at least one event.
    pub events: Vec<Event>,
}

/// Why a text is no security event token that is understood. It never repeats what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSet {
    /// It can't be read.
    #[error("the token can't be read: {0}")]
    Token(#[from] BadToken),
    /// Its header doesn't say that it is one.
    #[error("its header doesn't say `typ`: `{TYPE}`")]
    Type,
    /// It says what such a token never says.
    #[error("it says `{0}`, which a security event token never does")]
    Never(&'static str),
    /// It doesn't say what every such token says.
    #[error("it says no `{0}` that makes sense")]
    Lacks(&'static str),
    /// It says too much.
    #[error("it has more than {EVENTS_MAX} events")]
    TooManyEvents,
    /// An event doesn't say what an event of its kind says.
    #[error("the event `{event}` says no `{field}` that makes sense")]
    Event {
        /// Which, in the last word of its URI.
        event: &'static str,
        /// What of it.
        field: &'static str,
    },
}

impl Set {
    /// Reads a token, and believes nothing of it.
    ///
    /// # Errors
    /// [`BadSet`] says what is wrong with it.
    pub fn parse(token: &str) -> Result<Self, BadSet> {
        Self::read(&Unverified::parse(token)?)
    }

    /// The same, of a token that could be read.
    ///
    /// # Errors
    /// [`BadSet`] says what is wrong with it.
    pub fn read(token: &Unverified<'_>) -> Result<Self, BadSet> {
        if token.header.typ.as_deref() != Some(TYPE) {
            return Err(BadSet::Type);
        }
        let claims = &token.claims;
        for never in NEVER {
            if claims.contains_key(never) {
                return Err(BadSet::Never(never));
            }
        }
        let issuer = text_in(claims, "iss")?;
        let jti = text_in(claims, "jti")?;
        let issued_us = claims.get("iat").and_then(micros).ok_or(BadSet::Lacks("iat"))?;
        let audiences = audiences(claims).ok_or(BadSet::Lacks("aud"))?;
        let subject = claims.get("sub_id").and_then(Subject::read).ok_or(BadSet::Lacks("sub_id"))?;
        let happened = claims.get("toe").map(|toe| micros(toe).ok_or(BadSet::Lacks("toe"))).transpose()?;
        let events = claims.get("events").and_then(Value::as_object).filter(|events| !events.is_empty());
        let events = events.ok_or(BadSet::Lacks("events"))?;
        if events.len() > EVENTS_MAX {
            return Err(BadSet::TooManyEvents);
        }
        let otherwise_us = happened.unwrap_or(issued_us);
        let events = events.iter().map(|(uri, said)| Event::read(uri, said, otherwise_us)).collect::<Result<_, _>>()?;
        Ok(Self { issuer, audiences, jti, issued_us, subject, events })
    }
}

fn text_in(claims: &BTreeMap<String, Value>, name: &'static str) -> Result<String, BadSet> {
    claims.get(name).and_then(text).ok_or(BadSet::Lacks(name))
}

fn audiences(claims: &BTreeMap<String, Value>) -> Option<Vec<String>> {
    let all = match claims.get("aud")? {
        Value::Array(items) if items.len() <= 32 => items.iter().map(text).collect::<Option<Vec<_>>>()?,
        one => vec![text(one)?],
    };
    (!all.is_empty()).then_some(all)
}

/// A text of visible characters.
pub(crate) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fine = (1..=TEXT_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    fine.then(|| text.to_owned())
}

/// A time as tokens have it (RFC 7519, 2), before the year 10000. What is too large for seconds is milliseconds: early
/// transmitters of CAEP sent those.
pub(crate) fn micros(value: &Value) -> Option<i64> {
    const LAST_S: f64 = 253_402_300_799.0;
    const MILLIS_FROM: f64 = 100_000_000_000.0;
    let said = value.as_f64()?;
    let seconds = if said >= MILLIS_FROM { said / 1e3 } else { said };
    let seconds = Some(seconds).filter(|s| (0.0..=LAST_S).contains(s))?;
    // Within these bounds it fits, and what is below a microsecond means nothing.
    #[allow(clippy::cast_possible_truncation)]
    let micros = (seconds * 1e6) as i64;
    Some(micros)
}
