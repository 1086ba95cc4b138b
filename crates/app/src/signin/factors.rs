//! What a person does with their own factors.
//!
//! Policies read how long ago a second factor was shown, so second factors fall under I12. Enrolling a *first* one is
//! one's own act: it takes the password again, and whoever has that could sign in without a second factor anyway.
//! Putting another in the place of one that is enrolled is a change (`Proposal::ResetSecondFactor`): otherwise whoever
//! steals a sign-in and the password could put their own device in its place.

use daypass_domain::{
    PrincipalId, Span, Time,
    principal::{Actor, SecondFactor, Via},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::{Enrolment, Factors, SignIn, Totp, key},
    secret::Secret,
};

use super::{Caller, totp, wrong};
use crate::{
    App, Problem, ProblemKind, Result,
    entry::{administration, event},
    retry_stale,
    signin::check_new_password,
};

const PURPOSE: &str = "totp";
/// How old the second factor may be that an approval is given with, where one is enrolled. // I8
pub const FRESH: Span = Span::from_mins(5);

/// What an approval takes of a person, beside their sign-in. // I8
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing: a second factor was shown just now, or none is enrolled.
    Enough,
    /// A code of the second factor that is enrolled.
    CodeNeeded,
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
    /// Begins to enrol a first second factor: it counts once a code of it was shown.
    ///
    /// # Errors
    /// When the password is wrong, it isn't a person who signed in, or a second factor is enrolled already.
    pub async fn enrol_totp(&self, caller: &Caller, password: Secret) -> Result<TotpEnrolment> {
        caller.sign_in()?;
        self.prove_again(caller.principal(), password).await?;
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
        caller.sign_in()?;
        let name = self.principal(caller.principal()).await?.value.name;
        self.limits.take(name.as_str(), peer, self.clock.boot())?;
        retry_stale!(self.try_confirm_totp(caller.principal(), code).await)?;
        self.limits.give_back(name.as_str(), peer, self.clock.boot());
        Ok(())
    }

    async fn try_confirm_totp(&self, id: PrincipalId, code: &str) -> Result<()> {
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
        self.use_code(&mut next, code, self.now())?;
        if let Some(totp) = next.totp.as_mut() {
            totp.confirmed = Enrolment::Done;
        }
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let ids = vec![("principal", id.to_string()), ("enrolment", "done".to_owned())];
        commit.entry(administration(event::FACTOR_ENROLLED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// The second factor is shown again in a sign-in; the actor to go on with says so.
    ///
    /// # Errors
    /// When the code is wrong or was used, nothing is enrolled, or it is a token that calls.
    pub async fn show_second_factor(&self, caller: &Caller, code: &str, peer: std::net::IpAddr) -> Result<Actor> {
        let sign_in = caller.sign_in()?;
        let name = self.principal(caller.principal()).await?.value.name;
        self.limits.take(name.as_str(), peer, self.clock.boot())?;
        let at = retry_stale!(self.try_show_second_factor(caller.principal(), sign_in, code).await)?;
        self.limits.give_back(name.as_str(), peer, self.clock.boot());
        let via = Via::SignIn { second_factor: SecondFactor::ShownAt { at } };
        Ok(Actor { via, ..caller.actor_of_any_scope().clone() })
    }

    async fn try_show_second_factor(
        &self,
        id: PrincipalId,
        sign_in: daypass_domain::SignInId,
        code: &str,
    ) -> Result<Time> {
        let factors = self.factors_of(id).await?;
        let row = self.store_ref().get::<SignIn>(&sign_in.to_string()).await?;
        let row = row.ok_or_else(|| Problem::not_found("signin", sign_in))?;
        if factors.value.totp.as_ref().is_none_or(|t| t.confirmed == Enrolment::Begun) {
            return Err(Problem::conflict(
                "no_second_factor",
                "no second factor is enrolled for this account",
                "enrol one with `daypass totp enrol`",
            ));
        }
        let now = self.now();
        let mut next = factors.value.clone();
        self.use_code(&mut next, code, now)?;
        let mut commit = Commit::default();
        commit.replace(&factors, &next);
        commit.replace(&row, &SignIn { second_factor: SecondFactor::ShownAt { at: now }, ..row.value.clone() });
        let ids = vec![("signin", sign_in.to_string()), ("principal", id.to_string())];
        commit.entry(administration(event::SECOND_FACTOR_SHOWN, ids, self.region().await?, Vec::new()));
        Ok(self.commit(commit, now).await?.into_effect())
    }

    /// What an approval by this actor takes. // I8
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn freshness(&self, actor: &Actor) -> Result<Freshness> {
        let shown = self.second_factor_age_s(actor).is_some_and(|age| age <= FRESH.secs());
        let factors = self.store_ref().get::<Factors>(&actor.principal.to_string()).await?;
        let enrolled = factors.and_then(|f| f.value.totp).is_some_and(|t| t.confirmed == Enrolment::Done);
        Ok(if enrolled && !shown { Freshness::CodeNeeded } else { Freshness::Enough })
    }

    /// Whoever has a second factor approves with it, shown just now: a browser that was left open approves nothing. // I8
    pub(crate) async fn must_be_fresh(&self, actor: &Actor) -> Result<()> {
        match self.freshness(actor).await? {
            Freshness::Enough => Ok(()),
            Freshness::CodeNeeded => Err(Problem::new(
                ProblemKind::NeedsSecondFactor,
                "second_factor_needed",
                format!("an approval takes your second factor, shown at most {FRESH} before"),
                "give the code that your authenticator shows now: `daypass approve --code CODE`",
            )),
        }
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

    async fn try_change_password(&self, id: PrincipalId, keep: daypass_domain::SignInId, phc: &str) -> Result<()> {
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
    async fn prove_again(&self, id: PrincipalId, password: Secret) -> Result<()> {
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

    /// Uses a code up: its step, and every earlier one, is good for nothing any more.
    pub(super) fn use_code(&self, factors: &mut Factors, code: &str, now: Time) -> Result<()> {
        let id = factors.principal;
        let Some(totp) = factors.totp.as_mut() else { return Err(wrong()) };
        let secret = self.unseal(PURPOSE, id, &totp.sealed)?;
        totp.last_step = totp::fits(&secret, code, now, totp.last_step).ok_or_else(wrong)?;
        Ok(())
    }
}
