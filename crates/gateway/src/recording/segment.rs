//! The segment stream of one region: frames of all sessions of the node, in the order in which they were written.
//!
//! A segment is `DPREC001`, its 16-byte id, then entries: 16 bytes of session id and one sealed frame. The `write` has
//! returned before what it guards is forwarded: it is in the kernel then, so `kill -9` loses nothing. It is a plain
//! blocking write on the session's own task: into the page cache it takes a few microseconds, less than handing it to
//! another thread would. The sync, which can take long, is on a thread of its own, once a second.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use daypass_domain::{Name, SessionId, Time};
use daypass_ledger::hash::{Hash, leaf_hash, node_hash};
use daypass_ports::{
    authority::{NodeId, RecordingSeal},
    world::{Random, random_bytes},
};
use daypass_seal::SegmentId;

use super::disk::{Disk, SegmentFile};

/// What a segment begins with.
pub const MAGIC: &[u8; 8] = b"DPREC001";
/// How long its beginning is.
pub const HEAD_LEN: usize = MAGIC.len() + 16;
/// A segment that is longer is followed by a new one.
pub const SEGMENT_MAX: u64 = 64 << 20;

/// A digest chain: SHA-256 of the link before and the entry, from 32 zero bytes on.
pub type Chain = [u8; 32];

/// Why something wasn't recorded. What isn't recorded isn't forwarded. // I1
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recording can't be written ({path}): {why}. Make room on the disk of the recordings, or mend it")]
pub struct RecordingError {
    /// The file or folder.
    pub path: String,
    /// What the system said.
    pub why: String,
}

impl RecordingError {
    fn new(path: &Path, why: impl std::fmt::Display) -> Self {
        Self { path: path.display().to_string(), why: why.to_string() }
    }
}

/// The stream of one region on this node.
pub struct Stream {
    region: Name,
    folder: PathBuf,
    prefix: String,
    disk: Arc<dyn Disk>,
    random: Arc<dyn Random>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Segment>,
    number: u64,
    /// Full or broken segments that aren't sealed yet.
    retired: Vec<Segment>,
}

struct Segment {
    id: SegmentId,
    number: u64,
    name: String,
    path: PathBuf,
    file: Arc<dyn SegmentFile>,
    length: u64,
    /// The sessions that changed since the last seal.
    changed: BTreeMap<SessionId, Chain>,
    /// The length at the last seal.
    sealed: u64,
}

/// Which segment a session's frames go into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number in the stream.
    pub number: u64,
    /// Its id, which the frames are sealed for.
    pub id: SegmentId,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the kernel.
    Written,
    /// The segment was full: seal it for this one and append it again.
    Rolled(Place),
}

impl Stream {
    /// The stream of `region` in `folder`; its first file is made at the first entry.
    pub fn new(
        region: Name,
        folder: PathBuf,
        (node, started): (NodeId, Time),
        disk: Arc<dyn Disk>,
        random: Arc<dyn Random>,
    ) -> Self {
        let prefix = format!("{}-{}", node.0, started.micros());
        Self { region, folder, prefix, disk, random, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &Name {
        &self.region
    }

    /// The current segment; a new one where there is none or it is full.
    ///
    /// # Errors
    /// When a new one can't be made.
    pub fn place(&self) -> Result<Place, RecordingError> {
        self.current(&mut self.lock())
    }

    fn current(&self, state: &mut State) -> Result<Place, RecordingError> {
        if state.current.as_ref().is_some_and(|segment| segment.length >= SEGMENT_MAX) {
            state.retired.extend(state.current.take());
        }
        let segment = match &state.current {
            Some(segment) => segment,
            None => {
                let number = state.number + 1;
                let segment = self.create(number)?;
                state.number = number;
                state.current.insert(segment)
            }
        };
        Ok(segment.place())
    }

    fn create(&self, number: u64) -> Result<Segment, RecordingError> {
        let id = SegmentId::from_bytes(random_bytes(&*self.random));
        let name = format!("{}-{number}.seg", self.prefix);
        let path = self.folder.join(&name);
        let head = [MAGIC.as_slice(), id.as_bytes()].concat();
        let made = self.disk.create(&path).and_then(|file| file.append(&head).map(|()| file));
        let file = made.map_err(|error| RecordingError::new(&path, error))?;
        let length = HEAD_LEN as u64;
        Ok(Segment { id, number, name, path, file, length, changed: BTreeMap::new(), sealed: length })
    }

    /// Appends a session's entry that was sealed for `place`, and moves its chain: one `write`.
    ///
    /// # Errors
    /// When the system didn't take it whole. What it took of it is removed again, so that others' entries stay readable.
    pub fn append(
        &self,
        place: Place,
        session: SessionId,
        entry: &[u8],
        chain: Chain,
    ) -> Result<Appended, RecordingError> {
        let mut state = self.lock();
        let now = self.current(&mut state)?;
        if now != place {
            return Ok(Appended::Rolled(now));
        }
        let Some(segment) = state.current.as_mut() else { return Ok(Appended::Rolled(now)) };
        if let Err(error) = segment.file.append(entry) {
            let failed = RecordingError::new(&segment.path, error);
            if segment.file.truncate(segment.length).is_err() {
                // Half an entry stays: nothing may follow it.
                state.retire();
            }
            return Err(failed);
        }
        segment.length += entry.len() as u64;
        segment.changed.insert(session, chain);
        Ok(Appended::Written)
    }

    /// Makes durable what was written since the last time, and says what to seal. Blocks: call it where that may be.
    #[must_use]
    pub fn sync(&self) -> Synced {
        let mut due: Vec<Due> = Vec::new();
        {
            let mut state = self.lock();
            let mut retired = std::mem::take(&mut state.retired);
            for segment in retired.iter_mut().chain(state.current.as_mut()) {
                if segment.length > segment.sealed {
                    due.push(segment.due());
                }
            }
        }
        let mut synced = Synced::default();
        for due in due {
            match due.file.sync() {
                Ok(()) => synced.seals.push(due.seal(&self.region)),
                Err(error) => {
                    self.lock().retire_numbered(due.number);
                    let why = RecordingError::new(&due.path, error);
                    synced.lost.push(NotDurable { sessions: due.changed.into_keys().collect(), why });
                }
            }
        }
        synced
    }
}

/// What a sync made durable, and what not.
#[derive(Debug, Default)]
pub struct Synced {
    /// What is durable, to be entered into the ledger.
    pub seals: Vec<RecordingSeal>,
    /// What isn't: the sessions must end.
    pub lost: Vec<NotDurable>,
}

/// Entries that are written and that the system doesn't promise to keep.
#[derive(Debug)]
pub struct NotDurable {
    /// Whose.
    pub sessions: Vec<SessionId>,
    /// Why.
    pub why: RecordingError,
}

struct Due {
    number: u64,
    name: String,
    path: PathBuf,
    file: Arc<dyn SegmentFile>,
    length: u64,
    changed: BTreeMap<SessionId, Chain>,
}

impl Due {
    fn seal(self, region: &Name) -> RecordingSeal {
        RecordingSeal {
            region: region.clone(),
            segment: self.name,
            length: self.length,
            root: root(&self.changed),
            sessions: self.changed.into_iter().collect(),
        }
    }
}

impl State {
    fn retire(&mut self) {
        self.retired.extend(self.current.take());
    }

    fn retire_numbered(&mut self, number: u64) {
        if self.current.as_ref().is_some_and(|segment| segment.number == number) {
            self.retire();
        }
    }
}

impl Segment {
    fn place(&self) -> Place {
        Place { number: self.number, id: self.id }
    }

    fn due(&mut self) -> Due {
        self.sealed = self.length;
        Due {
            number: self.number,
            name: self.name.clone(),
            path: self.path.clone(),
            file: Arc::clone(&self.file),
            length: self.length,
            changed: std::mem::take(&mut self.changed),
        }
    }
}

/// The RFC 6962 root over the sessions that changed: a leaf is the session's 16 bytes and its chain.
#[must_use]
pub fn root(changed: &BTreeMap<SessionId, Chain>) -> [u8; 32] {
    let mut level: Vec<Hash> =
        changed.iter().map(|(session, chain)| leaf_hash(&[session.bytes().as_slice(), chain].concat())).collect();
    if level.is_empty() {
        return Hash::empty_root().0;
    }
    // Pairing from the left and carrying an odd one up gives the same tree as RFC 6962's split at a power of two.
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(*left, *right),
                odd => odd[0],
            })
            .collect();
    }
    level[0].0
}

/// The next link of a session's chain.
#[must_use]
pub fn link(chain: &Chain, entry: &[u8]) -> Chain {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(chain);
    context.update(entry);
    let mut next = Chain::default();
    next.copy_from_slice(context.finish().as_ref());
    next
}
