//! What a person does with their own factors.
//!
//! Policies read how long ago a second factor was shown, so second factors fall under I12. Enrolling a *first* one is
//! one's own act: it takes the password again, and whoever has that could sign in without a second factor anyway. One
//! more beside those that are enrolled takes one of those, shown just now. Whoever has none of theirs any more needs a
//! change (`Proposal::ResetSecondFactor`): otherwise whoever steals a sign-in and the password could put their own device
//! in its place.

use std::collections::BTreeSet;

use daypass_domain::{Name, PasskeyId, PrincipalId, SignInId, Time};
use daypass_ports::{
    record::{Commit, Read},
    rows::{Bar, Enrolment, Factors, PasskeyUse, SignIn, Totp, Way, key},
    secret::Secret,
};

use super::{Caller, totp, wrong};
use crate::{
    App, Problem, Result,
    entry::{administration, event},
    retry_stale,
    signin::check_new_password,
};

const PURPOSE: &str = "totp";
/// What a person has beside their password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorsView {
    /// In which ways they can show a second factor; empty where they have none.
    pub ways: BTreeSet<Way>,
    /// Their passkeys.
    pub passkeys: Vec<PasskeyView>,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// Whether the account is barred until they enrol one.
    pub bar: Bar,
}

/// A passkey, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyView {
    /// Its id.
    pub id: PasskeyId,
    /// What they call it.
    pub name: Name,
    /// When it was enrolled.
    pub enrolled: Time,
    /// When it was last shown.
    pub last: PasskeyUse,
}

/// What a person puts into their authenticator. Shown once.
#[derive(Debug)]
pub struct TotpEnrolment {
    /// The secret in base32, to type.
    pub secret: Secret,
    /// The same as an `otpauth://` address, to show as a picture.
    pub uri: Secret,
}

impl App {
    /// Begins to enrol TOTP: it counts once a code of it was shown.
    ///
    /// # Errors
    /// When the password is wrong, it isn't a person who signed in, it is enrolled already, or another second factor is,
    /// and wasn't shown just now.
    pub async fn enrol_totp(&self, caller: &Caller, password: Secret) -> Result<TotpEnrolment> {
        caller.sign_in()?;
        self.prove_again(caller.principal(), password).await?;
        // One that has TOTP already is told so, whatever was shown.
        if !self.factors_of(caller.principal()).await?.value.has_totp() {
            self.must_have_shown(caller).await?;
        }
        retry_stale!(self.try_enrol_totp(caller.principal()).await)
    }

    async fn try_enrol_totp(&self, id: PrincipalId) -> Result<TotpEnrolment> {
        let read = self.factors_of(id).await?;
        if read.value.totp.as_ref().is_some_and(|t| t.confirmed == Enrolment::Done) {
            return Err(Problem::conflict(
                "second_factor_enrolled",
                "a second factor is enrolled already, and another takes its place only by a change",
                "ask an administrator for `daypass user reset-second-factor`, which another one approves",
            ));
        }
        let secret = zeroize::Zeroizing::new(self.random::<{ totp::SECRET_LEN }>());
        let sealed = self.seal_for(PURPOSE, id, &*secret);
        let mut next = read.value.clone();
        next.totp = Some(Totp { sealed, last_step: 0, confirmed: Enrolment::Begun });
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let ids = vec![("principal", id.to_string()), ("enrolment", "begun".to_owned())];
        commit.entry(administration(event::FACTOR_ENROLLED, ids, self.region().await?, Vec::new()));
        let name = self.principal(id).await?.value.name;
        let (text, uri) = totp::enrolment_uri(&*secret, name.as_str());
        let enrolment = TotpEnrolment { secret: Secret::new(text), uri: Secret::new(uri) };
        Ok(self.commit(commit, enrolment).await?.into_effect())
    }

    /// A first code was shown: from now on the second factor counts, and signing in asks for it.
    ///
    /// # Errors
    /// When the code is wrong, or no enrolment was begun.
    pub async fn confirm_totp(&self, caller: &Caller, code: &str, peer: std::net::IpAddr) -> Result<()> {
        let sign_in = caller.sign_in()?;
        let name = self.principal(caller.principal()).await?.value.name;
        self.limits.take(name.as_str(), peer, self.clock.boot())?;
        retry_stale!(self.try_confirm_totp(caller.principal(), sign_in, code).await)?;
        self.limits.give_back(name.as_str(), peer, self.clock.boot());
        Ok(())
    }

    async fn try_confirm_totp(&self, id: PrincipalId, sign_in: SignInId, code: &str) -> Result<()> {
        let read = self.factors_of(id).await?;
        let mut next = read.value.clone();
        match next.totp.as_ref().map(|t| t.confirmed) {
            Some(Enrolment::Begun) => {}
            Some(Enrolment::Done) => {
                return Err(Problem::conflict("second_factor_enrolled", "the second factor counts already", ""));
            }
            None => {
                return Err(Problem::conflict(
                    "no_enrolment",
                    "no enrolment of a second factor was begun",
                    "begin one with `daypass totp enrol`",
                ));
            }
        }
        self.use_totp(&mut next, code, self.now())?;
        if let Some(totp) = next.totp.as_mut() {
            totp.confirmed = Enrolment::Done;
        }
        let mut commit = Commit::default();
        // A sign-in that was taken meanwhile enrols nothing, and lifts no bar.
        commit.expect(&self.sign_in_row(sign_in).await?);
        self.lift(&mut next, self.now(), Some(sign_in), &mut commit).await?;
        next.bar = Bar::None;
        commit.replace(&read, &next);
        let ids = vec![("principal", id.to_string()), ("enrolment", "done".to_owned())];
        commit.entry(administration(event::FACTOR_ENROLLED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// Another password, by its owner. Their other sign-ins end, and so does their connection secret: whoever changes a
    /// password may fear that somebody knows what is in a file. The next `daypass login` brings a new one.
    ///
    /// # Errors
    /// When the old one is wrong, or the new one can't be one.
    pub async fn change_password(&self, caller: &Caller, old: Secret, new: Secret) -> Result<()> {
        let keep = caller.sign_in()?;
        let id = caller.principal();
        let name = self.principal(id).await?.value.name;
        check_new_password(&new, name.as_str())?;
        self.prove_again(id, old).await?;
        let phc = self.hash_password(new).await?;
        retry_stale!(self.try_change_password(id, keep, &phc).await)
    }

    async fn try_change_password(&self, id: PrincipalId, keep: SignInId, phc: &str) -> Result<()> {
        let read = self.factors_of(id).await?;
        let mut commit = Commit::default();
        commit.replace(&read, &Factors { password: Some(phc.to_owned()), connection: None, ..read.value.clone() });
        for other in self.store_ref().find::<SignIn>(key::PRINCIPAL, &id.to_string()).await? {
            if other.value.id != keep {
                commit.delete(&other);
            }
        }
        let ids = vec![("principal", id.to_string())];
        commit.entry(administration(event::PASSWORD_CHANGED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// The password once more, from somebody who is signed in: a sign-in that was stolen is not enough.
    pub(super) async fn prove_again(&self, id: PrincipalId, password: Secret) -> Result<()> {
        let name = self.principal(id).await?.value.name;
        // Counted apart from signing in, so that trying here neither helps nor hinders there.
        let meter = format!("again {name}");
        let here = std::net::IpAddr::from(id.bytes());
        self.limits.take(&meter, here, self.clock.boot())?;
        let phc = self.factors_of(id).await?.value.password;
        if !self.password_fits(password, phc).await? {
            return Err(wrong());
        }
        self.limits.give_back(&meter, here, self.clock.boot());
        Ok(())
    }

    pub(crate) async fn factors_of(&self, id: PrincipalId) -> Result<Read<Factors>> {
        let read = self.store_ref().get::<Factors>(&id.to_string()).await?;
        read.ok_or_else(|| Problem::not_found("principal", id))
    }

    /// Uses a code of TOTP up: its step, and every earlier one, is good for nothing any more.
    pub(super) fn use_totp(&self, factors: &mut Factors, code: &str, now: Time) -> Result<()> {
        let id = factors.principal;
        let Some(totp) = factors.totp.as_mut() else { return Err(wrong()) };
        let secret = self.unseal(PURPOSE, id, &totp.sealed)?;
        totp.last_step = totp::fits(&secret, code, now, totp.last_step).ok_or_else(wrong)?;
        Ok(())
    }

    /// What a person has to prove themselves by beside their password. Never a secret.
    ///
    /// # Errors
    /// When it is a token that calls, or the store doesn't answer.
    pub async fn factors(&self, caller: &Caller) -> Result<FactorsView> {
        caller.sign_in()?;
        let factors = self.factors_of(caller.principal()).await?.value;
        Ok(FactorsView {
            ways: factors.ways(),
            passkeys: factors
                .passkeys
                .iter()
                .map(|key| PasskeyView { id: key.id, name: key.name.clone(), enrolled: key.enrolled, last: key.last })
                .collect(),
            recovery_codes: factors.recovery_codes.len(),
            bar: factors.bar,
        })
    }
}
