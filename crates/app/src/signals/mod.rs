//! Shared signals: another system says that something happened to somebody who is known here (SSF, CAEP, RISC).
//!
//! | it says | what happens |
//! | --- | --- |
//! | sessions are revoked | sign-ins end, and grants where that was declared; cut first // I1 |
//! | a credential is revoked, gone or stolen | the same, and tokens; a second factor is needed before anything else |
//! | an account is disabled or gone | disabled, as a directory would have it |
//! | a risk, a device, a level of assurance | policy reads it, and live grants are judged again // I2 |
//! | an account is enabled | nothing: a signal takes away or informs, and never gives |
//! | of somebody whom nobody knows | kept, and shown |
//!
//! Which transmitters are heard, and of whom each speaks, is declared by administrators (I12). Each signal counts once, is
//! durable before it is acknowledged, and what is older than what was heard changes nothing.
//!
//! | | |
//! | --- | --- |
//! | `declare` | declaring transmitters, and looking at them |
//! | `receive` | a signal that comes: whose, is it good, did it come before |
//! | `meaning` | what it takes and says |
//! | `subject` | whom it is about |
//! | `act` | doing it |
//! | `poll` | asking for signals, for ever |
//! | `verify` | having a transmitter show that its signals arrive |

mod act;
mod declare;
mod meaning;
mod poll;
mod receive;
mod subject;
mod verify;

use daypass_domain::{Name, PayloadId, Time, signals::Transmitter};
use daypass_ports::{
    record::{Commit, Kind as RowKind, Read},
    signals::{Declared, Stream, StreamState},
};
use serde::{Deserialize, Serialize};

pub(crate) use poll::Streams;
pub use receive::{Reception, Refused};

use crate::{App, Problem, Result};

/// What the secret of a transmitter begins with, so that people and secret scanners know it when they see it.
pub const BEARER_PREFIX: &str = "dpv_";

/// Whether a transmitter that sends gets a new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearer {
    /// It keeps the one that it has; it gets one when it has none.
    Kept,
    /// It gets another, and the one that it had is good for nothing.
    New,
}

/// A transmitter, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransmitterView {
    /// What it is called here.
    pub name: Name,
    /// What was declared.
    pub transmitter: Transmitter,
    /// How many signals came.
    pub signals: u64,
    /// When the last one came.
    pub heard: Option<Time>,
    /// What it says of its stream.
    pub state: StreamState,
    /// When it was last asked to verify its stream.
    pub asked: Option<Time>,
    /// When it last did.
    pub verified: Option<Time>,
    /// When it last answered a question for signals, where it is asked; since the server started.
    pub answered: Option<Time>,
    /// Why it can't be heard now, and since when.
    pub failing: Option<Failing>,
    /// The last signal of it that was refused, since the server started.
    pub refused: Option<RefusedView>,
}

/// Why a transmitter can't be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Since when.
    pub since: Time,
    /// Why.
    pub why: String,
}

/// A signal that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedView {
    /// When.
    pub at: Time,
    /// Why.
    pub why: String,
}

/// A signal that came, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalView {
    /// When it came.
    pub at: Time,
    /// What happened.
    pub events: Vec<String>,
    /// What became of it, in one word.
    pub outcome: &'static str,
    /// Whom it was about, where that is known.
    pub principal: Option<Name>,
    /// Whom it named, where nobody is known by that.
    pub subject: Option<String>,
    /// Where what it says is kept.
    pub content: PayloadId,
}

/// On whose word something was done, in entries: no principal, but a transmitter's.
const BY_TRANSMITTER: (&str, &str) = ("by", "transmitter");

impl App {
    /// The declaration of a transmitter.
    pub(crate) async fn declared(&self, name: &Name) -> Result<Option<Read<Declared>>> {
        Ok(self.store_ref().get::<Declared>(name.as_str()).await?)
    }

    /// Changes what is known of a transmitter's stream.
    async fn change_stream(
        &self,
        name: &Name,
        commit: &mut Commit,
        change: impl FnOnce(&mut Stream) + Send,
    ) -> Result<()> {
        let row = self.store_ref().get::<Stream>(name.as_str()).await?;
        let mut next = row.as_ref().map_or_else(|| Stream::new(name.clone()), |row| row.value.clone());
        change(&mut next);
        match &row {
            Some(row) => commit.replace(row, &next),
            None => {
                commit.expect_none(RowKind::SignalStream, name.as_str());
                commit.put(&next);
            }
        }
        Ok(())
    }

    pub(crate) async fn declared_named(&self, name: &Name) -> Result<Read<Declared>> {
        self.declared(name).await?.ok_or_else(|| Problem {
            next: "list them with `daypass signals list`".to_owned(),
            ..Problem::not_found("transmitter", name)
        })
    }
}
