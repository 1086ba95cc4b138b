//! The small texts of a leaf. None needs escaping in JSON, and none can hold a person's words.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::LeafError;
use crate::text;

const MAX_EVENT_BYTES: usize = 64;
const MAX_REGION_BYTES: usize = 32;
const MAX_ID_KIND_BYTES: usize = 32;
const MAX_ID_BYTES: usize = 128;

fn quoted(text: &str) -> String {
    text::excerpt(text, 40)
}

/// What kind of thing happened: dotted lower-case words, the noun first, like `grant.activated`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// An event type from text.
    ///
    /// # Errors
    /// [`LeafError::Event`].
    pub fn new(text: &str) -> Result<Self, LeafError> {
        if is_event(text.as_bytes()) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(LeafError::Event(quoted(text)))
        }
    }

    /// An event type that the code names itself, as a `const`.
    ///
    /// # Panics
    /// When the text is no event type: while compiling, where it is used for a `const`.
    #[must_use]
    pub const fn literal(text: &'static str) -> Self {
        assert!(is_event(text.as_bytes()), "an event type is dotted lower-case words");
        Self(Cow::Borrowed(text))
    }

    /// The event type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At least two words of `a-z`, digits and underscores, each starting with a letter.
const fn is_event(text: &[u8]) -> bool {
    if text.is_empty() || text.len() > MAX_EVENT_BYTES {
        return false;
    }
    let (mut index, mut dots, mut word_starts) = (0, 0, true);
    while index < text.len() {
        match text[index] {
            b'a'..=b'z' => word_starts = false,
            b'0'..=b'9' | b'_' if !word_starts => {}
            b'.' if !word_starts => {
                dots += 1;
                word_starts = true;
            }
            _ => return false,
        }
        index += 1;
    }
    dots > 0 && !word_starts
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EventType {
    type Error = LeafError;
    fn try_from(text: String) -> Result<Self, LeafError> {
        Self::new(&text)
    }
}

impl From<EventType> for String {
    fn from(event: EventType) -> Self {
        event.0.into_owned()
    }
}

/// Where a resource's payloads, recordings and keys live (I10): `local`, `eu`, `us-east-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// A region from text.
    ///
    /// # Errors
    /// [`LeafError::Region`].
    pub fn new(text: &str) -> Result<Self, LeafError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let sized = (1..=MAX_REGION_BYTES).contains(&text.len());
        if sized && text.bytes().all(allowed) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(LeafError::Region(quoted(text)))
        }
    }

    /// The region as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Region {
    type Error = LeafError;
    fn try_from(text: String) -> Result<Self, LeafError> {
        Self::new(&text)
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

/// Which rule says how long a record is kept; the rules themselves are settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionClass {
    /// Requests, approvals, verdicts, grants and their ends.
    Decision,
    /// Who reached what, when.
    Access,
    /// Changes to what decisions read.
    Administration,
    /// What happened within sessions.
    Session,
    /// Readings of evidence (I11).
    Evidence,
    /// The running of Daypass itself.
    Operational,
}

impl RetentionClass {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 6] =
        [Self::Decision, Self::Access, Self::Administration, Self::Session, Self::Evidence, Self::Operational];

    /// The class as a leaf writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Access => "access",
            Self::Administration => "administration",
            Self::Session => "session",
            Self::Evidence => "evidence",
            Self::Operational => "operational",
        }
    }
}

impl fmt::Display for RetentionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Under whose key a payload part is: destroying that key erases the part (I9).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyScope {
    /// A person's or workload's, by pseudonymous id.
    Subject(String),
    /// A session's, by id.
    Session(String),
    /// The installation's.
    Operational,
}

impl KeyScope {
    /// The kind of scope as a leaf writes it.
    #[must_use]
    pub fn part(&self) -> &'static str {
        match self {
            Self::Subject(_) => "subject",
            Self::Session(_) => "session",
            Self::Operational => "operational",
        }
    }

    /// The id within the kind; the operational key has none.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Subject(id) | Self::Session(id) => Some(id),
            Self::Operational => None,
        }
    }

    /// Whether the id, if any, is one that a leaf may hold.
    pub(super) fn check(&self) -> Result<(), LeafError> {
        self.key().map_or(Ok(()), check_id)
    }

    /// The scope from a leaf's two fields.
    pub(super) fn from_fields(part: &str, key: Option<&str>) -> Option<Self> {
        match (part, key) {
            ("subject", Some(id)) => Some(Self::Subject(id.to_owned())),
            ("session", Some(id)) => Some(Self::Session(id.to_owned())),
            ("operational", None) => Some(Self::Operational),
            (_, _) => None,
        }
    }
}

/// The label by which a store files the key: `subject:user_1`, `session:session_1`, `operational`.
impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part())?;
        self.key().map_or(Ok(()), |key| write!(f, ":{key}"))
    }
}

impl FromStr for KeyScope {
    type Err = LeafError;

    fn from_str(label: &str) -> Result<Self, LeafError> {
        let (part, key) = match label.split_once(':') {
            Some((part, key)) => (part, Some(key)),
            None => (label, None),
        };
        let scope = Self::from_fields(part, key);
        let scope = scope.ok_or_else(|| LeafError::Id(quoted(label)))?;
        scope.check()?;
        Ok(scope)
    }
}

impl TryFrom<String> for KeyScope {
    type Error = LeafError;
    fn try_from(label: String) -> Result<Self, LeafError> {
        label.parse()
    }
}

impl From<KeyScope> for String {
    fn from(scope: KeyScope) -> Self {
        scope.to_string()
    }
}

pub(super) fn check_id_kind(kind: &str) -> Result<(), LeafError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let sized = (1..=MAX_ID_KIND_BYTES).contains(&kind.len());
    if sized && kind.bytes().all(allowed) { Ok(()) } else { Err(LeafError::IdKind(quoted(kind))) }
}

pub(super) fn check_id(id: &str) -> Result<(), LeafError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
    let sized = (1..=MAX_ID_BYTES).contains(&id.len());
    if sized && id.bytes().all(allowed) { Ok(()) } else { Err(LeafError::Id(quoted(id))) }
}
