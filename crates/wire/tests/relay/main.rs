//! The relay, driven with messages written out by hand.

mod copy;
mod ends;
mod extended;
mod random;
mod records;
mod simple;

use bytes::Bytes;
use daypass_wire::postgres::relay::{
    Captured, CloseReason, Kind, Outcome, Output, Record, RecordMode, Relay, Start, State,
};

/// A relay, and all that came out of it, in order.
pub(crate) struct Driven {
    pub(crate) relay: Relay,
    pub(crate) log: Vec<Output>,
}

impl Default for Driven {
    fn default() -> Self {
        Self::with(RecordMode::Full)
    }
}

impl Driven {
    pub(crate) fn with(mode: RecordMode) -> Self {
        Self { relay: Relay::new(mode), log: Vec::new() }
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.relay.poll() {
            self.log.push(output);
        }
    }

    pub(crate) fn client(&mut self, messages: &[Vec<u8>]) -> &mut Self {
        self.relay.from_client(Bytes::from(messages.concat()));
        self.drain();
        self
    }

    pub(crate) fn upstream(&mut self, messages: &[Vec<u8>]) -> &mut Self {
        self.relay.from_upstream(Bytes::from(messages.concat()));
        self.drain();
        self
    }

    /// The records since the last call, a line each; the rest is dropped.
    pub(crate) fn records(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
            .iter()
            .filter_map(|output| match output {
                Output::Record(record) => Some(line(record)),
                Output::ToClient(_) | Output::ToUpstream(_) | Output::Close(_) => None,
            })
            .collect()
    }

    pub(crate) fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for output in &self.log {
            match output {
                Output::ToUpstream(bytes) => up.extend_from_slice(bytes),
                Output::ToClient(bytes) => down.extend_from_slice(bytes),
                Output::Record(_) | Output::Close(_) => {}
            }
        }
        (up, down)
    }

    pub(crate) fn closed(&self) -> Option<&CloseReason> {
        self.log.iter().find_map(|output| match output {
            Output::Close(reason) => Some(reason),
            Output::ToClient(_) | Output::ToUpstream(_) | Output::Record(_) => None,
        })
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn text(start: &Start) -> String {
    match &start.text {
        None => String::new(),
        Some(Captured::Whole(text)) => format!(" {}", show(text)),
        Some(Captured::Truncated { len, .. }) => format!(" truncated {len}"),
        Some(Captured::Digest { len, .. }) => format!(" digest {len}"),
    }
}

pub(crate) fn line(record: &Record) -> String {
    match record {
        Record::Start(start) => {
            let kind = match start.kind {
                Kind::Simple => "simple".to_owned(),
                Kind::Parse => format!("parse <{}>", show(&start.name)),
                Kind::Bind => format!("bind <{}> <{}>", show(&start.portal), show(&start.name)),
                Kind::Execute { max_rows } => format!("execute <{}> {max_rows}", show(&start.portal)),
                Kind::FunctionCall { function } => format!("call {function}"),
            };
            format!("{} {kind}{}", start.n, text(start))
        }
        Record::End(end) => format!("{} {}", end.n, outcome(&end.outcome)),
        Record::Stray(what) => format!("stray {}", outcome(what)),
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed { tag } => format!("completed {}", show(tag)),
        Outcome::Failed { sqlstate, message } => {
            let code = sqlstate.map(|code| code.to_string());
            format!("failed {} {}", code.unwrap_or_default(), message.as_deref().unwrap_or("-"))
        }
        Outcome::Empty => "empty".to_owned(),
        Outcome::Suspended => "suspended".to_owned(),
        Outcome::Skipped => "skipped".to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
    }
}

/// A message with this type byte.
pub(crate) fn message(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag];
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(&body);
    out
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"])
}

pub(crate) fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0", &[0, 0]])
}

/// All values as text.
pub(crate) fn bind(portal: &str, name: &str, values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut rest = vec![0, 0];
    rest.extend_from_slice(&(values.len() as u16).to_be_bytes());
    for value in values {
        rest.extend_from_slice(&value.map_or(-1, |value| value.len() as i32).to_be_bytes());
        rest.extend_from_slice(value.unwrap_or_default());
    }
    rest.extend_from_slice(&[0, 0]);
    message(b'B', &[portal.as_bytes(), b"\0", name.as_bytes(), b"\0", &rest])
}

pub(crate) fn execute(portal: &str, max_rows: i32) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), b"\0", &max_rows.to_be_bytes()])
}

pub(crate) fn describe() -> Vec<u8> {
    message(b'D', &[b"P\0"])
}

pub(crate) fn sync() -> Vec<u8> {
    message(b'S', &[])
}

pub(crate) fn complete(tag: &str) -> Vec<u8> {
    message(b'C', &[tag.as_bytes(), b"\0"])
}

pub(crate) fn row(value: &[u8]) -> Vec<u8> {
    message(b'D', &[&[0, 1], &(value.len() as i32).to_be_bytes(), value])
}

pub(crate) fn error(severity: &str, code: &str, text: &str) -> Vec<u8> {
    let body = format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0");
    message(b'E', &[body.as_bytes()])
}

pub(crate) fn failure(text: &str) -> Vec<u8> {
    error("ERROR", "42601", text)
}

pub(crate) fn ready() -> Vec<u8> {
    message(b'Z', &[b"I"])
}

/// A message without a body that matters: BindComplete and so on.
pub(crate) fn bare(tag: u8) -> Vec<u8> {
    message(tag, &[])
}

/// CopyInResponse.
pub(crate) fn copy_in() -> Vec<u8> {
    message(b'G', &[&[0, 0, 0]])
}

pub(crate) fn data(bytes: &[u8]) -> Vec<u8> {
    message(b'd', &[bytes])
}

#[test]
fn a_new_session_is_idle_and_has_nothing_to_do() {
    let mut relay = Relay::new(RecordMode::Full);
    assert_eq!(relay.state(), State::Idle);
    assert_eq!(relay.poll(), None);
    assert!(relay.wants_client());
}
