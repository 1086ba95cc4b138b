//! Errors: RFC 9457, `application/problem+json`.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why something wasn't done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:daypass:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and why.
    pub detail: String,
    /// A stable word for programs, like `token_scope`.
    pub code: String,
    /// What to do next; absent when there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Which field of the body or parameter of the query is wrong, like `duration_s` or `approvals[0].role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// In how many seconds to try again, as `Retry-After` says too; absent where waiting alone doesn't help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// What every `type` begins with.
    pub const URN: &str = "urn:daypass:problem:";

    /// A problem of this code.
    #[must_use]
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{}{code}", Self::URN),
            title: title(code),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            next: None,
            field: None,
            retry_after_s: None,
        }
    }

    /// The same, with what to do next; an empty text says nothing.
    #[must_use]
    pub fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()).filter(|n| !n.is_empty()), ..self }
    }
}

/// `no_such_role` reads `No such role`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if let Some(next) = &self.next {
            write!(f, " ({next})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
