//! Where messages begin and end, without looking inside (PostgreSQL manual, "Message Formats").
//!
//! After the startup packet every message is a type byte, a big-endian `i32` length that counts itself, and a body.
//! The relay passes bodies on as they come, so it uses a [`Scanner`], which keeps at most five bytes. The handshakes need whole
//! messages, which are small, so they use [`take_message`] and [`take_startup`] with a limit.
//!
//! ```
//! use daypass_wire::postgres::frame::{Scanner, Step, front};
//!
//! let mut scanner = Scanner::default();
//! let stream = b"Q\0\0\0\x0dSELECT 1\0S\0\0\0\x04";
//! let mut at = 0;
//! let mut seen = Vec::new();
//! while at < stream.len() {
//!     let step = scanner.step(&stream[at..])?;
//!     match step {
//!         Step::Partial { .. } => {}
//!         Step::Header { header, .. } => seen.push(header.tag),
//!         Step::Body { .. } => {} // stream[at..at + step.taken()] belongs to the message of the last header
//!     }
//!     at += step.taken();
//! }
//! assert_eq!(seen, [front::QUERY, front::SYNC]);
//! # Ok::<(), daypass_wire::postgres::frame::FrameError>(())
//! ```

use bytes::{Buf, Bytes, BytesMut};

/// The longest startup packet, its length included, in bytes: PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`.
pub const STARTUP_LEN_MAX: usize = 10_000;
/// The longest body of a message of a handshake, in bytes: PostgreSQL's `PG_MAX_AUTH_TOKEN_LENGTH`.
pub const AUTH_LEN_MAX: u32 = 65_536;
/// The longest body of any message, in bytes: PostgreSQL itself builds none above 1 GiB (`MaxAllocSize`).
pub const MESSAGE_LEN_MAX: u32 = 1 << 30;

/// Type bytes of messages that a client sends.
pub mod front {
    #![expect(missing_docs, reason = "the names are the protocol's own")]
    pub const BIND: u8 = b'B';
    pub const CLOSE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_FAIL: u8 = b'f';
    pub const DESCRIBE: u8 = b'D';
    pub const EXECUTE: u8 = b'E';
    pub const FLUSH: u8 = b'H';
    pub const FUNCTION_CALL: u8 = b'F';
    pub const PARSE: u8 = b'P';
    pub const QUERY: u8 = b'Q';
    pub const SASL: u8 = b'p';
    pub const SYNC: u8 = b'S';
    pub const TERMINATE: u8 = b'X';
}

/// Type bytes of messages that a server sends.
pub mod back {
    #![expect(missing_docs, reason = "the names are the protocol's own")]
    pub const AUTHENTICATION: u8 = b'R';
    pub const BACKEND_KEY_DATA: u8 = b'K';
    pub const BIND_COMPLETE: u8 = b'2';
    pub const CLOSE_COMPLETE: u8 = b'3';
    pub const COMMAND_COMPLETE: u8 = b'C';
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_IN_RESPONSE: u8 = b'G';
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    pub const DATA_ROW: u8 = b'D';
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    pub const ERROR_RESPONSE: u8 = b'E';
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub const NO_DATA: u8 = b'n';
    pub const NOTICE_RESPONSE: u8 = b'N';
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    pub const PARAMETER_STATUS: u8 = b'S';
    pub const PARSE_COMPLETE: u8 = b'1';
    pub const PORTAL_SUSPENDED: u8 = b's';
    pub const READY_FOR_QUERY: u8 = b'Z';
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// Why bytes aren't a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length counts itself, so it is at least 4.
    #[error(
        "a message of type {tag:#04x} gives {length} as its length, less than the length field itself: the stream isn't PostgreSQL's protocol"
    )]
    Length {
        /// The type byte.
        tag: u8,
        /// The length as sent.
        length: i32,
    },
    /// More than is allowed at this point.
    #[error("a message of type {tag:#04x} has {len} bytes; at most {max} are accepted here")]
    TooLong {
        /// The type byte.
        tag: u8,
        /// Bytes of the body.
        len: u32,
        /// The limit, in bytes.
        max: u32,
    },
    /// A startup packet has between 8 and [`STARTUP_LEN_MAX`] bytes.
    #[error(
        "a startup packet of {0} bytes; between 8 and {STARTUP_LEN_MAX} are accepted: the client doesn't speak PostgreSQL's protocol"
    )]
    Startup(i32),
    /// A body ends before what it must hold.
    #[error("a message ends too early: {0} is missing")]
    Truncated(&'static str),
}

/// A message's type byte and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The type byte.
    pub tag: u8,
    /// Bytes of the body: the length on the wire, less 4.
    pub body_len: u32,
}

impl Header {
    /// Bytes of a header on the wire.
    pub const LEN: usize = 5;

    /// Reads a header.
    ///
    /// # Errors
    /// [`FrameError::Length`]; [`FrameError::TooLong`] above [`MESSAGE_LEN_MAX`].
    pub fn decode(bytes: [u8; Self::LEN]) -> Result<Self, FrameError> {
        let [tag, a, b, c, d] = bytes;
        let length = i32::from_be_bytes([a, b, c, d]);
        let body_len = length.checked_sub(4).and_then(|len| u32::try_from(len).ok());
        let body_len = body_len.ok_or(FrameError::Length { tag, length })?;
        Self { tag, body_len }.at_most(MESSAGE_LEN_MAX)
    }

    /// The header as it came: decoding loses nothing, so a relay may hold a header back and send it later.
    pub fn encode(self) -> [u8; Self::LEN] {
        let [a, b, c, d] = (self.body_len + 4).to_be_bytes();
        [self.tag, a, b, c, d]
    }

    /// Bytes of the whole message on the wire.
    pub fn message_len(self) -> u64 {
        u64::from(self.body_len) + Self::LEN as u64
    }

    /// The header, if its body has at most `max` bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn at_most(self, max: u32) -> Result<Self, FrameError> {
        if self.body_len > max {
            return Err(FrameError::TooLong { tag: self.tag, len: self.body_len, max });
        }
        Ok(self)
    }
}

/// What the first bytes of a chunk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The beginning of a header that the next chunk goes on with. The chunk is used up, and the scanner keeps the bytes.
    Partial {
        /// Bytes of the chunk.
        taken: usize,
    },
    /// A header is complete. Where chunks cut it, its first bytes were in earlier [`Step::Partial`]s; [`Header::encode`] gives all five.
    /// With a body of 0 bytes the message is complete too.
    Header {
        /// It.
        header: Header,
        /// Bytes of the chunk.
        taken: usize,
    },
    /// Bytes of the last header's body, never 0.
    Body {
        /// Bytes of the chunk.
        taken: usize,
        /// Bytes of the body still to come; 0 ends the message.
        rest: u32,
    },
}

impl Step {
    /// Bytes of the chunk that this step covers.
    pub fn taken(self) -> usize {
        match self {
            Self::Partial { taken } | Self::Header { taken, .. } | Self::Body { taken, .. } => taken,
        }
    }
}

/// Finds message boundaries in a stream, keeping only an unfinished header.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    header: [u8; Header::LEN],
    header_len: usize,
    body_rest: u32,
}

impl Scanner {
    /// What the first bytes of `chunk` are. Call again with the rest of the chunk while there is any; an empty chunk gives
    /// an empty [`Step::Partial`].
    ///
    /// # Errors
    /// Those of [`Header::decode`]; the stream is lost then, and further calls give the same error.
    pub fn step(&mut self, chunk: &[u8]) -> Result<Step, FrameError> {
        if self.body_rest > 0 && !chunk.is_empty() {
            let taken = chunk.len().min(self.body_rest as usize);
            self.body_rest -= taken as u32;
            return Ok(Step::Body { taken, rest: self.body_rest });
        }
        let taken = chunk.len().min(Header::LEN - self.header_len);
        self.header[self.header_len..self.header_len + taken].copy_from_slice(&chunk[..taken]);
        self.header_len += taken;
        if self.header_len < Header::LEN {
            return Ok(Step::Partial { taken });
        }
        let header = Header::decode(self.header)?;
        self.header_len = 0;
        self.body_rest = header.body_len;
        Ok(Step::Header { header, taken })
    }

    /// Whether the stream is between two messages: here something of our own may be put in.
    pub fn at_boundary(&self) -> bool {
        self.header_len == 0 && self.body_rest == 0
    }
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The type byte.
    pub tag: u8,
    /// What follows the header.
    pub body: Bytes,
}

/// Takes a whole message off the front of `buffer`; `None` when it isn't all there. A body above `max` bytes is refused as soon as its
/// header is there, so the buffer needs no other limit.
///
/// # Errors
/// Those of [`Header::decode`] and [`Header::at_most`].
pub fn take_message(buffer: &mut BytesMut, max: u32) -> Result<Option<Message>, FrameError> {
    let Some(header) = buffer.first_chunk::<{ Header::LEN }>() else {
        return Ok(None);
    };
    let header = Header::decode(*header)?.at_most(max)?;
    let len = Header::LEN + header.body_len as usize;
    if buffer.len() < len {
        return Ok(None);
    }
    let mut message = buffer.split_to(len).freeze();
    message.advance(Header::LEN);
    Ok(Some(Message { tag: header.tag, body: message }))
}

/// Takes a startup packet off the front of `buffer`, and gives what follows its length; `None` when it isn't all there.
///
/// # Errors
/// [`FrameError::Startup`].
pub fn take_startup(buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    let len = usize::try_from(length).ok().filter(|len| (8..=STARTUP_LEN_MAX).contains(len));
    let len = len.ok_or(FrameError::Startup(length))?;
    if buffer.len() < len {
        return Ok(None);
    }
    let mut packet = buffer.split_to(len).freeze();
    packet.advance(4);
    Ok(Some(packet))
}
