//! `/scim/v2/Users` (RFC 7643, 4.1).

use daypass_app::{
    Problem,
    directories::{Anew, UserView},
};
use daypass_scim::{Patch, User, schema::USER};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Made},
    body::Body,
    query::{Query, at},
};
use crate::{body::Done, call::Call, fault::Result};

pub(crate) async fn list(call: Call) -> Result<Answer> {
    let query = Query::of(&call)?;
    let place = at(&call);
    let found = match query.filter.as_deref().and_then(only_name) {
        Some(name) => call.app().directory_user_named(call.actor()?, &name).await?,
        None => call.app().directory_users(call.actor()?).await?,
    };
    query.page(found.iter().map(|user| shown(user, &place)).collect())
}

/// The name that a filter asks for, where it asks for nothing else: what directories do before each call.
fn only_name(filter: &str) -> Option<String> {
    let (attribute, rest) = filter.trim().split_once(' ')?;
    let (operator, value) = rest.trim_start().split_once(' ')?;
    if !attribute.eq_ignore_ascii_case("userName") || !operator.eq_ignore_ascii_case("eq") {
        return None;
    }
    serde_json::from_str(value.trim()).ok()
}

pub(crate) async fn show(call: Call) -> Result<Answer> {
    let user = call.app().directory_user(call.actor()?, call.part("id")).await?;
    Ok(Answer(Query::of(&call)?.narrow(shown(&user, &at(&call)))))
}

pub(crate) async fn make(call: Call, Body(body): Body) -> Result<Made> {
    let said = User::read(&body).map_err(Problem::from)?;
    let user = call.app().make_directory_user(call.actor()?, &said).await?;
    Ok(Made(shown(&user, &at(&call))))
}

pub(crate) async fn replace(call: Call, Body(body): Body) -> Result<Answer> {
    change(call, Anew::Whole(User::read(&body).map_err(Problem::from)?)).await
}

pub(crate) async fn patch(call: Call, Body(body): Body) -> Result<Answer> {
    change(call, Anew::Patch(Patch::read(&body).map_err(Problem::from)?)).await
}

async fn change(call: Call, anew: Anew<User>) -> Result<Answer> {
    let user = call.app().change_directory_user(call.actor()?, call.part("id"), &anew).await?;
    Ok(Answer(Query::of(&call)?.narrow(shown(&user, &at(&call)))))
}

pub(crate) async fn drop(call: Call) -> Result<Done> {
    call.app().drop_directory_user(call.actor()?, call.part("id")).await?;
    Ok(Done)
}

fn shown(user: &UserView, at: &str) -> Value {
    let mut shown = user.said.show();
    shown.insert("schemas".into(), json!([USER]));
    shown.insert("id".into(), user.id.to_string().into());
    let meta = json!({
        "resourceType": "User",
        "created": user.made.to_string(),
        "lastModified": user.changed.to_string(),
        "location": format!("{at}/Users/{}", user.id),
    });
    shown.insert("meta".into(), meta);
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::only_name;

    #[test]
    fn only_a_filter_of_a_name_alone_is_looked_up() {
        assert_eq!(only_name(r#"userName eq "alice@example.com""#).as_deref(), Some("alice@example.com"));
        assert_eq!(only_name(r#" USERNAME Eq  "a\"b" "#).as_deref(), Some("a\"b"));
        for other in [
            r#"userName eq "alice" and active eq true"#,
            r#"userName ne "alice""#,
            r#"userName eq alice"#,
            "userName",
            "",
        ] {
            assert_eq!(only_name(other), None, "{other}");
        }
    }
}
