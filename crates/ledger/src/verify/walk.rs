//! The walk over all entries: one bundle in memory at a time, whatever the log's size.

use std::collections::BTreeMap;

use super::{Failure, Known, Report, Source, read};
use crate::{
    bundle,
    checkpoint::Checkpoint,
    hash::{Hash, leaf_hash},
    leaf::Leaf,
    tile::{BundleAt, MAX_TILE_LEVEL, TILE_HEIGHT, TILE_WIDTH, TileAt, bundles},
    tree::Frontier,
};

/// The tile that grows at one level while entries pass.
#[derive(Default)]
struct Growing {
    index: u64,
    hashes: Vec<Hash>,
}

pub(super) struct Walk<'a> {
    source: &'a dyn Source,
    frontier: Frontier,
    growing: Vec<Growing>,
    /// The size of the kept head, and the root over as many entries once they have passed.
    known_size: Option<u64>,
    known_found: Option<Hash>,
    /// The first tile that contradicts the entries, and the first entry that isn't a proper leaf.
    /// Both wait for the end of the walk, where the roots tell what they mean.
    tile_failure: Option<Failure>,
    leaf_failure: Option<Failure>,
    times: Option<(i64, i64)>,
    events: BTreeMap<crate::leaf::EventType, u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: &'a dyn Source, known_size: Option<u64>) -> Self {
        let frontier = Frontier::new();
        Self {
            source,
            known_found: (known_size == Some(0)).then(|| frontier.root()),
            frontier,
            growing: (0..=MAX_TILE_LEVEL).map(|_| Growing::default()).collect(),
            known_size,
            tile_failure: None,
            leaf_failure: None,
            times: None,
            events: BTreeMap::new(),
        }
    }

    pub(super) fn run(mut self, head: &Checkpoint, known: Option<&Known>) -> Result<Report, Failure> {
        for at in bundles(head.size) {
            let bytes = read_bundle(self.source, at)?;
            for entry in entries_of(&bytes, at)? {
                self.take(entry)?;
            }
        }
        for level in 0..=MAX_TILE_LEVEL {
            self.compare_tile(level)?;
        }
        self.judge(head, known)
    }

    fn take(&mut self, entry: &[u8]) -> Result<(), Failure> {
        self.look_at_leaf(entry);
        for (at, hash) in self.frontier.append(leaf_hash(entry)) {
            if at.level % TILE_HEIGHT != 0 {
                continue;
            }
            let level = at.level / TILE_HEIGHT;
            let growing = &mut self.growing[usize::from(level)];
            growing.hashes.push(hash);
            if growing.hashes.len() == usize::from(TILE_WIDTH) {
                self.compare_tile(level)?;
            }
        }
        if self.known_size == Some(self.frontier.size()) {
            self.known_found = Some(self.frontier.root());
        }
        Ok(())
    }

    fn look_at_leaf(&mut self, entry: &[u8]) {
        if self.leaf_failure.is_some() {
            return;
        }
        let index = self.frontier.size();
        let leaf = match Leaf::parse(entry) {
            Ok(leaf) => leaf,
            Err(why) => {
                self.leaf_failure = Some(Failure::MalformedLeaf { index, why });
                return;
            }
        };
        let header = leaf.header();
        let (seq, time_us) = (header.seq, header.time_us);
        let (first, before_us) = self.times.unwrap_or((time_us, time_us));
        if seq != index {
            self.leaf_failure = Some(Failure::WrongPlace { index, seq });
        } else if time_us < before_us {
            self.leaf_failure = Some(Failure::TimeRunsBack { index, time_us, before_us });
        }
        self.times = Some((first, time_us));
        *self.events.entry(header.event.clone()).or_default() += 1;
    }

    /// Compares the tile that has grown at a level with the log's, and starts the next.
    fn compare_tile(&mut self, level: u8) -> Result<(), Failure> {
        let growing = &mut self.growing[usize::from(level)];
        if growing.hashes.is_empty() {
            return Ok(());
        }
        let index = growing.index;
        let grown = std::mem::take(&mut growing.hashes);
        growing.index += 1;
        // Can't truncate, and can't be out of range: at most 256 hashes, of entries that exist.
        let Ok(at) = TileAt::new(level, index, grown.len() as u16) else { return Ok(()) };
        let (path, stored) = read_tile(self.source, at)?;
        let differs = grown.iter().zip(&stored).position(|(grown, stored)| grown != stored);
        if let (Some(offset), None) = (differs, &self.tile_failure) {
            self.tile_failure = Some(if level == 0 {
                let index = index * u64::from(TILE_WIDTH) + offset as u64;
                Failure::EntryMismatch { index, tile: path }
            } else {
                Failure::TileMismatch { path }
            });
        }
        Ok(())
    }

    fn judge(self, head: &Checkpoint, known: Option<&Known>) -> Result<Report, Failure> {
        if let Some(failure) = self.tile_failure {
            return Err(failure);
        }
        let found = self.frontier.root();
        if found != head.root {
            return Err(Failure::RootMismatch { size: head.size, found, signed: head.root });
        }
        // The log is sound in itself; whether it is the log that the caller saw comes before
        // what its leaves say, since it explains most of what they could say.
        if let (Some(known), Some(found)) = (known, self.known_found)
            && found != known.root
        {
            let (size, root) = (head.size, known.root);
            return Err(Failure::Rewritten { size, known: known.size, found, root });
        }
        if let Some(failure) = self.leaf_failure {
            return Err(failure);
        }
        Ok(Report {
            origin: head.origin.to_string(),
            size: head.size,
            root: head.root,
            extends: self.known_size,
            first_time_us: self.times.map(|(first, _)| first),
            last_time_us: self.times.map(|(_, last)| last),
            events: self.events,
        })
    }
}

/// The root over the first `size` entries, when they are all there and readable.
pub(super) fn root_of(source: &dyn Source, size: u64) -> Option<Hash> {
    let mut frontier = Frontier::new();
    for at in bundles(size) {
        let bytes = read_bundle(source, at).ok()?;
        for entry in entries_of(&bytes, at).ok()? {
            frontier.append(leaf_hash(entry));
        }
    }
    Some(frontier.root())
}

/// A bundle's bytes, with the place that they are of: a log may have dropped a partial bundle
/// once the full one is there.
struct BundleBytes {
    at: BundleAt,
    bytes: Vec<u8>,
}

fn read_bundle(source: &dyn Source, at: BundleAt) -> Result<BundleBytes, Failure> {
    for at in [Some(at), at.full()].into_iter().flatten() {
        if let Some(bytes) = read(source, &at.to_string())? {
            return Ok(BundleBytes { at, bytes });
        }
    }
    Err(Failure::MissingEntries { path: at.to_string() })
}

/// The entries that were asked for, of the bundle that was found.
fn entries_of(bundle: &BundleBytes, asked: BundleAt) -> Result<Vec<&[u8]>, Failure> {
    let mut entries = bundle::parse(&bundle.bytes, bundle.at.width())
        .map_err(|why| Failure::MalformedEntries { path: bundle.at.to_string(), why })?;
    entries.truncate(usize::from(asked.width()));
    Ok(entries)
}

/// A tile's path and hashes, at least as many as asked for.
fn read_tile(source: &dyn Source, at: TileAt) -> Result<(String, Vec<Hash>), Failure> {
    for at in [Some(at), at.full()].into_iter().flatten() {
        let path = at.to_string();
        if let Some(bytes) = read(source, &path)? {
            return match at.parse(&bytes) {
                Some(hashes) => Ok((path, hashes)),
                None => Err(Failure::MalformedTile { path, width: at.width() }),
            };
        }
    }
    Err(Failure::MissingTile { path: at.to_string() })
}
