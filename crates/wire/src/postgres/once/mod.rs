//! One statement, run once in a transaction of its own, or only estimated: the client's side of it, up to what came of it.
//!
//! It speaks to a server that is past its first ReadyForQuery. The statement goes through Parse, which takes one statement
//! and no more: that a text holds a single one is for the server to say, never for a parser of ours.
//!
//! ```text
//! run:  BEGIN            | Parse Bind Describe Execute Sync of the statement            | COMMIT
//! look: BEGIN READ ONLY, | Parse Bind Describe Execute Sync of EXPLAIN of the statement | nothing: the connection ends
//!       timeouts
//! ```
//!
//! Until COMMIT is given out nothing can have had an effect; from then until its answer nobody knows. That line is what
//! [`End::NoEffect`] and [`End::Unknown`] are told apart by.
//!
//! ```
//! use daypass_wire::postgres::once::{End, How, Once, Output};
//!
//! let mut once = Once::new("UPDATE t SET a = 1", How::Run);
//! let Some(Output::ToServer(begin)) = once.poll() else { panic!() };
//! assert_eq!(&begin[..], b"Q\0\0\0\x0aBEGIN\0");
//! once.from_server(b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T");
//! assert!(matches!(once.poll(), Some(Output::ToServer(_))));
//! once.closed(); // the connection is lost before COMMIT was asked for
//! let Some(Output::ToServer(_terminate)) = once.poll() else { panic!() };
//! let Some(Output::Over(over)) = once.poll() else { panic!() };
//! assert!(matches!(over.end, End::NoEffect(_)));
//! ```

mod given;
mod words;

use bytes::{BufMut, Bytes, BytesMut};

pub use given::{Column, Given, Kept, NOTICES_LEN_MAX, NOTICES_MAX, ROWS_LEN_MAX, ROWS_MAX};
pub use words::{NotOne, STATEMENT_LEN_MAX, admissible};

use super::{
    error::{PgError, Severity},
    frame::{FrameError, Header, Scanner, Step, back, front},
    message::{put, put_text, terminate},
    outbox::Outbox,
    read::Reader,
};

/// The longest message that is kept whole, in bytes; rows that are longer are counted and dropped.
const KEPT_MAX: u32 = 1 << 20;
/// How long an estimate may take at the target, and wait there for locks, in milliseconds.
const LOOK_MS: u32 = 10_000;
const LOOK_LOCK_MS: u32 = 2_000;

/// What to do with the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Run it, and commit.
    Run,
    /// Have it estimated in a transaction that reads only, and is never committed.
    Look,
}

/// Something for the driver to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this.
    ToServer(Bytes),
    /// That was all: close the connection. Nothing follows.
    Over(Box<Over>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    /// How it ended.
    pub end: End,
    /// What the server gave until then.
    pub given: Given,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The server said COMMIT.
    Committed,
    /// The estimate is there.
    Looked,
    /// The server refused the statement, or its commit: nothing of it stands.
    Refused(PgError),
    /// It broke off before COMMIT was asked for: nothing of it stands.
    NoEffect(Broken),
    /// It broke off when COMMIT may have been asked for.
    Unknown(Broken),
}

/// Why it broke off.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// The connection was ended, with these words.
    Told(PgError),
    /// The connection was lost.
    Gone,
    /// The statement is a COPY to or from the client.
    Copy,
    /// The statement ended the transaction that it was run in.
    OwnTransaction,
    /// The server doesn't keep to the protocol.
    Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Beginning,
    Running,
    Committing,
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Once {
    how: How,
    sql: String,
    state: State,
    scanner: Scanner,
    /// The message whose body comes, and what of it is kept.
    header: Option<Header>,
    body: BytesMut,
    error: Option<PgError>,
    given: Given,
    committed: Committed,
    out: Outbox<Output>,
}

/// Whether the server answered COMMIT with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Committed {
    NotSaid,
    Said,
}

impl Once {
    /// For a connection on which nothing was asked yet.
    #[must_use]
    pub fn new(sql: &str, how: How) -> Self {
        let (begin, sql) = match how {
            How::Run => ("BEGIN".to_owned(), sql.to_owned()),
            // The options are closed before the statement begins, so that none of its text can add one: ANALYZE would
            // run it. COSTS is what holds anyway.
            How::Look => (
                format!(
                    "BEGIN READ ONLY; SET LOCAL statement_timeout = {LOOK_MS}; SET LOCAL lock_timeout = {LOOK_LOCK_MS}"
                ),
                format!("EXPLAIN (COSTS) {sql}"),
            ),
        };
        let mut out = Outbox::new(Output::ToServer);
        query(out.bytes(), &begin);
        Self {
            how,
            sql,
            state: State::Beginning,
            scanner: Scanner::default(),
            header: None,
            body: BytesMut::new(),
            error: None,
            given: Given::default(),
            committed: Committed::NotSaid,
            out,
        }
    }

    /// What to do next, in order; `None` when it waits for bytes.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.poll()
    }

    /// Takes what the server sent. Nothing happens any more once it is over.
    pub fn from_server(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.state != State::Over {
            match self.scanner.step(bytes) {
                Ok(step) => {
                    self.step(step, &bytes[..step.taken()]);
                    bytes = &bytes[step.taken()..];
                }
                Err(FrameError::Length { .. } | FrameError::TooLong { .. })
                | Err(FrameError::Startup(_) | FrameError::Truncated(_)) => self.broke(Broken::Protocol),
            }
        }
    }

    /// The connection has ended.
    pub fn closed(&mut self) {
        if self.state != State::Over {
            let why = self.error.take().map_or(Broken::Gone, Broken::Told);
            self.broke(why);
        }
    }

    fn step(&mut self, step: Step, bytes: &[u8]) {
        match step {
            Step::Partial { .. } => {}
            Step::Header { header, .. } => {
                self.body.clear();
                self.header = Some(header);
                if header.body_len == 0 {
                    self.message(header);
                }
            }
            Step::Body { rest, .. } => {
                let Some(header) = self.header else { return };
                // A row that isn't kept, however long, is never in memory.
                if self.keeps(header) {
                    self.body.extend_from_slice(bytes);
                }
                if rest == 0 {
                    self.message(header);
                }
            }
        }
    }

    fn keeps(&self, header: Header) -> bool {
        let room = match header.tag {
            back::DATA_ROW => u32::try_from(self.given.room()).unwrap_or(KEPT_MAX),
            _ => KEPT_MAX,
        };
        header.body_len <= room
    }

    fn message(&mut self, header: Header) {
        if self.state == State::Over {
            return;
        }
        let body = self.body.split().freeze();
        let whole = body.len() == header.body_len as usize;
        if !whole && header.tag != back::DATA_ROW {
            return self.broke(Broken::Protocol);
        }
        let read = match header.tag {
            back::ERROR_RESPONSE => PgError::parse(&body).map(|error| self.failed(error)),
            back::NOTICE_RESPONSE => PgError::parse(&body).map(|notice| self.given.notice(notice, body.len())),
            back::ROW_DESCRIPTION => self.given.columns(&body),
            back::DATA_ROW if whole => self.given.row(&body),
            back::DATA_ROW => {
                self.given.dropped();
                Ok(())
            }
            back::COMMAND_COMPLETE => Reader::new(&body).text("a command tag").map(|tag| self.completed(tag)),
            back::READY_FOR_QUERY => Reader::new(&body).u8("the transaction's state").map(|status| self.ready(status)),
            // It isn't answered: the connection ends, and with it the transaction.
            back::COPY_IN_RESPONSE | back::COPY_OUT_RESPONSE | back::COPY_BOTH_RESPONSE => {
                self.broke(Broken::Copy);
                Ok(())
            }
            // ParseComplete and its like, parameters, notifications, and what newer servers tell: nothing follows from it.
            _ => Ok(()),
        };
        if read.is_err() {
            self.broke(Broken::Protocol);
        }
    }

    /// The first error is the cause of those that follow.
    fn failed(&mut self, error: PgError) {
        match error.severity {
            Severity::Fatal | Severity::Panic => self.broke(Broken::Told(error)),
            Severity::Error
            | Severity::Warning
            | Severity::Notice
            | Severity::Debug
            | Severity::Info
            | Severity::Log => self.error = self.error.take().or(Some(error)),
        }
    }

    fn completed(&mut self, tag: &[u8]) {
        match self.state {
            State::Running => self.given.tag = String::from_utf8_lossy(tag).into_owned(),
            State::Committing if tag == b"COMMIT" => self.committed = Committed::Said,
            State::Beginning | State::Committing | State::Over => {}
        }
    }

    fn ready(&mut self, status: u8) {
        if let Some(error) = self.error.take() {
            return self.over(self.refused(error, status));
        }
        match (self.state, status) {
            (State::Beginning, b'T') => {
                statement(self.out.bytes(), &self.sql);
                self.state = State::Running;
            }
            (State::Running, b'T') => match self.how {
                How::Look => self.over(End::Looked),
                How::Run => {
                    query(self.out.bytes(), "COMMIT");
                    self.state = State::Committing;
                }
            },
            // Whatever it was, it is done: nobody can say that it had no effect.
            (State::Running, b'I') => self.over(End::Unknown(Broken::OwnTransaction)),
            (State::Committing, b'I') => match self.committed {
                Committed::Said => self.over(End::Committed),
                Committed::NotSaid => self.over(End::Unknown(Broken::Protocol)),
            },
            (State::Beginning | State::Running | State::Committing, _) => self.broke(Broken::Protocol),
            (State::Over, _) => {}
        }
    }

    /// An error is a refusal only where the server says what follows from it: the transaction that is ours has failed, or,
    /// at its commit, is gone and wasn't committed. With any other state nobody can say that nothing stands.
    fn refused(&self, error: PgError, status: u8) -> End {
        match (self.state, self.committed, status) {
            (State::Beginning, _, _)
            | (State::Running, _, b'E')
            | (State::Committing, Committed::NotSaid, b'I' | b'E') => End::Refused(error),
            (State::Running, _, _) => End::Unknown(Broken::OwnTransaction),
            (State::Committing | State::Over, _, _) => End::Unknown(Broken::Told(error)),
        }
    }

    fn broke(&mut self, why: Broken) {
        match self.state {
            State::Beginning | State::Running => self.over(End::NoEffect(why)),
            State::Committing => self.over(End::Unknown(why)),
            State::Over => {}
        }
    }

    fn over(&mut self, end: End) {
        self.state = State::Over;
        terminate(self.out.bytes());
        let given = std::mem::take(&mut self.given);
        self.out.push(Output::Over(Box::new(Over { end, given })));
    }
}

fn query(out: &mut BytesMut, sql: &str) {
    put(out, front::QUERY, |out| put_text(out, sql.as_bytes()));
}

/// Parse, Bind, Describe, Execute, Sync: unnamed, without parameters, every value as text, every row.
fn statement(out: &mut BytesMut, sql: &str) {
    put(out, front::PARSE, |out| {
        put_text(out, b"");
        put_text(out, sql.as_bytes());
        out.put_i16(0);
    });
    put(out, front::BIND, |out| {
        put_text(out, b"");
        put_text(out, b"");
        out.put_i16(0);
        out.put_i16(0);
        out.put_i16(0);
    });
    put(out, front::DESCRIBE, |out| {
        out.put_u8(b'P');
        put_text(out, b"");
    });
    put(out, front::EXECUTE, |out| {
        put_text(out, b"");
        out.put_i32(0);
    });
    put(out, front::SYNC, |_| {});
}
