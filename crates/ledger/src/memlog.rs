//! A whole log in memory, and a folder of it: for tests, the demo, and evidence packs.

use std::collections::{BTreeMap, HashMap};

use crate::{
    bundle::{self, BundleError},
    checkpoint::{Checkpoint, CheckpointError, Origin, SignedCheckpoint},
    hash::{Hash, leaf_hash},
    key::NoteSigner,
    leaf::Leaf,
    merkle::{ConsistencyProof, InclusionProof},
    note::SignError,
    tile::{CHECKPOINT_PATH, bundles, tiles},
    tree::{Frontier, NodeAt, TreeError},
    verify::Source,
};

/// The files of a log by their path, as a folder holds them.
pub type Folder = BTreeMap<String, Vec<u8>>;

/// Why a log can't be written out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An entry is too long.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A node is missing, which can't be with a log in memory.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The head can't be made.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The head can't be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A log in memory.
#[derive(Debug, Clone, Default)]
pub struct MemLog {
    frontier: Frontier,
    entries: Vec<Vec<u8>>,
    nodes: HashMap<NodeAt, Hash>,
}

impl MemLog {
    /// A log without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A log of these leaves.
    #[must_use]
    pub fn of(leaves: &[Leaf]) -> Self {
        let mut log = Self::new();
        for leaf in leaves {
            log.push(leaf.to_bytes());
        }
        log
    }

    /// Appends an entry's bytes, whatever they are.
    pub fn push(&mut self, entry: Vec<u8>) {
        self.nodes.extend(self.frontier.append(leaf_hash(&entry)));
        self.entries.push(entry);
    }

    /// How many entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    /// A complete node.
    #[must_use]
    pub fn node(&self, at: NodeAt) -> Option<Hash> {
        self.nodes.get(&at).copied()
    }

    /// The proof that the entry at `index` is in the log as it is now.
    ///
    /// # Errors
    /// [`TreeError::NoSuchEntry`].
    pub fn inclusion(&self, index: u64) -> Result<InclusionProof, TreeError> {
        InclusionProof::build(index, self.size(), &|at| self.node(at))
    }

    /// The proof that the log as it is now extends what it was at `old` entries.
    ///
    /// # Errors
    /// [`TreeError::Backwards`].
    pub fn consistency(&self, old: u64) -> Result<ConsistencyProof, TreeError> {
        ConsistencyProof::build(old, self.size(), &|at| self.node(at))
    }

    /// The signed head. Its origin is the signer's name.
    ///
    /// # Errors
    /// [`RenderError::Sign`].
    pub fn head(&self, signer: &NoteSigner) -> Result<SignedCheckpoint, RenderError> {
        let origin = Origin::from(signer.verifier().name());
        let checkpoint = Checkpoint::new(origin, self.size(), self.root())?;
        Ok(SignedCheckpoint::sign(checkpoint, signer)?)
    }

    /// The whole log as the files of a folder: checkpoint, tiles, entry bundles.
    ///
    /// # Errors
    /// [`RenderError::Bundle`] for an entry that is too long, [`RenderError::Sign`].
    pub fn render(&self, signer: &NoteSigner) -> Result<Folder, RenderError> {
        let mut folder = Folder::new();
        folder.insert(CHECKPOINT_PATH.to_owned(), self.head(signer)?.to_bytes());
        for tile in tiles(self.size()) {
            folder.insert(tile.to_string(), tile.bytes(&|at| self.node(at))?);
        }
        let chunks = self.entries.chunks(usize::from(crate::tile::TILE_WIDTH));
        for (at, entries) in bundles(self.size()).zip(chunks) {
            folder.insert(at.to_string(), bundle::encode(entries)?);
        }
        Ok(folder)
    }
}

/// The files of a log of these leaves, signed: see [`MemLog::render`].
///
/// # Errors
/// As [`MemLog::render`].
pub fn render(leaves: &[Leaf], signer: &NoteSigner) -> Result<Folder, RenderError> {
    MemLog::of(leaves).render(signer)
}

impl Source for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.get(path).cloned())
    }
}
