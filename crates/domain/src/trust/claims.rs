//! What a token says, once its signature was checked; and what of it policy reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Name, Time};

/// What a token says. Whoever makes one has checked who said it.
///
/// A claim is named by its name, or by a path with slashes where it is within another (`kubernetes.io/namespace`); a
/// name that has slashes itself goes before a path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims(BTreeMap<String, Value>);

impl Claims {
    /// Of what a verified token says.
    #[must_use]
    pub fn new(claims: BTreeMap<String, Value>) -> Self {
        Self(claims)
    }

    /// The same, with what another part of the provider's answer says beside it; where both speak, this one's word.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    fn value(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let mut parts = path.split('/');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_object()?.get(part))
    }

    /// Whether it says anything under that name, null aside.
    #[must_use]
    pub fn says(&self, path: &str) -> bool {
        self.value(path).is_some_and(|value| !value.is_null())
    }

    /// A claim that is one text, number or truth, as text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        match self.value(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The texts of a claim that is a text or a list of texts; what else is in the list is skipped.
    #[must_use]
    pub fn texts(&self, path: &str) -> Vec<&str> {
        match self.value(path) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        }
    }

    /// The names in a claim that is an object.
    #[must_use]
    pub fn names(&self, path: &str) -> Vec<&str> {
        self.value(path).and_then(Value::as_object).map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// A claim that is a time (RFC 7519, 2, "NumericDate"); nothing when it is none, or beyond the year 9999.
    #[must_use]
    pub fn time(&self, path: &str) -> Option<Time> {
        const LAST: f64 = 253_402_300_799.0;
        let seconds = self.value(path)?.as_f64().filter(|s| (0.0..=LAST).contains(s))?;
        // Within the bounds above it fits, and what is below a microsecond means nothing.
        #[allow(clippy::cast_possible_truncation)]
        let micros = (seconds * 1e6) as i64;
        Some(Time::from_micros(micros))
    }

    /// Whether the claim is said to be kept elsewhere (OpenID Connect Core 1.0, 5.6.2): Entra does that with many groups.
    #[must_use]
    pub fn has_elsewhere(&self, claim: &str) -> bool {
        self.names("_claim_names").contains(&claim)
    }
}

/// What policy reads of a workload's token: a few short texts, chosen by who declared the trust. Frozen when something is
/// asked by it (I2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Name, String>")]
pub struct Attributes(BTreeMap<Name, String>);

/// How many attributes a token has at most.
pub const ATTRIBUTES_MAX: usize = 16;
/// How long one is at most, in bytes: a SPIFFE ID may have so many.
pub const ATTRIBUTE_MAX: usize = super::SPIFFE_ID_MAX;

/// Why something can't be an attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAttribute {
    /// There are too many.
    #[error("there are more than {ATTRIBUTES_MAX} attributes")]
    TooMany,
    /// One isn't a short text.
    #[error("`{0}` isn't 1 to {ATTRIBUTE_MAX} visible ASCII characters, so policy can't read it")]
    NotShort(Name),
}

impl Attributes {
    /// Of names and what they are.
    ///
    /// # Errors
    /// When there are too many, or one isn't 1 to [`ATTRIBUTE_MAX`] visible ASCII characters and spaces.
    pub fn new(said: impl IntoIterator<Item = (Name, Option<String>)>) -> Result<Self, BadAttribute> {
        let mut all = BTreeMap::new();
        for (name, text) in said {
            let fits = |text: &String| {
                (1..=ATTRIBUTE_MAX).contains(&text.len()) && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
            };
            match text.filter(fits) {
                Some(text) => drop(all.insert(name, text)),
                None => return Err(BadAttribute::NotShort(name)),
            }
        }
        if all.len() > ATTRIBUTES_MAX {
            return Err(BadAttribute::TooMany);
        }
        Ok(Self(all))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.0.iter().map(|(name, text)| (name, text.as_str()))
    }
}

impl TryFrom<BTreeMap<Name, String>> for Attributes {
    type Error = BadAttribute;
    fn try_from(said: BTreeMap<Name, String>) -> Result<Self, BadAttribute> {
        Self::new(said.into_iter().map(|(name, text)| (name, Some(text))))
    }
}
