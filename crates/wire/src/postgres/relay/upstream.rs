//! Messages of the upstream.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::super::error::{PgError, Severity};
use super::super::frame::{FrameError, Header, back};
use super::flight::Statement;
use super::record::{Kind, Outcome};
use super::walk::{Done, Kinds, Want};
use super::{ProtocolError, Relay, State};

/// What is read of an error, in bytes.
const ERROR_MAX: usize = 64 << 10;
/// What is read of a command's tag, in bytes; PostgreSQL's have at most 64.
const TAG_MAX: usize = 256;

/// The upstream's messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpstreamKinds;

/// A broken frame of the upstream's.
#[derive(Debug)]
pub(super) struct Broken(ProtocolError);

impl From<FrameError> for Broken {
    fn from(error: FrameError) -> Self {
        Self(ProtocolError::Upstream(error))
    }
}

impl From<Broken> for ProtocolError {
    fn from(broken: Broken) -> Self {
        broken.0
    }
}

impl Kinds for UpstreamKinds {
    type Error = Broken;

    fn bulk(tag: u8) -> bool {
        tag == back::DATA_ROW || tag == back::COPY_DATA
    }

    fn want(&self, header: Header) -> Result<Want, Broken> {
        match header.tag {
            back::COMMAND_COMPLETE => Ok(Want::Head(TAG_MAX)),
            back::ERROR_RESPONSE => Ok(Want::Head(ERROR_MAX)),
            back::READY_FOR_QUERY => Ok(Want::Head(1)),
            tag if tag.is_ascii_alphanumeric() => Ok(Want::Nothing),
            tag => Err(Broken(ProtocolError::UpstreamType(tag))),
        }
    }
}

impl Relay {
    /// A message is complete at this place of the stream. Breaks when the client's statements can't be told apart any more.
    pub(super) fn upstream_message(&mut self, done: &Done, place: u64) -> ControlFlow<()> {
        match done.header.tag {
            back::PARSE_COMPLETE => {
                if let Some(statement) = self.flight.prepared(|kind| kind == Kind::Parse)
                    && let Some(name) = statement.clears
                {
                    self.secrets.cleared(&name, statement.n);
                }
            }
            back::BIND_COMPLETE => drop(self.flight.prepared(|kind| kind == Kind::Bind)),
            back::CLOSE_COMPLETE => self.flight.closed(),
            back::ROW_DESCRIPTION | back::NO_DATA => self.flight.described(),
            back::COPY_IN_RESPONSE => return self.flight.copy_in_begins(),
            back::COMMAND_COMPLETE => {
                let end = done.head.iter().position(|byte| *byte == 0).unwrap_or(done.head.len());
                self.completed(Outcome::Completed { tag: done.head.slice(..end) }, place);
            }
            back::FUNCTION_CALL_RESPONSE => self.completed(Outcome::Completed { tag: Bytes::new() }, place),
            back::EMPTY_QUERY_RESPONSE => self.completed(Outcome::Empty, place),
            back::PORTAL_SUSPENDED => self.completed(Outcome::Suspended, place),
            back::ERROR_RESPONSE => self.failed(&done.head, place),
            back::READY_FOR_QUERY => {
                if let Some(told) = self.flight.ready() {
                    self.told(told, place);
                }
                self.upstream_told = self.upstream_told.max(place);
                self.status = match done.head.first() {
                    Some(b'T') => State::InTransaction,
                    Some(b'E') => State::Failed,
                    Some(_) | None => State::Idle,
                };
            }
            // What tells no outcome: rows, notices, notifications, parameters, types of newer servers.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn completed(&mut self, outcome: Outcome, place: u64) {
        let told = self.flight.completed(outcome);
        self.told(told, place);
    }

    fn failed(&mut self, body: &[u8], place: u64) {
        let error = PgError::parse(body);
        self.fatal |= error.as_ref().is_ok_and(|error| matches!(error.severity, Severity::Fatal | Severity::Panic));
        // What isn't about a statement in flight may be about any.
        let any_secret = self.secrets.any();
        let outcome = |about: Option<&Statement>| match error {
            Ok(error) => {
                let secret = about.map_or(any_secret, |statement| statement.secret);
                let message = (!secret).then(|| text_of(&error.message));
                Outcome::Failed { sqlstate: Some(error.sqlstate), message }
            }
            Err(_) => Outcome::Failed { sqlstate: None, message: None },
        };
        let mut told = Vec::new();
        self.flight.failed(outcome, &mut told);
        for told in told {
            self.told(told, place);
        }
    }
}

/// An error may quote a statement that ran within another one.
fn text_of(message: &str) -> String {
    String::from_utf8_lossy(&super::super::redact::redact_value(message.as_bytes())).into_owned()
}

/// Rows, as a command's tag ends with them.
pub(super) fn rows(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Completed { tag } => {
            let digits = tag.rsplit(|byte| *byte == b' ').next()?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        }
        Outcome::Failed { .. } | Outcome::Empty | Outcome::Suspended | Outcome::Skipped | Outcome::Unknown => None,
    }
}
