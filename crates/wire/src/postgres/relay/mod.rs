//! Passes a session's bytes between a client and its target, and tells what is done in it.
//!
//! Bytes come out as they came in, as slices of the same buffers: the relay looks at the header of each message, and reads the body of the few
//! that [`Record`]s are made from. It is driven after the upstream's first ReadyForQuery was passed, until [`Output::Close`]:
//!
//! ```
//! use bytes::Bytes;
//! use daypass_wire::postgres::relay::{CloseReason, Outcome, Output, Record, RecordMode, Relay};
//!
//! let mut relay = Relay::new(RecordMode::Full);
//! relay.from_client(Bytes::from_static(b"Q\0\0\0\x0dSELECT 1\0"));
//! // The record is out first: the driver writes it before it goes on to what follows.
//! let Some(Output::Record(Record::Start(start))) = relay.poll() else { panic!() };
//! let Some(Output::ToUpstream(bytes)) = relay.poll() else { panic!() };
//! assert_eq!(&bytes[..], b"Q\0\0\0\x0dSELECT 1\0");
//! assert_eq!(relay.poll(), None);
//!
//! relay.from_upstream(Bytes::from_static(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"));
//! let Some(Output::Record(Record::End(end))) = relay.poll() else { panic!() };
//! assert_eq!((end.n, end.rows), (start.n, Some(1)));
//! assert!(matches!(relay.poll(), Some(Output::ToClient(_))));
//!
//! relay.from_client(Bytes::from_static(b"X\0\0\0\x04"));
//! assert!(matches!(relay.poll(), Some(Output::ToUpstream(_))));
//! assert_eq!(relay.poll(), Some(Output::Close(CloseReason::ClientLeft)));
//! ```
//!
//! # Order
//! A chunk's records come before the chunk. So a statement's [`Record::Start`] is out before the last bytes of its message are, whatever
//! came before of a long one, and its [`Record::End`] is out before the bytes that tell the client. // I1
//!
//! # What isn't legal
//! A client's message of a type that version 3 doesn't know ends the session: it might hold a statement that nobody would record. An
//! upstream's passes if its type byte is a letter or a digit: newer servers tell more, and it asks nothing of us. A length below 4 or a body above
//! 1 GiB ends the session on either side.
//!
//! So does a client that sends a statement while COPY FROM STDIN reads, or where it can't be known whether the upstream reads over it: PostgreSQL
//! reads over a Sync that comes while COPY reads, but not when the COPY failed before. Drivers send none of these.

mod capture;
mod client;
mod flight;
mod record;
mod upstream;
mod walk;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use self::client::ClientKinds;
use self::flight::{Flight, Told};
pub use self::record::{Captured, End, Format, Kind, Outcome, Parameter, Record, RecordMode, Start, Value};
use self::upstream::UpstreamKinds;
use self::walk::Walk;
use super::error::{PgError, Sqlstate};
use super::frame::FrameError;

/// What is kept of a text, and of a message's parameters, in bytes.
pub const TEXT_MAX: usize = 1 << 20;
/// Messages in flight above which [`Relay::wants_client`] says no.
pub const IN_FLIGHT_MAX: usize = 65_536;

/// Something for the driver to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write this to the client.
    ToClient(Bytes),
    /// Write this to the upstream.
    ToUpstream(Bytes),
    /// Write this down before anything that follows.
    Record(Record),
    /// Close both connections. Nothing follows.
    Close(CloseReason),
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said Terminate, which was passed on.
    ClientLeft,
    /// The client's connection ended without a word.
    ClientGone,
    /// The upstream's connection ended.
    UpstreamGone,
    /// [`Relay::end`].
    Ended,
    /// One side doesn't keep to the protocol.
    ProtocolError(ProtocolError),
}

/// What isn't legal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// From the client.
    #[error("the client broke the protocol: {0}")]
    Client(FrameError),
    /// From the upstream.
    #[error("the target broke the protocol: {0}")]
    Upstream(FrameError),
    /// From the client.
    #[error("the client sent a message of type {0:#04x}, which version 3 of the protocol doesn't know")]
    ClientType(u8),
    /// From the upstream.
    #[error("the target sent a message of type {0:#04x}, which isn't one of the protocol's")]
    UpstreamType(u8),
    /// From the client.
    #[error("the client sent a message of type {0:#04x} while COPY FROM STDIN reads, or after it before Sync")]
    DuringCopy(u8),
    /// From the client.
    #[error("the client sent a statement after Sync behind COPY FROM STDIN, so that it is left open whether it runs")]
    AfterCopy,
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Idle,
    /// Nothing, within a transaction.
    InTransaction,
    /// Nothing, within a transaction that failed.
    Failed,
    /// The upstream owes answers.
    Busy,
}

/// What a session has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Messages that run something: Query, Execute, FunctionCall.
    pub statements: u64,
    /// Bytes given out toward the upstream.
    pub from_client: u64,
    /// Bytes given out toward the client, errors of ours included.
    pub to_client: u64,
}

/// An output, and what it means for the stream that it belongs to.
#[derive(Debug)]
enum Queued {
    /// `boundary`: whether the client's stream is between two messages after it.
    ToClient {
        bytes: Bytes,
        boundary: bool,
    },
    ToUpstream(Bytes),
    Record(Record),
    Close(CloseReason),
}

/// The machine.
#[derive(Debug)]
pub struct Relay {
    mode: RecordMode,
    client: Walk,
    upstream: Walk,
    flight: Flight,
    secrets: client::Secrets,
    out: VecDeque<Queued>,
    /// Whether what was given out toward the client ends between two messages.
    boundary: bool,
    closed: bool,
    /// Whether the upstream has told the client that this is the end.
    fatal: bool,
    status: State,
    statements: u64,
    last_n: u64,
    /// Bytes from the upstream, up to the last chunk's end.
    upstream_bytes: u64,
    /// Where in them the last [`End`] was.
    upstream_told: u64,
    /// COPY data from the client that an [`End`] has told.
    copy_told: u64,
    passed: Passed,
}

impl Relay {
    /// For a session whose login is over.
    pub fn new(mode: RecordMode) -> Self {
        Self {
            mode,
            client: Walk::default(),
            upstream: Walk::default(),
            flight: Flight::default(),
            secrets: client::Secrets::default(),
            out: VecDeque::new(),
            boundary: true,
            closed: false,
            fatal: false,
            status: State::Idle,
            statements: 0,
            last_n: 0,
            upstream_bytes: 0,
            upstream_told: 0,
            copy_told: 0,
            passed: Passed::default(),
        }
    }

    /// Bytes that the client sent. After the end they are dropped.
    pub fn from_client(&mut self, chunk: Bytes) {
        if self.closed || chunk.is_empty() {
            return;
        }
        let mut at = 0;
        loop {
            let kinds = ClientKinds { mode: self.mode, copy_only: self.flight.copy_only() };
            match self.client.next(&kinds, &chunk, &mut at) {
                Ok(Some(done)) => {
                    if self.client_message(done).is_break() {
                        self.out.push_back(Queued::ToUpstream(chunk.slice(..at)));
                        return self.close(CloseReason::ClientLeft);
                    }
                }
                Ok(None) => break,
                Err(error) => return self.broken(error),
            }
        }
        self.out.push_back(Queued::ToUpstream(chunk));
    }

    /// Bytes that the upstream sent. After the end they are dropped.
    pub fn from_upstream(&mut self, chunk: Bytes) {
        if self.closed || chunk.is_empty() {
            return;
        }
        let mut at = 0;
        loop {
            match self.upstream.next(&UpstreamKinds, &chunk, &mut at) {
                Ok(Some(done)) => {
                    if self.upstream_message(&done, self.upstream_bytes + at as u64).is_break() {
                        return self.broken(ProtocolError::AfterCopy);
                    }
                }
                Ok(None) => break,
                Err(error) => return self.broken(error.into()),
            }
        }
        self.upstream_bytes += chunk.len() as u64;
        let boundary = self.upstream.at_boundary();
        self.out.push_back(Queued::ToClient { bytes: chunk, boundary });
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        Some(match self.out.pop_front()? {
            Queued::ToClient { bytes, boundary } => {
                self.boundary = boundary;
                self.passed.to_client += bytes.len() as u64;
                Output::ToClient(bytes)
            }
            Queued::ToUpstream(bytes) => {
                self.passed.from_client += bytes.len() as u64;
                Output::ToUpstream(bytes)
            }
            Queued::Record(record) => Output::Record(record),
            Queued::Close(reason) => Output::Close(reason),
        })
    }

    /// Whether more of the client should be read: not while it is far ahead of the upstream, nor after the end.
    pub fn wants_client(&self) -> bool {
        !self.closed && self.flight.len() <= IN_FLIGHT_MAX
    }

    /// What the session is doing.
    pub fn state(&self) -> State {
        let idle = self.flight.is_empty() && !self.flight.copy_in() && self.client.at_boundary();
        if idle { self.status } else { State::Busy }
    }

    /// What the session has carried, as far as [`Relay::poll`] has given it out.
    pub fn passed(&self) -> Passed {
        Passed { statements: self.statements, ..self.passed }
    }

    /// Ends the session from our side: what wasn't given out yet, in either direction, never is. // I3
    ///
    /// The client gets `error` if what was given out to it ends between two messages, and before anything else, since an ending waits
    /// for no record; otherwise just a closed connection. Then come the records that were due, an unknown outcome for each
    /// statement in flight (one may not have been sent), and [`CloseReason::Ended`].
    pub fn end(&mut self, error: &PgError) {
        self.end_because(Some(error), CloseReason::Ended);
    }

    /// The client's connection is closed. Nothing more goes to the upstream.
    pub fn client_closed(&mut self) {
        self.end_because(None, CloseReason::ClientGone);
    }

    /// The upstream's connection is closed. What it sent still goes to the client, then `error`, unless the upstream's last words
    /// were a fatal error of its own or half a message.
    pub fn upstream_closed(&mut self, error: &PgError) {
        if self.closed {
            return;
        }
        self.out.retain(|queued| !matches!(queued, Queued::ToUpstream(_)));
        if self.upstream.at_boundary() && !self.fatal {
            self.out.push_back(to_client(error));
        }
        self.close(CloseReason::UpstreamGone);
    }

    fn broken(&mut self, error: ProtocolError) {
        let told = PgError::fatal(Sqlstate::PROTOCOL_VIOLATION, error.to_string());
        self.end_because(Some(&told), CloseReason::ProtocolError(error));
    }

    fn end_because(&mut self, error: Option<&PgError>, reason: CloseReason) {
        if self.closed
            && !self.out.iter().any(|queued| matches!(queued, Queued::ToUpstream(_) | Queued::ToClient { .. }))
        {
            return;
        }
        self.out.retain(|queued| matches!(queued, Queued::Record(_)));
        if let (Some(error), true) = (error, self.boundary) {
            self.out.push_front(to_client(error));
        }
        self.close(reason);
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed = true;
        for told in self.flight.abandon() {
            self.told(told, self.upstream_bytes);
        }
        self.out.push_back(Queued::Close(reason));
    }

    /// Writes down an outcome that is known at this place of the upstream's stream.
    fn told(&mut self, told: Told, place: u64) {
        let Some(n) = told.n else {
            return self.out.push_back(Queued::Record(Record::Stray(told.outcome)));
        };
        let copied = self.client.bulk_bytes - self.copy_told;
        self.copy_told = self.client.bulk_bytes;
        let bytes_to_client = place.saturating_sub(self.upstream_told);
        self.upstream_told = self.upstream_told.max(place);
        let rows = upstream::rows(&told.outcome);
        let end = End { n, outcome: told.outcome, rows, bytes_to_client, bytes_from_client: told.bytes + copied };
        self.out.push_back(Queued::Record(Record::End(end)));
    }
}

fn to_client(error: &PgError) -> Queued {
    let mut bytes = BytesMut::new();
    error.encode(&mut bytes);
    Queued::ToClient { bytes: bytes.freeze(), boundary: true }
}
