//! Recordings: every statement is in the kernel before it is forwarded, sealed under its session's key. // I1, I9
//!
//! `segment` is the file, `session` one session's side of it, `record` what is written, `read` how it is read again.

mod coding;
pub mod disk;
mod read;
mod record;
mod segment;
mod session;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use daypass_domain::{Name, SessionId, Time};
use daypass_ports::{
    authority::{NodeId, RecordingSeal},
    record::Terms,
    world::Random,
};

pub use read::{Entry, Keys, Reader, SegmentError, Tail};
pub(crate) use record::encode;
pub use record::{Closed, Header, Recorded};
pub use segment::{Chain, RecordingError, Synced, link, root};
pub use session::SessionRecorder;

use disk::Disk;
use segment::Stream;

/// All segment streams of the node: one a region, in that region's folder. // I10
pub struct Recorder {
    folders: BTreeMap<Name, PathBuf>,
    node: NodeId,
    started: Time,
    disk: Arc<dyn Disk>,
    random: Arc<dyn Random>,
    streams: Mutex<HashMap<Name, Arc<Stream>>>,
}

impl Recorder {
    /// Into a folder a region; a session of any other region isn't recorded, so it isn't let in.
    #[must_use]
    pub fn new(
        folders: BTreeMap<Name, PathBuf>,
        node: NodeId,
        started: Time,
        disk: Arc<dyn Disk>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { folders, node, started, disk, random, streams: Mutex::default() }
    }

    /// Begins a session's recording in its region's stream.
    ///
    /// # Errors
    /// When it can't be written, or may not be kept here.
    pub fn open(&self, terms: &Terms) -> Result<SessionRecorder, RecordingError> {
        let Some(folder) = self.folders.get(&terms.region) else {
            return Err(RecordingError {
                path: format!("region {}", terms.region),
                why: "recordings of this region have no folder here".to_owned(),
            });
        };
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = streams.entry(terms.region.clone()).or_insert_with(|| {
            let (disk, random) = (Arc::clone(&self.disk), Arc::clone(&self.random));
            Arc::new(Stream::new(terms.region.clone(), folder.clone(), (self.node, self.started), disk, random))
        });
        let stream = Arc::clone(stream);
        drop(streams);
        SessionRecorder::open(stream, terms)
    }

    /// Makes durable what was written. Blocks: call it on a thread where that may be.
    #[must_use]
    pub fn sync(&self) -> Synced {
        let streams: Vec<_> =
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect();
        let mut all = Synced::default();
        for stream in streams {
            let synced = stream.sync();
            all.seals.extend(synced.seals);
            all.lost.extend(synced.lost);
        }
        all
    }
}

/// Seals that wait for the ledger. A later seal of the same segment takes an earlier one in, so they stay few.
#[derive(Debug, Default)]
pub(crate) struct Unsealed(Vec<RecordingSeal>);

impl Unsealed {
    pub fn add(&mut self, seal: RecordingSeal) {
        match self.0.iter_mut().find(|waiting| waiting.segment == seal.segment && waiting.region == seal.region) {
            Some(waiting) => {
                let sessions: BTreeMap<SessionId, Chain> =
                    waiting.sessions.drain(..).chain(seal.sessions.iter().copied()).collect();
                let root = root(&sessions);
                *waiting = RecordingSeal { root, sessions: sessions.into_iter().collect(), ..seal };
            }
            None => self.0.push(seal),
        }
    }

    pub fn first(&self) -> Option<&RecordingSeal> {
        self.0.first()
    }

    /// The first is in the ledger.
    pub fn done(&mut self) {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
    }
}
