//! Reading a segment again, with the keys of the sessions that one may read.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::Read as _,
    path::Path,
};

use daypass_domain::SessionId;
use daypass_seal::{DataKey, FrameStream, MAX_FRAME_PLAIN, Opened, SegmentId};
use zeroize::Zeroize;

use super::{
    record::{self, Recorded},
    segment::{Chain, HEAD_LEN, MAGIC, SEGMENT_MAX, link},
};

/// A segment ends at most one large entry beyond where a new one is begun.
const FILE_MAX: u64 = SEGMENT_MAX + (1 << 28);
/// Where the frame's length stands in an entry, and where the frame's body begins.
const LENGTH_AT: usize = 16;
const BODY_AT: usize = 20;

/// Why a file can't be read as a segment.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The system says so.
    #[error("the recording can't be read: {0}")]
    Io(#[from] std::io::Error),
    /// It isn't one.
    #[error("this file is not a segment of a recording, or is one of another version")]
    NotASegment,
    /// No segment is that long.
    #[error("this file has {0} bytes, more than any segment of a recording")]
    TooLong(u64),
}

/// A record, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The session.
    pub session: SessionId,
    /// What was recorded.
    pub recorded: Recorded,
}

/// How a segment ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Between two entries.
    Clean,
    /// Within an entry: the node or its machine stopped there. What precedes is whole.
    Cut {
        /// Where the whole part ends.
        at: usize,
    },
    /// With something that isn't what was written: it was changed, or is another version's.
    Rejected {
        /// Where.
        at: usize,
        /// Whose entry.
        session: SessionId,
        /// Why.
        why: String,
    },
}

/// Finds the key of a session, where one may read it.
pub type Keys<'k> = dyn Fn(SessionId) -> Option<DataKey> + 'k;

/// A segment being read: an iterator of its entries, then [`Reader::tail`].
pub struct Reader<'k> {
    bytes: Vec<u8>,
    at: usize,
    id: SegmentId,
    keys: &'k Keys<'k>,
    sessions: HashMap<SessionId, Option<OneSession>>,
    chains: BTreeMap<SessionId, Chain>,
    ready: VecDeque<Entry>,
    tail: Option<Tail>,
}

struct OneSession {
    stream: FrameStream,
    plain: Vec<u8>,
}

impl Drop for OneSession {
    fn drop(&mut self) {
        self.plain.zeroize();
    }
}

impl<'k> Reader<'k> {
    /// Opens a file. Sessions whose key isn't given are passed over.
    ///
    /// # Errors
    /// See [`SegmentError`].
    pub fn open(path: &Path, keys: &'k Keys<'k>) -> Result<Self, SegmentError> {
        let file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        if length > FILE_MAX {
            return Err(SegmentError::TooLong(length));
        }
        let mut bytes = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut bytes)?;
        Self::of(bytes, keys)
    }

    /// Reads bytes that are a segment.
    ///
    /// # Errors
    /// [`SegmentError::NotASegment`].
    pub fn of(bytes: Vec<u8>, keys: &'k Keys<'k>) -> Result<Self, SegmentError> {
        let id = bytes.strip_prefix(MAGIC.as_slice()).and_then(|rest| rest.first_chunk::<16>());
        let id = SegmentId::from_bytes(*id.ok_or(SegmentError::NotASegment)?);
        Ok(Self {
            bytes,
            at: HEAD_LEN,
            id,
            keys,
            sessions: HashMap::new(),
            chains: BTreeMap::new(),
            ready: VecDeque::new(),
            tail: None,
        })
    }

    /// With the chains that sessions had at the end of the segment before.
    #[must_use]
    pub fn after(mut self, chains: BTreeMap<SessionId, Chain>) -> Self {
        self.chains = chains;
        self
    }

    /// How it ended; nothing before the iterator has ended.
    #[must_use]
    pub fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// Each session's digest chain so far: what the seals in the ledger say.
    #[must_use]
    pub fn chains(&self) -> &BTreeMap<SessionId, Chain> {
        &self.chains
    }

    /// Takes one entry; what it holds is ready then.
    fn step(&mut self) -> Result<(), Tail> {
        let at = self.at;
        let rest = &self.bytes[at..];
        if rest.is_empty() {
            return Err(Tail::Clean);
        }
        let head = rest.first_chunk::<BODY_AT>().ok_or(Tail::Cut { at })?;
        let session = session_id(&head[..LENGTH_AT]).ok_or(Tail::Cut { at })?;
        let rejected = |why: String| Tail::Rejected { at, session, why };
        // The highest bit says that it is the session's last frame here.
        let mut length = [0; 4];
        length.copy_from_slice(&head[LENGTH_AT..]);
        let body = (u32::from_be_bytes(length) & (u32::MAX >> 1)) as usize;
        if body > MAX_FRAME_PLAIN + 16 {
            return Err(rejected("a frame is longer than any that was written".into()));
        }
        let entry = rest.get(..BODY_AT + body).ok_or(Tail::Cut { at })?;
        let chain = self.chains.entry(session).or_default();
        *chain = link(chain, entry);
        self.at += entry.len();
        let (keys, id) = (self.keys, self.id);
        let known = self.sessions.entry(session).or_insert_with(|| {
            keys(session).map(|key| OneSession { stream: FrameStream::new(&key, id), plain: Vec::new() })
        });
        let Some(one) = known else { return Ok(()) };
        match one.stream.open_frame(&entry[LENGTH_AT..]).map_err(|error| rejected(error.to_string()))? {
            Opened::Frame(plain) => one.plain.extend_from_slice(plain),
            Opened::End => return Ok(()),
        }
        let mut done = 0;
        while let Some((recorded, len)) =
            record::decode(&one.plain[done..]).map_err(|error| rejected(error.to_string()))?
        {
            self.ready.push_back(Entry { session, recorded });
            done += len;
        }
        one.plain.drain(..done);
        Ok(())
    }
}

impl Iterator for Reader<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(entry);
            }
            if self.tail.is_some() {
                return None;
            }
            if let Err(tail) = self.step() {
                self.tail = Some(tail);
            }
        }
    }
}

fn session_id(bytes: &[u8]) -> Option<SessionId> {
    let digits = bytes.iter().fold("session_".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    digits.parse().ok()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
