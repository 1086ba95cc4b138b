//! What an attribute path names (RFC 7644, 3.5.2 and 3.10).

use scim_v2::filter::{AttrPath, PatchPath, ValFilter};

use crate::{
    FILTER_MOST,
    refusal::{Kind, Refusal, Result, quoted},
    schema::{GROUP, USER},
};

/// An attribute of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserAttribute {
    UserName,
    ExternalId,
    DisplayName,
    Active,
    /// SCIM knows it, and nothing is kept of it.
    NotKept,
    /// The server says it, and no client changes it.
    ReadOnly,
}

/// An attribute of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupAttribute {
    DisplayName,
    ExternalId,
    Members,
    ReadOnly,
    NotKept,
}

/// Attributes of the core user (RFC 7643, 4.1) that directories send by habit, and of which nothing is kept.
const NOT_KEPT: [&str; 19] = [
    "name",
    "nickname",
    "profileurl",
    "title",
    "usertype",
    "preferredlanguage",
    "locale",
    "timezone",
    "password",
    "emails",
    "phonenumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509certificates",
    "schemas",
    "$ref",
];

/// What a path names: an attribute, or values of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub name: String,
    pub part: Part,
}

/// Which part of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Whole,
    /// One of its sub-attributes.
    Sub,
    /// The values that a filter means.
    Values(ValFilter),
}

impl Target {
    /// Reads the path of an operation.
    pub fn read(text: &str) -> Result<Self> {
        let bad = || Refusal::new(Kind::InvalidPath, format!("the path `{}` can't be read", quoted(text)));
        if text.len() > FILTER_MOST {
            let what = format!("a path is at most {FILTER_MOST} bytes long; this one begins `{}`", quoted(text));
            return Err(Refusal::new(Kind::InvalidPath, what));
        }
        match text.parse::<PatchPath>().map_err(|_| bad())? {
            PatchPath::Attr(path) => Ok(Self::of(&path)),
            PatchPath::Value(path) => {
                let Self { name, part } = Self::of(&path.attr);
                match (part, path.sub_attr) {
                    (Part::Whole, None) => Ok(Self { name, part: Part::Values(path.filter) }),
                    (Part::Whole | Part::Sub | Part::Values(_), _) => Ok(Self { name, part: Part::Sub }),
                }
            }
        }
    }

    fn of(path: &AttrPath) -> Self {
        let ours = |uri: &str| uri.eq_ignore_ascii_case(USER) || uri.eq_ignore_ascii_case(GROUP);
        let name = match &path.uri {
            Some(uri) if !ours(uri) => uri.to_lowercase(),
            Some(_) | None => path.name.to_lowercase(),
        };
        let part = if path.sub_attr.is_some() { Part::Sub } else { Part::Whole };
        Self { name, part }
    }

    /// Reads a key of an object: `displayName`, `name.givenName`, or with its schema in front.
    pub fn of_key(key: &str) -> Self {
        let mut rest = key;
        for schema in [USER, GROUP] {
            let (own, more) = key.split_at_checked(schema.len()).unwrap_or((key, ""));
            if own.eq_ignore_ascii_case(schema)
                && let Some(name) = more.strip_prefix(':')
            {
                rest = name;
            }
        }
        let sub = !is_urn(rest) && rest.contains('.');
        let name = if sub { rest.split('.').next().unwrap_or_default() } else { rest };
        Self { name: name.to_lowercase(), part: if sub { Part::Sub } else { Part::Whole } }
    }

    /// Which attribute of a user, if SCIM has it.
    pub fn of_user(&self) -> Option<UserAttribute> {
        let whole = match self.name.as_str() {
            "username" => UserAttribute::UserName,
            "externalid" => UserAttribute::ExternalId,
            "displayname" => UserAttribute::DisplayName,
            "active" => UserAttribute::Active,
            "id" | "meta" | "groups" => return Some(UserAttribute::ReadOnly),
            name if NOT_KEPT.contains(&name) || is_urn(name) => return Some(UserAttribute::NotKept),
            _ => return None,
        };
        (self.part == Part::Whole).then_some(whole)
    }

    /// Which attribute of a group, if SCIM has it.
    pub fn of_group(&self) -> Option<GroupAttribute> {
        match self.name.as_str() {
            "displayname" if self.part == Part::Whole => Some(GroupAttribute::DisplayName),
            "externalid" if self.part == Part::Whole => Some(GroupAttribute::ExternalId),
            "members" if self.part != Part::Sub => Some(GroupAttribute::Members),
            "id" | "meta" => Some(GroupAttribute::ReadOnly),
            "schemas" => Some(GroupAttribute::NotKept),
            name if is_urn(name) => Some(GroupAttribute::NotKept),
            _ => None,
        }
    }
}

fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

/// What is said of a path that names nothing.
pub(crate) fn unknown(target: &Target, of: &str, has: &str) -> Refusal {
    let what = format!("`{}` names nothing of a {of} that can be changed here; there are {has}", quoted(&target.name));
    Refusal::new(Kind::InvalidPath, what)
}
