//! Emergency kits: made and sealed anew as changes, looked at, reviewed, taken away.

use daypass_api::{
    Page,
    changes::Proposed,
    emergency::{EmergencyKit, KitHolder, MakeKit, ReviewKit, RotateKit},
};
use daypass_app::{changes::Proposal, emergency, entry::event};
use daypass_ports::rows::TokenScope::{Administer, Read};

use crate::{
    body::Json,
    call::{Call, name},
    fault::{Fault, Result},
    page::{PageQuery, of_all},
    people::propose,
    route::{Access::Scope, Route},
    show::{changes, emergency as shown},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/emergency-kits", Scope(Read), "Logins for when Daypass is down, and who opens them", list)
            .for_administrators()
            .query::<PageQuery>(),
        Route::get("/v1/emergency-kits/{id}", Scope(Read), "One emergency kit", show).for_administrators(),
        Route::post("/v1/emergency-kits", Scope(Administer), "Make an emergency kit, sealed to two people", make)
            .for_administrators()
            .shows_a_secret()
            .writes(&[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED, event::KIT_SEALED]),
        Route::post("/v1/emergency-kits/{id}/rotate", Scope(Administer), "Seal an emergency kit anew", rotate)
            .for_administrators()
            .shows_a_secret()
            .writes(&[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED, event::KIT_SEALED]),
        Route::post("/v1/emergency-kits/{id}/review", Scope(Administer), "Review the use of an emergency kit", review)
            .for_administrators()
            .writes(&[event::KIT_REVIEWED]),
        Route::delete("/v1/emergency-kits/{id}", Scope(Administer), "Take an emergency kit away", remove)
            .for_administrators()
            .writes(&[event::KIT_REMOVED, event::KIT_LISTED, event::KIT_UNKNOWN, event::KIT_GONE]),
    ]
}

async fn list(call: Call) -> Result<Json<Page<EmergencyKit>>> {
    let query: PageQuery = call.query()?;
    let all = call.app().emergency_kits(call.actor()?).await?.into_iter().map(shown::view).collect();
    Ok(Json(of_all(all, |kit: &EmergencyKit| kit.id.to_string(), &query)))
}

async fn show(call: Call) -> Result<Json<EmergencyKit>> {
    Ok(Json(shown::view(call.app().emergency_kit(call.actor()?, call.id("id")?).await?)))
}

async fn make(call: Call, Json(body): Json<MakeKit>) -> Result<Json<Proposed>> {
    let roles = body.roles.iter().map(|role| name("roles", role)).collect::<Result<_>>()?;
    let holders = two(&body.to)?;
    propose(&call, Proposal::MakeKit { resource: name("resource", &body.resource)?, roles, holders }).await
}

async fn rotate(call: Call, Json(body): Json<RotateKit>) -> Result<Json<Proposed>> {
    let to = if body.to.is_empty() { None } else { Some(two(&body.to)?) };
    Ok(Json(changes::proposed(call.app().rotate_kit(call.actor()?, call.id("id")?, to).await?)))
}

async fn review(call: Call, Json(body): Json<ReviewKit>) -> Result<Json<EmergencyKit>> {
    let kit = call.app().review_kit(call.actor()?, call.id("id")?, &body.words).await?;
    Ok(Json(shown::view(call.app().kit_view(kit).await?)))
}

async fn remove(call: Call) -> Result<Json<EmergencyKit>> {
    let kit = call.app().remove_kit(call.actor()?, call.id("id")?).await?;
    Ok(Json(shown::view(call.app().kit_view(kit).await?)))
}

fn two(to: &[KitHolder]) -> Result<[emergency::KitHolder; 2]> {
    let [one, other] = to else {
        let what = format!("a kit is sealed to two people, and {} are named", to.len());
        return Err(Fault::invalid("to", what, "name two different people, each with their own key"));
    };
    let holder = |holder: &KitHolder| -> Result<emergency::KitHolder> {
        Ok(emergency::KitHolder { user: name("to", &holder.user)?, recipient: holder.recipient.clone() })
    };
    Ok([holder(one)?, holder(other)?])
}
