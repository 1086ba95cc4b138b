//! `POST /access/v1/search/...` (Authorization API 1.0, "Subject Search API" and the two after it): who has access now, on
//! what, as which role. Whatever isn't known, or mustn't be told, is not found.

use daypass_api::authzen::{
    Action, ActionSearch, Actions, Page, PageAnswer, Resource, ResourceSearch, Resources, Subject, SubjectSearch,
    Subjects,
};
use daypass_app::authzen::{Found, Paged};
use daypass_domain::Name;

use super::{called, word};
use crate::{body::Json, call::Call, fault::Result};

pub(super) async fn subjects(call: Call, Json(body): Json<SubjectSearch>) -> Result<Json<Subjects>> {
    let resource = called("resource", &body.resource.kind, &body.resource.id)?;
    let (kind, role) = (word("subject.type", &body.subject.kind)?, word("action.name", &body.action.name)?);
    let wanted = body.page.unwrap_or_default();
    let found = call.app().find_subjects(call.actor()?, &kind, &resource, &role, paged(&wanted)).await?;
    let subject = |name: &Name| Subject { kind: kind.clone(), id: name.to_string(), properties: None };
    Ok(Json(Subjects { results: found.names.iter().map(subject).collect(), page: page(&found) }))
}

pub(super) async fn resources(call: Call, Json(body): Json<ResourceSearch>) -> Result<Json<Resources>> {
    let subject = called("subject", &body.subject.kind, &body.subject.id)?;
    let (kind, role) = (word("resource.type", &body.resource.kind)?, word("action.name", &body.action.name)?);
    let wanted = body.page.unwrap_or_default();
    let found = call.app().find_resources(call.actor()?, &subject, &role, &kind, paged(&wanted)).await?;
    let resource = |name: &Name| Resource { kind: kind.clone(), id: name.to_string(), properties: None };
    Ok(Json(Resources { results: found.names.iter().map(resource).collect(), page: page(&found) }))
}

pub(super) async fn actions(call: Call, Json(body): Json<ActionSearch>) -> Result<Json<Actions>> {
    let subject = called("subject", &body.subject.kind, &body.subject.id)?;
    let resource = called("resource", &body.resource.kind, &body.resource.id)?;
    let wanted = body.page.unwrap_or_default();
    let found = call.app().find_actions(call.actor()?, &subject, &resource, paged(&wanted)).await?;
    let action = |name: &Name| Action { name: name.to_string(), properties: None };
    Ok(Json(Actions { results: found.names.iter().map(action).collect(), page: page(&found) }))
}

fn paged(wanted: &Page) -> Paged<'_> {
    Paged { token: wanted.token.as_deref(), limit: wanted.limit.unwrap_or_default() }
}

fn page(found: &Found) -> PageAnswer {
    PageAnswer { next_token: found.next.clone(), count: found.names.len() as u64 }
}
