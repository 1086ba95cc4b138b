//! The frames of one session's recording in one segment: sealed in place, in order, with an end that can be told from a
//! cut.
//!
//! A frame is `u32 big-endian || ciphertext || tag`. The low 31 bits of the number count ciphertext and tag; the highest
//! says that this is the last frame. Nonce and associated data hold the frame's number and whether it is the last, so a
//! frame that is moved, dropped from the middle, doubled or taken from elsewhere doesn't open. The key is derived from the
//! session's data key *and* the segment id, so the nonce may start at 0 in every segment (the STREAM construction of
//! Hoang, Reyhanitabar, Rogaway and Vizár, 2015).

use crate::{DataKey, sealing::aead_key};
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// The most plain bytes in one frame; a longer record is split by its writer.
pub const MAX_FRAME_PLAIN: usize = 1 << 24;

const HEAD_LEN: usize = 4;
const TAG_LEN: usize = 16;
const LAST: u32 = 1 << 31;

/// By how many bytes a frame is longer than what it holds.
pub const FRAME_OVERHEAD: usize = HEAD_LEN + TAG_LEN;

/// Which segment a frame belongs to: 16 bytes that are never used for two segments of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId([u8; 16]);

impl SegmentId {
    /// From 16 bytes, of a UUID for example.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Why a frame wasn't sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// More than [`MAX_FRAME_PLAIN`] bytes.
    #[error("a frame of {len} bytes is over the limit of 16777216: split the record over several frames")]
    TooLong {
        /// Its plain length in bytes.
        len: usize,
    },
    /// The bytes end inside the frame.
    #[error("the recording ends inside a frame: it was being written when the node stopped")]
    Short,
    /// Changed, moved, taken from another segment, or under another key.
    #[error("frame {frame} of the recording does not open: it was changed, moved, or sealed under another key")]
    Rejected {
        /// Its number in the segment, from 0.
        frame: u64,
    },
    /// A frame after the last one.
    #[error("the recording goes on after its last frame: something was appended to it")]
    AfterEnd,
}

/// Seals one session's frames for one segment. Make one sealer for a key and segment, ever: after a crash begin a new
/// segment, never this one again, for a second sealer would use the same nonces.
pub struct FrameSealer {
    key: LessSafeKey,
    segment: SegmentId,
    next: u64,
}

impl FrameSealer {
    /// For `segment`, under the session's data key.
    #[must_use]
    pub fn new(key: &DataKey, segment: SegmentId) -> Self {
        Self { key: stream_key(key, segment), segment, next: 0 }
    }

    /// How many frames it has sealed.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.next
    }

    /// Appends one frame that holds `plain` to `out`, and gives its length in bytes. Doesn't allocate while `out` has
    /// room.
    ///
    /// # Errors
    /// [`FrameError::TooLong`]; `out` is as it was.
    pub fn seal_frame(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<usize, FrameError> {
        self.append(&[plain], Place::More, out)
    }

    /// Like [`FrameSealer::seal_frame`], with what it holds in pieces, which spares the caller joining them.
    ///
    /// # Errors
    /// [`FrameError::TooLong`]; `out` is as it was.
    pub fn seal_parts(&mut self, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<usize, FrameError> {
        self.append(parts, Place::More, out)
    }

    /// Appends the last frame, which holds nothing, and gives its length in bytes. Without it the stream reads as torn.
    pub fn finish(mut self, out: &mut Vec<u8>) -> usize {
        // An empty frame is never too long, which is the only refusal.
        self.append(&[], Place::Last, out).expect("an empty frame is within the limit")
    }

    fn append(&mut self, parts: &[&[u8]], place: Place, out: &mut Vec<u8>) -> Result<usize, FrameError> {
        let len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if len > MAX_FRAME_PLAIN {
            return Err(FrameError::TooLong { len });
        }
        let (start, body) = (out.len(), out.len() + HEAD_LEN);
        out.reserve(len + FRAME_OVERHEAD);
        out.extend_from_slice(&place.head(len + TAG_LEN).to_be_bytes());
        for part in parts {
            out.extend_from_slice(part);
        }
        let (nonce, aad) = bind(self.segment, self.next, place);
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out[body..])
            // AES-GCM refuses only beyond 2^36 - 32 bytes; the limit above is 2^24.
            .expect("a frame is within AES-GCM's limit");
        out.extend_from_slice(tag.as_ref());
        // 2^64 frames are out of reach: at a million a second that is half a million years.
        self.next += 1;
        Ok(out.len() - start)
    }
}

impl fmt::Debug for FrameSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameSealer {{ segment: {:?}, next: {} }}", self.segment, self.next)
    }
}

/// What one frame was.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// A frame and what it holds; valid until the next is opened.
    Frame(&'a [u8]),
    /// The last frame: the session's recording in this segment is whole.
    End,
}

/// Opens one session's frames one at a time, where another reader finds them (a segment interleaves sessions).
pub struct FrameStream {
    key: LessSafeKey,
    segment: SegmentId,
    next: u64,
    ended: bool,
    plain: Vec<u8>,
}

impl FrameStream {
    /// For `segment`, under the session's data key.
    #[must_use]
    pub fn new(key: &DataKey, segment: SegmentId) -> Self {
        Self { key: stream_key(key, segment), segment, next: 0, ended: false, plain: Vec::new() }
    }

    /// How many data frames were opened.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.next
    }

    /// How long the frame is that `bytes` begins with, header included.
    ///
    /// # Errors
    /// [`FrameError::Short`] with fewer than four bytes, [`FrameError::TooLong`] or [`FrameError::Rejected`] for a length
    /// that no frame has.
    pub fn frame_len(&self, bytes: &[u8]) -> Result<usize, FrameError> {
        let head = bytes.first_chunk::<HEAD_LEN>().ok_or(FrameError::Short)?;
        let body = (u32::from_be_bytes(*head) & !LAST) as usize;
        let len = body.checked_sub(TAG_LEN).ok_or(FrameError::Rejected { frame: self.next })?;
        if len > MAX_FRAME_PLAIN {
            return Err(FrameError::TooLong { len });
        }
        Ok(HEAD_LEN + body)
    }

    /// Opens the frame that `bytes` begins with; it must be the next one. [`FrameStream::frame_len`] says how far it
    /// reaches. After an error the stream stays where it was.
    ///
    /// # Errors
    /// [`FrameError`] when it is cut, isn't the next one, or comes after the last.
    pub fn open_frame(&mut self, bytes: &[u8]) -> Result<Opened<'_>, FrameError> {
        if self.ended {
            return Err(FrameError::AfterEnd);
        }
        let frame = bytes.get(..self.frame_len(bytes)?).ok_or(FrameError::Short)?;
        let rejected = FrameError::Rejected { frame: self.next };
        let (head, body) = frame.split_first_chunk::<HEAD_LEN>().ok_or(FrameError::Short)?;
        let (cipher, tag) = body.split_last_chunk::<TAG_LEN>().ok_or(rejected)?;
        let place = if u32::from_be_bytes(*head) & LAST == 0 { Place::More } else { Place::Last };
        let (nonce, aad) = bind(self.segment, self.next, place);
        if self.plain.capacity() < cipher.len() {
            // Growing moves the buffer, and what is left behind would still hold the frame before.
            self.plain.zeroize();
        }
        self.plain.resize(cipher.len(), 0);
        self.key
            .open_separate_gather(Nonce::assume_unique_for_key(nonce), Aad::from(aad), cipher, tag, &mut self.plain)
            .map_err(|_| rejected)?;
        match place {
            Place::More => {
                self.next += 1;
                Ok(Opened::Frame(&self.plain))
            }
            Place::Last => {
                self.ended = true;
                Ok(Opened::End)
            }
        }
    }
}

impl fmt::Debug for FrameStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameStream {{ segment: {:?}, next: {}, ended: {} }}", self.segment, self.next, self.ended)
    }
}

impl Drop for FrameStream {
    fn drop(&mut self) {
        self.plain.zeroize();
    }
}

/// How a stream of frames ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// With its last frame and nothing after it: whole.
    Sealed {
        /// How many data frames it holds.
        frames: u64,
    },
    /// Without: everything before `at_byte` is genuine, nothing after it is.
    Torn {
        /// How many data frames opened.
        valid_frames: u64,
        /// Where the good part ends.
        at_byte: usize,
        /// What is there instead.
        why: TornBecause,
    },
}

/// What stands where a frame should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TornBecause {
    /// Nothing: the bytes end between two frames. What a crash leaves.
    Unfinished,
    /// The beginning of a frame. What a crash leaves.
    Cut,
    /// Bytes that aren't the next frame: changed, moved, or under another key. No crash leaves this but one that loses
    /// pages.
    Rejected,
    /// More bytes after the last frame: something was appended.
    AfterEnd,
}

/// The frames of one session in `bytes`, which hold nothing else. Iterate, then ask for [`FrameOpener::end`].
#[derive(Debug)]
pub struct FrameOpener<'a> {
    stream: FrameStream,
    bytes: &'a [u8],
    at: usize,
    end: Option<StreamEnd>,
}

impl<'a> FrameOpener<'a> {
    /// Over `bytes`, for `segment`, under the session's data key.
    #[must_use]
    pub fn new(key: &DataKey, segment: SegmentId, bytes: &'a [u8]) -> Self {
        Self { stream: FrameStream::new(key, segment), bytes, at: 0, end: None }
    }

    /// The next frame, in a buffer that the next call uses again; `None` at the end.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
        if self.end.is_some() {
            return None;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let frames = self.stream.frames();
        if rest.is_empty() {
            return self.tear(frames, TornBecause::Unfinished);
        }
        // What the length says is checked again by `open_frame`; a refusal comes from there.
        let len = self.stream.frame_len(rest).unwrap_or(rest.len());
        match self.stream.open_frame(rest) {
            Ok(Opened::Frame(plain)) => {
                self.at += len;
                Some(plain)
            }
            Ok(Opened::End) => {
                self.at += len;
                self.end = Some(if self.at == self.bytes.len() {
                    StreamEnd::Sealed { frames }
                } else {
                    StreamEnd::Torn { valid_frames: frames, at_byte: self.at, why: TornBecause::AfterEnd }
                });
                None
            }
            Err(error) => {
                let why = match error {
                    FrameError::Short => TornBecause::Cut,
                    FrameError::Rejected { .. } | FrameError::TooLong { .. } => TornBecause::Rejected,
                    FrameError::AfterEnd => TornBecause::AfterEnd,
                };
                self.end = Some(StreamEnd::Torn { valid_frames: frames, at_byte: self.at, why });
                None
            }
        }
    }

    /// How the stream ends; opens whatever wasn't read yet.
    #[must_use]
    pub fn end(mut self) -> StreamEnd {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.next_frame();
        }
    }

    fn tear(&mut self, valid_frames: u64, why: TornBecause) -> Option<&[u8]> {
        self.end = Some(StreamEnd::Torn { valid_frames, at_byte: self.at, why });
        None
    }
}

impl Iterator for FrameOpener<'_> {
    type Item = Zeroizing<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame().map(|plain| Zeroizing::new(plain.to_vec()))
    }
}

/// Whether more frames follow.
#[derive(Clone, Copy)]
enum Place {
    More,
    Last,
}

impl Place {
    /// The four-byte header for a body of `len` bytes, which the limits keep below 2^31.
    const fn head(self, len: usize) -> u32 {
        match self {
            Self::More => len as u32,
            Self::Last => len as u32 | LAST,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::More => 0,
            Self::Last => 1,
        }
    }
}

fn stream_key(key: &DataKey, segment: SegmentId) -> LessSafeKey {
    aead_key(&Zeroizing::new(key.frame_key(segment.as_bytes())))
}

/// Nonce and associated data of a frame: its place, and its number in its segment.
fn bind(segment: SegmentId, number: u64, place: Place) -> ([u8; 12], [u8; 25]) {
    let mut nonce = [0; 12];
    nonce[0] = place.byte();
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    let mut aad = [0; 25];
    aad[..16].copy_from_slice(segment.as_bytes());
    aad[16..24].copy_from_slice(&number.to_be_bytes());
    aad[24] = place.byte();
    (nonce, aad)
}
