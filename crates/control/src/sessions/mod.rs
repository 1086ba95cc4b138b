//! Sessions: who, when, how much; never what was said.

use daypass_api::{Page, sessions::Session};
use daypass_app::entry::event;
use daypass_domain::{SessionId, session};
use daypass_ports::{record::Kind, rows::TokenScope};

use crate::{
    body::{Done, Empty, Json},
    call::Call,
    fault::Result,
    grants::{WhoseQuery, holder},
    page,
    route::{Access::Scope, Route},
    show::sessions as shown,
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions", Scope(TokenScope::Read), "Sessions: one's own, or all that one may see", list)
            .query::<WhoseQuery>(),
        Route::get("/v1/sessions/{id}", Scope(TokenScope::Read), "One session", show),
        Route::post("/v1/sessions/{id}/kill", Scope(TokenScope::Request), "End one session, and leave its grant", kill)
            .takes_away()
            .writes(&[event::SESSION_KILLED, event::SESSION_CLOSED]),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Session>>> {
    let query: WhoseQuery = call.query()?;
    let page = page::asked(query.after, query.most);
    let (actor, whose) = (call.actor()?, query.whose.whose());
    let views = call.app().sessions(actor, whose, &page).await?;
    let next = page::next(call.app(), Kind::Session, holder(whose, &actor.principal.to_string()), &page).await?;
    Ok(Json(Page { items: views.into_iter().map(shown::view).collect(), next }))
}

async fn show(call: Call) -> Result<Json<Session>> {
    Ok(Json(shown::view(call.app().session_shown(call.actor()?, call.id("id")?).await?)))
}

async fn kill(call: Call, _: Empty) -> Result<Done> {
    let id: SessionId = call.id("id")?;
    // Where there is no such session, the use case says so.
    if let Some(session) = call.app().store().get::<session::Session>(&id.to_string()).await? {
        call.own_or_administers(call.app().principal(session.value.principal).await?.value.person())?;
    }
    call.app().kill_session(call.actor()?, id, "").await?;
    Ok(Done)
}
