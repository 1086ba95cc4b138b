//! What is kept between going to a provider and coming back: sealed, and given to whoever went. So nothing is kept here for
//! the thousands who never come back, and whoever comes back is whoever went: without this a code is good for nothing. Only
//! that somebody did come back is remembered, for as long as the attempt would be good.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use daypass_domain::{
    Digest, Name, Span, Time,
    trust::{OidcClient, Provider},
};
use daypass_ports::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::{App, Problem, ProblemKind, Result};

/// How long somebody may take at the provider.
const LASTS: Span = Span::from_mins(10);
const PURPOSE: &str = "provider-sign-in";
/// The longest attempt that is opened, in bytes of base64url.
const ATTEMPT_MAX: usize = 8 << 10;

/// Where a browser comes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    /// A command on the same machine as the browser (RFC 8252, 7.3).
    Loopback {
        /// The port that it listens on.
        port: u16,
    },
    /// Our own pages, at this address.
    Pages {
        /// The whole address, as it is registered at the provider.
        url: String,
        /// Which of our pages they wanted to see.
        next: String,
    },
}

impl Return {
    pub(super) fn uri(&self) -> String {
        match self {
            Self::Loopback { port } => format!("http://127.0.0.1:{port}/callback"),
            Self::Pages { url, .. } => url.clone(),
        }
    }

    pub(super) fn kept(&self) -> Kept {
        match self {
            Self::Loopback { .. } => Kept::Program,
            Self::Pages { next, .. } => Kept::Browser { next: next.clone() },
        }
    }
}

/// What keeps the sign-in that comes of it. What was begun for one is good for nothing at the other's door.
#[derive(Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(super) enum Kept {
    Program,
    Browser { next: String },
}

impl Kept {
    /// As what the provider knows whoever keeps it.
    pub(super) fn client<'a>(&self, provider: &'a Provider) -> &'a OidcClient {
        match self {
            Self::Program => provider.for_programs(),
            Self::Browser { .. } => &provider.client,
        }
    }
}

/// What must fit when somebody comes back.
#[derive(Serialize, Deserialize)]
pub(super) struct Attempt {
    pub provider: Name,
    expires: Time,
    pub way: Way,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub(super) enum Way {
    Code { state: String, nonce: String, verifier: String, redirect_uri: String, kept: Kept },
    Device { code: String },
}

/// The attempts that somebody came back with. Each is good once, whatever came of it: a code that was read from a history or
/// a log is of no use a second time, even at a provider that forgets to mind.
#[derive(Default)]
pub(crate) struct Spent(Mutex<BTreeMap<Digest, Time>>);

/// How many are remembered at most: when there are more within ten minutes, nobody comes in until some are over.
const SPENT_MAX: usize = 10_000;

impl Spent {
    fn spend(&self, attempt: Digest, expires: Time, now: Time) -> Result<()> {
        // Times only: whole whatever a panicking thread was doing.
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= SPENT_MAX {
            spent.retain(|_, until| now < *until);
        }
        if spent.len() >= SPENT_MAX {
            let what = "too many people come back from the provider at once";
            return Err(Problem::new(ProblemKind::Unavailable, "busy", what, "begin again in a minute"));
        }
        match spent.insert(attempt, expires) {
            None => Ok(()),
            Some(_) => Err(stale()),
        }
    }
}

impl App {
    pub(super) fn seal_attempt(&self, provider: &Name, way: Way) -> Secret {
        let attempt = Attempt { provider: provider.clone(), expires: self.now() + LASTS, way };
        // Plain data, which always has a JSON form.
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&attempt).unwrap_or_default());
        let key = self.keys.sealing_key(PURPOSE, b"");
        let sealed = key.seal(self.random(), PURPOSE.as_bytes(), &plain);
        Secret::new(data_encoding::BASE64URL_NOPAD.encode(&sealed))
    }

    pub(super) fn open_attempt(&self, sealed: &Secret) -> Result<Attempt> {
        let text = sealed.expose();
        let bytes = (text.len() <= ATTEMPT_MAX).then(|| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let bytes = bytes.flatten().ok_or_else(stale)?;
        let key = self.keys.sealing_key(PURPOSE, b"");
        let plain = key.open(PURPOSE.as_bytes(), &bytes).map_err(|_| stale())?;
        let attempt: Attempt = serde_json::from_slice(&plain).map_err(|_| stale())?;
        if attempt.expires <= self.now() { Err(stale()) } else { Ok(attempt) }
    }

    /// Uses an attempt up.
    pub(super) fn spend_attempt(&self, attempt: &Attempt, nonce: &str) -> Result<()> {
        self.spent.spend(Digest::of_value("attempt", &nonce), attempt.expires, self.now())
    }
}

pub(super) fn stale() -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "no_such_attempt",
        "this isn't the sign-in that was begun here, or it took more than ten minutes, or it is done already",
        "begin again",
    )
}
