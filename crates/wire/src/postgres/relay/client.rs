//! Messages of the client.

use std::collections::HashMap;
use std::ops::ControlFlow;

use bytes::{Buf, Bytes};

use super::super::frame::{FrameError, Header, front};
use super::capture::{self, Secrecy};
use super::flight::{Awaited, Statement, belongs_to_copy};
use super::record::{Kind, Record, RecordMode, Start};
use super::walk::{Done, Kinds, Want};
use super::{ProtocolError, Queued, Relay, TEXT_MAX};

/// What is kept of a message that is read for its names, in bytes; PostgreSQL's have at most 63.
const NAMES_MAX: usize = 4096;
/// Names of prepared statements that are remembered for their passwords; above it, every parameter is left out.
const SECRETS_MAX: usize = 1024;
/// PostgreSQL tells prepared statements apart by so many bytes of their names.
const NAME_LEN: usize = 63;

/// The client's messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientKinds {
    pub mode: RecordMode,
    /// Whether only what belongs to COPY may come.
    pub copy_only: bool,
}

impl From<FrameError> for ProtocolError {
    fn from(error: FrameError) -> Self {
        Self::Client(error)
    }
}

impl Kinds for ClientKinds {
    type Error = ProtocolError;

    fn bulk(tag: u8) -> bool {
        tag == front::COPY_DATA
    }

    fn want(&self, header: Header) -> Result<Want, ProtocolError> {
        let parameters = match self.mode {
            RecordMode::Full => TEXT_MAX,
            RecordMode::Text | RecordMode::Digest => NAMES_MAX,
        };
        let want = match header.tag {
            front::QUERY => Want::Text { limit: TEXT_MAX + 1, before: 0 },
            front::PARSE => Want::Text { limit: NAMES_MAX + TEXT_MAX + 1, before: 1 },
            front::BIND | front::FUNCTION_CALL => Want::Head(parameters),
            front::EXECUTE => Want::Head(NAMES_MAX),
            front::CLOSE | front::DESCRIBE | front::COPY_DATA | front::COPY_DONE => Want::Nothing,
            front::COPY_FAIL | front::FLUSH | front::SYNC | front::TERMINATE => Want::Nothing,
            other => return Err(ProtocolError::ClientType(other)),
        };
        if self.copy_only && !belongs_to_copy(header.tag) {
            return Err(ProtocolError::DuringCopy(header.tag));
        }
        Ok(want)
    }
}

/// Prepared statements whose text mentions a password, by name, with the last Parse that did.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    names: HashMap<Bytes, u64>,
    overflow: bool,
}

impl Secrets {
    fn key(name: &Bytes) -> Bytes {
        // A copy, so that the buffer that it came in doesn't stay.
        Bytes::copy_from_slice(&name[..name.len().min(NAME_LEN)])
    }

    fn has(&self, name: &Bytes) -> bool {
        self.overflow || self.names.contains_key(&name[..name.len().min(NAME_LEN)])
    }

    /// Whether any statement mentions a password.
    pub fn any(&self) -> bool {
        self.overflow || !self.names.is_empty()
    }

    fn add(&mut self, name: &Bytes, n: u64) {
        if self.names.len() >= SECRETS_MAX && !self.has(name) {
            self.overflow = true;
        } else {
            self.names.insert(Self::key(name), n);
        }
    }

    /// The upstream took a Parse that mentions none.
    pub fn cleared(&mut self, name: &Bytes, n: u64) {
        if self.names.get(name).is_some_and(|secret| *secret < n) {
            self.names.remove(name);
        }
    }
}

impl Relay {
    /// A message is complete. Breaks at Terminate.
    pub(super) fn client_message(&mut self, done: Done) -> ControlFlow<()> {
        let bytes = done.header.message_len();
        match done.header.tag {
            front::QUERY => {
                let text = capture::text(self.mode, &done.head, done.long);
                let start = Start { text: Some(text.captured), ..self.start(Kind::Simple) };
                self.started(start, bytes, text.secret, None);
            }
            front::PARSE => self.parse(done),
            front::BIND => {
                let mut body = done.head;
                let portal = capture::name(&mut body);
                let name = capture::name(&mut body);
                let secret = self.secrets.has(&name);
                let parameters = self.parameters(&body, secret);
                let start = Start { name, portal, parameters, ..self.start(Kind::Bind) };
                self.started(start, bytes, secret, None);
            }
            front::EXECUTE => {
                let mut body = done.head;
                let portal = capture::name(&mut body);
                let max_rows = if body.len() >= 4 { body.get_i32() } else { 0 };
                let start = Start { portal, ..self.start(Kind::Execute { max_rows }) };
                // Which statement a portal came from isn't kept, so any with a password counts.
                let secret = self.secrets.any();
                self.started(start, bytes, secret, None);
            }
            front::FUNCTION_CALL => {
                let mut body = done.head;
                let function = if body.len() >= 4 { body.get_u32() } else { 0 };
                let parameters = self.parameters(&body, false);
                let start = Start { parameters, ..self.start(Kind::FunctionCall { function }) };
                self.started(start, bytes, false, None);
            }
            front::DESCRIBE => self.pushed(Awaited::Describe),
            front::CLOSE => self.pushed(Awaited::Close),
            front::SYNC => self.pushed(Awaited::Sync),
            front::COPY_DONE | front::COPY_FAIL => self.pushed(Awaited::CopyEnd),
            front::TERMINATE => return ControlFlow::Break(()),
            // Flush and CopyData are answered by nothing of their own; other types were refused at their header.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn parse(&mut self, done: Done) {
        let bytes = done.header.message_len();
        let mut body = done.head;
        let name = capture::name(&mut body);
        let text = capture::text(self.mode, &body, done.long);
        let start = Start { name, text: Some(text.captured), ..self.start(Kind::Parse) };
        let clears = if text.secret {
            self.secrets.add(&start.name, start.n);
            None
        } else {
            self.secrets.has(&start.name).then(|| Secrets::key(&start.name))
        };
        self.started(start, bytes, text.secret, clears);
    }

    fn parameters(&self, body: &Bytes, secret: bool) -> Option<Vec<super::Parameter>> {
        match self.mode {
            RecordMode::Full => {
                let secrecy = if secret { Secrecy::Secret } else { Secrecy::Plain };
                Some(capture::parameters(body, secrecy))
            }
            RecordMode::Text | RecordMode::Digest => None,
        }
    }

    fn start(&mut self, kind: Kind) -> Start {
        self.last_n += 1;
        Start { n: self.last_n, kind, name: Bytes::new(), portal: Bytes::new(), text: None, parameters: None }
    }

    fn started(&mut self, start: Start, bytes: u64, secret: bool, clears: Option<Bytes>) {
        let (n, kind) = (start.n, start.kind);
        self.statements += u64::from(kind.runs());
        self.out.push_back(Queued::Record(Record::Start(start)));
        self.pushed(Awaited::Statement(Statement { n, kind, bytes, secret, ended: false, clears }));
    }

    fn pushed(&mut self, awaited: Awaited) {
        if let Some(told) = self.flight.push(awaited) {
            self.told(told, self.upstream_bytes);
        }
    }
}
