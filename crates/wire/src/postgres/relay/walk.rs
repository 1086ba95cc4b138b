//! Walks along a stream of messages, keeping the few bodies that are read.

use bytes::{Bytes, BytesMut};

use super::super::frame::{FrameError, Header, Scanner, Step};
use super::capture::LongText;

/// What to keep of a message's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Nothing.
    Nothing,
    /// The first so many bytes.
    Head(usize),
    /// The first so many bytes, and the digest of the SQL in it if there are more.
    Text {
        limit: usize,
        /// Texts ended by a zero that precede the SQL.
        before: usize,
    },
}

impl Want {
    fn limit(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Head(limit) | Self::Text { limit, .. } => limit,
        }
    }
}

/// A message that is complete.
#[derive(Debug)]
pub(super) struct Done {
    pub header: Header,
    /// The body, as far as it was wanted.
    pub head: Bytes,
    /// About the SQL in a body that was longer than wanted.
    pub long: Option<LongText>,
}

/// What one kind of stream is made of.
pub(super) trait Kinds {
    /// Why a message isn't allowed.
    type Error: From<FrameError>;
    /// Whether messages of this type come in runs and need no look.
    fn bulk(tag: u8) -> bool;
    /// What to keep of this message.
    fn want(&self, header: Header) -> Result<Want, Self::Error>;
}

/// The state of a walk.
#[derive(Debug, Default)]
pub(super) struct Walk {
    scanner: Scanner,
    current: Option<(Header, Want)>,
    held: BytesMut,
    long: Option<LongText>,
    /// Bytes of bulk messages so far, counted when their header is seen.
    pub bulk_bytes: u64,
}

impl Walk {
    /// Whether the stream is between two messages.
    pub fn at_boundary(&self) -> bool {
        self.scanner.at_boundary()
    }

    /// Goes on from `at` until a message is complete that isn't bulk; `None` when the chunk ends first.
    pub fn next<K: Kinds>(&mut self, kinds: &K, chunk: &Bytes, at: &mut usize) -> Result<Option<Done>, K::Error> {
        loop {
            if self.at_boundary() {
                self.pass_bulk::<K>(chunk, at)?;
            }
            if *at >= chunk.len() {
                return Ok(None);
            }
            let step = self.scanner.step(&chunk[*at..])?;
            let from = *at;
            *at += step.taken();
            let rest = match step {
                Step::Partial { .. } => continue,
                Step::Header { header, .. } => {
                    self.current = Some((header, kinds.want(header)?));
                    if K::bulk(header.tag) {
                        self.bulk_bytes += header.message_len();
                    }
                    header.body_len
                }
                Step::Body { rest, .. } => {
                    let piece = chunk.slice(from..*at);
                    if rest == 0 && self.held.is_empty() && self.fits(&piece) {
                        return Ok(self.done(piece));
                    }
                    self.keep(&piece);
                    rest
                }
            };
            if rest > 0 {
                continue;
            }
            let head = self.held.split().freeze();
            if let Some(done) = self.done(head) {
                return Ok(Some(done));
            }
        }
    }

    /// The hot path: a look at each header, and nothing else.
    fn pass_bulk<K: Kinds>(&mut self, chunk: &Bytes, at: &mut usize) -> Result<(), FrameError> {
        let bytes: &[u8] = chunk;
        while let Some(header) = bytes[*at..].first_chunk::<{ Header::LEN }>() {
            if !K::bulk(header[0]) {
                break;
            }
            let len = Header::decode(*header)?.message_len();
            let fits = usize::try_from(len).ok().filter(|len| *len <= bytes.len() - *at);
            let Some(len) = fits else { break };
            *at += len;
            self.bulk_bytes += len as u64;
        }
        Ok(())
    }

    /// Whether this piece is a whole body within the limit, so that a slice will do.
    fn fits(&self, piece: &Bytes) -> bool {
        self.current.is_some_and(|(header, want)| {
            header.body_len as usize == piece.len() && (piece.len() <= want.limit() || want == Want::Nothing)
        })
    }

    fn keep(&mut self, piece: &[u8]) {
        let Some((_, want)) = self.current else { return };
        let room = want.limit() - self.held.len();
        let (head, tail) = piece.split_at(room.min(piece.len()));
        self.held.extend_from_slice(head);
        if let (Want::Text { before, .. }, false) = (want, tail.is_empty()) {
            self.long.get_or_insert_with(|| LongText::after(before, &self.held)).update(tail);
        }
    }

    fn done(&mut self, head: Bytes) -> Option<Done> {
        let (header, _) = self.current.take()?;
        Some(Done { header, head, long: self.long.take() })
    }
}
