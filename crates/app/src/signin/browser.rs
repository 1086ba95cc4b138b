//! The sign-in that a browser keeps, as a cookie. It is shown as nothing else: in a header it opens nothing, and a
//! program's secret in a cookie opens nothing either.
//!
//! It ends twelve hours after it was made, like any other, and is good for nothing an hour after a person last used it.
//! When that was is kept in memory only; after a restart it counts from when they signed in.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use daypass_domain::{PrincipalId, SignInId, Span, Time};
use daypass_ports::{
    rows::{KeptBy, SignIn},
    secret::Secret,
};
use subtle::ConstantTimeEq as _;

use super::{Begun, Caller, caller::nobody};
use crate::{App, Problem, Result};

/// What the secret of a browser's sign-in begins with.
pub const BROWSER_PREFIX: &str = "dpb_";
/// How long a browser's sign-in is good that nobody uses.
pub const BROWSER_IDLE: Span = Span::from_mins(60);
/// How many are remembered; the rest count from when they signed in.
const REMEMBERED: usize = 10_000;
/// What the token of forms is derived for.
const FORMS: &str = "forms";

/// A browser's sign-in.
#[derive(Debug)]
pub struct BrowserSignIn {
    /// Who.
    pub principal: PrincipalId,
    /// What the cookie holds: `dpb_` and 43 characters.
    pub cookie: Secret,
    /// Until when it is good, however it is used.
    pub expires: Time,
}

impl BrowserSignIn {
    pub(super) fn of(begun: Begun<()>) -> Self {
        Self { principal: begun.sign_in.principal, cookie: begun.token, expires: begun.sign_in.expires }
    }
}

/// Whether a person used a sign-in, or a page looked for what is new by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// A person: it goes on for another while.
    Used,
    /// A page by itself: that keeps nobody signed in.
    Alone,
}

/// When each browser's sign-in was last used.
#[derive(Default)]
pub(crate) struct Browsers(Mutex<BTreeMap<SignInId, Time>>);

impl Browsers {
    /// Whether it is still in use; that a person uses it now is remembered.
    fn in_use(&self, sign_in: &SignIn, touch: Touch, now: Time) -> bool {
        // Times only: whole whatever a panicking thread was doing.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.get(&sign_in.id).copied().unwrap_or(sign_in.since);
        if now >= last + BROWSER_IDLE {
            return false;
        }
        match touch {
            Touch::Alone => {}
            Touch::Used => {
                if seen.len() >= REMEMBERED {
                    seen.retain(|_, last| now < *last + BROWSER_IDLE);
                }
                if seen.len() < REMEMBERED {
                    seen.insert(sign_in.id, now);
                }
            }
        }
        true
    }
}

impl App {
    /// Who calls with this cookie.
    ///
    /// # Errors
    /// When it isn't that of a browser's sign-in, or is over, or its principal is disabled: all of these look the same.
    pub async fn authenticate_browser(&self, cookie: &str, touch: Touch) -> Result<Caller> {
        if !cookie.starts_with(BROWSER_PREFIX) {
            return Err(nobody());
        }
        let sign_in = self.live_sign_in(cookie).await?.value;
        match sign_in.kept_by {
            KeptBy::Browser if self.browsers.in_use(&sign_in, touch, self.now()) => self.signed_in(&sign_in).await,
            KeptBy::Browser | KeptBy::Program => Err(nobody()),
        }
    }

    /// What every form that this sign-in is shown carries, so that another site can't make one: 64 hexadecimal digits.
    ///
    /// # Errors
    /// When it is a token that calls.
    pub fn form_token(&self, caller: &Caller) -> Result<String> {
        let id = caller.sign_in()?;
        Ok(data_encoding::HEXLOWER.encode(&self.keys.derive(FORMS, &id.bytes())))
    }

    /// Whether a form is one that this sign-in was shown.
    ///
    /// # Errors
    /// When it isn't.
    pub fn is_own_form(&self, caller: &Caller, token: &str) -> Result<()> {
        let own = self.form_token(caller)?;
        if bool::from(own.as_bytes().ct_eq(token.as_bytes())) {
            return Ok(());
        }
        Err(Problem::not_allowed(
            "foreign_form",
            "this form isn't one that was shown to this sign-in, so nothing was done",
            "open the page again, and send the form from there",
        ))
    }
}
