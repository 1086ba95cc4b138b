//! PATCH (RFC 7644, 3.5.2), with the habits of those who send it: Okta leaves the path out and puts an object in its place,
//! Entra writes `Replace` and `"False"`, and names the members to remove as a value.

use serde_json::{Map, Value};

use crate::{
    OPERATIONS_MOST,
    filter::means_member,
    path::{GroupAttribute, Part, Target, UserAttribute, unknown},
    refusal::{Kind, Refusal, Result, quoted},
    resource::{Group, User, members},
    schema::PATCH,
};

const OF_USER: &str = "userName, externalId, displayName and active";
const OF_GROUP: &str = "displayName, externalId and members";

/// What a PATCH asks for: operations, done one after the other, all or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch(Vec<Operation>);

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    op: Op,
    place: Place,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// No path: the value is an object of attributes.
    Resource,
    At(Target),
}

impl Patch {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    /// When it is none, or too much at once.
    pub fn read(body: &Value) -> Result<Self> {
        let bad = |what: &str| Refusal::new(Kind::InvalidSyntax, what);
        let body = body.as_object().ok_or_else(|| bad("the body must be one JSON object"))?;
        let schemas = find(body, "schemas").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !schemas.iter().filter_map(Value::as_str).any(|schema| schema.eq_ignore_ascii_case(PATCH)) {
            return Err(bad("a PATCH says what it is: `schemas` must have \
                            urn:ietf:params:scim:api:messages:2.0:PatchOp"));
        }
        let operations = find(body, "Operations").and_then(Value::as_array);
        let operations = operations.ok_or_else(|| bad("a PATCH has a list of `Operations`"))?;
        if operations.len() > OPERATIONS_MOST {
            let what = format!("a PATCH has at most {OPERATIONS_MOST} operations; send several");
            return Err(Refusal::new(Kind::TooMany, what));
        }
        operations.iter().map(Operation::read).collect::<Result<_>>().map(Self)
    }

    /// What becomes of a user.
    ///
    /// # Errors
    /// When an operation can't be done; then none is.
    pub fn of_user(&self, mut user: User) -> Result<User> {
        for operation in &self.0 {
            match &operation.place {
                Place::Resource => {
                    for (key, value) in operation.attributes()? {
                        if let Some(attribute) = Target::of_key(key).of_user() {
                            user.set(attribute, value)?;
                        }
                    }
                }
                Place::At(target) => {
                    let attribute = target.of_user().ok_or_else(|| unknown(target, "user", OF_USER))?;
                    operation.at_user(attribute, &mut user)?;
                }
            }
        }
        user.check()
    }

    /// What becomes of a group.
    ///
    /// # Errors
    /// When an operation can't be done; then none is.
    pub fn of_group(&self, mut group: Group) -> Result<Group> {
        for operation in &self.0 {
            match &operation.place {
                Place::Resource => {
                    for (key, value) in operation.attributes()? {
                        let target = Target::of_key(key);
                        if let Some(attribute) = target.of_group() {
                            operation.at_group(attribute, &target.part, value, &mut group)?;
                        }
                    }
                }
                Place::At(target) => {
                    let attribute = target.of_group().ok_or_else(|| unknown(target, "group", OF_GROUP))?;
                    operation.at_group(attribute, &target.part, &operation.value, &mut group)?;
                }
            }
        }
        group.check()
    }
}

impl Operation {
    fn read(value: &Value) -> Result<Self> {
        let bad = |what: &str| Refusal::new(Kind::InvalidSyntax, what);
        let operation = value.as_object().ok_or_else(|| bad("an operation is an object"))?;
        let op = find(operation, "op").and_then(Value::as_str).unwrap_or_default();
        let op = match op.to_ascii_lowercase().as_str() {
            "add" => Op::Add,
            "replace" => Op::Replace,
            "remove" => Op::Remove,
            _ => return Err(bad(&format!("an operation is add, replace or remove, not `{}`", quoted(op)))),
        };
        let place = match find(operation, "path") {
            None | Some(Value::Null) => Place::Resource,
            Some(Value::String(path)) => Place::At(Target::read(path)?),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(Refusal::new(Kind::InvalidPath, "the path of an operation is a text"));
            }
        };
        if op == Op::Remove && place == Place::Resource {
            return Err(Refusal::new(Kind::NoTarget, "a remove must say by a `path` what it removes"));
        }
        let value = find(operation, "value").cloned();
        if op != Op::Remove && value.is_none() {
            return Err(Refusal::new(Kind::InvalidValue, "an add or a replace must have a `value`"));
        }
        Ok(Self { op, place, value: value.unwrap_or_default() })
    }

    fn attributes(&self) -> Result<&Map<String, Value>> {
        let what = "without a path, the value of an operation is an object of attributes";
        self.value.as_object().ok_or_else(|| Refusal::new(Kind::InvalidValue, what))
    }

    fn at_user(&self, attribute: UserAttribute, user: &mut User) -> Result<()> {
        if attribute == UserAttribute::ReadOnly {
            return Err(read_only());
        }
        match (self.op, attribute) {
            (Op::Add | Op::Replace, _) => user.set(attribute, &self.value),
            // Without a value nobody is active (RFC 7643, 4.1.1, leaves it to us): the careful reading.
            (Op::Remove, UserAttribute::Active) => user.set(attribute, &Value::Bool(false)),
            (
                Op::Remove,
                UserAttribute::UserName
                | UserAttribute::ExternalId
                | UserAttribute::DisplayName
                | UserAttribute::NotKept
                | UserAttribute::ReadOnly,
            ) => user.set(attribute, &Value::Null),
        }
    }

    fn at_group(&self, attribute: GroupAttribute, part: &Part, value: &Value, group: &mut Group) -> Result<()> {
        match (attribute, self.op) {
            (GroupAttribute::Members, _) => self.at_members(part, value, group),
            // What comes as an object without a path may repeat what the server said (RFC 7644, 3.5.2).
            (GroupAttribute::ReadOnly, _) if self.place == Place::Resource => Ok(()),
            (GroupAttribute::ReadOnly, _) => Err(read_only()),
            (GroupAttribute::DisplayName | GroupAttribute::ExternalId | GroupAttribute::NotKept, Op::Remove) => {
                group.set(attribute, &Value::Null)
            }
            (
                GroupAttribute::DisplayName | GroupAttribute::ExternalId | GroupAttribute::NotKept,
                Op::Add | Op::Replace,
            ) => group.set(attribute, value),
        }
    }

    fn at_members(&self, part: &Part, value: &Value, group: &mut Group) -> Result<()> {
        match (self.op, part) {
            (Op::Add, Part::Whole) => group.members.extend(members(value)?),
            (Op::Replace, Part::Whole) => group.members = members(value)?,
            // RFC 7644 removes all; Entra names some.
            (Op::Remove, Part::Whole) if value.is_null() => group.members.clear(),
            (Op::Remove, Part::Whole) => {
                let going = members(value)?;
                group.members.retain(|member| !going.contains(member));
            }
            (Op::Remove, Part::Values(filter)) => group.members.retain(|member| !means_member(filter, member)),
            (Op::Add | Op::Replace, Part::Values(_)) | (_, Part::Sub) => {
                let what = "a member is added or removed whole, not changed: use the path `members`";
                return Err(Refusal::new(Kind::InvalidPath, what));
            }
        }
        // Between two operations too: none makes more of a group than it may be.
        group.bounded()
    }
}

fn read_only() -> Refusal {
    Refusal::new(Kind::Mutability, "`id`, `meta` and `groups` are the server's, and can't be changed")
}

fn find<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
