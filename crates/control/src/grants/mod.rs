//! Grants: looking, extending, giving back, taking away.

mod revoke;

use daypass_api::{
    Page,
    grants::{Extend, Grant, Receipt},
    statements::Ran,
};
use daypass_app::{ask::Whose, entry::event};
use daypass_domain::Span;
use daypass_ports::{
    record::Kind,
    rows::{TokenScope, key},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body::{Empty, Json},
    call::Call,
    fault::{Fault, Result},
    page,
    route::{Access::Scope, Route},
    show::{grants as shown, statements},
};

/// What taking away may write: the end is driven on at the target meanwhile.
const ENDS: &[&str] = &[event::GRANT_ENDED, event::END_LISTED, event::END_UNKNOWN, event::END_CONFIRMED];

/// What a run may write: its login and its session, what came of it, and the end of the grant.
const RUNS: &[&str] = &[
    event::LOGIN_BEGUN,
    event::SESSION_OPENED,
    event::STATEMENT_BEGUN,
    event::STATEMENT_OVER,
    event::SESSION_CLOSED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/grants", Scope(TokenScope::Read), "Grants: one's own, or all that one may see", list)
            .query::<WhoseQuery>(),
        Route::get("/v1/grants/{id}", Scope(TokenScope::Read), "One grant", show),
        Route::post("/v1/grants/{id}/extend", Scope(TokenScope::Request), "Move a grant's deadline", extend)
            .writes(&[event::GRANT_EXTENDED, event::REFUSED]),
        Route::post("/v1/grants/{id}/release", Scope(TokenScope::Request), "Give a grant back", release)
            .writes(ENDS)
            .takes_away(),
        Route::post("/v1/grants/{id}/run", Scope(TokenScope::Request), "Run the one statement of a grant, once", run)
            // Its answer holds the target's data, which is kept nowhere.
            .shows_a_secret()
            .writes(RUNS),
        Route::post("/v1/revoke", Scope(TokenScope::Request), "Take access away", revoke::revoke)
            .writes(ENDS)
            .takes_away(),
    ]
}

/// Whose, and which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhoseQuery {
    /// One's own (`mine`), or everybody's as far as one may see them (`all`). A page of `all` may have fewer items than
    /// were asked for and still have a next.
    #[serde(default)]
    #[param(inline)]
    pub whose: WhoseWord,
    /// What the page before said as `next`.
    pub after: Option<String>,
    /// The most items: 50 when absent, 200 at most.
    pub most: Option<u32>,
}

/// Whose are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhoseWord {
    /// One's own.
    #[default]
    Mine,
    /// Everybody's.
    All,
}

impl WhoseWord {
    pub(crate) const fn whose(self) -> Whose {
        match self {
            Self::Mine => Whose::Mine,
            Self::All => Whose::Everybodys,
        }
    }
}

/// The key that somebody's own are found by.
pub(crate) fn holder(whose: Whose, own: &str) -> Option<(&'static str, &str)> {
    match whose {
        Whose::Mine => Some((key::HOLDER, own)),
        Whose::Everybodys => None,
    }
}

async fn list(call: Call) -> Result<Json<Page<Grant>>> {
    let query: WhoseQuery = call.query()?;
    let page = page::asked(query.after, query.most);
    let (actor, whose) = (call.actor()?, query.whose.whose());
    let views = call.app().grants(actor, whose, &page).await?;
    let next = page::next(call.app(), Kind::Grant, holder(whose, &actor.principal.to_string()), &page).await?;
    let mut items = Vec::with_capacity(views.len());
    for view in views {
        items.push(shown::view(call.app(), view).await?);
    }
    Ok(Json(Page { items, next }))
}

async fn show(call: Call) -> Result<Json<Grant>> {
    let view = call.app().grant_shown(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::view(call.app(), view).await?))
}

async fn extend(call: Call, Json(body): Json<Extend>) -> Result<Json<Grant>> {
    if body.by_s == 0 {
        return Err(Fault::invalid("by_s", "to extend by no time is no use", "say by how many seconds"));
    }
    let grant = call.app().extend(call.actor()?, call.id("id")?, Span::from_secs(body.by_s)).await?;
    Ok(Json(shown::bare(call.app(), grant).await?))
}

async fn release(call: Call, _: Empty) -> Result<Json<Receipt>> {
    let receipt = call.app().release(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::receipt(call.app(), receipt).await?))
}

async fn run(call: Call, _: Empty) -> Result<Json<Ran>> {
    let ran = call.app().run_statement(call.actor()?, call.id("id")?).await?;
    Ok(Json(statements::ran(call.app(), ran).await?))
}
