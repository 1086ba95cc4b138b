//! `GET /v1/requests`: one's own, or those that wait for one's answer; the newest first.

use daypass_api::{
    Page,
    requests::{Request, WhichRequests},
};
use daypass_app::ask::Requests;
use daypass_ports::{record::Kind, rows::key};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{body::Json, call::Call, fault::Result, page, show};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Which: `mine` or `to_answer`.
    #[serde(default)]
    #[param(inline)]
    which: WhichRequests,
    /// What the page before said as `next`.
    after: Option<String>,
    /// The most items: 50 when absent, 200 at most. A page of `to_answer` may have fewer and still have a next.
    most: Option<u32>,
}

pub(super) async fn list(call: Call) -> Result<Json<Page<Request>>> {
    let query: ListQuery = call.query()?;
    let page = page::asked(query.after, query.most);
    let actor = call.actor()?;
    let mine = actor.principal.to_string();
    let (which, by) = match query.which {
        WhichRequests::Mine => (Requests::Mine, (key::REQUESTER, mine.as_str())),
        WhichRequests::ToAnswer => (Requests::ToAnswer, (key::STATE, "pending")),
    };
    let views = call.app().requests(actor, which, &page).await?;
    let next = page::next(call.app(), Kind::Request, Some(by), &page).await?;
    let mut items = Vec::with_capacity(views.len());
    for view in views {
        items.push(show::requests::view(call.app(), view).await?);
    }
    Ok(Json(Page { items, next }))
}
