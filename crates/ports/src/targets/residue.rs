//! What is there of a login before it is dropped, and how text from outside is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ending, Presence};

/// What is there of a login before it is dropped. The names in it were chosen by whoever used the login: data, to be
/// escaped wherever it is shown ([`ResidueItem`]'s `Display` does).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// For which ending.
    pub ending: Ending,
    /// Whether the login was there. When it was gone, `items` says that the list is lost.
    pub presence: Presence,
    /// What remains and nobody declared: an ending with any is `Residue`.
    pub items: Vec<ResidueItem>,
    /// What goes to (or was made as) the role's declared owner: an ending with any, and no items, is `Kept`.
    pub kept: Vec<ResidueItem>,
    /// What the end itself undoes, so that nothing of it remains: transactions rolled back, memberships taken back.
    pub undone: Vec<ResidueItem>,
    /// How many objects the login owned. Items beyond [`Residue::MOST_ITEMS`] are counted here and not listed.
    pub objects: u64,
}

impl Residue {
    /// How many items each list has at most.
    pub const MOST_ITEMS: usize = 1_000;
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidueItem {
    /// What it is.
    pub kind: ResidueKind,
    /// In which database; none for what belongs to the whole server.
    pub database: Option<String>,
    /// Its identity as PostgreSQL gives it, at most 300 characters.
    pub name: String,
    /// What matters about it, in words; may be empty.
    pub detail: String,
}

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidueKind {
    /// The login was gone before a list was durable: what it left can't be told any more.
    ListLost,
    /// An object that the login owned: table, view, sequence, schema, type, large object and so on.
    Object,
    /// A function or procedure that the login owned.
    Function,
    /// A function that runs with its owner's rights.
    SecurityDefiner,
    /// Owned by a role that the login could become, and not there before the grant.
    MadeAsAnother,
    /// Something of a role that the login could become was opened to PUBLIC while the grant was live.
    PublicGrant,
    /// A membership given by the login, or by a role that it could become, while the grant was live.
    Membership,
    /// Default privileges of the login.
    DefaultPrivileges,
    /// A transaction prepared for two-phase commit.
    PreparedTransaction,
    /// A job of the pg_cron extension.
    CronJob,
    /// A publication, subscription, event trigger or replication slot.
    Replication,
    /// An attribute (CREATEROLE and so on) that somebody gave to the login after it was made.
    Attribute,
}

impl ResidueKind {
    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ListLost => "list lost",
            Self::Object => "object",
            Self::Function => "function",
            Self::SecurityDefiner => "security definer function",
            Self::MadeAsAnother => "made as another role",
            Self::PublicGrant => "grant to PUBLIC",
            Self::Membership => "membership",
            Self::DefaultPrivileges => "default privileges",
            Self::PreparedTransaction => "prepared transaction",
            Self::CronJob => "cron job",
            Self::Replication => "replication",
            Self::Attribute => "attribute",
        }
    }
}

impl fmt::Display for ResidueItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if let Some(database) = &self.database {
            write!(f, " in {}", Shown(database))?;
        }
        write!(f, ": {}", Shown(&self.name))?;
        if !self.detail.is_empty() {
            write!(f, " ({})", Shown(&self.detail))?;
        }
        Ok(())
    }
}

/// Text from outside, with what isn't what it looks like escaped: control characters, those that reorder text, those that
/// show nothing, and every space but the plain one. PostgreSQL takes a no-break space for a letter, so that `DELETE FROM t WHERE
/// old` with one before `old` names an alias and deletes every row.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || deceives(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

/// What shows as a space, as nothing, or elsewhere than it stands (Unicode: White_Space, Default_Ignorable_Code_Point,
/// Bidi_Control).
fn deceives(c: char) -> bool {
    let space = c.is_whitespace() && c != ' ';
    let hidden = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    space || hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_not_shown_raw() {
        let item = ResidueItem {
            kind: ResidueKind::Object,
            database: Some("a\u{1b}[2J".into()),
            name: "x\ny\u{202e}".into(),
            detail: String::new(),
        };
        assert_eq!(item.to_string(), "object in a\\u{1b}[2J: x\\ny\\u{202e}");
    }

    #[test]
    fn what_looks_like_a_space_or_like_nothing_is_seen() {
        assert_eq!(Shown("WHERE\u{a0}old \u{3000}").to_string(), "WHERE\\u{a0}old \\u{3000}");
        assert_eq!(Shown("a\u{ad}b\u{3164}\u{e0041}").to_string(), "a\\u{ad}b\\u{3164}\\u{e0041}");
        assert_eq!(Shown("Grüße, 東京").to_string(), "Grüße, 東京");
    }
}
