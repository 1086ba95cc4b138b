//! Notices: the outbox, for administrators, and trying whether notices arrive.

use daypass_api::{
    NoticeId, Page,
    notices::{Notice, Trial, TryNotices},
};
use daypass_app::entry::event;
use daypass_ports::{
    record::Kind,
    rows::TokenScope::{Administer, Read},
};

use crate::{
    body::{Created, Json},
    call::{Call, name},
    fault::Result,
    page::{self, PageQuery},
    route::{Access::Scope, Route},
    show::notices as shown,
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/notices", Scope(Read), "Notices: who was told what, and what came of it", list)
            .for_administrators()
            .query::<PageQuery>(),
        Route::get("/v1/notices/{id}", Scope(Read), "One notice", show).for_administrators(),
        Route::post("/v1/notices/test", Scope(Administer), "Try whether notices reach somebody", trial)
            .for_administrators()
            .writes(&[event::NOTICE_TRIED]),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Notice>>> {
    let query: PageQuery = call.query()?;
    let page = page::asked(query.after, query.most);
    let views = call.app().notices_list(call.actor()?, &page).await?;
    let next = page::next(call.app(), Kind::Notice, None, &page).await?;
    Ok(Json(Page { items: views.into_iter().map(shown::view).collect(), next }))
}

async fn show(call: Call) -> Result<Json<Notice>> {
    Ok(Json(shown::view(call.app().notice_shown(call.actor()?, call.id("id")?).await?)))
}

async fn trial(call: Call, Json(body): Json<TryNotices>) -> Result<Created<Trial>> {
    let to = name("to", &body.to)?;
    let channel = body.channel.as_deref().map(|channel| name("channel", channel)).transpose()?;
    let made = call.app().try_notices(call.actor()?, &to, channel.as_ref()).await?;
    Ok(Created(Trial { notices: made.into_iter().map(NoticeId::of).collect() }))
}
