//! Whose word is taken for who somebody is. // I12

use daypass_api::{
    Mode,
    changes::{Outcome, Proposed},
    identity::{ApplyTrust, Trust},
};
use daypass_app::{changes, entry::event};
use daypass_ports::rows::TokenScope::Administer;

use crate::{
    body::Json,
    call::Call,
    fault::Result,
    route::{Access::Scope, Route},
    show,
};

/// What declaring may write.
const WRITES: &[&str] = &[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/trust", Scope(Administer), "Whose word is taken for who somebody is", shown)
            .for_administrators(),
        Route::post(
            "/v1/trust/apply",
            Scope(Administer),
            "Declare whose word is taken, or say what that would do",
            apply,
        )
        .for_administrators()
        .takes_documents()
        .writes(WRITES),
    ]
}

async fn shown(call: Call) -> Result<Json<Trust>> {
    Ok(Json(Trust { text: call.app().trust_document(call.actor()?).await? }))
}

async fn apply(call: Call, Json(body): Json<ApplyTrust>) -> Result<Json<Proposed>> {
    let mode = match body.mode {
        Mode::Plan => changes::Mode::DryRun,
        Mode::Apply => changes::Mode::Apply,
    };
    let applied = call.app().apply_trust(call.actor()?, &body.file, &body.text, mode).await?;
    let mut shown = show::changes::proposed(applied);
    if body.mode == Mode::Plan && !shown.plan.is_empty() {
        shown.outcome = Outcome::Planned;
    }
    Ok(Json(shown))
}
