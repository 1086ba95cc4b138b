//! SCIM 2.0 (RFC 7643, RFC 7644): directories say who works here. A protocol of its own: its bodies, lists and errors are
//! SCIM's, and it describes itself (`/scim/v2/Schemas`), so the OpenAPI document leaves it out.

mod answer;
mod body;
mod discovery;
mod groups;
mod query;
mod users;

use daypass_app::entry::event;
use daypass_ports::rows::TokenScope;

pub(crate) use answer::{nothing_here, refusal};

use crate::{
    call::Call,
    fault::{Fault, Result},
    route::{Access, Route},
};

/// Where SCIM begins.
pub(crate) const ROOT: &str = "/scim/v2";

const SCIM: Access = Access::Scope(TokenScope::Scim);
const MAKING: &[&str] = &[event::DIRECTORY_USER_MADE];
const CHANGING: &[&str] = &[
    event::DIRECTORY_USER_CHANGED,
    event::DIRECTORY_USER_REMOVED,
    event::PRINCIPAL_DISABLED,
    event::FOUR_EYES,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];
const GROUPING: &[&str] =
    &[event::DIRECTORY_GROUP_CHANGED, event::GRANT_ENDED, event::END_LISTED, event::END_UNKNOWN, event::END_CONFIRMED];

pub(crate) fn routes() -> Vec<Route> {
    let routes = vec![
        Route::get("/scim/v2/ServiceProviderConfig", SCIM, "What this server can", discovery::config),
        Route::get("/scim/v2/ResourceTypes", SCIM, "Kinds of resources", discovery::resource_types),
        Route::get("/scim/v2/ResourceTypes/{id}", SCIM, "A kind of resources", discovery::resource_type),
        Route::get("/scim/v2/Schemas", SCIM, "Schemas", discovery::schemas),
        Route::get("/scim/v2/Schemas/{id}", SCIM, "A schema", discovery::schema),
        Route::get("/scim/v2/Users", SCIM, "Users of the directory", users::list),
        Route::post("/scim/v2/Users", SCIM, "Make a user", users::make).writes(MAKING),
        Route::get("/scim/v2/Users/{id}", SCIM, "A user", users::show),
        Route::put_body("/scim/v2/Users/{id}", SCIM, "Say a user anew", users::replace).writes(CHANGING),
        Route::patch("/scim/v2/Users/{id}", SCIM, "Change a user", users::patch).writes(CHANGING),
        Route::delete("/scim/v2/Users/{id}", SCIM, "A user is gone", users::drop).writes(CHANGING),
        Route::get("/scim/v2/Groups", SCIM, "Groups of the directory", groups::list),
        Route::post("/scim/v2/Groups", SCIM, "Make a group", groups::make).writes(GROUPING),
        Route::get("/scim/v2/Groups/{id}", SCIM, "A group", groups::show),
        Route::put_body("/scim/v2/Groups/{id}", SCIM, "Say a group anew", groups::replace).writes(GROUPING),
        Route::patch("/scim/v2/Groups/{id}", SCIM, "Change a group", groups::patch).writes(GROUPING),
        Route::delete("/scim/v2/Groups/{id}", SCIM, "A group is gone", groups::drop).writes(GROUPING),
        Route::post("/scim/v2/.search", SCIM, "Not here: list users, or groups", search).only_looks(),
    ];
    routes.into_iter().map(Route::for_directories).collect()
}

/// Searching users and groups at once (RFC 7644, 3.4.3) isn't there, and says so.
async fn search(call: Call, _: body::Body) -> Result<answer::Answer> {
    call.app().must_speak(call.actor()?).await?;
    Err(Fault::new(
        axum::http::StatusCode::NOT_IMPLEMENTED,
        "not_implemented",
        "this server doesn't search users and groups at once",
        "GET /Users or /Groups with a `filter`",
    ))
}
