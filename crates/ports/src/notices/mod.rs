//! Sending notices: what leaves, and by what.
//!
//! A notice leaves the region of the resource that it is about, since mail servers and chat services stand where they
//! stand. So what goes out is a link and headers: what happened, ids, times. Never a reason, a note, a statement or a
//! ticket; names only where the channel may have those of that region. The type says so: a [`Letter`] has no place for
//! anything else. // I10

mod rows;
mod words;

use async_trait::async_trait;
use daypass_domain::{
    InstallationId, MailAddress, Name, NoticeId, Time,
    notice::{News, Wait, Why},
};

pub use rows::Contact;
pub use words::Words;

/// A way for notices: a mail server, a chat service, a program that listens.
///
/// An attacker holding this learns who is told what when, and can withhold notices and invent some. It can give nobody
/// anything: a notice is a link to a page where a person signs in.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Whom it reaches.
    fn reach(&self) -> Reach;

    /// Hands a letter over. The same letter may come again, with the same id, when it isn't known to have arrived.
    ///
    /// # Errors
    /// When it wasn't taken.
    async fn send(&self, letter: &Letter) -> Result<(), NotSent>;
}

/// Whom a channel reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One person at a time, whom it knows by their mail address.
    People,
    /// Whoever reads there: one letter for all of them.
    Room,
}

/// What is handed to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The same at every try: whoever gets it twice can tell.
    pub id: NoticeId,
    /// Whose.
    pub installation: InstallationId,
    /// When the notice was made.
    pub made: Time,
    /// To whom.
    pub to: Addressee,
    /// What it tells.
    pub news: News,
    /// The names in it.
    pub names: Names,
    /// The page that it opens: an absolute URL.
    pub link: String,
}

/// To whom a letter goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// The person with this address.
    Mail(MailAddress),
    /// Whoever reads there.
    Room,
}

/// The names in a letter: they are payload, so they leave only by channels that may have those of the region. // I10
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// None.
    Withheld,
    /// Of what is asked for, or held.
    Access {
        /// Who would hold it, or holds it.
        holder: Name,
        /// Which role.
        role: Name,
        /// On what.
        resource: Name,
    },
    /// Of an emergency kit.
    Emergency {
        /// The resource that it opens.
        resource: Name,
    },
    /// Of a change.
    Change {
        /// Who proposed it.
        proposer: Name,
    },
}

/// Why a channel didn't take a letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}{}{detail}", if .detail.is_empty() { "" } else { ": " })]
pub struct NotSent {
    /// As it is kept.
    pub why: Why,
    /// How long it asked to be left alone.
    pub wait: Wait,
    /// What the system or the other side said, for the server's log: never a secret, cut and escaped where it came from
    /// outside.
    pub detail: String,
}

impl NotSent {
    /// With what was said.
    pub fn new(why: Why, detail: impl Into<String>) -> Self {
        Self { why, wait: Wait::Usual, detail: detail.into() }
    }
}

impl From<Why> for NotSent {
    fn from(why: Why) -> Self {
        Self { why, wait: Wait::Usual, detail: String::new() }
    }
}
