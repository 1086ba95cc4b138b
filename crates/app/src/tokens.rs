//! API tokens: scoped, expiring, hashed at rest. A token never approves, and never makes tokens (I8).
//!
//! People make tokens for themselves and for workloads that they own. A token for somebody else's workload lets its maker
//! act as that workload, so it is a change (`Proposal::MakeToken`, I12). For another person nobody makes one.

use std::collections::BTreeSet;

use daypass_domain::{
    Name, PrincipalId, Span, TokenId,
    principal::{Actor, Kind, Principal, Via},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::{Token, TokenOrigin, TokenScope, key},
    secret::Secret,
};
use serde::Serialize;

use crate::{
    App, Problem, Result,
    changes::{Hand, Handed, Kept, Prepared, Proposal, Proposed, TOKEN},
    entry::{administration, event, owner_id},
    retry_stale,
    signin::TOKEN_PREFIX,
};

/// How long a token is good when nobody says.
pub const TOKEN_LASTS: Span = Span::from_mins(30 * 24 * 60);
/// The longest that a token can be good.
pub const TOKEN_LASTS_MOST: Span = Span::from_mins(90 * 24 * 60);
/// How many live tokens a principal has.
const TOKENS_MOST: usize = 50;

/// What a token shall be.
#[derive(Debug, Clone)]
pub struct TokenInput {
    /// For which workload; for oneself when absent.
    pub workload: Option<Name>,
    /// What it may do: at least one thing.
    pub scopes: BTreeSet<TokenScope>,
    /// How long it is good; thirty days when absent.
    pub lasts: Option<Span>,
}

/// A token that was made, or that waits for another administrator.
#[derive(Debug)]
pub enum TokenMade {
    /// It is good.
    Live {
        /// What it is told by.
        token: Box<Token>,
        /// The token, shown once.
        secret: Secret,
    },
    /// It is somebody else's workload's: a change. The token is among what was handed.
    Change(Proposed),
}

#[derive(Serialize)]
struct Made<'a> {
    scopes: &'a BTreeSet<TokenScope>,
    expires_us: i64,
}

impl App {
    /// Makes a token.
    ///
    /// # Errors
    /// When a token asks, it would last too long or allow nothing, or there are too many.
    pub async fn make_token(&self, actor: &Actor, input: TokenInput) -> Result<TokenMade> {
        match actor.via {
            Via::SignIn { .. } => {}
            Via::Token { .. } => {
                return Err(Problem::not_allowed(
                    "tokens_make_no_tokens",
                    "a token can't make tokens",
                    "sign in with `daypass login`, and make it yourself",
                ));
            }
        }
        let lasts = input.lasts.unwrap_or(TOKEN_LASTS);
        check(&input.scopes, lasts)?;
        check_scim(&input)?;
        let principal = match &input.workload {
            None => self.principal(actor.principal).await?,
            Some(name) => self.workload_named(name).await?,
        };
        // Whoever holds a connector's token can put people into groups, so not even its owner makes one alone. // I12
        let speaks_for_a_directory = input.scopes.contains(&TokenScope::Scim);
        if let Some(workload) = input.workload
            && (speaks_for_a_directory || principal.value.person().id() != actor.principal)
        {
            let proposal = Proposal::MakeToken { workload, scopes: input.scopes, lasts };
            return Ok(TokenMade::Change(self.propose(actor, proposal).await?));
        }
        retry_stale!(self.try_make_token(actor, principal.value.id, &input.scopes, lasts).await)
    }

    async fn try_make_token(
        &self,
        actor: &Actor,
        principal: PrincipalId,
        scopes: &BTreeSet<TokenScope>,
        lasts: Span,
    ) -> Result<TokenMade> {
        let read = self.active(principal).await?.ok_or_else(|| Problem::not_found("principal", principal))?;
        let (secret, hash) = self.new_bearer(TOKEN_PREFIX);
        let now = self.now();
        let id = TokenId::new(now, self.id_bytes());
        let token =
            Token { id, principal, hash, scopes: scopes.clone(), expires: now + lasts, origin: TokenOrigin::Made };
        let mut commit = Commit::default();
        commit.expect(&read);
        self.bound_tokens(principal).await?;
        commit.put(&token);
        let mut ids = vec![("token", id.to_string()), ("principal", principal.to_string())];
        ids.extend(owner_id(principal, read.value.person()));
        if actor.principal != principal {
            ids.push(("by", actor.principal.to_string()));
        }
        let part = self.operational_part(&Made { scopes, expires_us: token.expires.micros() });
        commit.entry(administration(event::TOKEN_MADE, ids, self.region().await?, vec![part]));
        let made = TokenMade::Live { token: Box::new(token), secret };
        Ok(self.commit(commit, made).await?.into_effect())
    }

    /// Plans a token for a workload that somebody else owns: its secret goes to the proposer, and is good once another
    /// administrator has approved. // I12
    pub(crate) async fn plan_token_for(
        &self,
        workload: &Name,
        scopes: &BTreeSet<TokenScope>,
        lasts: Span,
        hand: Hand<'_>,
    ) -> Result<Prepared> {
        check(scopes, lasts)?;
        let read = self.workload_named(workload).await?;
        let id = read.value.id;
        let principal = self.active(id).await?.ok_or_else(|| Problem::not_found("workload", workload))?;
        self.bound_tokens(id).await?;
        let words: Vec<&str> = scopes.iter().map(|s| s.as_str()).collect();
        let mut prepared = Prepared {
            words: vec![format!("make a token for the workload `{workload}`: {}, for {lasts}", words.join(", "))],
            ids: vec![("subject_principal", id.to_string())],
            ..Prepared::default()
        };
        prepared.commit.expect(&principal);
        let now = self.now();
        let (token, hash) = match hand {
            Hand::Second(Kept::Token { id, hash }) => (*id, *hash),
            Hand::Second(Kept::Nothing | Kept::InvitationHalf { .. } | Kept::Bearer { .. } | Kept::Kit { .. })
            | Hand::Alone
            | Hand::First => {
                let (secret, hash) = self.new_bearer(TOKEN_PREFIX);
                let token = TokenId::new(now, self.id_bytes());
                prepared.handed = Handed::Token(secret);
                prepared.kept = Kept::Token { id: token, hash };
                (token, hash)
            }
        };
        prepared.ids.push(("token", token.to_string()));
        let (scopes, expires, origin) = (scopes.clone(), now + lasts, TokenOrigin::Made);
        prepared.commit.put(&Token { id: token, principal: id, hash, scopes, expires, origin });
        Ok(prepared)
    }

    /// One's own tokens, or those of a workload that one owns or may administer.
    ///
    /// # Errors
    /// When there is no such workload, or none that one may see.
    pub async fn tokens(&self, actor: &Actor, workload: Option<&Name>) -> Result<Vec<Token>> {
        let id = match workload {
            None => actor.principal,
            Some(name) => {
                let read = self.workload_named(name).await?;
                if read.value.person() != actor.person && self.may_administer(actor, TOKEN).await.is_err() {
                    return Err(Problem::not_found("workload", name));
                }
                read.value.id
            }
        };
        let found = self.store_ref().find::<Token>(key::PRINCIPAL, &id.to_string()).await?;
        Ok(found.into_iter().map(|t| t.value).collect())
    }

    /// Revokes a token: one's own, one of a workload that one owns, or any where one may administer. A workload's last
    /// token takes its connection secret with it.
    ///
    /// # Errors
    /// When there is no such token, or none that one may see.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<()> {
        retry_stale!(self.try_revoke_token(actor, id).await)
    }

    async fn try_revoke_token(&self, actor: &Actor, id: TokenId) -> Result<()> {
        let missing = || Problem::not_found("token", id);
        let token = self.store_ref().get::<Token>(&id.to_string()).await?.ok_or_else(missing)?;
        let principal = self.principal(token.value.principal).await?.value;
        if principal.person() != actor.person && self.may_administer(actor, TOKEN).await.is_err() {
            return Err(missing());
        }
        let mut commit = Commit::default();
        commit.delete(&token);
        let others = self.store_ref().find::<Token>(key::PRINCIPAL, &principal.id.to_string()).await?;
        if is_workload(&principal) && others.iter().all(|t| t.value.id == id || t.value.expires <= self.now()) {
            self.drop_connection_secret(principal.id, &mut commit).await?;
        }
        let mut ids = vec![("token", id.to_string()), ("principal", principal.id.to_string())];
        ids.extend(owner_id(principal.id, principal.person()));
        if actor.principal != principal.id {
            ids.push(("by", actor.principal.to_string()));
        }
        commit.entry(administration(event::TOKEN_REVOKED, ids, self.region().await?, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    pub(crate) async fn workload_named(&self, name: &Name) -> Result<Read<Principal>> {
        let found = self.store_ref().find::<Principal>(key::NAME, name.as_str()).await?;
        let workload = found.into_iter().find(|p| is_workload(&p.value));
        workload.ok_or_else(|| Problem::not_found("workload", name))
    }

    pub(crate) async fn bound_tokens(&self, principal: PrincipalId) -> Result<()> {
        let held = self.store_ref().find::<Token>(key::PRINCIPAL, &principal.to_string()).await?;
        if held.iter().filter(|t| t.value.origin.is_made() && self.now() < t.value.expires).count() < TOKENS_MOST {
            return Ok(());
        }
        Err(Problem::conflict(
            "too_many_tokens",
            format!("there are {TOKENS_MOST} live tokens already"),
            "revoke those that nobody uses: see `daypass tokens`",
        ))
    }
}

fn is_workload(principal: &Principal) -> bool {
    match principal.kind {
        Kind::User => false,
        Kind::Workload { .. } => true,
    }
}

/// A directory's token speaks for a directory, and for nothing and nobody else.
fn check_scim(input: &TokenInput) -> Result<()> {
    if !input.scopes.contains(&TokenScope::Scim) || (input.workload.is_some() && input.scopes.len() == 1) {
        return Ok(());
    }
    Err(Problem::invalid(
        "scim_alone",
        "a token of the scope `scim` is for a workload, and for nothing else",
        "name the workload that is the directory's connector, and the scope `scim` alone",
    ))
}

fn check(scopes: &BTreeSet<TokenScope>, lasts: Span) -> Result<()> {
    if scopes.is_empty() {
        return Err(Problem::invalid(
            "no_scopes",
            "a token must be for something",
            "name at least one scope: read, request, administer, scim",
        ));
    }
    if lasts == Span::ZERO || lasts > TOKEN_LASTS_MOST {
        return Err(Problem::invalid(
            "bad_lifetime",
            format!("a token is good for at most {TOKEN_LASTS_MOST}"),
            "ask for less, and make a new one in time",
        ));
    }
    Ok(())
}
