//! A workload brings a token of its own, and gets one of ours for a while (RFC 8693): nothing is stored where it runs.
//!
//! Which tokens are which workload is declared (see [`crate::trust`]). What the token said, of what policy reads, is kept
//! with ours, and frozen into whatever is asked by it (I2). Like every token, it never approves (I8).

use std::{collections::BTreeSet, net::IpAddr};

use daypass_domain::{
    Name, PrincipalId, Span, TokenId,
    principal::{Actor, Via},
    trust::{Attributes, Claims, WorkloadTrust},
};
use daypass_ports::{
    identity::{Expected, IdentityError, TokenKind},
    record::Commit,
    rows::{Token, TokenOrigin, TokenScope, key},
    secret::Secret,
};
use daypass_wire::jwt::Unverified;
use serde::Serialize;

use crate::{
    App, Problem, ProblemKind, Result,
    entry::{administration, event, owner_id},
    retry_stale,
    signin::TOKEN_PREFIX,
};

/// How long a token is good that a workload got for its own.
pub const EXCHANGED_LASTS: Span = Span::from_mins(60);
/// How many of them a workload has at once; one more ends the oldest: jobs come and go, and none takes its own back.
const EXCHANGED_MOST: usize = 200;
/// What it may do.
const SCOPES: [TokenScope; 2] = [TokenScope::Read, TokenScope::Request];

/// What a workload brings.
#[derive(Debug, Clone)]
pub struct ExchangeInput {
    /// Its own token.
    pub token: Secret,
    /// Which workload it wants to be, where it could be several.
    pub workload: Option<Name>,
    /// The address that it comes from.
    pub peer: IpAddr,
}

/// What it gets.
#[derive(Debug)]
pub struct Exchanged {
    /// Who it is.
    pub workload: Name,
    /// The token: `dpt_` and 43 characters.
    pub token: Secret,
    /// What it may do.
    pub scopes: BTreeSet<TokenScope>,
    /// How long it is good.
    pub lasts: Span,
}

#[derive(Serialize)]
struct Said<'a> {
    peer: IpAddr,
    issuer: &'a str,
    subject: String,
    claims: &'a Attributes,
}

/// A token that was believed.
struct Believed {
    trust: WorkloadTrust,
    claims: Claims,
}

impl App {
    /// A token of ours for a workload's own.
    ///
    /// # Errors
    /// When the token is no good, nobody declared whose it is, or its issuer's keys can't be had.
    pub async fn exchange_token(&self, input: ExchangeInput) -> Result<Exchanged> {
        self.limits.take_for_code(input.peer, self.clock.boot())?;
        self.clock_is_sound()?;
        match retry_stale!(self.try_exchange(&input).await) {
            Ok(exchanged) => {
                self.limits.give_back_code(input.peer, self.clock.boot());
                Ok(exchanged)
            }
            Err(problem) => {
                if problem.kind == ProblemKind::Unauthenticated {
                    self.record_failure(None, input.peer).await;
                }
                Err(problem)
            }
        }
    }

    async fn try_exchange(&self, input: &ExchangeInput) -> Result<Exchanged> {
        let mut commit = Commit::default();
        let Believed { trust, claims } = self.believe(input, &mut commit).await?;
        let attributes = trust.attributes_of(&claims).map_err(|e| refused(format!("of what it says, {e}")))?;
        let workload = self.workload_named(&trust.workload).await?.value.id;
        let principal = self.active(workload).await?.ok_or_else(|| {
            refused(format!("the workload `{}`, or the user who answers for it, is disabled", trust.workload))
        })?;
        commit.expect(&principal);
        self.bound_exchanged(workload, &mut commit).await?;
        let now = self.now();
        let (secret, hash) = self.new_bearer(TOKEN_PREFIX);
        let said = Said {
            peer: input.peer,
            issuer: trust.issuer.url.as_str(),
            subject: claims.text("sub").unwrap_or_default(),
            claims: &attributes,
        };
        let part = self.subject_part(workload, &said);
        let origin = TokenOrigin::Exchanged { trust: trust.digest(), claims: attributes };
        let scopes = BTreeSet::from(SCOPES);
        let id = TokenId::new(now, self.id_bytes());
        let expires = now + EXCHANGED_LASTS;
        commit.put(&Token { id, principal: workload, hash, scopes: scopes.clone(), expires, origin });
        let mut ids = vec![("token", id.to_string()), ("principal", workload.to_string())];
        ids.extend(owner_id(workload, principal.value.person()));
        commit.entry(administration(event::TOKEN_EXCHANGED, ids, self.region().await?, vec![part]));
        let exchanged = Exchanged { workload: trust.workload, token: secret, scopes, lasts: EXCHANGED_LASTS };
        Ok(self.commit(commit, exchanged).await?.into_effect())
    }

    /// The one trust under which the token is good.
    async fn believe(&self, input: &ExchangeInput, commit: &mut Commit) -> Result<Believed> {
        let token = input.token.expose();
        let read = Unverified::parse(token).map_err(|e| refused(format!("the token is refused: {e}")))?;
        let issuer = read.issuer().unwrap_or_default().to_owned();
        let all = self.trust(commit).await?;
        let (mut found, mut why): (Vec<Believed>, Option<IdentityError>) = (Vec::new(), None);
        let mut known = false;
        for trust in all.of_issuer(&issuer).filter(|t| input.workload.as_ref().is_none_or(|w| *w == t.workload)) {
            known = true;
            let expected = Expected { kind: TokenKind::Workload, audience: &trust.audience, now: self.now() };
            match self.identity.verify(&trust.issuer, &expected, token).await {
                Ok(claims) if trust.admits(&claims) => found.push(Believed { trust: trust.clone(), claims }),
                Ok(_) => {}
                Err(error) => why = Some(error),
            }
        }
        let several = found.iter().any(|one| found.iter().any(|other| one.trust.workload != other.trust.workload));
        match (found.pop(), why) {
            (Some(_), _) if several => Err(Problem::invalid(
                "several_workloads",
                "the token could be that of several workloads",
                "say which: `workload=NAME`",
            )),
            (Some(believed), _) => Ok(believed),
            (None, Some(error)) => Err(crate::signin::of_identity(error)),
            (None, None) if known => Err(refused("the token is good, and nobody declared whose it is".to_owned())),
            (None, None) => Err(refused("nobody declared that tokens of its issuer are taken".to_owned())),
        }
    }

    async fn bound_exchanged(&self, workload: PrincipalId, commit: &mut Commit) -> Result<()> {
        let mut held = self.store_ref().find::<Token>(key::PRINCIPAL, &workload.to_string()).await?;
        held.retain(|t| !t.value.origin.is_made());
        held.sort_by_key(|t| (t.value.expires, t.value.id));
        for old in held.iter().take((held.len() + 1).saturating_sub(EXCHANGED_MOST)) {
            commit.delete(old);
        }
        Ok(())
    }

    /// What the token said by which a workload acts; of a person, and of a token that a person made, nothing.
    pub(crate) async fn claims_of(&self, actor: &Actor) -> Result<Attributes> {
        let Via::Token { token } = actor.via else { return Ok(Attributes::default()) };
        let row = self.store_ref().get::<Token>(&token.to_string()).await?;
        match row.ok_or_else(|| Problem::not_found("token", token))?.value.origin {
            TokenOrigin::Made => Ok(Attributes::default()),
            TokenOrigin::Exchanged { claims, .. } => Ok(claims),
        }
    }
}

fn refused(what: String) -> Problem {
    Problem::new(
        ProblemKind::Unauthenticated,
        "invalid_grant",
        what,
        "see which tokens are trusted: `daypass trust`, for whoever may administer it",
    )
}
