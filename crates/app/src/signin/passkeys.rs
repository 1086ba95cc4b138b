//! Passkeys: enrolling, removing, and taking what one says. What is checked of an answer is `ports::webauthn`'s; here is
//! who may begin what, that it is finished once and in time by who began it, and what is written down.

use daypass_domain::{Name, PasskeyId, PrincipalId, SignInId, Time};
use daypass_ports::{
    record::Commit,
    rows::{Bar, Factors, Passkey, PasskeyUse},
    secret::Secret,
    webauthn::{Ceremony, PasskeyError, Whom},
};

use super::{Caller, FRESH, held::Purpose};
use crate::{
    App, Problem, ProblemKind, Result,
    entry::{administration, event},
    retry_stale,
};

/// How many passkeys a person has at most.
pub const PASSKEYS_MOST: usize = 10;

/// How a person shows again that it is they, to enrol a second factor: a sign-in that was stolen is not enough.
#[derive(Debug, Clone)]
pub enum Again {
    /// They signed in at most five minutes ago.
    SignedInJustNow,
    /// By their password.
    Password(Secret),
}

impl App {
    /// Begins to enrol a passkey: what the browser gives to `navigator.credentials.create`.
    ///
    /// # Errors
    /// When it isn't a person who signed in just now or gives their password, or when there are too many.
    pub async fn begin_passkey(&self, caller: &Caller, again: Again) -> Result<serde_json::Value> {
        let sign_in = caller.sign_in()?;
        match again {
            Again::Password(password) => self.prove_again(caller.principal(), password).await?,
            Again::SignedInJustNow => {
                let since = self.sign_in_row(sign_in).await?.value.since;
                if self.now().since(since) > FRESH {
                    return Err(Problem::new(
                        ProblemKind::NotAllowed,
                        "password_needed",
                        format!(
                            "you signed in more than {FRESH} ago, so enrolling a passkey takes your password again"
                        ),
                        "give your password too",
                    ));
                }
            }
        }
        let factors = self.factors_of(caller.principal()).await?.value;
        must_have_room(&factors)?;
        let name = self.principal(caller.principal()).await?.value.name.to_string();
        let whom = Whom { id: caller.principal(), name };
        let begun = self.passkeys.begin_enrolment(&whom, &factors.credentials()).map_err(problem_of)?;
        self.ceremonies.keep(sign_in, Purpose::Enrolling, begun.ceremony, self.clock.boot())?;
        Ok(begun.options)
    }

    /// Finishes it with what the browser answered. From now on signing in asks for a second factor.
    ///
    /// # Errors
    /// When nothing was begun in this sign-in, the answer isn't one to that, or another second factor is enrolled and wasn't
    /// shown just now.
    pub async fn finish_passkey(&self, caller: &Caller, name: Name, answer: &str) -> Result<PasskeyId> {
        let sign_in = caller.sign_in()?;
        self.must_have_shown(caller).await?;
        let ceremony = self.ceremonies.take(sign_in, Purpose::Enrolling, self.clock.boot()).ok_or_else(no_ceremony)?;
        let credential = self.passkeys.finish_enrolment(&ceremony, answer).map_err(problem_of)?;
        let now = self.now();
        let id = PasskeyId::new(now, self.id_bytes());
        let passkey = Passkey { id, name, credential, enrolled: now, last: PasskeyUse::Never };
        retry_stale!(self.try_finish_passkey(caller.principal(), sign_in, &passkey).await)?;
        Ok(id)
    }

    async fn try_finish_passkey(&self, principal: PrincipalId, sign_in: SignInId, passkey: &Passkey) -> Result<()> {
        let read = self.factors_of(principal).await?;
        must_have_room(&read.value)?;
        if read.value.passkeys.iter().any(|kept| kept.name == passkey.name) {
            let what = format!("you have a passkey called `{}` already", passkey.name);
            return Err(Problem::conflict("name_taken", what, "enrol it again, and call it something else"));
        }
        let mut next = read.value.clone();
        next.passkeys.push(passkey.clone());
        let mut commit = Commit::default();
        // A sign-in that was taken meanwhile enrols nothing, and lifts no bar.
        commit.expect(&self.sign_in_row(sign_in).await?);
        self.lift(&mut next, self.now(), Some(sign_in), &mut commit).await?;
        next.bar = Bar::None;
        commit.replace(&read, &next);
        let ids = vec![("principal", principal.to_string()), ("passkey", passkey.id.to_string())];
        commit.entry(administration(event::FACTOR_ENROLLED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// Removes a passkey. The last second factor stays: without one the account would do with a password again what it
    /// needs a second factor for, and that is for a change (I12).
    ///
    /// # Errors
    /// When there is no such passkey, it is the last second factor, or none was shown just now.
    pub async fn remove_passkey(&self, caller: &Caller, id: PasskeyId) -> Result<()> {
        caller.sign_in()?;
        self.must_have_shown(caller).await?;
        retry_stale!(self.try_remove_passkey(caller.principal(), id).await)
    }

    async fn try_remove_passkey(&self, principal: PrincipalId, id: PasskeyId) -> Result<()> {
        let read = self.factors_of(principal).await?;
        let mut next = read.value.clone();
        next.passkeys.retain(|kept| kept.id != id);
        if next.passkeys.len() == read.value.passkeys.len() {
            return Err(Problem::not_found("passkey", id));
        }
        if !next.has_second_factor() {
            return Err(Problem::conflict(
                "last_second_factor",
                "this is your only second factor, and an account that had one keeps one",
                "enrol another first, and then remove this one",
            ));
        }
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let ids = vec![("principal", principal.to_string()), ("passkey", id.to_string())];
        commit.entry(administration(event::FACTOR_REMOVED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// Asks for a passkey in this sign-in: what the browser gives to `navigator.credentials.get`. What it answers goes to
    /// [`App::show_second_factor`].
    ///
    /// # Errors
    /// When they have none, or it is a token that calls.
    pub async fn ask_for_passkey(&self, caller: &Caller) -> Result<serde_json::Value> {
        let sign_in = caller.sign_in()?;
        let factors = self.factors_of(caller.principal()).await?.value;
        if factors.passkeys.is_empty() {
            return Err(Problem::conflict(
                "no_passkey",
                "no passkey is enrolled for this account",
                "enrol one on the page /factors of this server",
            ));
        }
        let begun = self.passkeys.begin_showing(&factors.credentials()).map_err(problem_of)?;
        self.ceremonies.keep(sign_in, Purpose::Showing, begun.ceremony, self.clock.boot())?;
        Ok(begun.options)
    }

    /// Takes a passkey's answer, and moves its counter on. One whose counter went back is refused, and that is an entry.
    pub(super) async fn use_passkey(
        &self,
        factors: &mut Factors,
        ceremony: &Ceremony,
        answer: &str,
        now: Time,
    ) -> Result<()> {
        match self.passkeys.finish_showing(ceremony, answer, &factors.credentials()) {
            Ok(shown) => {
                let passkey = factors.passkeys.get_mut(shown.which).ok_or_else(super::wrong)?;
                passkey.credential = shown.credential;
                passkey.last = PasskeyUse::At { at: now };
                Ok(())
            }
            Err(PasskeyError::CounterWentBack { which }) => {
                if let Some(passkey) = factors.passkeys.get(which) {
                    self.record_suspect(factors.principal, passkey.id).await?;
                }
                Err(problem_of(PasskeyError::CounterWentBack { which }))
            }
            Err(error) => Err(problem_of(error)),
        }
    }

    async fn record_suspect(&self, principal: PrincipalId, passkey: PasskeyId) -> Result<()> {
        let mut commit = Commit::default();
        let ids = vec![("principal", principal.to_string()), ("passkey", passkey.to_string())];
        commit.entry(administration(event::PASSKEY_SUSPECT, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }
}

fn must_have_room(factors: &Factors) -> Result<()> {
    if factors.passkeys.len() < PASSKEYS_MOST {
        return Ok(());
    }
    let what = format!("you have {PASSKEYS_MOST} passkeys, which are the most");
    Err(Problem::conflict("too_many_passkeys", what, "remove one that you don't use any more"))
}

pub(super) fn no_ceremony() -> Problem {
    Problem::conflict(
        "no_ceremony",
        "no passkey was asked for in this sign-in, or that was more than five minutes ago, or it was answered already",
        "begin again",
    )
}

pub(super) fn problem_of(error: PasskeyError) -> Problem {
    let what = error.to_string();
    match error {
        PasskeyError::Refused(_) => Problem::new(
            ProblemKind::Unauthenticated,
            "passkey_refused",
            what,
            "try again, with a passkey that you enrolled",
        ),
        PasskeyError::NotVerified => {
            let next = "set up a PIN, a finger or a face for it, then try again";
            Problem::new(ProblemKind::Unauthenticated, "passkey_not_verified", what, next)
        }
        PasskeyError::CounterWentBack { .. } => {
            let next = "show another second factor, remove this passkey, and tell an administrator";
            Problem::new(ProblemKind::Unauthenticated, "passkey_suspect", what, next)
        }
        PasskeyError::Unreadable(_) => Problem::unavailable(what),
        PasskeyError::Unavailable(_) => Problem::conflict(
            "no_passkeys",
            what,
            "enrol TOTP with `daypass totp enrol`; or name the server in server.toml",
        ),
    }
}
