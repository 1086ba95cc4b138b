//! Ids as they travel: a prefix, an underscore, 32 hexadecimal digits.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id of anything that shows as one.
            pub fn of(id: impl fmt::Display) -> Self {
                Self(id.to_string())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

ids! {
    /// A user or a workload.
    PrincipalId = "principal";
    /// A group.
    GroupId = "group";
    /// A resource.
    ResourceId = "resource";
    /// A request.
    RequestId = "request";
    /// A grant.
    GrantId = "grant";
    /// A session.
    SessionId = "session";
    /// A change to what decisions read.
    ChangeId = "change";
    /// An API token.
    TokenId = "token";
    /// A notice.
    NoticeId = "notice";
    /// A passkey.
    PasskeyId = "passkey";
    /// An emergency kit.
    KitId = "kit";
    /// A part of an entry's payload.
    PayloadId = "payload";
}
