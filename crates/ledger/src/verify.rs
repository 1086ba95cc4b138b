//! Offline verification of a whole log, by somebody who trusts only a key and, better, a
//! checkpoint that they kept.
//!
//! A log that was rewritten and signed again with the real key is perfect in itself. Only a head
//! held elsewhere shows it, so [`verify`] takes one, and its errors say what was done since.

mod failure;
mod walk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use failure::Failure;

use crate::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    hash::Hash,
    key::VerifierKey,
    leaf::EventType,
    merkle::ConsistencyProof,
    note::MAX_NOTE_BYTES,
    tile::CHECKPOINT_PATH,
};
use walk::Walk;

/// Where a log's files are read from: a folder, an archive, a server.
///
/// Whoever holds the source can withhold and alter; [`verify`] finds out. They can't make it
/// accept what the key didn't sign, or what contradicts the [`Known`] head.
pub trait Source {
    /// The bytes at a path such as `tile/entries/000`; `None` when there is nothing.
    ///
    /// # Errors
    /// A text for a person, when it can't be told: a disk or network error. Implementations
    /// refuse files above 17 MB, the largest that a log has.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
}

/// A head of the log that the verifier kept from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// How many entries it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl From<&Checkpoint> for Known {
    fn from(head: &Checkpoint) -> Self {
        Self { size: head.size, root: head.root }
    }
}

impl Known {
    /// Checks that a newer, verified head extends this one: what a client does before it keeps
    /// the newer instead. The proof is from this size to the newer; for equal sizes it is empty.
    ///
    /// # Errors
    /// [`Failure::Truncated`], [`Failure::Fork`], [`Failure::NotExtended`].
    pub fn extended_by(&self, head: &Checkpoint, proof: &ConsistencyProof) -> Result<(), Failure> {
        if head.size < self.size {
            return Err(Failure::Truncated { size: head.size, known: self.size });
        }
        if head.size == self.size {
            return self.same_root(head);
        }
        let sizes_fit = proof.old == self.size && proof.new == head.size;
        let proven =
            if sizes_fit { proof.verify(self.root, head.root) } else { Err(crate::merkle::ProofError::WrongShape) };
        proven.map_err(|why| Failure::NotExtended { size: head.size, known: self.size, why })
    }

    fn same_root(&self, head: &Checkpoint) -> Result<(), Failure> {
        if head.root == self.root {
            Ok(())
        } else {
            Err(Failure::Fork { size: self.size, signed: head.root, known: self.root })
        }
    }
}

/// What a log that verifies holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's origin, which is the name of its key.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The size of the kept head that the log was found to extend; `None` when none was given,
    /// and then a rewriting by whoever holds the key can't show.
    pub extends: Option<u64>,
    /// The time of the first entry, in microseconds since 1970 UTC.
    pub first_time_us: Option<i64>,
    /// The time of the last entry.
    pub last_time_us: Option<i64>,
    /// How many entries of each event type.
    pub events: BTreeMap<EventType, u64>,
}

/// Verifies a whole log: the head's signature; that every entry is there, is a leaf, and is in
/// its place; that entries and tiles hash to the signed root; that places are consecutive and
/// time never runs back; and that the log extends the head that the caller kept.
///
/// # Errors
/// [`Failure`]: the most telling thing that is wrong.
pub fn verify(source: &dyn Source, key: &VerifierKey, known: Option<&Known>) -> Result<Report, Failure> {
    let head = read_head(source, key)?;
    if let Some(known) = known {
        compare_heads(source, &head, known)?;
    }
    Walk::new(source, known.map(|known| known.size)).run(&head, known)
}

fn read_head(source: &dyn Source, key: &VerifierKey) -> Result<Checkpoint, Failure> {
    let bytes = read(source, CHECKPOINT_PATH)?.ok_or(Failure::NoCheckpoint)?;
    // The note's own limit says so too; here the file isn't even looked at.
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(Failure::MalformedCheckpoint(crate::note::NoteError::TooLong(bytes.len()).into()));
    }
    let head = SignedCheckpoint::parse(&bytes).map_err(Failure::MalformedCheckpoint)?;
    head.verify(key).cloned().map_err(Failure::from_untrusted)
}

/// What the two heads alone tell, before any entry is read.
fn compare_heads(source: &dyn Source, head: &Checkpoint, known: &Known) -> Result<(), Failure> {
    if head.size > known.size {
        return Ok(());
    }
    if head.size == known.size {
        return known.same_root(head);
    }
    // Shorter than what the caller holds. When the entries up to the kept head are all still
    // there, only the checkpoint is an old one.
    let replayed = walk::root_of(source, known.size).is_some_and(|root| root == known.root);
    let (size, known) = (head.size, known.size);
    Err(if replayed { Failure::Replayed { size, known } } else { Failure::Truncated { size, known } })
}

fn read(source: &dyn Source, path: &str) -> Result<Option<Vec<u8>>, Failure> {
    source.read(path).map_err(|why| Failure::Unreadable { path: path.to_owned(), why })
}
