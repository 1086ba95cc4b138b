//! Of whom a token speaks: subject identifiers (RFC 9493), alone or in a complex subject (SSF 1.0, "Complex Subjects").

use serde_json::{Map, Value};

use super::text;

/// How many identifiers an `aliases` lists at most.
pub const ALIASES_MAX: usize = 16;

/// Of whom a token speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One identifier.
    One(Identifier),
    /// Several things that belong together: a session of a user, on a device.
    Complex {
        /// The user.
        user: Option<Identifier>,
        /// The session, at the transmitter.
        session: Option<Identifier>,
        /// The device.
        device: Option<Identifier>,
    },
}

/// An identifier of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// What an issuer calls somebody: the two claims of an ID token.
    IssuerSubject {
        /// The issuer.
        issuer: String,
        /// What it calls them.
        subject: String,
    },
    /// A mail address.
    Email(String),
    /// An account, by its `acct:` URI (RFC 7565), without the scheme.
    Account(String),
    /// What only transmitter and receiver understand.
    Opaque(String),
    /// The same subject by several identifiers. None of them is an `aliases`.
    Aliases(Vec<Identifier>),
    /// One in a format that we can't match with anybody: `phone_number`, `did`, `uri`, `jwt_id`, `saml_assertion_id`, or one
    /// that isn't known.
    Other {
        /// The format's name.
        format: String,
    },
}

impl Subject {
    /// Reads a `sub_id`.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let fields = value.as_object()?;
        let members = ["user", "session", "device", "application", "tenant", "org_unit", "group"];
        let complex = match fields.get("format") {
            Some(format) => text(format)? == "complex",
            // Before the last drafts a complex subject had no format of its own.
            None => true,
        };
        if !complex {
            return Identifier::read(fields, Nesting::Outer).map(Self::One);
        }
        if !members.iter().any(|member| fields.contains_key(*member)) {
            return None;
        }
        let member = |name: &str| match fields.get(name) {
            None => Some(None),
            Some(value) => Identifier::read(value.as_object()?, Nesting::Outer).map(Some),
        };
        Some(Self::Complex { user: member("user")?, session: member("session")?, device: member("device")? })
    }

    /// The identifier of the person that it is about, where it names one.
    #[must_use]
    pub fn person(&self) -> Option<&Identifier> {
        match self {
            Self::One(identifier) => Some(identifier),
            Self::Complex { user, .. } => user.as_ref(),
        }
    }

    /// The session that it names, where it does.
    #[must_use]
    pub fn session(&self) -> Option<&Identifier> {
        match self {
            Self::One(_) => None,
            Self::Complex { session, .. } => session.as_ref(),
        }
    }

    /// The device that it names, where it does.
    #[must_use]
    pub fn device(&self) -> Option<&Identifier> {
        match self {
            Self::One(_) => None,
            Self::Complex { device, .. } => device.as_ref(),
        }
    }
}

/// Whether an identifier may be an `aliases`.
#[derive(Clone, Copy)]
enum Nesting {
    Outer,
    Inner,
}

impl Identifier {
    fn read(fields: &Map<String, Value>, nesting: Nesting) -> Option<Self> {
        let format = text(fields.get("format")?)?;
        let field = |name: &str| fields.get(name).and_then(text);
        Some(match (format.as_str(), nesting) {
            ("iss_sub", _) => Self::IssuerSubject { issuer: field("iss")?, subject: field("sub")? },
            ("email", _) => Self::Email(field("email")?),
            ("account", _) => Self::Account(field("uri")?.strip_prefix("acct:")?.to_owned()),
            ("opaque", _) => Self::Opaque(field("id")?),
            ("aliases", Nesting::Outer) => {
                let listed = fields.get("identifiers")?.as_array()?;
                if listed.is_empty() || listed.len() > ALIASES_MAX {
                    return None;
                }
                let each = listed.iter().map(|one| Self::read(one.as_object()?, Nesting::Inner));
                Self::Aliases(each.collect::<Option<_>>()?)
            }
            ("aliases", Nesting::Inner) => return None,
            (_, Nesting::Outer | Nesting::Inner) => Self::Other { format },
        })
    }

    /// The same in JSON, in one spelling: what it is recognized by.
    #[must_use]
    pub fn canonical(&self) -> Value {
        match self {
            Self::IssuerSubject { issuer, subject } => {
                serde_json::json!({"format": "iss_sub", "iss": issuer, "sub": subject})
            }
            Self::Email(email) => serde_json::json!({"format": "email", "email": email}),
            Self::Account(account) => serde_json::json!({"format": "account", "uri": format!("acct:{account}")}),
            Self::Opaque(id) => serde_json::json!({"format": "opaque", "id": id}),
            Self::Aliases(all) => {
                let all: Vec<Value> = all.iter().map(Self::canonical).collect();
                serde_json::json!({"format": "aliases", "identifiers": all})
            }
            Self::Other { format } => serde_json::json!({"format": format}),
        }
    }
}
