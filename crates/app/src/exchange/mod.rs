//! A workload shows who it is by a token of its own (RFC 8693) or by a certificate of SPIFFE's, and gets a token of ours for
//! a while: nothing is stored where it runs.
//!
//! Who is which workload is declared (see [`crate::trust`]), and `believe` finds it. What was said, of what policy reads, is
//! kept with ours, and frozen into whatever is asked by it (I2). Like every token, it never approves (I8).

mod believe;

use std::{collections::BTreeSet, net::IpAddr};

use daypass_domain::{
    Digest, Name, PrincipalId, Span, TokenId,
    principal::{Actor, Via},
    trust::Attributes,
};
use daypass_ports::{
    record::Commit,
    rows::{Token, TokenOrigin, TokenScope, key},
    secret::Secret,
};
use serde::Serialize;

use self::believe::Believed;
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

/// What a workload shows who it is by.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A token of its own: its platform's, or a JWT-SVID.
    Token(Secret),
    /// An X.509-SVID: the chain that it showed in the handshake, its own certificate first, DER. Whoever makes one has seen
    /// that it holds the key.
    Certificates(Vec<Vec<u8>>),
}

/// What a workload brings.
#[derive(Debug, Clone)]
pub struct ExchangeInput {
    /// What it shows.
    pub proof: Proof,
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
    subject: &'a str,
    claims: &'a Attributes,
}

impl App {
    /// A token of ours for what a workload shows.
    ///
    /// # Errors
    /// When what it shows is no good, nobody declared whose it is, or its issuer's keys can't be had.
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
        let now = self.now();
        let Believed { workload: name, trust, attributes, issuer, subject, bound } =
            self.believe(input, &mut commit).await?;
        let workload = self.workload_named(&name).await?.value.id;
        let principal = self
            .active(workload)
            .await?
            .ok_or_else(|| refused(format!("the workload `{name}`, or the user who answers for it, is disabled")))?;
        commit.expect(&principal);
        self.bound_exchanged(workload, &mut commit).await?;
        let (secret, hash) = self.new_bearer(TOKEN_PREFIX);
        let said = Said { peer: input.peer, issuer: &issuer, subject: &subject, claims: &attributes };
        let part = self.subject_part(workload, &said);
        // What is bound to a certificate is good no longer than it.
        let lasts = bound.as_ref().map_or(EXCHANGED_LASTS, |bound| EXCHANGED_LASTS.min(bound.ends.since(now)));
        let certificate: Option<Digest> = bound.map(|bound| bound.certificate);
        let origin = TokenOrigin::Exchanged { trust, claims: attributes, certificate };
        let scopes = BTreeSet::from(SCOPES);
        let id = TokenId::new(now, self.id_bytes());
        let expires = now + lasts;
        commit.put(&Token { id, principal: workload, hash, scopes: scopes.clone(), expires, origin });
        let mut ids = vec![("token", id.to_string()), ("principal", workload.to_string())];
        ids.extend(owner_id(workload, principal.value.person()));
        commit.entry(administration(event::TOKEN_EXCHANGED, ids, self.region().await?, vec![part]));
        let exchanged = Exchanged { workload: name, token: secret, scopes, lasts };
        Ok(self.commit(commit, exchanged).await?.into_effect())
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
