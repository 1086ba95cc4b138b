//! Signing in with a browser, in two steps: the password, then a second factor where one is enrolled. Between them stands
//! a ticket that only the page holds which was shown; it is good once, for five minutes, and says nothing.

use std::collections::BTreeSet;

use daypass_ports::{
    rows::{KeptBy, Way},
    secret::Secret,
};

use super::{
    BrowserSignIn, Second, Showing, SignInInput,
    caller::hash_of,
    held::{Halfway, Offer},
    passkeys::no_ceremony,
};
use crate::{App, ProblemKind, Result};

/// What came of a password.
#[derive(Debug)]
pub enum Step {
    /// They are in.
    In(BrowserSignIn),
    /// A second factor is to be shown.
    SecondFactor(SecondStep),
}

/// What the second step takes.
#[derive(Debug)]
pub struct SecondStep {
    /// What shows that the first was taken.
    pub ticket: Secret,
    /// The ways that there are.
    pub ways: BTreeSet<Way>,
    /// What the browser gives to `navigator.credentials.get`; null where no passkey is enrolled.
    pub options: serde_json::Value,
}

impl App {
    /// Signs a person in for a browser. Limits and answers are those of [`App::sign_in`]; the connection secret is left
    /// as it is. Which factors somebody has is said to who proved their password, and to nobody else.
    ///
    /// # Errors
    /// As [`App::sign_in`], but a second factor that is missing is asked for.
    pub async fn sign_in_browser(&self, input: SignInInput) -> Result<Step> {
        let proven = self.prove_password(&input).await?;
        let second = input.code.as_ref().map_or(Second::Nothing, Second::Code);
        match self.come_in(&proven, second, KeptBy::Browser, |_, _| Ok(())).await {
            Ok(begun) => Ok(Step::In(BrowserSignIn::of(begun))),
            Err(problem) if problem.kind == ProblemKind::NeedsSecondFactor => {
                let factors = self.factors_of(proven.id).await?.value;
                let (offer, options) = if factors.passkeys.is_empty() {
                    (Offer::CodesOnly, serde_json::Value::Null)
                } else {
                    let begun = self.passkeys.begin_showing(&factors.credentials());
                    let begun = begun.map_err(super::passkeys::problem_of)?;
                    (Offer::Passkey(begun.ceremony), begun.options)
                };
                let (ticket, hash) = self.new_bearer("");
                self.ceremonies.keep_halfway(hash, Halfway { proven, offer }, self.clock.boot())?;
                Ok(Step::SecondFactor(SecondStep { ticket, ways: factors.ways(), options }))
            }
            Err(problem) => Err(problem),
        }
    }

    /// The second step. Whatever comes of it, the ticket is used.
    ///
    /// # Errors
    /// When the ticket is good for nothing, or what is shown is wrong.
    pub async fn finish_sign_in_browser(
        &self,
        ticket: &str,
        what: &Showing,
        peer: std::net::IpAddr,
    ) -> Result<BrowserSignIn> {
        self.limits.take_for_code(peer, self.clock.boot())?;
        let kept = self.ceremonies.take_halfway(&hash_of(ticket), self.clock.boot());
        let Halfway { mut proven, offer } = kept.ok_or_else(no_ceremony)?;
        proven.peer = peer;
        self.limits.take(&proven.name, peer, self.clock.boot())?;
        let second = match (what, &offer) {
            (Showing::Code(code), Offer::CodesOnly | Offer::Passkey(_)) => Second::Code(code),
            (Showing::Passkey(answer), Offer::Passkey(ceremony)) => Second::Passkey { ceremony, answer },
            (Showing::Passkey(_), Offer::CodesOnly) => return Err(no_ceremony()),
        };
        let begun = self.come_in(&proven, second, KeptBy::Browser, |_, _| Ok(())).await?;
        Ok(BrowserSignIn::of(begun))
    }
}
