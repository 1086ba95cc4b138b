//! Why something can't be taken, in SCIM's words and in ours.

/// What reading answers.
pub type Result<T> = std::result::Result<T, Refusal>;

/// Why something can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// In SCIM's word.
    pub kind: Kind,
    /// In ours: what is wrong, and what would be right. What was sent is quoted cut short and escaped, values never.
    pub what: String,
}

/// `scimType` (RFC 7644, 3.12, table 9), as far as reading needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The filter can't be read.
    InvalidFilter,
    /// The path can't be read, or names nothing that there is.
    InvalidPath,
    /// The body isn't shaped as it must be.
    InvalidSyntax,
    /// A value is missing, or doesn't fit.
    InvalidValue,
    /// It can't be changed by a client.
    Mutability,
    /// A path that must be there isn't.
    NoTarget,
    /// It is more than is taken at once.
    TooMany,
}

impl Kind {
    /// As it stands in an error.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidPath => "invalidPath",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidValue => "invalidValue",
            Self::Mutability => "mutability",
            Self::NoTarget => "noTarget",
            Self::TooMany => "tooMany",
        }
    }
}

impl Refusal {
    /// A refusal.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

/// What was sent, short and without anything that could speak for us.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
