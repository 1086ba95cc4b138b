//! Declaring directories. What they then say comes over SCIM.

use daypass_api::{
    Page,
    changes::Proposed,
    directories::{DeclareDirectory, Directory},
};
use daypass_app::{changes::Proposal, directories::DirectoryView, entry::event};
use daypass_ports::rows::TokenScope::{Administer, Read};

use crate::{
    body::Json,
    call::{Call, name},
    fault::Result,
    page::{PageQuery, of_all},
    people::propose,
    route::{Access::Scope, Route},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/directories", Scope(Read), "Directories that say who works here", list)
            .for_administrators()
            .query::<PageQuery>(),
        Route::post("/v1/directories", Scope(Administer), "Declare a directory, or declare it otherwise", declare)
            .for_administrators()
            .writes(&[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED]),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Directory>>> {
    let query: PageQuery = call.query()?;
    let shown = |directory: DirectoryView| Directory {
        name: directory.name.to_string(),
        connector: directory.connector.to_string(),
        groups: directory.groups.iter().map(ToString::to_string).collect(),
        users: directory.users as u64,
    };
    let all = call.app().directories(call.actor()?).await?.into_iter().map(shown).collect();
    Ok(Json(of_all(all, |directory: &Directory| directory.name.clone(), &query)))
}

async fn declare(call: Call, Json(body): Json<DeclareDirectory>) -> Result<Json<Proposed>> {
    let groups = body.groups.iter().map(|group| name("groups", group)).collect::<Result<_>>()?;
    let (name, connector) = (name("name", &body.name)?, name("connector", &body.connector)?);
    propose(&call, Proposal::DeclareDirectory { name, connector, groups }).await
}
