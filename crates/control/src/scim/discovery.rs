//! What the server says of itself (RFC 7644, 4).

use daypass_app::Problem;
use daypass_scim::schema;
use serde_json::Value;

use super::{
    answer::{Answer, page},
    query::at,
};
use crate::{call::Call, fault::Result};

pub(crate) async fn config(call: Call) -> Result<Answer> {
    call.app().must_speak(call.actor()?).await?;
    Ok(Answer(schema::service_provider_config(&at(&call))))
}

pub(crate) async fn resource_types(call: Call) -> Result<Answer> {
    call.app().must_speak(call.actor()?).await?;
    Ok(all(schema::resource_types(&at(&call))))
}

pub(crate) async fn resource_type(call: Call) -> Result<Answer> {
    call.app().must_speak(call.actor()?).await?;
    one(schema::resource_types(&at(&call)), "resource type", call.part("id"))
}

pub(crate) async fn schemas(call: Call) -> Result<Answer> {
    call.app().must_speak(call.actor()?).await?;
    Ok(all(schema::schemas(&at(&call))))
}

pub(crate) async fn schema(call: Call) -> Result<Answer> {
    call.app().must_speak(call.actor()?).await?;
    one(schema::schemas(&at(&call)), "schema", call.part("id"))
}

fn all(of: Vec<Value>) -> Answer {
    let total = of.len();
    page(of, total, 1)
}

fn one(of: Vec<Value>, kind: &'static str, id: &str) -> Result<Answer> {
    let found = of.into_iter().find(|shown| shown["id"] == id).map(Answer);
    Ok(found.ok_or_else(|| Problem { next: String::new(), ..Problem::not_found(kind, id) })?)
}
