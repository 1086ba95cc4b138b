//! Resources: what there is to ask for, how it is declared, whether it can be done, and who could have it.

mod apply;

use daypass_api::{
    Page,
    policy::Prospect,
    resources::{Finding, Resource, ResourceDetail},
};
use daypass_app::ProblemKind;
use daypass_ports::rows::TokenScope::{Administer, Read};

use crate::{
    body::Json,
    call::Call,
    fault::{Fault, Result},
    page::{PageQuery, of_all},
    route::{Access::Scope, Route},
    show::{policy, resources as shown},
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/resources", Scope(Read), "What there is to ask for", list).query::<PageQuery>(),
        Route::get("/v1/resources/{name}", Scope(Read), "One resource; with its document, for who may change it", show),
        Route::post(
            "/v1/resources/apply",
            Scope(Administer),
            "Apply declarations, or say what that would do",
            apply::apply,
        )
        .for_administrators()
        .takes_documents()
        .writes(apply::WRITES),
        Route::get(
            "/v1/resources/{name}/doctor",
            Scope(Administer),
            "Whether Daypass can do there what it must",
            doctor,
        )
        .for_administrators(),
        Route::get("/v1/resources/{name}/who", Scope(Read), "Who could have what, by the same evaluator", who)
            .for_administrators()
            .query::<PageQuery>(),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Resource>>> {
    let query: PageQuery = call.query()?;
    let all = call.app().resources().await?.iter().map(shown::resource).collect();
    Ok(Json(of_all(all, |r: &Resource| r.name.clone(), &query)))
}

async fn show(call: Call) -> Result<Json<ResourceDetail>> {
    let name = call.name("name")?;
    let resource = shown::resource(&call.app().resource_named(name.as_str()).await?.value);
    let toml = match call.app().export_resource(call.actor()?, name.as_str()).await {
        Ok(text) => Some(text),
        // It says where the target is and by which credential: only for whoever may change that.
        Err(problem) if problem.kind == ProblemKind::NotAllowed => None,
        Err(problem) => return Err(problem.into()),
    };
    Ok(Json(ResourceDetail { resource, toml }))
}

async fn doctor(call: Call) -> Result<Json<Page<Finding>>> {
    let found = call.app().doctor(call.actor()?, call.name("name")?.as_str()).await?;
    Ok(Json(Page { items: found.into_iter().map(shown::finding).collect(), next: None }))
}

async fn who(call: Call) -> Result<Json<Page<Prospect>>> {
    let query: PageQuery = call.query()?;
    let mut all: Vec<Prospect> = call
        .app()
        .who(call.actor()?, call.name("name")?.as_str())
        .await
        .map_err(Fault::from)?
        .iter()
        .map(policy::prospect)
        .collect();
    let key = |p: &Prospect| format!("{} {}", p.name, p.role);
    all.sort_by_key(key);
    Ok(Json(of_all(all, key, &query)))
}
