//! The Merkle log, its leaves, checkpoints and proofs (C2SP formats): pure.
//!
//! Nothing here stores, listens, waits, or asks for the time or for randomness: a store hands in
//! the nodes that a proof needs, the caller hands in times and salts. The formats are those of
//! <https://c2sp.org>: `tlog-tiles`, `tlog-checkpoint`, `signed-note` and `tlog-proof`, with the
//! hashing of RFC 6962.
//!
//! "Tamper-evident" means: since the last checkpoint that somebody else holds. So [`verify`] takes
//! the checkpoint that its caller kept, and says what was done to the log since.

pub mod bundle;
pub mod checkpoint;
pub mod hash;
pub mod key;
pub mod leaf;
pub mod memlog;
pub mod merkle;
pub mod note;
pub mod proof;
mod text;
pub mod tile;
pub mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, Origin, SignedCheckpoint};
pub use hash::{Hash, leaf_hash, node_hash};
pub use key::{KeyId, KeyName, NoteSigner, VerifierKey};
pub use leaf::{Commitment, Draft, EventType, Header, KeyScope, Leaf, OpenPart, PartDraft, Region, RetentionClass};
pub use memlog::{Folder, MemLog};
pub use merkle::{ConsistencyProof, InclusionProof};
pub use note::{Note, NoteSignature};
pub use proof::TlogProof;
pub use tile::{BundleAt, Resource, TileAt};
pub use tree::{Frontier, MAX_TREE_SIZE, NodeAt};
pub use verify::{Failure, Known, Report, Source};
