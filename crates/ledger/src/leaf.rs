//! What an entry is (I9): a versioned header, and salted commitments to payloads kept elsewhere.
//!
//! A leaf holds no free text and no name: ids are pseudonymous, and what a person wrote or is
//! called lies in payload parts, each under a salt and a key of its own. Destroying the key and
//! the salt erases the part, and the log still verifies.
//!
//! The bytes are JSON in one spelling: keys sorted, no spaces, integers only. Reading accepts
//! that spelling alone, so a leaf has one hash.

mod draft;
mod json;
mod names;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub use draft::{Draft, MAX_PAYLOAD_BYTES, OpenPart, PartDraft, SALT_BYTES};
pub use json::canonical_json;
pub use names::{EventType, KeyScope, Region, RetentionClass};

use crate::hash::{HASH_BYTES, Hash, leaf_hash};

/// The version that this code writes and reads.
pub const LEAF_VERSION: u32 = 1;
/// The most ids in a header.
pub const MAX_IDS: usize = 32;
/// The most parts of a payload.
pub const MAX_PARTS: usize = 32;

/// In front of what a commitment hashes, so that it can't be mistaken for another hash. The salt
/// after it has a fixed length, so no two inputs run into one.
const COMMITMENT_DOMAIN: &[u8] = b"daypass ledger part v1\n";

/// Why a leaf can't be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Not an event type.
    #[error("`{0}` is no event type: it should be dotted lower-case words, like `grant.activated`")]
    Event(String),
    /// Not a region.
    #[error("`{0}` is no region: it should be 1 to 32 lower-case letters, digits and dashes")]
    Region(String),
    /// Not the kind of an id.
    #[error("`{0}` is no kind of id: it should be 1 to 32 lower-case letters, digits, underscores")]
    IdKind(String),
    /// Not a pseudonymous id; free text, names and addresses don't belong in a leaf.
    #[error(
        "`{0}` is no pseudonymous id: it should be 1 to 128 letters, digits and `_ - . :`; \
         names and free text belong in a payload part"
    )]
    Id(String),
    /// The same kind of id twice.
    #[error("two ids of the kind `{0}` were given for one leaf; give each its own kind")]
    RepeatedId(String),
    /// Over [`MAX_IDS`].
    #[error("a leaf has at most {MAX_IDS} ids, and {0} were given")]
    TooManyIds(usize),
    /// Over [`MAX_PARTS`].
    #[error("a leaf commits to at most {MAX_PARTS} payload parts, and {0} were given")]
    TooManyParts(usize),
    /// A payload part over [`MAX_PAYLOAD_BYTES`].
    #[error(
        "a payload part of {0} bytes is longer than allowed ({MAX_PAYLOAD_BYTES}); \
         store it by its digest"
    )]
    PayloadTooLong(usize),
    /// Not one salt per part.
    #[error("sealing {parts} payload parts needs as many salts, and {salts} were given")]
    Salts {
        /// How many parts the draft has.
        parts: usize,
        /// How many salts were given.
        salts: usize,
    },
    /// Longer than an entry may be.
    #[error("a leaf of {0} bytes is longer than a log entry may be")]
    TooLong(usize),
    /// Of a version that this code doesn't know.
    #[error("the leaf is of version {0}, and this program knows version {LEAF_VERSION}; use a newer one")]
    Version(u32),
    /// Not JSON of a leaf's shape. The text says where; it quotes nothing of the leaf.
    #[error("the entry isn't a leaf: {0}")]
    Malformed(String),
    /// A leaf's JSON in another spelling: spaces, another order of keys, escapes.
    #[error("the entry is a leaf, but not in the one spelling that the log writes")]
    NotCanonical,
}

/// What is known of an entry without any key, and stays for years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The place in the log: the first entry is 0.
    pub seq: u64,
    /// When, in microseconds since 1970 UTC, by the authority's clock; never before the entry
    /// ahead.
    pub time_us: i64,
    /// What happened.
    pub event: EventType,
    /// Whom and what it concerns: kind of id to pseudonymous id, like `grant` to `grant_0193...`.
    pub ids: BTreeMap<String, String>,
    /// Where the payload lives (I10).
    pub region: Region,
    /// How long the record is kept.
    pub retention: RetentionClass,
}

/// A promise of what one payload part says, without saying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// Under whose key the part is.
    pub scope: KeyScope,
    /// `SHA-256(domain || salt || payload)`.
    pub digest: [u8; HASH_BYTES],
}

impl Commitment {
    /// The commitment to a payload under a salt.
    #[must_use]
    pub fn to(scope: KeyScope, salt: &[u8; SALT_BYTES], payload: &[u8]) -> Self {
        let sha = Sha256::new().chain_update(COMMITMENT_DOMAIN).chain_update(salt).chain_update(payload);
        Self { scope, digest: sha.finalize().into() }
    }
}

/// An entry of the log. Only [`Draft::seal`] and [`Leaf::parse`] make one, so every leaf keeps
/// the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    header: Header,
    commitments: Vec<Commitment>,
}

impl Leaf {
    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The commitments, in the order of the draft's parts.
    #[must_use]
    pub fn commitments(&self) -> &[Commitment] {
        &self.commitments
    }

    /// The entry's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::write_leaf(self).into_bytes()
    }

    /// The hash of the entry.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.to_bytes())
    }

    /// Reads an entry, strictly: one spelling, known version, every limit kept.
    ///
    /// # Errors
    /// [`LeafError`]: what is wrong with it.
    pub fn parse(entry: &[u8]) -> Result<Self, LeafError> {
        let leaf = json::read_leaf(entry)?;
        if leaf.to_bytes() == entry { Ok(leaf) } else { Err(LeafError::NotCanonical) }
    }

    /// Whether this salt and payload are what the leaf committed to as its part `index`.
    #[must_use]
    pub fn check_part(&self, index: usize, salt: &[u8; SALT_BYTES], payload: &[u8]) -> bool {
        self.commitments.get(index).is_some_and(|commitment| {
            // Digests in a leaf are public, so an ordinary comparison gives nothing away.
            Commitment::to(commitment.scope.clone(), salt, payload).digest == commitment.digest
        })
    }

    fn new(header: Header, commitments: Vec<Commitment>) -> Result<Self, LeafError> {
        if header.ids.len() > MAX_IDS {
            return Err(LeafError::TooManyIds(header.ids.len()));
        }
        if commitments.len() > MAX_PARTS {
            return Err(LeafError::TooManyParts(commitments.len()));
        }
        for (kind, id) in &header.ids {
            names::check_id_kind(kind)?;
            names::check_id(id)?;
        }
        for commitment in &commitments {
            commitment.scope.check()?;
        }
        Ok(Self { header, commitments })
    }
}
