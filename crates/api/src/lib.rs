//! Wire types of the REST API, shared by the server and the CLI.
//!
//! JSON everywhere. A time is RFC 3339 text ([`Timestamp`]); a length of time is whole seconds in a field that ends in
//! `_s`; nothing is a float; an id is its prefixed text (`grant_0193...`); a word out of a fixed set is snake_case. What
//! has several shapes is an object with a tag. Request bodies refuse fields that they don't know, and lists in the place of
//! objects ([`Objects`]); responses may gain fields, so clients ignore what they don't know.
//!
//! Errors are [`Problem`]s (RFC 9457). Nothing here depends on how the server does anything.

pub mod authzen;
pub mod changes;
pub mod connection;
pub mod directories;
pub mod emergency;
pub mod events;
pub mod factors;
pub mod grants;
pub mod health;
pub mod id;
pub mod identity;
pub mod ledger;
pub mod notices;
pub mod objects;
pub mod people;
pub mod policy;
pub mod problem;
pub mod requests;
pub mod resources;
pub mod secret;
pub mod sessions;
pub mod signals;
pub mod signin;
pub mod statements;
pub mod time;
pub mod tokens;
pub mod words;

pub use id::*;
pub use objects::Objects;
pub use problem::Problem;
pub use secret::SecretText;
pub use time::Timestamp;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type},
};

/// One page of a list. Ask for the next with `?after=` and what `next` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to ask for the next page by; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A schema of its own for each kind of item, so that `PageOfGrant` says what is on it.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("One page of a list. Ask for the next with `after` and what `next` says."))
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("items")
            .property("next", ObjectBuilder::new().schema_type(Type::String))
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("PageOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// Whether something is to be done, or only planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Only say what would be done.
    Plan,
    /// Do it, or propose it where another administrator has to approve.
    Apply,
}
