//! Proofs about the tree: which stored nodes they need, how they are built, and how anyone
//! checks them (RFC 6962, 2.1.1 and 2.1.2; the checking algorithms are RFC 9162's 2.1.3.2 and
//! 2.1.4.2).

use serde::{Deserialize, Serialize};

use crate::{
    hash::{Hash, node_hash},
    tree::{Lookup, NodeAt, TreeError, fold_right, range_nodes, split_point},
};

/// The most hashes in a path: one per level of the largest tree, and one more.
pub const MAX_PATH: usize = 64;

/// Why a proof doesn't prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index, the sizes and the number of hashes can't belong together.
    #[error("the proof has the wrong number of hashes for the indexes and sizes that it names")]
    WrongShape,
    /// The path doesn't lead to the root.
    #[error("the proof doesn't lead to the root: the entry isn't in this tree at this index")]
    NotIncluded,
    /// The path doesn't lead to the older root: the first entries were changed.
    #[error("the proof doesn't lead to the older root: the entries that it covered were rewritten")]
    OldRootDiffers,
    /// The path doesn't lead to the newer root.
    #[error("the proof doesn't lead to the newer root: it belongs to another tree")]
    NewRootDiffers,
}

/// That an entry is in the tree: RFC 6962's audit path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The entry's index, from 0.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
    /// From the leaf's sibling up to the root's child.
    pub path: Vec<Hash>,
}

/// That a tree extends an older one, every older entry unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// The older size.
    pub old: u64,
    /// The newer size.
    pub new: u64,
    /// In the order of RFC 6962, 2.1.2.
    pub path: Vec<Hash>,
}

/// A run of entries, `lo` up to, not including, `hi`, whose subtree hash is one element of a path.
type Run = (u64, u64);

fn inclusion_runs(index: u64, size: u64) -> Result<Vec<Run>, TreeError> {
    if index >= size {
        return Err(TreeError::NoSuchEntry { index, size });
    }
    let (mut lo, mut hi) = (0, size);
    let mut runs = Vec::new();
    while hi - lo > 1 {
        let middle = lo + split_point(hi - lo);
        if index < middle {
            runs.push((middle, hi));
            hi = middle;
        } else {
            runs.push((lo, middle));
            lo = middle;
        }
    }
    runs.reverse();
    Ok(runs)
}

fn consistency_runs(old: u64, new: u64) -> Result<Vec<Run>, TreeError> {
    if old > new {
        return Err(TreeError::Backwards { old, new });
    }
    // Everything extends the empty tree: nothing to show.
    if old == 0 {
        return Ok(Vec::new());
    }
    let (mut lo, mut hi) = (0, new);
    let mut runs = Vec::new();
    while old != hi {
        let middle = lo + split_point(hi - lo);
        if old <= middle {
            runs.push((middle, hi));
            hi = middle;
        } else {
            runs.push((lo, middle));
            lo = middle;
        }
    }
    // When the whole old tree is one subtree, its root is known to who checks, and left out.
    if lo > 0 {
        runs.push((lo, hi));
    }
    runs.reverse();
    Ok(runs)
}

fn nodes_of(runs: &[Run]) -> Vec<NodeAt> {
    runs.iter().flat_map(|&(lo, hi)| range_nodes(lo, hi)).collect()
}

fn path_of(runs: &[Run], lookup: Lookup<'_>) -> Result<Vec<Hash>, TreeError> {
    let run_hash = |&(lo, hi): &Run| {
        let hashes = range_nodes(lo, hi)
            .into_iter()
            .map(|at| lookup(at).ok_or(TreeError::MissingNode(at)))
            .collect::<Result<Vec<_>, _>>()?;
        // Runs are never empty; the empty tree's root stands in for "no hash" all the same.
        Ok(fold_right(&hashes).unwrap_or_else(Hash::empty_root))
    };
    runs.iter().map(run_hash).collect()
}

/// The stored nodes that [`InclusionProof::build`] will look up, so that a store can read them
/// in one query.
///
/// # Errors
/// [`TreeError::NoSuchEntry`].
pub fn inclusion_nodes(index: u64, size: u64) -> Result<Vec<NodeAt>, TreeError> {
    Ok(nodes_of(&inclusion_runs(index, size)?))
}

/// The stored nodes that [`ConsistencyProof::build`] will look up.
///
/// # Errors
/// [`TreeError::Backwards`].
pub fn consistency_nodes(old: u64, new: u64) -> Result<Vec<NodeAt>, TreeError> {
    Ok(nodes_of(&consistency_runs(old, new)?))
}

impl InclusionProof {
    /// The proof for the entry at `index` in the tree of `size`.
    ///
    /// # Errors
    /// [`TreeError::NoSuchEntry`], [`TreeError::MissingNode`].
    pub fn build(index: u64, size: u64, lookup: Lookup<'_>) -> Result<Self, TreeError> {
        let path = path_of(&inclusion_runs(index, size)?, lookup)?;
        Ok(Self { index, size, path })
    }

    /// Checks that the entry with this leaf hash is in the tree with this root.
    ///
    /// # Errors
    /// [`ProofError::WrongShape`], [`ProofError::NotIncluded`].
    pub fn verify(&self, leaf: Hash, root: Hash) -> Result<(), ProofError> {
        if self.index >= self.size || self.path.len() > MAX_PATH {
            return Err(ProofError::WrongShape);
        }
        let mut climb = Climb { node: self.index, last: self.size - 1 };
        let mut hash = leaf;
        for &sibling in &self.path {
            hash = match climb.step()? {
                Side::Left => node_hash(sibling, hash),
                Side::Right => node_hash(hash, sibling),
            };
        }
        if climb.last != 0 {
            return Err(ProofError::WrongShape);
        }
        if hash == root { Ok(()) } else { Err(ProofError::NotIncluded) }
    }
}

impl ConsistencyProof {
    /// The proof that the tree of size `new` extends the one of size `old`.
    ///
    /// # Errors
    /// [`TreeError::Backwards`], [`TreeError::MissingNode`].
    pub fn build(old: u64, new: u64, lookup: Lookup<'_>) -> Result<Self, TreeError> {
        let path = path_of(&consistency_runs(old, new)?, lookup)?;
        Ok(Self { old, new, path })
    }

    /// Checks that the tree with `new_root` extends the one with `old_root`.
    ///
    /// # Errors
    /// [`ProofError::WrongShape`], [`ProofError::OldRootDiffers`], [`ProofError::NewRootDiffers`].
    pub fn verify(&self, old_root: Hash, new_root: Hash) -> Result<(), ProofError> {
        if self.old > self.new || self.path.len() > MAX_PATH {
            return Err(ProofError::WrongShape);
        }
        if self.old == 0 || self.old == self.new {
            return self.verify_trivial(old_root, new_root);
        }
        let mut path = self.path.iter().copied();
        // A complete old tree is a subtree of the new one, and the path starts from its root.
        let start = if self.old.is_power_of_two() { Some(old_root) } else { path.next() };
        let start = start.ok_or(ProofError::WrongShape)?;
        let mut climb = Climb { node: self.old - 1, last: self.new - 1 };
        climb.skip_right_children();
        let (mut old_hash, mut new_hash) = (start, start);
        for sibling in path {
            match climb.step()? {
                Side::Left => {
                    old_hash = node_hash(sibling, old_hash);
                    new_hash = node_hash(sibling, new_hash);
                }
                Side::Right => new_hash = node_hash(new_hash, sibling),
            }
        }
        if climb.last != 0 {
            return Err(ProofError::WrongShape);
        }
        if old_hash != old_root {
            return Err(ProofError::OldRootDiffers);
        }
        if new_hash == new_root { Ok(()) } else { Err(ProofError::NewRootDiffers) }
    }

    fn verify_trivial(&self, old_root: Hash, new_root: Hash) -> Result<(), ProofError> {
        if !self.path.is_empty() {
            return Err(ProofError::WrongShape);
        }
        if self.old == 0 && old_root != Hash::empty_root() {
            return Err(ProofError::OldRootDiffers);
        }
        if self.old == self.new && old_root != new_root {
            return Err(ProofError::OldRootDiffers);
        }
        Ok(())
    }
}

/// On which side of the hash so far the next sibling of the path lies.
enum Side {
    Left,
    Right,
}

/// The climb from a node to the root that both checks make: RFC 9162 calls these `fn` and `sn`.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::WrongShape);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // At the right edge, levels without a sibling are skipped.
            while self.node & 1 == 0 && self.node != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Ok(side)
    }

    fn skip_right_children(&mut self) {
        while self.node & 1 == 1 {
            self.up();
        }
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}
