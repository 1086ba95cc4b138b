//! Groups.

use daypass_api::{
    GroupId, Page,
    changes::Proposed,
    people::{Group, NewGroup},
};
use daypass_app::{changes::Proposal, entry::event};
use daypass_ports::rows::TokenScope::{Administer, Read};

use crate::{
    body::{Created, Json},
    call::{Call, name},
    fault::Result,
    page::{PageQuery, of_all},
    people::propose,
    route::{Access::Scope, Route},
    show::{changes, names},
};

const CHANGES: &[&str] = &[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED];
const JOINING: &[&str] = &[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED, event::FOUR_EYES];
const LEAVING: &[&str] = &[
    event::CHANGE_COMMITTED,
    event::CHANGE_PROPOSED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/groups", Scope(Read), "Groups: all, or those that one is in", list).query::<PageQuery>(),
        Route::post("/v1/groups", Scope(Administer), "Make an empty group", make).for_administrators().writes(CHANGES),
        Route::delete("/v1/groups/{name}", Scope(Administer), "Delete a group", delete)
            .for_administrators()
            .writes(LEAVING),
        Route::put("/v1/groups/{name}/members/{principal}", Scope(Administer), "Put somebody into a group", join)
            .for_administrators()
            .writes(JOINING),
        Route::delete(
            "/v1/groups/{name}/members/{principal}",
            Scope(Administer),
            "Take somebody out of a group",
            leave,
        )
        .for_administrators()
        .writes(LEAVING),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Group>>> {
    let query: PageQuery = call.query()?;
    let group = |g: daypass_app::people::GroupView| Group {
        id: GroupId::of(g.id),
        name: g.name.to_string(),
        members: names(&g.members),
    };
    let all = call.app().groups(call.actor()?).await?.into_iter().map(group).collect();
    Ok(Json(of_all(all, |g: &Group| g.name.clone(), &query)))
}

async fn make(call: Call, Json(body): Json<NewGroup>) -> Result<Created<Group>> {
    let name = name("name", &body.name)?;
    let id = call.app().create_group(call.actor()?, &name).await?;
    Ok(Created(Group { id: GroupId::of(id), name: name.to_string(), members: Vec::new() }))
}

async fn delete(call: Call) -> Result<Json<Proposed>> {
    Ok(Json(changes::proposed(call.app().delete_group(call.actor()?, &call.name("name")?).await?)))
}

async fn join(call: Call) -> Result<Json<Proposed>> {
    let (group, member) = (call.name("name")?, call.name("principal")?);
    propose(&call, Proposal::AddMember { group, member }).await
}

async fn leave(call: Call) -> Result<Json<Proposed>> {
    let (group, member) = (call.name("name")?, call.name("principal")?);
    Ok(Json(changes::proposed(call.app().remove_member(call.actor()?, &group, &member).await?)))
}
