//! What is written of a session: its header, its records, how it ended.
//!
//! A record is a 4-byte length and a body: a type byte, the wall time in microseconds (8 bytes), and fields. Numbers are
//! LEB128, texts are counted. The header and the end, of which there is one each, are JSON.

use daypass_domain::{
    GrantId, Name, PrincipalId, ResourceId, SessionId, Time,
    session::{Passed, SessionEnd},
};
use daypass_ports::record::Terms;
use daypass_wire::postgres::{
    error::Sqlstate,
    relay::{Captured, End, Format, Kind, Outcome, Parameter, Record, Start, Value},
};
use serde::{Deserialize, Serialize};

use super::coding::{Malformed, Reading, Writing};

const HEADER: u8 = 0;
const START: u8 = 1;
const END: u8 = 2;
const STRAY: u8 = 3;
const CLOSED: u8 = 4;

/// Whose recording it is: the first record of a session in each segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The session.
    pub session: SessionId,
    /// Its grant.
    pub grant: GrantId,
    /// Who.
    pub principal: PrincipalId,
    /// On what.
    pub resource: ResourceId,
    /// The resource's name then.
    pub resource_name: Name,
    /// As what.
    pub role: Name,
    /// In which database.
    pub database: String,
    /// Under which login at the target.
    pub login: String,
}

/// How a session ended: its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Why.
    pub cause: SessionEnd,
    /// What passed.
    pub passed: Passed,
}

/// One record as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Whose it is.
    Header(Header),
    /// Something happened.
    Record {
        /// When, on the node's wall clock.
        at: Time,
        /// What.
        record: Record,
    },
    /// It ended.
    Closed {
        /// When.
        at: Time,
        /// How.
        closed: Closed,
    },
}

impl Header {
    pub(super) fn of(terms: &Terms) -> Self {
        Self {
            session: terms.session,
            grant: terms.grant,
            principal: terms.principal,
            resource: terms.resource,
            resource_name: terms.resource_name.clone(),
            role: terms.role.clone(),
            database: terms.database.clone(),
            login: terms.login.clone(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        json(&mut out, HEADER, Time::from_micros(0), self);
        out
    }
}

impl Closed {
    /// Appends it to `out`.
    pub(crate) fn encode(&self, at: Time, out: &mut Vec<u8>) {
        json(out, CLOSED, at, self);
    }
}

/// Appends a record to `out`.
pub(crate) fn encode(record: &Record, at: Time, out: &mut Vec<u8>) {
    match record {
        Record::Start(start) => framed(out, START, at, |out| put_start(out, start)),
        Record::End(end) => framed(out, END, at, |out| put_end(out, end)),
        Record::Stray(outcome) => framed(out, STRAY, at, |out| put_outcome(out, outcome)),
    }
}

fn json(out: &mut Vec<u8>, kind: u8, at: Time, value: &impl Serialize) {
    // Plain data always has a JSON form.
    let text = serde_json::to_vec(value).unwrap_or_default();
    framed(out, kind, at, |out| out.extend_from_slice(&text));
}

fn framed(out: &mut Vec<u8>, kind: u8, at: Time, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(kind);
    out.extend_from_slice(&at.micros().to_be_bytes());
    fill(out);
    // The machine holds a record to a few megabytes.
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_start(out: &mut Vec<u8>, start: &Start) {
    out.number(start.n);
    match start.kind {
        Kind::Simple => out.push(0),
        Kind::Parse => out.push(1),
        Kind::Bind => out.push(2),
        Kind::Execute { max_rows } => {
            out.push(3);
            out.extend_from_slice(&max_rows.to_be_bytes());
        }
        Kind::FunctionCall { function } => {
            out.push(4);
            out.extend_from_slice(&function.to_be_bytes());
        }
    }
    out.counted(&start.name);
    out.counted(&start.portal);
    match &start.text {
        None => out.push(0),
        Some(Captured::Whole(text)) => {
            out.push(1);
            out.counted(text);
        }
        Some(Captured::Truncated { head, len, sha256 }) => {
            out.push(2);
            out.counted(head);
            out.number(*len);
            out.maybe(sha256.as_ref().map(<[u8; 32]>::as_slice));
        }
        Some(Captured::Digest { len, sha256 }) => {
            out.push(3);
            out.number(*len);
            out.maybe(sha256.as_ref().map(<[u8; 32]>::as_slice));
        }
    }
    match &start.parameters {
        None => out.push(0),
        Some(parameters) => {
            out.push(1);
            out.number(parameters.len() as u64);
            parameters.iter().for_each(|parameter| put_parameter(out, parameter));
        }
    }
}

fn put_parameter(out: &mut Vec<u8>, parameter: &Parameter) {
    let format = match parameter.format {
        Format::Text => 0,
        Format::Binary => 1,
        Format::Other(code) => code,
    };
    out.extend_from_slice(&format.to_be_bytes());
    match &parameter.value {
        Value::Null => out.push(0),
        Value::Whole(value) => {
            out.push(1);
            out.counted(value);
        }
        Value::Truncated { head, len } => {
            out.push(2);
            out.counted(head);
            out.number(u64::from(*len));
        }
        Value::Redacted => out.push(3),
    }
}

fn put_end(out: &mut Vec<u8>, end: &End) {
    out.number(end.n);
    put_outcome(out, &end.outcome);
    match end.rows {
        None => out.push(0),
        Some(rows) => {
            out.push(1);
            out.number(rows);
        }
    }
    out.number(end.bytes_to_client);
    out.number(end.bytes_from_client);
}

fn put_outcome(out: &mut Vec<u8>, outcome: &Outcome) {
    match outcome {
        Outcome::Completed { tag } => {
            out.push(0);
            out.counted(tag);
        }
        Outcome::Failed { sqlstate, message } => {
            out.push(1);
            out.maybe(sqlstate.as_ref().map(|state| state.as_str().as_bytes()));
            out.maybe(message.as_deref().map(str::as_bytes));
        }
        Outcome::Empty => out.push(2),
        Outcome::Suspended => out.push(3),
        Outcome::Skipped => out.push(4),
        Outcome::Unknown => out.push(5),
    }
}

/// Reads the first record of `bytes`; nothing when it isn't all there. Gives how long it was.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Recorded, usize)>, Malformed> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let Some(body) = usize::try_from(u32::from_be_bytes(*length)).ok().and_then(|length| rest.get(..length)) else {
        return Ok(None);
    };
    let mut reading = Reading::new(body);
    let kind = reading.byte()?;
    let at = Time::from_micros(i64::from_be_bytes(reading.array()?));
    let recorded = match kind {
        HEADER => Recorded::Header(reading.json()?),
        CLOSED => Recorded::Closed { at, closed: reading.json()? },
        START => Recorded::Record { at, record: Record::Start(take_start(&mut reading)?) },
        END => Recorded::Record { at, record: Record::End(take_end(&mut reading)?) },
        STRAY => Recorded::Record { at, record: Record::Stray(take_outcome(&mut reading)?) },
        _ => return Err(Malformed("a kind of record")),
    };
    reading.end()?;
    Ok(Some((recorded, 4 + body.len())))
}

fn take_start(reading: &mut Reading<'_>) -> Result<Start, Malformed> {
    let n = reading.number()?;
    let kind = match reading.byte()? {
        0 => Kind::Simple,
        1 => Kind::Parse,
        2 => Kind::Bind,
        3 => Kind::Execute { max_rows: i32::from_be_bytes(reading.array()?) },
        4 => Kind::FunctionCall { function: u32::from_be_bytes(reading.array()?) },
        _ => return Err(Malformed("a kind of statement")),
    };
    let (name, portal) = (reading.counted()?, reading.counted()?);
    let text = match reading.byte()? {
        0 => None,
        1 => Some(Captured::Whole(reading.counted()?)),
        2 => {
            let (head, len) = (reading.counted()?, reading.number()?);
            Some(Captured::Truncated { head, len, sha256: reading.maybe_array()? })
        }
        3 => Some(Captured::Digest { len: reading.number()?, sha256: reading.maybe_array()? }),
        _ => return Err(Malformed("a kind of text")),
    };
    let parameters = match reading.byte()? {
        0 => None,
        1 => {
            let count = reading.number()?;
            if count > u64::from(u16::MAX) {
                return Err(Malformed("a number of parameters"));
            }
            Some((0..count).map(|_| take_parameter(reading)).collect::<Result<_, _>>()?)
        }
        _ => return Err(Malformed("parameters")),
    };
    Ok(Start { n, kind, name, portal, text, parameters })
}

fn take_parameter(reading: &mut Reading<'_>) -> Result<Parameter, Malformed> {
    let format = match i16::from_be_bytes(reading.array()?) {
        0 => Format::Text,
        1 => Format::Binary,
        code => Format::Other(code),
    };
    let value = match reading.byte()? {
        0 => Value::Null,
        1 => Value::Whole(reading.counted()?),
        2 => {
            let head = reading.counted()?;
            let len = u32::try_from(reading.number()?).map_err(|_| Malformed("a parameter's length"))?;
            Value::Truncated { head, len }
        }
        3 => Value::Redacted,
        _ => return Err(Malformed("a kind of value")),
    };
    Ok(Parameter { format, value })
}

fn take_end(reading: &mut Reading<'_>) -> Result<End, Malformed> {
    let n = reading.number()?;
    let outcome = take_outcome(reading)?;
    let rows = match reading.byte()? {
        0 => None,
        1 => Some(reading.number()?),
        _ => return Err(Malformed("rows")),
    };
    Ok(End { n, outcome, rows, bytes_to_client: reading.number()?, bytes_from_client: reading.number()? })
}

fn take_outcome(reading: &mut Reading<'_>) -> Result<Outcome, Malformed> {
    Ok(match reading.byte()? {
        0 => Outcome::Completed { tag: reading.counted()? },
        1 => {
            let sqlstate = reading.maybe_array::<5>()?.and_then(|code| Sqlstate::new(&code));
            let message = reading.maybe()?.map(|text| String::from_utf8_lossy(&text).into_owned());
            Outcome::Failed { sqlstate, message }
        }
        2 => Outcome::Empty,
        3 => Outcome::Suspended,
        4 => Outcome::Skipped,
        5 => Outcome::Unknown,
        _ => return Err(Malformed("a kind of outcome")),
    })
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
