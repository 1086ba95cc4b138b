//! Signing in: a password, a second factor where one is enrolled, and out come a bearer secret for the API and the
//! personal connection secret for the gateway. Neither opens anything by itself (I6).
//!
//! | | |
//! | --- | --- |
//! | [`Caller`] | who calls, and the only way from a bearer secret to an [`Actor`](daypass_domain::principal::Actor) |
//! | `password` | Argon2id, a few at a time |
//! | `totp` | RFC 6238 |
//! | `browser` | the sign-in that a browser keeps: its end when nobody uses it, the token of its forms |
//! | `factors` | enrolling TOTP, changing the password, looking at what one has |
//! | `passkeys` | enrolling, removing and verifying passkeys |
//! | `recovery` | codes for whoever lost their second factor |
//! | `showing` | showing a second factor again, and what takes a fresh one |
//! | `second_step` | the second half of a browser's sign-in |
//! | `held` | what is kept between two steps: in memory, for five minutes, used once |
//! | `connection` | the secret that clients prove at the gateway |
//! | `provider` | in on the word of an identity provider |
//! | `attempts` | how often somebody may try |
//!
//! An unknown name, a disabled account, an invitation that wasn't taken up and a wrong password cost the same work and
//! get the same answer.

mod attempts;
mod browser;
mod caller;
mod connection;
mod factors;
mod held;
mod passkeys;
mod password;
mod provider;
mod recovery;
mod second_step;
mod showing;
mod totp;

use std::net::IpAddr;

use daypass_domain::{
    Name, PrincipalId, SignInId, Span, Time,
    principal::{Kind, Principal, SecondFactor},
};
use daypass_ports::{
    identity::IdentityError,
    record::{Commit, Read},
    rows::{Factors, KeptBy, SignIn, SignInWord, key},
    secret::Secret,
    webauthn::Ceremony,
};
use serde::Serialize;

pub(crate) use attempts::Attempts;
pub(crate) use browser::Browsers;
pub use browser::{BROWSER_IDLE, BROWSER_PREFIX, BrowserSignIn, Touch};
pub(crate) use caller::hash_of;
pub use caller::{Caller, Credential, SIGN_IN_PREFIX, Scopes, TOKEN_PREFIX};
pub use connection::ConnectionSecretGiven;
pub use factors::{FactorsView, PasskeyView, TotpEnrolment};
pub(crate) use held::Ceremonies;
pub use passkeys::{Again, PASSKEYS_MOST};
pub use password::{PASSWORD_MAX, PASSWORD_MIN, check_new_password};
pub use provider::{Began, Came, CameBack, DeviceBegan, Finished, FinishedInBrowser, ProviderView, Return};
pub(crate) use provider::{LoggedOut, Spent, session_digest, subject_digest};
pub use second_step::{SecondStep, Step};
pub(crate) use showing::Giving;
pub use showing::{FRESH, Freshness, Showing};
pub use totp::code_for;

use crate::{
    App, Problem, ProblemKind, Result,
    entry::{administration, event},
    retry_stale,
};

/// How long a sign-in lasts.
pub const SIGN_IN_LASTS: Span = Span::from_mins(12 * 60);
/// How many sign-ins a person has at once; one more ends the oldest.
const SIGN_INS_MOST: usize = 20;

/// What somebody gives to sign in.
#[derive(Debug, Clone)]
pub struct SignInInput {
    /// Their name, as typed.
    pub name: String,
    /// Their password.
    pub password: Secret,
    /// The code of their second factor, or a recovery code, if they gave one.
    pub code: Option<Secret>,
    /// The address that they come from.
    pub peer: IpAddr,
}

/// A sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub principal: PrincipalId,
    /// The bearer secret: `dps_` and 43 characters.
    pub token: Secret,
    /// What a client gives as its user name at the gateway.
    pub connection_user: Name,
    /// What a client proves at the gateway.
    pub connection_secret: Secret,
    /// Until when both are good.
    pub expires: Time,
    /// Whether a second factor was shown.
    pub second_factor: SecondFactor,
}

/// Somebody who proved their password, and nothing else yet.
#[derive(Debug, Clone)]
struct Proven {
    id: PrincipalId,
    name: String,
    /// What the password was compared to: whoever goes on must still have it.
    phc: Option<String>,
    peer: IpAddr,
}

/// What is shown after the password.
#[derive(Clone, Copy)]
enum Second<'a> {
    Nothing,
    Code(&'a Secret),
    Passkey { ceremony: &'a Ceremony, answer: &'a str },
}

/// What is made when somebody may come in: a sign-in before it is durable, and what its keeper gets beside the secret.
struct Begun<T> {
    sign_in: SignIn,
    token: Secret,
    user: Name,
    more: T,
}

impl SignedIn {
    fn of(begun: Begun<Secret>) -> Self {
        Self {
            principal: begun.sign_in.principal,
            token: begun.token,
            connection_user: begun.user,
            connection_secret: begun.more,
            expires: begun.sign_in.expires,
            second_factor: begun.sign_in.second_factor,
        }
    }
}

#[derive(Serialize)]
struct Origin<'a> {
    peer: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_factor: Option<&'a SecondFactor>,
}

impl App {
    /// Signs a person in.
    ///
    /// # Errors
    /// When the name or the password is wrong (or the account is disabled, which looks the same), when a second factor
    /// is enrolled and its code is missing or wrong, or when there were too many attempts.
    pub async fn sign_in(&self, input: SignInInput) -> Result<SignedIn> {
        let connection = |factors: &mut Factors, now: Time| self.connection_secret_until(factors, now + SIGN_IN_LASTS);
        let proven = self.prove_password(&input).await?;
        let second = input.code.as_ref().map_or(Second::Nothing, Second::Code);
        Ok(SignedIn::of(self.come_in(&proven, second, KeptBy::Program, connection).await?))
    }

    /// The first step, whatever keeps the sign-in: the limits, the work and the answers are the same.
    async fn prove_password(&self, input: &SignInInput) -> Result<Proven> {
        self.limits.take(&input.name, input.peer, self.clock.boot())?;
        let found = self.user_with_factors(&input.name).await?;
        let phc = found.as_ref().and_then(|(_, factors)| factors.value.password.clone());
        let fits = self.password_fits(input.password.clone(), phc.clone()).await?;
        let Some((principal, _)) = found.filter(|_| fits) else {
            let whom = self.principal_named(&input.name).await.ok().map(|p| p.value.id);
            self.record_failure(whom, input.peer).await;
            return Err(wrong());
        };
        Ok(Proven { id: principal.value.id, name: input.name.clone(), phc, peer: input.peer })
    }

    /// Lets a person in who proved their password, with what they show beside it. `more` is what else changes with it.
    async fn come_in<T: Send>(
        &self,
        proven: &Proven,
        second: Second<'_>,
        kept_by: KeptBy,
        more: impl Fn(&mut Factors, Time) -> Result<T> + Send + Sync,
    ) -> Result<Begun<T>> {
        match retry_stale!(self.try_sign_in(proven, second, kept_by, &more).await) {
            Ok(signed_in) => {
                self.limits.succeeded(&proven.name, proven.peer, self.clock.boot());
                Ok(signed_in)
            }
            Err(problem) => {
                match problem.kind {
                    // What was shown was a guess: that try stays used.
                    ProblemKind::Unauthenticated => self.record_failure(Some(proven.id), proven.peer).await,
                    ProblemKind::NeedsSecondFactor
                    | ProblemKind::Invalid
                    | ProblemKind::NotAllowed
                    | ProblemKind::NotFound
                    | ProblemKind::Conflict
                    | ProblemKind::Stale
                    | ProblemKind::TooMany { .. }
                    | ProblemKind::Unavailable => {
                        self.limits.give_back(&proven.name, proven.peer, self.clock.boot());
                    }
                }
                Err(problem)
            }
        }
    }

    async fn try_sign_in<T: Send>(
        &self,
        proven: &Proven,
        second: Second<'_>,
        kept_by: KeptBy,
        more: &(impl Fn(&mut Factors, Time) -> Result<T> + Sync),
    ) -> Result<Begun<T>> {
        // Read anew: what was compared above may have been reset since.
        let (principal, factors) = self.user_with_factors(&proven.name).await?.ok_or_else(wrong)?;
        let id = principal.value.id;
        if id != proven.id || factors.value.password != proven.phc {
            return Err(wrong());
        }
        let now = self.now();
        let mut next = factors.value.clone();
        let mut commit = Commit::default();
        let second_factor = self.second_factor_at_sign_in(&mut next, second, now, &mut commit).await?;
        match second_factor {
            SecondFactor::ShownAt { at } => self.lift(&mut next, at, None, &mut commit).await?,
            SecondFactor::NotShown => {}
        }
        let more = more(&mut next, now)?;
        let (sign_in, token) = self.new_sign_in(id, kept_by, second_factor, SignInWord::Own);
        commit.expect(&principal);
        commit.replace(&factors, &next);
        commit.put(&sign_in);
        self.bound_sign_ins(id, &mut commit).await?;
        let ids = vec![("signin", sign_in.id.to_string()), ("principal", id.to_string())];
        let part = self.subject_part(id, &Origin { peer: proven.peer, second_factor: Some(&second_factor) });
        commit.entry(administration(event::SIGNED_IN, ids, self.region().await?, vec![part]));
        let begun = Begun { sign_in, token, user: principal.value.name.clone(), more };
        Ok(self.commit(commit, begun).await?.into_effect())
    }

    /// A sign-in that begins now, before it is durable, and its secret.
    fn new_sign_in(
        &self,
        principal: PrincipalId,
        kept_by: KeptBy,
        second_factor: SecondFactor,
        word: SignInWord,
    ) -> (SignIn, Secret) {
        let since = self.now();
        let (token, hash) = self.new_bearer(match kept_by {
            KeptBy::Program => SIGN_IN_PREFIX,
            KeptBy::Browser => BROWSER_PREFIX,
        });
        let (id, expires) = (SignInId::new(since, self.id_bytes()), since + SIGN_IN_LASTS);
        (SignIn { id, principal, hash, kept_by, second_factor, since, expires, word }, token)
    }

    async fn second_factor_at_sign_in(
        &self,
        factors: &mut Factors,
        second: Second<'_>,
        now: Time,
        commit: &mut Commit,
    ) -> Result<SecondFactor> {
        if !factors.has_second_factor() {
            return Ok(SecondFactor::NotShown);
        }
        match second {
            Second::Nothing => Err(Problem::new(
                ProblemKind::NeedsSecondFactor,
                showing::NEEDED,
                "a second factor is enrolled for this account, and none was shown",
                showing::how_at_sign_in(&factors.ways()),
            )),
            Second::Code(_) | Second::Passkey { .. } => {
                self.use_second(factors, second, now, commit).await?;
                Ok(SecondFactor::ShownAt { at: now })
            }
        }
    }

    async fn bound_sign_ins(&self, principal: PrincipalId, commit: &mut Commit) -> Result<()> {
        let mut held = self.store_ref().find::<SignIn>(key::PRINCIPAL, &principal.to_string()).await?;
        held.sort_by_key(|s| (s.value.expires, s.value.id));
        let spare = (held.len() + 1).saturating_sub(SIGN_INS_MOST);
        for old in held.iter().take(spare) {
            commit.delete(old);
        }
        Ok(())
    }

    /// Ends a sign-in. The last one to end takes the connection secret with it; grants and sessions go on.
    ///
    /// # Errors
    /// When it is a token that calls, or the end can't be recorded.
    pub async fn sign_out(&self, caller: &Caller) -> Result<()> {
        let id = caller.sign_in()?;
        retry_stale!(self.try_sign_out(caller.principal(), id).await)
    }

    async fn try_sign_out(&self, principal: PrincipalId, id: SignInId) -> Result<()> {
        let mine = self.store_ref().find::<SignIn>(key::PRINCIPAL, &principal.to_string()).await?;
        let (this, others): (Vec<_>, Vec<_>) = mine.into_iter().partition(|s| s.value.id == id);
        let Some(this) = this.first() else { return Ok(()) };
        let mut commit = Commit::default();
        commit.delete(this);
        if others.iter().all(|s| s.value.expires <= self.now()) {
            self.drop_connection_secret(principal, &mut commit).await?;
        }
        let ids = vec![("signin", id.to_string()), ("principal", principal.to_string())];
        commit.entry(administration(event::SIGNED_OUT, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// An active user of that name, with what they prove themselves by.
    async fn user_with_factors(&self, name: &str) -> Result<Option<(Read<Principal>, Read<Factors>)>> {
        if name.parse::<Name>().is_err() {
            return Ok(None);
        }
        let found = self.store_ref().find::<Principal>(key::NAME, name).await?;
        let user = found.into_iter().find(|p| p.value.is_active() && p.value.kind == Kind::User);
        let Some(user) = user else { return Ok(None) };
        let factors = self.store_ref().get::<Factors>(&user.value.id.to_string()).await?;
        Ok(factors.map(|factors| (user, factors)))
    }

    /// A failure is told to the ledger: whose name it was, when it is somebody's, and never what was typed (people type
    /// passwords into the wrong field). How many are told is bounded, so that nobody fills the ledger from outside.
    pub(crate) async fn record_failure(&self, whom: Option<PrincipalId>, peer: IpAddr) {
        if !self.limits.record_failure(self.clock.boot()) {
            return;
        }
        let content = Origin { peer, second_factor: None };
        let (ids, part) = match whom {
            Some(id) => (vec![("principal", id.to_string())], self.subject_part(id, &content)),
            None => (Vec::new(), self.operational_part(&content)),
        };
        let recorded = async {
            let mut commit = Commit::default();
            commit.entry(administration(event::SIGN_IN_FAILED, ids, self.region().await?, vec![part]));
            self.commit(commit, ()).await?;
            Ok::<(), Problem>(())
        };
        // Nothing was given, so nothing depends on this entry; a store that is down shows in its own log lines.
        if let Err(problem) = recorded.await {
            tracing::warn!(%problem, "a failed sign-in isn't in the ledger");
        }
    }

    /// A new bearer secret of 256 random bits, and what it is found by.
    pub(crate) fn new_bearer(&self, prefix: &str) -> (Secret, daypass_domain::Digest) {
        let random = zeroize::Zeroizing::new(self.random::<32>());
        let secret = Secret::new(format!("{prefix}{}", data_encoding::BASE64URL_NOPAD.encode(&*random)));
        let hash = hash_of(secret.expose());
        (secret, hash)
    }
}

/// What an identity provider's no, or its absence, means for whoever wants in.
pub(crate) fn of_identity(error: IdentityError) -> Problem {
    let what = error.to_string();
    match error {
        IdentityError::Refused(_) => {
            Problem::new(ProblemKind::Unauthenticated, "token_refused", what, "get a new one, for this audience")
        }
        IdentityError::Denied { .. } => {
            Problem::new(ProblemKind::Unauthenticated, "provider_denied", what, "begin again")
        }
        IdentityError::Unreachable { .. } => Problem::new(
            ProblemKind::Unavailable,
            "provider_away",
            what,
            "try again; who is signed in stays so, and whoever has a password can sign in by it",
        ),
        IdentityError::Unusable { .. } => Problem::new(
            ProblemKind::Unavailable,
            "provider_unusable",
            what,
            "an administrator should look at `daypass trust`, and at the provider's settings",
        ),
    }
}

fn wrong() -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "wrong_sign_in",
        "the name, the password or the code is wrong",
        "check all three; an administrator can invite you again when you have forgotten the password",
    )
}
