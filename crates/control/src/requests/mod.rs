//! Asking for access, and answering.

mod approve;
mod confirm;
mod list;
mod make;
mod show;

pub(crate) use make::purpose;

use daypass_api::requests::{Deny, Request};
use daypass_app::entry::event;
use daypass_policy::Missing;
use daypass_ports::rows::TokenScope::{Read, Request as Ask};

use crate::{
    body::{Empty, Json},
    call::Call,
    fault::Result,
    route::{Access::Scope, Route},
    show::requests as shown,
};

/// What taking an approval back may write: a grant that rests on it ends, and the end is driven on at the target meanwhile.
const UNDOES: &[&str] = &[
    event::APPROVAL_WITHDRAWN,
    event::REJUDGED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

/// What a look may write: a grant of its own, its login and its session, what the target said, and its end.
const LOOKS: &[&str] = &[
    event::LOOK_GIVEN,
    event::LOGIN_BEGUN,
    event::SESSION_OPENED,
    event::STATEMENT_BEGUN,
    event::STATEMENT_OVER,
    event::LOOKED,
    event::SESSION_CLOSED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
    event::EVIDENCE_READ,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/requests", Scope(Read), "Requests: one's own, or those that wait for one's answer", list::list)
            .query::<list::ListQuery>(),
        Route::post("/v1/requests", Scope(Ask), "Ask for a role on a resource", make::make).writes(&[
            event::REQUESTED,
            event::GRANT_ACTIVATED,
            event::GRANT_SCHEDULED,
        ]),
        Route::post("/v1/explain", Scope(Read), "Judge what would be asked, without asking", make::explain)
            .only_looks(),
        Route::get(
            "/v1/requests/{id}",
            Scope(Read),
            "One request; waits until it is answered, when asked to",
            show::show,
        )
        .query::<show::ShowQuery>()
        .writes(&[event::EVIDENCE_READ]),
        Route::post("/v1/requests/{id}/approve", Scope(Ask), "Say yes, perhaps to less", approve::approve)
            .for_people()
            .writes(&[event::APPROVED, event::REJUDGED, event::GRANT_ACTIVATED, event::GRANT_SCHEDULED]),
        Route::post("/v1/requests/{id}/confirm", Scope(Ask), "Stand by what one's own workload asks", confirm::confirm)
            .for_people()
            .writes(&[event::CONFIRMED, event::REJUDGED, event::GRANT_ACTIVATED, event::GRANT_SCHEDULED]),
        Route::post("/v1/requests/{id}/withdraw-approval", Scope(Ask), "Take one's yes back", withdraw_approval)
            .for_people()
            .writes(UNDOES),
        Route::post("/v1/requests/{id}/deny", Scope(Ask), "Say no, with a note", deny)
            .for_people()
            .writes(&[event::DENIED]),
        Route::post("/v1/requests/{id}/look", Scope(Ask), "Have the target estimate its statement", look)
            .for_people()
            .writes(LOOKS),
        Route::post("/v1/requests/{id}/withdraw", Scope(Ask), "Take one's request back", withdraw)
            .writes(&[event::WITHDRAWN]),
    ]
}

async fn deny(call: Call, Json(body): Json<Deny>) -> Result<Json<Request>> {
    let request = call.app().deny(call.actor()?, call.id("id")?, &body.note).await?;
    Ok(Json(shown::bare(call.app(), request, Missing::default()).await?))
}

async fn look(call: Call, _: Empty) -> Result<Json<Request>> {
    let view = call.app().look(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::view(call.app(), view).await?))
}

async fn withdraw(call: Call, _: Empty) -> Result<Json<Request>> {
    let request = call.app().withdraw(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::bare(call.app(), request, Missing::default()).await?))
}

async fn withdraw_approval(call: Call, _: Empty) -> Result<Json<Request>> {
    let request = call.app().withdraw_approval(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::bare(call.app(), request, Missing::default()).await?))
}
