//! `/scim/v2/Groups` (RFC 7643, 4.2).

use daypass_app::{
    Problem,
    directories::{Anew, GroupView},
};
use daypass_scim::{Group, Patch, schema::GROUP};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Made},
    body::Body,
    query::{Query, at},
};
use crate::{body::Done, call::Call, fault::Result};

pub(crate) async fn list(call: Call) -> Result<Answer> {
    let place = at(&call);
    let groups = call.app().directory_groups(call.actor()?).await?;
    Query::of(&call)?.page(groups.iter().map(|group| shown(group, &place)).collect())
}

pub(crate) async fn show(call: Call) -> Result<Answer> {
    let group = call.app().directory_group(call.actor()?, call.part("id")).await?;
    Ok(Answer(Query::of(&call)?.narrow(shown(&group, &at(&call)))))
}

pub(crate) async fn make(call: Call, Body(body): Body) -> Result<Made> {
    let said = Group::read(&body).map_err(Problem::from)?;
    let group = call.app().make_directory_group(call.actor()?, &said).await?;
    Ok(Made(shown(&group, &at(&call))))
}

pub(crate) async fn replace(call: Call, Body(body): Body) -> Result<Answer> {
    change(call, Anew::Whole(Group::read(&body).map_err(Problem::from)?)).await
}

pub(crate) async fn patch(call: Call, Body(body): Body) -> Result<Answer> {
    change(call, Anew::Patch(Patch::read(&body).map_err(Problem::from)?)).await
}

async fn change(call: Call, anew: Anew<Group>) -> Result<Answer> {
    let group = call.app().change_directory_group(call.actor()?, call.part("id"), &anew).await?;
    Ok(Answer(Query::of(&call)?.narrow(shown(&group, &at(&call)))))
}

pub(crate) async fn drop(call: Call) -> Result<Done> {
    call.app().drop_directory_group(call.actor()?, call.part("id")).await?;
    Ok(Done)
}

fn shown(group: &GroupView, at: &str) -> Value {
    let mut shown = group.said.show();
    for member in shown.get_mut("members").and_then(Value::as_array_mut).into_iter().flatten() {
        let place = format!("{at}/Users/{}", member["value"].as_str().unwrap_or_default());
        member["$ref"] = place.into();
    }
    shown.insert("schemas".into(), json!([GROUP]));
    shown.insert("id".into(), group.id.to_string().into());
    let meta = json!({
        "resourceType": "Group",
        "created": group.made.to_string(),
        "lastModified": group.changed.to_string(),
        "location": format!("{at}/Groups/{}", group.id),
    });
    shown.insert("meta".into(), meta);
    Value::Object(shown)
}
