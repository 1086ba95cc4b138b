//! Who calls, by what, and what that allows.

use std::collections::BTreeSet;

use daypass_domain::{
    Digest, PrincipalId, SignInId, TokenId,
    principal::{Actor, Kind, Principal, Via},
};
use daypass_ports::{
    record::Read,
    rows::{Bar, Factors, KeptBy, SignIn, Token, TokenScope, key},
};

use crate::{App, Problem, ProblemKind, Result};

/// What the secret of a sign-in begins with, so that people and secret scanners know it when they see it.
pub const SIGN_IN_PREFIX: &str = "dps_";
/// What the secret of a token begins with.
pub const TOKEN_PREFIX: &str = "dpt_";

/// Who calls. The [`Actor`] comes out only for a named scope, so that no use case is reached past it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    actor: Actor,
    credential: Credential,
    scopes: Scopes,
}

/// What somebody calls by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A sign-in of a person.
    SignIn(SignInId),
    /// An API token.
    Token(TokenId),
}

/// What a credential allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// Whatever its principal may.
    All,
    /// Only these, of what its principal may.
    These(BTreeSet<TokenScope>),
    /// Looking, and enrolling a second factor: the principal's were reset. // I12
    Barred,
}

impl Caller {
    /// The actor, for an act of this scope.
    ///
    /// # Errors
    /// When the token lacks the scope.
    pub fn acting(&self, scope: TokenScope) -> Result<&Actor> {
        self.may(scope)?;
        Ok(&self.actor)
    }

    /// Whether the scope is among what the credential allows.
    ///
    /// # Errors
    /// When the token lacks the scope.
    pub fn may(&self, scope: TokenScope) -> Result<()> {
        let held = match &self.scopes {
            // A person who signed in may whatever policy lets them; a directory's connector comes by its token alone.
            Scopes::All => scope != TokenScope::Scim,
            Scopes::These(scopes) => scopes.contains(&scope),
            Scopes::Barred if scope == TokenScope::Read => true,
            Scopes::Barred => return Err(barred()),
        };
        if held {
            return Ok(());
        }
        Err(Problem::not_allowed(
            "token_scope",
            format!("this token hasn't the scope `{}`", scope.as_str()),
            "make a token that has it, or sign in with `daypass login`",
        ))
    }

    /// Who.
    #[must_use]
    pub fn principal(&self) -> PrincipalId {
        self.actor.principal
    }

    /// By what.
    #[must_use]
    pub fn credential(&self) -> Credential {
        self.credential
    }

    pub(crate) fn actor_of_any_scope(&self) -> &Actor {
        &self.actor
    }

    /// The sign-in, for acts that only a person who signed in can do.
    pub(crate) fn sign_in(&self) -> Result<SignInId> {
        match self.credential {
            Credential::SignIn(id) => Ok(id),
            Credential::Token(_) => Err(Problem::not_allowed(
                "needs_sign_in",
                "a token can't do that: only a person who signed in can",
                "sign in with `daypass login`",
            )),
        }
    }
}

/// What a secret is found by. The secrets have 256 random bits, so a fast hash is enough, and looking a hash up tells
/// nothing about the secret by its time.
pub(crate) fn hash_of(secret: &str) -> Digest {
    Digest::of(secret.as_bytes())
}

impl App {
    /// Who calls with this secret of a sign-in or token.
    ///
    /// # Errors
    /// When it is neither, or is over, or its principal (or the owner of the workload that it is) is disabled. All of
    /// these look the same.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller> {
        self.authenticate_over(bearer, None).await
    }

    /// The same, over a connection on which this certificate was shown: a token that was given for one comes with it alone, so
    /// whoever read it somewhere has nothing (RFC 8705, 3).
    ///
    /// # Errors
    /// As [`App::authenticate`]; and when the token is bound to another certificate.
    pub async fn authenticate_over(&self, bearer: &str, certificate: Option<&Digest>) -> Result<Caller> {
        if bearer.starts_with(SIGN_IN_PREFIX) {
            let sign_in = self.live_sign_in(bearer).await?.value;
            return match sign_in.kept_by {
                KeptBy::Program => self.signed_in(&sign_in).await,
                KeptBy::Browser => Err(nobody()),
            };
        }
        if bearer.starts_with(TOKEN_PREFIX) {
            let found = self.store_ref().find::<Token>(key::HASH, &hash_of(bearer).to_string()).await?;
            let Some(token) = found.into_iter().map(|r| r.value).find(|t| self.now() < t.expires) else {
                return Err(nobody());
            };
            if !token.origin.comes_with(certificate) {
                return Err(bound());
            }
            let principal = self.active(token.principal).await?.ok_or_else(nobody)?;
            let via = Via::Token { token: token.id };
            let actor = Actor { principal: principal.value.id, person: principal.value.person(), via };
            let scopes = match self.bar_of(principal.value.id).await? {
                Bar::None => Scopes::These(token.scopes),
                Bar::UntilEnrolled { .. } | Bar::UntilShown { .. } => Scopes::Barred,
            };
            return Ok(Caller { actor, credential: Credential::Token(token.id), scopes });
        }
        Err(nobody())
    }

    /// The sign-in of this secret, while it is good.
    pub(super) async fn live_sign_in(&self, secret: &str) -> Result<Read<SignIn>> {
        let found = self.store_ref().find::<SignIn>(key::HASH, &hash_of(secret).to_string()).await?;
        found.into_iter().find(|read| self.now() < read.value.expires).ok_or_else(nobody)
    }

    /// Who calls by a sign-in.
    pub(super) async fn signed_in(&self, sign_in: &SignIn) -> Result<Caller> {
        let principal = self.active(sign_in.principal).await?.ok_or_else(nobody)?;
        let via = Via::SignIn { second_factor: sign_in.second_factor };
        let actor = Actor { principal: principal.value.id, person: principal.value.person(), via };
        let scopes = match self.bar_of(principal.value.id).await? {
            Bar::None => Scopes::All,
            Bar::UntilEnrolled { .. } | Bar::UntilShown { .. } => Scopes::Barred,
        };
        Ok(Caller { actor, credential: Credential::SignIn(sign_in.id), scopes })
    }

    async fn bar_of(&self, id: PrincipalId) -> Result<Bar> {
        let factors = self.store_ref().get::<Factors>(&id.to_string()).await?;
        Ok(factors.map_or(Bar::None, |factors| factors.value.bar))
    }

    /// A principal that may act: active, and so is its owner.
    pub(crate) async fn active(&self, id: PrincipalId) -> Result<Option<Read<Principal>>> {
        let Some(read) = self.store_ref().get::<Principal>(&id.to_string()).await? else { return Ok(None) };
        let owner_is = match read.value.kind {
            Kind::User => true,
            Kind::Workload { owner } => {
                let owner = self.store_ref().get::<Principal>(&owner.to_string()).await?;
                owner.is_some_and(|o| o.value.is_active())
            }
        };
        Ok((read.value.is_active() && owner_is).then_some(read))
    }
}

/// What an account may not do until it has a second factor again.
pub(super) fn barred() -> Problem {
    Problem::not_allowed(
        "second_factor_reset",
        "your second factor was reset, or a credential of yours was revoked, so this account can do nothing until you show a \
         second factor, or enrol one",
        "show it with `daypass second-factor CODE`; or enrol one with `daypass totp enrol`, or on the page /factors",
    )
}

/// A token without the certificate that it was given for.
fn bound() -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "bound_token",
        "this token is good only on a connection that shows the certificate that it was given for",
        "connect to the listener for workloads with that X.509-SVID",
    )
}

pub(super) fn nobody() -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "not_signed_in",
        "you aren't signed in, or no longer",
        "sign in with `daypass login`, or use a token that is live",
    )
}
