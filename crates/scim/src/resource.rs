//! Users and groups, as a directory says them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    MEMBERS_MOST, TEXT_MOST,
    path::{GroupAttribute, Target, UserAttribute},
    refusal::{Kind, Refusal, Result, quoted},
};

/// What a directory says of a user (RFC 7643, 4.1): as much as is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// What the directory calls them: often a mail address. One in a directory, whatever the case of its letters.
    pub user_name: String,
    /// The directory's own id for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Their name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether they may act.
    pub active: bool,
}

/// What a directory says of a group (RFC 7643, 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, for people.
    pub display_name: String,
    /// The directory's own id for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The ids of the users in it.
    pub members: BTreeSet<String>,
}

impl User {
    /// Reads the body of a POST or a PUT: what it leaves out is as if it had never been said, and nobody is inactive
    /// unless it is said.
    ///
    /// # Errors
    /// When it is no user, or a value doesn't fit.
    pub fn read(body: &Value) -> Result<Self> {
        let mut user = Self { user_name: String::new(), external_id: None, display_name: None, active: true };
        for (key, value) in object(body)? {
            if let Some(attribute) = Target::of_key(key).of_user() {
                user.set(attribute, value)?;
            }
        }
        user.check()
    }

    /// With an attribute set; null takes its value away (RFC 7643, 2.5).
    pub(crate) fn set(&mut self, attribute: UserAttribute, value: &Value) -> Result<()> {
        match attribute {
            UserAttribute::UserName => self.user_name = text("userName", value)?.unwrap_or_default(),
            UserAttribute::ExternalId => self.external_id = text("externalId", value)?,
            UserAttribute::DisplayName => self.display_name = text("displayName", value)?,
            UserAttribute::Active => self.active = truth(value)?,
            UserAttribute::NotKept | UserAttribute::ReadOnly => {}
        }
        Ok(())
    }

    pub(crate) fn check(self) -> Result<Self> {
        if self.user_name.trim().is_empty() {
            return Err(Refusal::new(Kind::InvalidValue, "a user must have a `userName`"));
        }
        Ok(self)
    }

    /// As JSON, without what the server adds (`id`, `meta`, `schemas`).
    #[must_use]
    pub fn show(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("userName".into(), self.user_name.clone().into());
        shown.insert("active".into(), self.active.into());
        put(&mut shown, "externalId", self.external_id.as_deref());
        put(&mut shown, "displayName", self.display_name.as_deref());
        shown
    }
}

impl Group {
    /// Reads the body of a POST or a PUT.
    ///
    /// # Errors
    /// When it is no group, or a value doesn't fit.
    pub fn read(body: &Value) -> Result<Self> {
        let mut group = Self { display_name: String::new(), external_id: None, members: BTreeSet::new() };
        for (key, value) in object(body)? {
            match Target::of_key(key).of_group() {
                Some(GroupAttribute::Members) => group.members = members(value)?,
                Some(attribute) => group.set(attribute, value)?,
                None => {}
            }
        }
        group.check()
    }

    pub(crate) fn set(&mut self, attribute: GroupAttribute, value: &Value) -> Result<()> {
        match attribute {
            GroupAttribute::DisplayName => self.display_name = text("displayName", value)?.unwrap_or_default(),
            GroupAttribute::ExternalId => self.external_id = text("externalId", value)?,
            GroupAttribute::Members | GroupAttribute::ReadOnly | GroupAttribute::NotKept => {}
        }
        Ok(())
    }

    pub(crate) fn check(self) -> Result<Self> {
        if self.display_name.trim().is_empty() {
            return Err(Refusal::new(Kind::InvalidValue, "a group must have a `displayName`"));
        }
        self.bounded()?;
        Ok(self)
    }

    pub(crate) fn bounded(&self) -> Result<()> {
        if self.members.len() > MEMBERS_MOST { Err(too_many_members()) } else { Ok(()) }
    }

    /// As JSON, without what the server adds.
    #[must_use]
    pub fn show(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("displayName".into(), self.display_name.clone().into());
        put(&mut shown, "externalId", self.external_id.as_deref());
        if !self.members.is_empty() {
            let member = |id: &String| serde_json::json!({"value": id, "type": "User"});
            shown.insert("members".into(), self.members.iter().map(member).collect());
        }
        shown
    }
}

/// The ids of members: one object with a `value`, or a list of them.
pub(crate) fn members(value: &Value) -> Result<BTreeSet<String>> {
    let one = std::slice::from_ref(value);
    let list = match value {
        Value::Null => &[],
        Value::Array(list) => list.as_slice(),
        Value::Object(_) | Value::String(_) | Value::Bool(_) | Value::Number(_) => one,
    };
    if list.len() > MEMBERS_MOST {
        return Err(too_many_members());
    }
    list.iter().map(member).collect()
}

fn member(value: &Value) -> Result<String> {
    let bad = |what: &str| Refusal::new(Kind::InvalidValue, what);
    let Value::Object(member) = value else {
        return Err(bad("a member is an object with the id of a user as its `value`"));
    };
    let find = |name: &str| member.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    if find("type").and_then(Value::as_str).is_some_and(|kind| !kind.eq_ignore_ascii_case("user")) {
        return Err(bad(
            "the members of a group are users: groups in groups aren't taken; assign the users themselves",
        ));
    }
    let id = find("value").map(|value| text("members.value", value)).transpose()?.flatten();
    id.ok_or_else(|| bad("a member is an object with the id of a user as its `value`"))
}

fn too_many_members() -> Refusal {
    Refusal::new(Kind::TooMany, format!("a group has at most {MEMBERS_MOST} members; make several groups of it"))
}

fn object(body: &Value) -> Result<&Map<String, Value>> {
    body.as_object().ok_or_else(|| Refusal::new(Kind::InvalidSyntax, "the body must be one JSON object"))
}

/// A text; null or nothing is none.
fn text(name: &str, value: &Value) -> Result<Option<String>> {
    let bad = |what: String| Err(Refusal::new(Kind::InvalidValue, what));
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) if text.chars().count() > TEXT_MOST => {
            bad(format!("`{name}` is longer than {TEXT_MOST} characters"))
        }
        Value::String(text) if text.chars().any(char::is_control) => bad(format!("`{name}` has control characters")),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            bad(format!("`{name}` must be a text"))
        }
    }
}

/// A truth: Entra sends it as a text, with a capital letter.
fn truth(value: &Value) -> Result<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Value::String(text) => {
            Err(Refusal::new(Kind::InvalidValue, format!("`active` is true or false, not `{}`", quoted(text))))
        }
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Refusal::new(Kind::InvalidValue, "`active` is true or false"))
        }
    }
}

fn put(shown: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        shown.insert(name.to_owned(), value.into());
    }
}
