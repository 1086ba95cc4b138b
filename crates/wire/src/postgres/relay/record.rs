//! What the relay tells about a session: its statements, and what came of them.

use std::fmt;

use bytes::Bytes;

use super::super::error::Sqlstate;

/// How much of what a client sends is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordMode {
    /// Texts and parameters.
    #[default]
    Full,
    /// Texts, no parameters.
    Text,
    /// Lengths and SHA-256 of texts, no parameters.
    Digest,
}

/// Something to write down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A client has sent this. Given before the last bytes of its message are given to the upstream.
    Start(Start),
    /// What came of it. Given before the bytes that tell the client.
    ///
    /// Simple, Execute and FunctionCall get at least one. A Simple gets one for each of its statements. A Parse or a Bind gets one only when it
    /// doesn't succeed: success shows in what follows, and would only double the records. The last one counts when an Execute
    /// gets two: it completed, and the implicit transaction failed to commit at Sync.
    End(End),
    /// The upstream tells an outcome that nothing in flight explains, as when an administrator ends an idle backend.
    Stray(Outcome),
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Counts up from 1 in a session; [`End::n`] cites it.
    pub n: u64,
    /// Which message.
    pub kind: Kind,
    /// The prepared statement's name, of Parse and Bind; empty is the unnamed one.
    pub name: Bytes,
    /// The portal's name, of Bind and Execute; empty is the unnamed one.
    pub portal: Bytes,
    /// The SQL, of Simple and Parse, with passwords taken out.
    pub text: Option<Captured>,
    /// The parameters, of Bind and FunctionCall, with [`RecordMode::Full`].
    pub parameters: Option<Vec<Parameter>>,
}

/// Which message a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Query: one or more statements in a text.
    Simple,
    /// Parse: a prepared statement is made.
    Parse,
    /// Bind: a portal is made, from a prepared statement and parameters.
    Bind,
    /// Execute: a portal is run.
    Execute {
        /// Rows at most; 0 is no limit.
        max_rows: i32,
    },
    /// FunctionCall: a function is called by its object id.
    FunctionCall {
        /// The function's object id.
        function: u32,
    },
}

impl Kind {
    /// Whether the message runs something, rather than preparing it.
    pub fn runs(self) -> bool {
        match self {
            Self::Simple | Self::Execute { .. } | Self::FunctionCall { .. } => true,
            Self::Parse | Self::Bind => false,
        }
    }
}

/// SQL as it is written down. Where it held a password, `'[redacted]'` stands there.
#[derive(Clone, PartialEq, Eq)]
pub enum Captured {
    /// All of it.
    Whole(Bytes),
    /// Its beginning.
    Truncated {
        /// The first [`super::TEXT_MAX`] bytes, less passwords.
        head: Bytes,
        /// Bytes of the whole.
        len: u64,
        /// SHA-256 of the whole; none when a password may be in it, since one could be guessed by it.
        sha256: Option<[u8; 32]>,
    },
    /// With [`RecordMode::Digest`].
    Digest {
        /// Bytes as sent.
        len: u64,
        /// SHA-256 of the text with passwords taken out; none when one may be in a text too long to look through.
        sha256: Option<[u8; 32]>,
    },
}

impl fmt::Debug for Captured {
    // Statements hold people's data, so what is printed for debugging gives lengths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(text) => write!(f, "Whole({} bytes)", text.len()),
            Self::Truncated { len, .. } => write!(f, "Truncated({len} bytes)"),
            Self::Digest { len, .. } => write!(f, "Digest({len} bytes)"),
        }
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// How the value is written.
    pub format: Format,
    /// The value.
    pub value: Value,
}

/// How a parameter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Code 0.
    Text,
    /// Code 1: as the type's send function writes it.
    Binary,
    /// A code that the protocol doesn't know.
    Other(i16),
}

/// A parameter's value.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// All of it.
    Whole(Bytes),
    /// What of it lies within the message's first [`super::TEXT_MAX`] bytes.
    Truncated {
        /// Its beginning.
        head: Bytes,
        /// Bytes of the whole.
        len: u32,
    },
    /// Left out: the statement mentions a password.
    Redacted,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Whole(value) => write!(f, "Whole({} bytes)", value.len()),
            Self::Truncated { len, .. } => write!(f, "Truncated({len} bytes)"),
            Self::Redacted => f.write_str("Redacted"),
        }
    }
}

/// What came of a [`Start`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Which one.
    pub n: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// Rows returned, changed or copied, as the command's tag says.
    pub rows: Option<u64>,
    /// Bytes that the upstream sent since the end before, up to and with the message that tells the outcome.
    pub bytes_to_client: u64,
    /// Bytes of the client's message, and of COPY data that followed it.
    pub bytes_from_client: u64,
}

/// What came of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran.
    Completed {
        /// The command's tag, such as `UPDATE 3`.
        tag: Bytes,
    },
    /// The upstream refused it, or it failed.
    Failed {
        /// What kind of error; none when the upstream sent no valid code.
        sqlstate: Option<Sqlstate>,
        /// The upstream's words; none when the statement mentions a password, since errors quote statements.
        message: Option<String>,
    },
    /// There was no statement in the text.
    Empty,
    /// The row limit was reached; the portal can be run on.
    Suspended,
    /// An earlier message failed, so the upstream read over this one, up to the next Sync.
    Skipped,
    /// The session ended first, or the upstream never told. It may have run.
    Unknown,
}
