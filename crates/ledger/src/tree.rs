//! The tree's shape: where nodes are, and the right edge that is all that appending needs.

use serde::{Deserialize, Serialize};

use crate::hash::{Hash, node_hash};

/// The most entries that a log may have: what fits a signed 64-bit column of a store.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// Where a complete node is: `level` 0 are the leaves, and `index` counts from the left within the
/// level. The node covers the entries `index << level` up to, not including, `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeAt {
    /// The height above the leaves, 0 to 62.
    pub level: u8,
    /// The position within the level.
    pub index: u64,
}

/// How stored nodes are found. A node once complete never changes, so one row per [`NodeAt`] that
/// [`Frontier::append`] gave is enough for every proof ever after.
pub type Lookup<'a> = &'a dyn Fn(NodeAt) -> Option<Hash>;

/// Why something about the tree could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A node that must exist in a tree of this size was not found: the store lost it.
    #[error(
        "the tree's node at level {level}, index {index} is missing from the store; \
         restore it from a backup, or rebuild the nodes from the entries", level = .0.level, index = .0.index
    )]
    MissingNode(NodeAt),
    /// The index is not below the size.
    #[error("there is no entry {index} in a log of {size} entries; indexes count from 0")]
    NoSuchEntry {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The older size is above the newer.
    #[error("a log of {new} entries can't be shown to extend one of {old}: it is shorter")]
    Backwards {
        /// The size that was to be the older.
        old: u64,
        /// The size that was to be the newer.
        new: u64,
    },
    /// The hashes given are not as many as a tree of this size has on its right edge.
    #[error("the right edge of a tree of {size} entries has {need} hashes, and {have} were given")]
    WrongEdge {
        /// The size of the tree.
        size: u64,
        /// How many hashes that size needs.
        need: usize,
        /// How many were given.
        have: usize,
    },
    /// Larger than a log may be.
    #[error("a log has at most {MAX_TREE_SIZE} entries, and {0} were named")]
    TooLarge(u64),
}

/// The right edge of a tree: its size, and the roots of the complete subtrees that it splits into,
/// the largest first. At most 63 hashes, whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FrontierParts", into = "FrontierParts")]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
struct FrontierParts {
    size: u64,
    hashes: Vec<Hash>,
}

impl TryFrom<FrontierParts> for Frontier {
    type Error = TreeError;
    fn try_from(parts: FrontierParts) -> Result<Self, TreeError> {
        Self::from_parts(parts.size, parts.hashes)
    }
}

impl From<Frontier> for FrontierParts {
    fn from(frontier: Frontier) -> Self {
        Self { size: frontier.size, hashes: frontier.hashes }
    }
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl Frontier {
    /// The edge of the tree without entries.
    #[must_use]
    pub fn new() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// An edge from what a store kept: the size, and the hashes of [`frontier_nodes`] in order.
    ///
    /// # Errors
    /// [`TreeError::WrongEdge`] when the count doesn't fit the size, [`TreeError::TooLarge`].
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        if size > MAX_TREE_SIZE {
            return Err(TreeError::TooLarge(size));
        }
        let need = size.count_ones() as usize;
        if hashes.len() == need {
            Ok(Self { size, hashes })
        } else {
            Err(TreeError::WrongEdge { size, need, have: hashes.len() })
        }
    }

    /// The edge of a tree of `size`, its nodes looked up.
    ///
    /// # Errors
    /// [`TreeError::MissingNode`], [`TreeError::TooLarge`].
    pub fn load(size: u64, lookup: Lookup<'_>) -> Result<Self, TreeError> {
        if size > MAX_TREE_SIZE {
            return Err(TreeError::TooLarge(size));
        }
        let hashes = frontier_nodes(size)
            .into_iter()
            .map(|at| lookup(at).ok_or(TreeError::MissingNode(at)))
            .collect::<Result<_, _>>()?;
        Ok(Self { size, hashes })
    }

    /// How many entries the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, the largest first: what [`Frontier::from_parts`] takes.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf, and gives every node that is complete now and wasn't before: the leaf
    /// itself first, then its ancestors upwards.
    pub fn append(&mut self, leaf: Hash) -> Vec<(NodeAt, Hash)> {
        let mut at = NodeAt { level: 0, index: self.size };
        let mut hash = leaf;
        let mut complete = vec![(at, hash)];
        // A right child completes its parent, and its left sibling is the edge's last hash.
        while at.index & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(left, hash);
            at = NodeAt { level: at.level + 1, index: at.index >> 1 };
            complete.push((at, hash));
        }
        self.hashes.push(hash);
        self.size += 1;
        complete
    }

    /// The root hash of the tree as it is now.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_right(&self.hashes).unwrap_or_else(Hash::empty_root)
    }
}

/// The hash over neighbouring complete subtrees that shrink to the right; none gives none.
pub(crate) fn fold_right(hashes: &[Hash]) -> Option<Hash> {
    let (last, rest) = hashes.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(*left, right)))
}

/// The nodes on the right edge of a tree of `size`, the largest first: what a store reads when it
/// starts, to go on appending.
#[must_use]
pub fn frontier_nodes(size: u64) -> Vec<NodeAt> {
    range_nodes(0, size)
}

/// The complete subtrees that cover the entries `lo..hi`, from left to right. `lo` is where a
/// subtree of RFC 6962's recursion starts, so the sizes shrink to the right.
pub(crate) fn range_nodes(lo: u64, hi: u64) -> Vec<NodeAt> {
    let mut nodes = Vec::new();
    let mut start = lo;
    while start < hi {
        let level = (hi - start).ilog2();
        // Can't truncate: a 64-bit number's logarithm is at most 63.
        nodes.push(NodeAt { level: level as u8, index: start >> level });
        start += 1 << level;
    }
    nodes
}

/// The largest power of two below `n`, for `n` at least 2: where RFC 6962 splits a tree.
pub(crate) fn split_point(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}
