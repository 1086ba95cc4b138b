//! API tokens. Their secrets are shown once, so their making takes no idempotency key.

use daypass_api::{
    Page, TokenId,
    tokens::{NewToken, Token, TokenMade, TokenScope as Shown},
};
use daypass_app::{
    entry::event,
    tokens::{TokenInput, TokenMade as Made},
};
use daypass_domain::Span;
use daypass_ports::rows::{self, TokenScope};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body::{Created, Done, Json},
    call::{Call, name},
    fault::Result,
    page::{PageQuery, of_all},
    route::{Access::Scope, Route},
    show::{changes, time},
    signin::shown,
};

/// Each scope, and how it is shown.
pub(crate) const SCOPES: [(TokenScope, Shown); 5] = [
    (TokenScope::Read, Shown::Read),
    (TokenScope::Request, Shown::Request),
    (TokenScope::Administer, Shown::Administer),
    (TokenScope::Scim, Shown::Scim),
    (TokenScope::Decide, Shown::Decide),
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/tokens", Scope(TokenScope::Read), "Tokens: one's own, or a workload's", list)
            .query::<ListQuery>(),
        Route::post("/v1/tokens", Scope(TokenScope::Read), "Make a token", make)
            .for_people()
            .shows_a_secret()
            .writes(&[event::TOKEN_MADE, event::CHANGE_COMMITTED, event::CHANGE_PROPOSED]),
        Route::delete("/v1/tokens/{id}", Scope(TokenScope::Request), "Revoke a token", revoke)
            .writes(&[event::TOKEN_REVOKED]),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Of this workload; one's own when absent.
    workload: Option<String>,
    /// What the page before said as `next`.
    after: Option<String>,
    /// The most items: 50 when absent, 200 at most.
    most: Option<u32>,
}

fn token(token: &rows::Token) -> Token {
    let scopes = SCOPES.iter().filter(|(scope, _)| token.scopes.contains(scope)).map(|(_, shown)| *shown);
    Token { id: TokenId::of(token.id), scopes: scopes.collect(), expires: time(token.expires) }
}

async fn list(call: Call) -> Result<Json<Page<Token>>> {
    let query: ListQuery = call.query()?;
    let workload = query.workload.as_deref().map(|w| name("workload", w)).transpose()?;
    let mut tokens = call.app().tokens(call.actor()?, workload.as_ref()).await?;
    tokens.sort_by_key(|t| t.id);
    let tokens = tokens.iter().map(token).collect();
    Ok(Json(of_all(tokens, |t| t.id.to_string(), &PageQuery { after: query.after, most: query.most })))
}

async fn make(call: Call, Json(body): Json<NewToken>) -> Result<Created<TokenMade>> {
    let scopes = SCOPES.iter().filter(|(_, shown)| body.scopes.contains(shown)).map(|(scope, _)| *scope);
    let input = TokenInput {
        workload: body.workload.as_deref().map(|w| name("workload", w)).transpose()?,
        scopes: scopes.collect(),
        lasts: body.lasts_s.map(Span::from_secs),
    };
    // Whoever is barred until they enrol a second factor makes nothing that outlives it.
    call.caller()?.may(TokenScope::Request)?;
    Ok(Created(match call.app().make_token(call.actor()?, input).await? {
        Made::Live { token: made, secret } => TokenMade::Live { token: token(&made), secret: shown(&secret) },
        Made::Change(proposed) => TokenMade::Change { proposed: changes::proposed(proposed) },
    }))
}

async fn revoke(call: Call) -> Result<Done> {
    let id: daypass_domain::TokenId = call.id("id")?;
    // Where there is no such token, the use case says so.
    if let Some(token) = call.app().store().get::<rows::Token>(&id.to_string()).await? {
        call.own_or_administers(call.app().principal(token.value.principal).await?.value.person())?;
    }
    call.app().revoke_token(call.actor()?, id).await?;
    Ok(Done)
}
