//! ErrorResponse and NoticeResponse, written and read.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::frame::{FrameError, back};
use super::message::{put, put_text};
use super::read::Reader;

/// Five characters of `0-9 A-Z` that say what kind of error it is (PostgreSQL manual, "Error Codes").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sqlstate([u8; 5]);

impl Sqlstate {
    /// `01000` warning: what a notice of ours carries.
    pub const WARNING: Self = Self(*b"01000");
    /// `00000` successful completion: what a plain notice carries.
    pub const SUCCESS: Self = Self(*b"00000");
    /// `08001` the connection couldn't be made.
    pub const CONNECTION_NOT_MADE: Self = Self(*b"08001");
    /// `08004` the server rejected the connection.
    pub const CONNECTION_REJECTED: Self = Self(*b"08004");
    /// `08006` the connection failed.
    pub const CONNECTION_FAILURE: Self = Self(*b"08006");
    /// `08P01` protocol violation.
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    /// `0A000` feature not supported.
    pub const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    /// `28000` invalid authorization: no access.
    pub const INVALID_AUTHORIZATION: Self = Self(*b"28000");
    /// `28P01` wrong password.
    pub const INVALID_PASSWORD: Self = Self(*b"28P01");
    /// `3D000` no such database.
    pub const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    /// `42501` insufficient privilege.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(*b"42501");
    /// `53300` too many connections.
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    /// `57014` the statement was cancelled.
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    /// `57P01` ended by an administrator: what a revoked session sees.
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    /// `57P03` can't connect now, try later.
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    /// `57P05` idle for too long.
    pub const IDLE_SESSION_TIMEOUT: Self = Self(*b"57P05");
    /// `58000` something outside failed.
    pub const SYSTEM_ERROR: Self = Self(*b"58000");
    /// `XX000` internal error.
    pub const INTERNAL_ERROR: Self = Self(*b"XX000");

    /// From five bytes, if they are a code.
    pub fn new(code: &[u8]) -> Option<Self> {
        let code: [u8; 5] = code.try_into().ok()?;
        code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(code))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, so the empty text never shows.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Sqlstate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sqlstate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad it is, and so whether it is an ErrorResponse or a NoticeResponse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum Severity {
    Error,
    Fatal,
    Panic,
    Warning,
    Notice,
    Debug,
    Info,
    Log,
}

impl Severity {
    const ALL: [Self; 8] =
        [Self::Error, Self::Fatal, Self::Panic, Self::Warning, Self::Notice, Self::Debug, Self::Info, Self::Log];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Panic => "PANIC",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Log => "LOG",
        }
    }

    fn tag(self) -> u8 {
        match self {
            Self::Error | Self::Fatal | Self::Panic => back::ERROR_RESPONSE,
            Self::Warning | Self::Notice | Self::Debug | Self::Info | Self::Log => back::NOTICE_RESPONSE,
        }
    }
}

/// An ErrorResponse or a NoticeResponse, by its severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message} ({sqlstate})", severity.as_str())]
pub struct PgError {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub sqlstate: Sqlstate,
    /// What happened.
    pub message: String,
    /// Why.
    pub detail: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

impl PgError {
    /// An error after which the connection closes.
    pub fn fatal(sqlstate: Sqlstate, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, sqlstate, message: message.into(), detail: None, hint: None, position: None }
    }

    /// Something to tell, which psql shows while it waits.
    pub fn notice(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Notice,
            sqlstate: Sqlstate::SUCCESS,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
        }
    }

    /// The same as a NoticeResponse, after which the connection goes on.
    #[must_use]
    pub fn as_notice(&self) -> Self {
        let severity = match self.severity {
            Severity::Error | Severity::Fatal | Severity::Panic => Severity::Notice,
            Severity::Warning | Severity::Notice | Severity::Debug | Severity::Info | Severity::Log => self.severity,
        };
        Self { severity, ..self.clone() }
    }

    /// With why.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Writes the message.
    pub fn encode(&self, out: &mut BytesMut) {
        put(out, self.severity.tag(), |out| {
            put_field(out, b'S', self.severity.as_str());
            put_field(out, b'V', self.severity.as_str());
            put_field(out, b'C', self.sqlstate.as_str());
            put_field(out, b'M', &self.message);
            if let Some(detail) = &self.detail {
                put_field(out, b'D', detail);
            }
            if let Some(hint) = &self.hint {
                put_field(out, b'H', hint);
            }
            if let Some(position) = self.position {
                put_field(out, b'P', &position.to_string());
            }
            out.put_u8(0);
        });
    }

    /// Reads the body of an ErrorResponse or a NoticeResponse. Fields that we have no use for (file, line, ...) are dropped, and
    /// what isn't UTF-8 (before the client's encoding is known a server may send anything) is replaced.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] when a field has no end, or severity, code or message is missing.
    pub fn parse(body: &[u8]) -> Result<Self, FrameError> {
        let mut reader = Reader::new(body);
        let (mut severity, mut sqlstate, mut message) = (None, None, None);
        let (mut detail, mut hint, mut position) = (None, None, None);
        loop {
            let kind = reader.u8("the end of an error's fields")?;
            if kind == 0 {
                break;
            }
            let value = reader.text("the end of an error's field")?;
            let text = || String::from_utf8_lossy(value).into_owned();
            match kind {
                // `S` is translated and `V` isn't, but servers before 9.6 send only `S`.
                b'S' | b'V' => {
                    severity = Severity::ALL.into_iter().find(|s| s.as_str().as_bytes() == value).or(severity)
                }
                b'C' => sqlstate = Sqlstate::new(value),
                b'M' => message = Some(text()),
                b'D' => detail = Some(text()),
                b'H' => hint = Some(text()),
                b'P' => position = text().parse().ok(),
                _ => {}
            }
        }
        Ok(Self {
            severity: severity.ok_or(FrameError::Truncated("an error's severity"))?,
            sqlstate: sqlstate.ok_or(FrameError::Truncated("an error's SQLSTATE"))?,
            message: message.ok_or(FrameError::Truncated("an error's text"))?,
            detail,
            hint,
            position,
        })
    }
}

fn put_field(out: &mut BytesMut, kind: u8, value: &str) {
    out.put_u8(kind);
    put_text(out, value.as_bytes());
}
