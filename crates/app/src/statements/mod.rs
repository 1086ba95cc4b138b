//! One statement: asked for, looked at, run once. What is asked is in [`crate::request`]; here is what is done.
//!
//! ```text
//! run, look ──► Waiting ◄── a gateway asks for the next
//!                  └─► judge, make the login, commit: the run is begun   (from here it may have run, I1)
//!                        └─► the gateway's word of what came of it ─► commit: it is over ─► the grant ends
//! ```
//!
//! A run that is found begun when the server starts is over, and unknown: nothing is run twice.

pub mod estimate;
mod look;
mod over;
mod run;
mod waiting;

use daypass_domain::{
    Digest, PrincipalId,
    grant::Grant,
    request::Request,
    statement::{Opens, Wants},
};
use daypass_ports::record::{Committed, Part};
use daypass_wire::postgres::once::{self, How, Over};

pub use over::{outcome, why};
pub use run::Ran;
pub(crate) use waiting::Waiting;

use crate::{App, Problem, Result};

/// What came of a run, and the commit that its grant ended with.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub over: Over,
    pub ended: Option<Committed>,
}

impl App {
    /// The text of a statement never stands in a row (I9): it goes under its writer's key, and the row says where, and
    /// what its digest is, so that an approval covers it (I8).
    pub(crate) fn keep_statement(&self, writer: PrincipalId, text: Option<&str>) -> Result<(Wants, Option<Part>)> {
        let Some(text) = text else { return Ok((Wants::Sessions, None)) };
        once::admissible(text).map_err(|e| {
            let next = "give one statement of SQL; for several, or a session, ask without a statement: daypass request";
            Problem::invalid("bad_statement", format!("that can't be the one statement of a request: {e}"), next)
        })?;
        let part = self.subject_part(writer, &text);
        Ok((Wants::Statement { at: part.id, digest: Digest::of(text.as_bytes()) }, Some(part)))
    }

    /// The text of a request's statement, when it is there and is the one that was asked for.
    pub(crate) async fn statement_of(&self, request: &Request) -> Result<String> {
        let Wants::Statement { at, digest } = &request.asked.wants else { return Err(for_sessions()) };
        let text = self.text(*at).await?.ok_or_else(|| {
            Problem::conflict("statement_erased", "the statement was erased, so it can't be run", "ask again")
        })?;
        if Digest::of(text.as_bytes()) != *digest {
            return Err(Problem::conflict(
                "statement_changed",
                "the statement isn't the one that was asked for, so it isn't run",
                "tell whoever runs Daypass: the store holds another text than it should",
            ));
        }
        Ok(text)
    }
}

/// What a grant's run does with the statement.
fn how(grant: &Grant) -> Result<How> {
    match grant.opens {
        Opens::Sessions => Err(for_sessions()),
        Opens::Statement { .. } => Ok(How::Run),
        Opens::Look { .. } => Ok(How::Look),
    }
}

fn for_sessions() -> Problem {
    Problem::conflict(
        "for_sessions",
        "it is for sessions, not for one statement",
        "connect with `daypass connect`, or ask for one statement with `daypass exec`",
    )
}
