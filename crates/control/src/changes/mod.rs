//! Changes to what decisions read: looking, approving, turning down. // I12

mod approve;

pub(crate) use approve::{WRITES_BY_PAGE, must_be_seen};

use daypass_api::{
    Page,
    changes::{Change, ChangeDetail},
};
use daypass_app::{changes::Which, entry::event};
use daypass_ports::rows::TokenScope::{Administer, Read};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body::{Done, Empty, Json},
    call::Call,
    fault::Result,
    page::{PageQuery, of_all},
    route::{Access::Scope, Route},
    show::changes as shown,
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/changes", Scope(Read), "Changes: those that wait, or all", list)
            .for_administrators()
            .query::<ListQuery>(),
        Route::get("/v1/changes/{id}", Scope(Read), "One change, and what it would do now", show).for_administrators(),
        Route::post(
            "/v1/changes/{id}/approve",
            Scope(Administer),
            "Approve another's change, and do it",
            approve::approve,
        )
        .for_administrators()
        .shows_a_secret()
        .writes(approve::WRITES),
        Route::post("/v1/changes/{id}/reject", Scope(Administer), "Turn a change down, or take one's own back", reject)
            .for_administrators()
            .writes(&[event::CHANGE_ENDED]),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Which: `pending` or `all`.
    #[serde(default)]
    #[param(inline)]
    which: WhichWord,
    /// What the page before said as `next`.
    after: Option<String>,
    /// The most items: 50 when absent, 200 at most.
    most: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum WhichWord {
    #[default]
    Pending,
    All,
}

async fn list(call: Call) -> Result<Json<Page<Change>>> {
    let query: ListQuery = call.query()?;
    let which = match query.which {
        WhichWord::Pending => Which::Pending,
        WhichWord::All => Which::All,
    };
    let mut changes = call.app().changes_list(call.actor()?, which).await?;
    changes.sort_by_key(|c| c.id);
    let page = of_all(changes, |c| c.id.to_string(), &PageQuery { after: query.after, most: query.most });
    let mut items = Vec::with_capacity(page.items.len());
    for change in page.items {
        items.push(shown::change(call.app(), change).await?);
    }
    Ok(Json(Page { items, next: page.next }))
}

async fn show(call: Call) -> Result<Json<ChangeDetail>> {
    let view = call.app().show_change(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::detail(call.app(), view).await?))
}

async fn reject(call: Call, _: Empty) -> Result<Done> {
    call.app().reject_change(call.actor()?, call.id("id")?).await?;
    Ok(Done)
}
