//! Takes texts and parameters out of bodies, in the shape in which they are written down.

use std::borrow::Cow;

use aws_lc_rs::digest;
use bytes::Bytes;

use super::super::read::Reader;
use super::super::redact;
use super::TEXT_MAX;
use super::record::{Captured, Format, Parameter, RecordMode, Value};

/// Longest word that [`redact::hints`] knows is shorter than this.
const OVERLAP: usize = 32;

/// The digest of SQL that is too long to keep, made as it passes.
pub(super) struct LongText {
    digest: digest::Context,
    len: u64,
    /// Texts ended by a zero that are still before the SQL.
    before: usize,
    ended: bool,
    secret: bool,
    /// The last bytes, since a word may be cut by two pieces.
    last: Vec<u8>,
}

impl std::fmt::Debug for LongText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LongText({} bytes)", self.len)
    }
}

impl LongText {
    /// From the body's beginning; the SQL follows `before` texts.
    pub fn after(before: usize, head: &[u8]) -> Self {
        let digest = digest::Context::new(&digest::SHA256);
        let mut text = Self { digest, len: 0, before, ended: false, secret: false, last: Vec::new() };
        text.update(head);
        text
    }

    /// The next piece of the body.
    pub fn update(&mut self, mut piece: &[u8]) {
        while self.before > 0 {
            let Some(zero) = piece.iter().position(|byte| *byte == 0) else { return };
            piece = &piece[zero + 1..];
            self.before -= 1;
        }
        if self.ended {
            return;
        }
        if let Some(zero) = piece.iter().position(|byte| *byte == 0) {
            piece = &piece[..zero];
            self.ended = true;
        }
        self.digest.update(piece);
        self.len += piece.len() as u64;
        if !self.secret {
            self.last.extend_from_slice(&piece[..piece.len().min(OVERLAP)]);
            self.secret = redact::hints(&self.last) || redact::hints(piece);
            if piece.len() > OVERLAP {
                self.last.clear();
                self.last.extend_from_slice(&piece[piece.len() - OVERLAP..]);
            } else {
                let over = self.last.len().saturating_sub(OVERLAP);
                self.last.drain(..over);
            }
        }
    }

    fn finish(self) -> (u64, Option<[u8; 32]>) {
        let digest = (!self.secret).then(|| fixed(&self.digest.finish()));
        (self.len, digest)
    }
}

fn fixed(digest: &digest::Digest) -> [u8; 32] {
    let mut out = [0; 32];
    // SHA-256 has 32 bytes.
    out.copy_from_slice(digest.as_ref());
    out
}

/// SQL as it is written down.
pub(super) struct Text {
    pub captured: Captured,
    /// Whether it mentions a password, so that parameters and errors are left out as well.
    pub secret: bool,
}

/// Takes the SQL at the beginning of `rest`, which ends with a zero. `long` knows it if `rest` is cut.
pub(super) fn text(mode: RecordMode, rest: &Bytes, long: Option<LongText>) -> Text {
    let zero = rest.iter().position(|byte| *byte == 0);
    let all = rest.slice(..zero.unwrap_or(rest.len()));
    let cut = (zero.is_none() && long.is_some()) || all.len() > TEXT_MAX;
    let head = all.slice(..all.len().min(TEXT_MAX));
    let clean = match redact::redact(&head) {
        Cow::Borrowed(_) => head.clone(),
        Cow::Owned(clean) => Bytes::from(clean),
    };
    let secret = redact::mentions_password(&head);
    if cut {
        let long = long.unwrap_or_else(|| LongText::after(0, &all));
        let secret = secret || long.secret;
        let (len, sha256) = long.finish();
        let captured = match mode {
            RecordMode::Full | RecordMode::Text => Captured::Truncated { head: clean, len, sha256 },
            RecordMode::Digest => Captured::Digest { len, sha256 },
        };
        return Text { captured, secret };
    }
    let captured = match mode {
        RecordMode::Full | RecordMode::Text => Captured::Whole(clean),
        RecordMode::Digest => {
            let sha256 = Some(fixed(&digest::digest(&digest::SHA256, &clean)));
            Captured::Digest { len: head.len() as u64, sha256 }
        }
    };
    Text { captured, secret }
}

/// Splits off a text ended by a zero. One without end, in a body that was cut or is malformed, is all there is.
pub(super) fn name(body: &mut Bytes) -> Bytes {
    match body.iter().position(|byte| *byte == 0) {
        Some(zero) => {
            let name = body.split_to(zero);
            let _ = body.split_to(1);
            name
        }
        None => std::mem::take(body),
    }
}

/// Whether a statement's parameters may be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Plain,
    Secret,
}

/// Reads formats and values, as Bind and FunctionCall have them. What is cut off or malformed is left out; the upstream refuses it.
pub(super) fn parameters(body: &Bytes, secrecy: Secrecy) -> Vec<Parameter> {
    let mut reader = Reader::new(body);
    let mut formats = Vec::new();
    let mut values = Vec::new();
    for _ in 0..reader.i16("formats").unwrap_or(0) as u16 {
        let Ok(code) = reader.i16("a format") else { return values };
        formats.push(match code {
            0 => Format::Text,
            1 => Format::Binary,
            other => Format::Other(other),
        });
    }
    for at in 0..usize::from(reader.i16("values").unwrap_or(0) as u16) {
        let Ok(len) = reader.i32("a length") else { break };
        // No formats: all are text. One: it is for all.
        let format = if formats.len() == 1 { formats.first() } else { formats.get(at) };
        let format = format.copied().unwrap_or(Format::Text);
        let start = body.len() - reader.rest().len();
        let value = match u32::try_from(len) {
            Err(_) => Value::Null,
            Ok(len) => {
                let whole = reader.bytes(len as usize, "a value").is_ok();
                if secrecy == Secrecy::Secret {
                    Value::Redacted
                } else if whole {
                    Value::Whole(clean(body.slice(start..start + len as usize)))
                } else {
                    Value::Truncated { head: clean(body.slice(start..)), len }
                }
            }
        };
        let cut = matches!(value, Value::Truncated { .. });
        values.push(Parameter { format, value });
        if cut {
            break;
        }
    }
    values
}

/// A value may be SQL or a connection string itself.
fn clean(value: Bytes) -> Bytes {
    match redact::redact_value(&value) {
        Cow::Borrowed(_) => value,
        Cow::Owned(clean) => Bytes::from(clean),
    }
}
