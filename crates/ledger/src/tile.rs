//! Where a tiled log keeps what: the paths of C2SP `tlog-tiles`, and the hash tiles.

use std::{fmt, str::FromStr};

use crate::{
    hash::{HASH_BYTES, Hash},
    text,
    tree::{Lookup, MAX_TREE_SIZE, NodeAt, TreeError},
};

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// A tile spans this many levels of the tree.
pub const TILE_HEIGHT: u8 = 8;
/// The highest tile level that a log of at most [`MAX_TREE_SIZE`] entries has. The format goes to
/// 63, for trees that nobody can fill.
pub const MAX_TILE_LEVEL: u8 = 7;
/// Where the checkpoint is.
pub const CHECKPOINT_PATH: &str = "checkpoint";
/// The longest path: `tile/entries/`, seven path elements, and a width.
const MAX_PATH_BYTES: usize = 64;

/// Why a path names nothing in a tiled log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not of the form that `tlog-tiles` gives.
    #[error(
        "`{0}` is no path of a tiled log: it should read checkpoint, tile/<L>/<N>[.p/<W>] or \
         tile/entries/<N>[.p/<W>], with N as x001/x234/067"
    )]
    Malformed(String),
    /// Well-formed, but no log is that large.
    #[error("the tile lies beyond the largest log ({MAX_TREE_SIZE} entries)")]
    OutOfRange,
}

/// A hash tile: `width` consecutive hashes at the tree level `8 * level`, from `256 * index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAt {
    level: u8,
    index: u64,
    width: u16,
}

/// An entry bundle: `width` consecutive entries from `256 * index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleAt {
    index: u64,
    width: u16,
}

/// What a path of a tiled log names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The newest signed tree head; the only one that changes.
    Checkpoint,
    /// A hash tile.
    Tile(TileAt),
    /// An entry bundle.
    Entries(BundleAt),
}

impl TileAt {
    /// A tile: level 0 to 7, and width 1 to 256, 256 being full.
    ///
    /// # Errors
    /// [`PathError::OutOfRange`] when no log of at most [`MAX_TREE_SIZE`] entries has it.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, PathError> {
        if level > MAX_TILE_LEVEL || width == 0 || width > TILE_WIDTH {
            return Err(PathError::OutOfRange);
        }
        let hashes = u128::from(index) * u128::from(TILE_WIDTH) + u128::from(width);
        if hashes << (TILE_HEIGHT * level) > u128::from(MAX_TREE_SIZE) {
            return Err(PathError::OutOfRange);
        }
        Ok(Self { level, index, width })
    }

    /// The tile level, 0 to 7.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The index within the level.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes, 1 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The full tile in this place, unless no log is that large.
    #[must_use]
    pub fn full(&self) -> Option<Self> {
        Self::new(self.level, self.index, TILE_WIDTH).ok()
    }

    /// The smallest log that has this tile. A server refuses tiles beyond its checkpoint.
    #[must_use]
    pub fn min_size(&self) -> u64 {
        (self.index * u64::from(TILE_WIDTH) + u64::from(self.width)) << (TILE_HEIGHT * self.level)
    }

    /// The tree nodes that the tile holds, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeAt> + use<> {
        let level = TILE_HEIGHT * self.level;
        let first = self.index * u64::from(TILE_WIDTH);
        (first..first + u64::from(self.width)).map(move |index| NodeAt { level, index })
    }

    /// The tile's bytes: its hashes, one after the other.
    ///
    /// # Errors
    /// [`TreeError::MissingNode`].
    pub fn bytes(&self, lookup: Lookup<'_>) -> Result<Vec<u8>, TreeError> {
        let mut bytes = Vec::with_capacity(usize::from(self.width) * HASH_BYTES);
        for at in self.nodes() {
            bytes.extend(lookup(at).ok_or(TreeError::MissingNode(at))?.0);
        }
        Ok(bytes)
    }

    /// The hashes in a tile's bytes; nothing when the bytes aren't exactly as many as its width
    /// asks for.
    #[must_use]
    pub fn parse(&self, bytes: &[u8]) -> Option<Vec<Hash>> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        let fits = rest.is_empty() && hashes.len() == usize::from(self.width);
        fits.then(|| hashes.iter().map(|hash| Hash(*hash)).collect())
    }
}

impl BundleAt {
    /// A bundle: width 1 to 256, 256 being full.
    ///
    /// # Errors
    /// [`PathError::OutOfRange`] when no log of at most [`MAX_TREE_SIZE`] entries has it.
    pub fn new(index: u64, width: u16) -> Result<Self, PathError> {
        TileAt::new(0, index, width).map(|tile| Self { index: tile.index, width: tile.width })
    }

    /// The index of the bundle.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many entries, 1 to 256.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The level-0 tile that holds the hashes of these entries.
    #[must_use]
    pub fn tile(&self) -> TileAt {
        TileAt { level: 0, index: self.index, width: self.width }
    }

    /// The full bundle in this place, unless no log is that large.
    #[must_use]
    pub fn full(&self) -> Option<Self> {
        Self::new(self.index, TILE_WIDTH).ok()
    }

    /// The index of the first entry.
    #[must_use]
    pub fn first_entry(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }

    /// The smallest log that has this bundle.
    #[must_use]
    pub fn min_size(&self) -> u64 {
        self.tile().min_size()
    }
}

/// Every tile of a log of `size` entries: level by level, from left to right.
pub fn tiles(size: u64) -> impl Iterator<Item = TileAt> {
    (0..=MAX_TILE_LEVEL).flat_map(move |level| {
        let hashes = size >> (TILE_HEIGHT * level);
        widths(hashes).map(move |(index, width)| TileAt { level, index, width })
    })
}

/// Every entry bundle of a log of `size` entries, from left to right.
pub fn bundles(size: u64) -> impl Iterator<Item = BundleAt> {
    widths(size).map(|(index, width)| BundleAt { index, width })
}

fn widths(hashes: u64) -> impl Iterator<Item = (u64, u16)> {
    let full = hashes / u64::from(TILE_WIDTH);
    // Can't truncate: a remainder of a division by 256.
    let rest = (hashes % u64::from(TILE_WIDTH)) as u16;
    let partial = (rest > 0).then_some((full, rest));
    (0..full).map(|index| (index, TILE_WIDTH)).chain(partial)
}

impl Resource {
    /// The smallest log that has this; 0 for the checkpoint.
    #[must_use]
    pub fn min_size(&self) -> u64 {
        match self {
            Self::Checkpoint => 0,
            Self::Tile(tile) => tile.min_size(),
            Self::Entries(bundle) => bundle.min_size(),
        }
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    // A u64 has at most seven groups of three digits.
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups.iter().skip(1).rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

impl fmt::Display for TileAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

impl fmt::Display for BundleAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str(CHECKPOINT_PATH),
            Self::Tile(tile) => tile.fmt(f),
            Self::Entries(bundle) => bundle.fmt(f),
        }
    }
}

/// `x001/x234/067.p/12` to 1234067 and 12. Only checked to be readable: who calls compares the
/// result with the text, which is what makes the reading strict.
fn read_place(place: &str) -> Option<(u64, u16)> {
    let (place, width) = match place.split_once(".p/") {
        Some((place, width)) => (place, u16::try_from(text::decimal(width)?).ok()?),
        None => (place, TILE_WIDTH),
    };
    let mut index = 0u64;
    for group in place.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let value = if digits.len() == 3 { digits.parse::<u16>().ok()? } else { return None };
        index = index.checked_mul(1000)?.checked_add(u64::from(value))?;
    }
    Some((index, width))
}

impl FromStr for Resource {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let malformed = || PathError::Malformed(text::excerpt(path, MAX_PATH_BYTES));
        if path.len() > MAX_PATH_BYTES {
            return Err(malformed());
        }
        if path == CHECKPOINT_PATH {
            return Ok(Self::Checkpoint);
        }
        let rest = path.strip_prefix("tile/").ok_or_else(malformed)?;
        let (kind, place) = rest.split_once('/').ok_or_else(malformed)?;
        let (index, width) = read_place(place).ok_or_else(malformed)?;
        let resource = if kind == "entries" {
            Self::Entries(BundleAt::new(index, width)?)
        } else {
            let level = text::decimal(kind).and_then(|level| u8::try_from(level).ok());
            Self::Tile(TileAt::new(level.ok_or_else(malformed)?, index, width)?)
        };
        // One spelling each: an `x` too many, a leading zero or `.p/256` is another text.
        if resource.to_string() == path { Ok(resource) } else { Err(malformed()) }
    }
}
