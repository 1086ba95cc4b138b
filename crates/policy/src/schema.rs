//! The fixed schema, and the words of it that code writes.

use std::sync::LazyLock;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};

/// The schema, as policy authors read it (Cedar's own syntax, with comments).
pub const SCHEMA: &str = include_str!("../daypass.cedarschema");

/// The schema, parsed once.
pub(crate) static PARSED: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _warnings) =
        // The text is part of this program, and a test parses it.
        Schema::from_cedarschema_str(SCHEMA).expect("the schema that comes with this program parses");
    schema
});

/// An action of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionWord {
    /// Hold a role on a resource.
    Use,
    /// Change what decisions read.
    Administer,
    /// End grants and sessions of other people.
    Revoke,
    /// See other people's sessions.
    ViewSessions,
    /// Read what the ledger keeps besides headers.
    ReadEvidence,
    /// Be told whether others have a role, and who has it.
    Decide,
    /// Ask for a role in another's place.
    RequestFor,
}

impl ActionWord {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Use,
        Self::Administer,
        Self::Revoke,
        Self::ViewSessions,
        Self::ReadEvidence,
        Self::Decide,
        Self::RequestFor,
    ];

    /// As written in policies: `Action::"use"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Administer => "administer",
            Self::Revoke => "revoke",
            Self::ViewSessions => "view_sessions",
            Self::ReadEvidence => "read_evidence",
            Self::Decide => "decide",
            Self::RequestFor => "request_for",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),* $(,)?) => {
        /// The types of entities, parsed once: parsing a name costs more than judging.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum EntityKind { $($(#[$doc])* $kind),* }

        impl EntityKind {
            pub(crate) fn type_name(self) -> &'static EntityTypeName {
                match self {
                    $(Self::$kind => {
                        static NAME: LazyLock<EntityTypeName> =
                            // An identifier of Cedar, written above.
                            LazyLock::new(|| $name.parse().expect("a plain identifier"));
                        &NAME
                    })*
                }
            }
        }
    };
}

kinds! {
    Action = "Action",
    Group = "Group",
    User = "User",
    Workload = "Workload",
    Quorum = "Quorum",
    Environment = "Environment",
    Classification = "Classification",
    Kind = "Kind",
    Purpose = "Purpose",
    Claims = "Claims",
    Risk = "Risk",
    Compliance = "Compliance",
    Resource = "Resource",
    Role = "Role",
    Installation = "Installation",
}

/// The id of the one installation.
pub(crate) const INSTALLATION: &str = "daypass";

/// The id of what was said by the token that asked: a request has one.
pub(crate) const ASKED: &str = "asked";

/// An entity's uid.
pub(crate) fn uid(kind: EntityKind, id: impl AsRef<str>) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.type_name().clone(), EntityId::new(id))
}

/// The id of an entity, when it is of this kind.
pub(crate) fn id_of(kind: EntityKind, uid: &EntityUid) -> Option<&str> {
    (uid.type_name() == kind.type_name()).then(|| uid.id().unescaped())
}
