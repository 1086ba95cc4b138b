//! Reading a log from its server's tiles (C2SP tlog-tiles), as far as a proof needs it.

use std::collections::BTreeMap;

use daypass_ledger::{
    BundleAt, Hash, SignedCheckpoint, TileAt, bundle,
    merkle::{self, ConsistencyProof},
    node_hash,
    tile::{TILE_HEIGHT, TILE_WIDTH},
    tree::NodeAt,
};

use super::http::Api;
use crate::failure::Failure;

/// Where the server keeps its log.
const ROOT: &str = "/v1/ledger";

/// Reads the newest checkpoint, as it is served.
pub async fn newest(api: &Api) -> Result<Vec<u8>, Failure> {
    api.bytes(&format!("{ROOT}/checkpoint")).await
}

/// Reads a file of the log by its path.
pub async fn file(api: &Api, path: &str) -> Result<Vec<u8>, Failure> {
    api.bytes(&format!("{ROOT}/{path}")).await
}

/// The proof that a log of `new` entries extends one of `old`. It proves nothing before it is checked.
pub async fn consistency(api: &Api, old: u64, new: u64) -> Result<ConsistencyProof, Failure> {
    let mut tiles = Tiles { api, size: new, read: BTreeMap::new() };
    let mut nodes = BTreeMap::new();
    for at in merkle::consistency_nodes(old, new).map_err(Failure::evidence)? {
        nodes.insert(at, tiles.node(at).await?);
    }
    ConsistencyProof::build(old, new, &|at| nodes.get(&at).copied()).map_err(Failure::evidence)
}

/// The bytes of one entry, from the bundle that it is in. Nothing is proven of them.
pub async fn entry(api: &Api, seq: u64, head: &SignedCheckpoint) -> Result<Vec<u8>, Failure> {
    let at = bundle_of(seq, head.unverified().size)?;
    let bytes = file(api, &at.to_string()).await?;
    entry_in(&bytes, at, seq)
}

/// The bundle that holds an entry, in a log of `size` entries.
pub fn bundle_of(seq: u64, size: u64) -> Result<BundleAt, Failure> {
    let index = seq / u64::from(TILE_WIDTH);
    width_of(index, size)
        .and_then(|width| BundleAt::new(index, width).ok())
        .filter(|_| seq < size)
        .ok_or_else(|| Failure::setting(format!("there is no entry {seq}: the log has {size} entries, from 0")))
}

/// An entry out of the bytes of its bundle.
pub fn entry_in(bytes: &[u8], at: BundleAt, seq: u64) -> Result<Vec<u8>, Failure> {
    let entries = bundle::parse(bytes, at.width()).map_err(|e| Failure::evidence(format!("`{at}`: {e}")))?;
    let place = usize::try_from(seq - at.first_entry()).ok();
    let found = place.and_then(|place| entries.get(place));
    found.map(|entry| entry.to_vec()).ok_or_else(|| Failure::evidence(format!("`{at}` doesn't hold entry {seq}")))
}

/// How many hashes the tile at `index` has, where its level has `hashes` of them; nothing where it has none.
fn width_of(index: u64, hashes: u64) -> Option<u16> {
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let rest = hashes.checked_sub(first)?.min(u64::from(TILE_WIDTH));
    u16::try_from(rest).ok().filter(|width| *width > 0)
}

struct Tiles<'a> {
    api: &'a Api,
    size: u64,
    read: BTreeMap<TileAt, Vec<Hash>>,
}

impl Tiles<'_> {
    /// A complete node: one hash of a tile, or what some of its hashes come to.
    async fn node(&mut self, at: NodeAt) -> Result<Hash, Failure> {
        let (tile, range) = place(at, self.size).ok_or_else(|| {
            Failure::evidence(format!("the log of {} entries has no node {}/{}", self.size, at.level, at.index))
        })?;
        if !self.read.contains_key(&tile) {
            let bytes = file(self.api, &tile.to_string()).await?;
            let hashes = tile.parse(&bytes);
            let hashes = hashes.ok_or_else(|| Failure::evidence(format!("the tile `{tile}` is malformed")))?;
            self.read.insert(tile, hashes);
        }
        let hashes = self.read.get(&tile).and_then(|hashes| hashes.get(range));
        let mut hashes = hashes.map(<[Hash]>::to_vec).unwrap_or_default();
        while hashes.len() > 1 {
            hashes = hashes.chunks_exact(2).map(|pair| node_hash(pair[0], pair[1])).collect();
        }
        let missing = || Failure::evidence(format!("the tile `{tile}` is too short"));
        hashes.first().copied().ok_or_else(missing)
    }
}

/// Which tile of a log of `size` entries holds a node, and which of its hashes come to it.
fn place(at: NodeAt, size: u64) -> Option<(TileAt, std::ops::Range<usize>)> {
    let level = at.level / TILE_HEIGHT;
    let height = at.level % TILE_HEIGHT;
    let first = at.index.checked_mul(1 << height)?;
    let index = first / u64::from(TILE_WIDTH);
    let width = width_of(index, size.checked_shr(u32::from(TILE_HEIGHT * level))?)?;
    let start = usize::try_from(first % u64::from(TILE_WIDTH)).ok()?;
    let tile = TileAt::new(level, index, width).ok()?;
    let end = start + (1 << height);
    // A node that the tile doesn't cover isn't complete in a log of this size.
    (end <= usize::from(width)).then_some((tile, start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_in_tiles() {
        let at = |level, index| NodeAt { level, index };
        let (tile, range) = place(at(0, 3), 70_000).unwrap();
        assert_eq!((tile.to_string().as_str(), range), ("tile/0/000", 3..4));
        // A node of height 3 over the entries 696 to 703, within the third tile.
        let (tile, range) = place(at(3, 87), 704).unwrap();
        assert_eq!((tile.to_string().as_str(), range), ("tile/0/002.p/192", 184..192));
        // The root over the first 256 entries is the first hash of the first tile one level up.
        let (tile, range) = place(at(8, 0), 300).unwrap();
        assert_eq!((tile.to_string().as_str(), range), ("tile/1/000.p/1", 0..1));
        let (tile, range) = place(at(17, 0), 1 << 17).unwrap();
        assert_eq!((tile.to_string().as_str(), range), ("tile/2/000.p/2", 0..2));
        assert_eq!(place(at(0, 10), 10), None);
    }

    #[test]
    fn entries_are_found_in_bundles() {
        assert_eq!(bundle_of(0, 1).unwrap().to_string(), "tile/entries/000.p/1");
        assert_eq!(bundle_of(255, 600).unwrap().to_string(), "tile/entries/000");
        assert_eq!(bundle_of(599, 600).unwrap().to_string(), "tile/entries/002.p/88");
        assert!(bundle_of(600, 600).is_err());
        let bytes = bundle::encode(&["a", "b"]).unwrap();
        assert_eq!(entry_in(&bytes, bundle_of(1, 2).unwrap(), 1).unwrap(), b"b");
    }
}
