//! From what a caller knows to a sealed leaf: the place and the time come at the commit.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{
    Commitment, EventType, Header, KeyScope, Leaf, LeafError, MAX_IDS, MAX_PARTS, Region, RetentionClass,
    canonical_json,
};
use crate::bundle::MAX_ENTRY_BYTES;

/// Bytes in a salt: enough that a commitment to a short text can't be guessed.
pub const SALT_BYTES: usize = 32;
/// The longest payload part, in bytes of canonical JSON. What is longer enters by its digest.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

// The limits of a leaf's texts keep every leaf within an entry: 32 ids of at most 32 + 128 bytes,
// 32 commitments of at most 128 + 64, the JSON around them, and a header of less than 512.
const _: () = assert!(MAX_IDS * (32 + 128 + 6) + MAX_PARTS * (128 + 64 + 64) + 512 < MAX_ENTRY_BYTES);

/// One part of a payload, before it is committed to.
#[derive(Clone, PartialEq)]
pub struct PartDraft {
    /// Under whose key it will be.
    pub scope: KeyScope,
    /// What it says.
    pub payload: Value,
}

/// One part of a payload with the salt of its commitment: what the store seals under the scope's
/// key. Whoever has both can check the leaf; without them the leaf says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenPart {
    /// Under whose key to seal it.
    pub scope: KeyScope,
    /// The salt; sealed with the payload, since a salted hash without its salt tells nothing.
    pub salt: [u8; SALT_BYTES],
    /// The payload as canonical JSON.
    pub payload: Vec<u8>,
}

// Payloads may hold people's words: their Debug shows none (I10).
impl fmt::Debug for PartDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartDraft({}, redacted)", self.scope)
    }
}

impl fmt::Debug for OpenPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenPart({}, {} bytes, redacted)", self.scope, self.payload.len())
    }
}

/// An entry to be: everything but its place and its time, which the committer gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    event: EventType,
    ids: Vec<(String, String)>,
    region: Region,
    retention: RetentionClass,
    parts: Vec<PartDraft>,
}

impl Draft {
    /// A draft without ids and parts.
    #[must_use]
    pub fn new(event: EventType, region: Region, retention: RetentionClass) -> Self {
        Self { event, ids: Vec::new(), region, retention, parts: Vec::new() }
    }

    /// The same with an id: `kind` like `grant`, and the id in its text form. What is no
    /// pseudonymous id is refused by [`Draft::seal`].
    #[must_use]
    pub fn id(mut self, kind: impl Into<String>, id: impl fmt::Display) -> Self {
        self.ids.push((kind.into(), id.to_string()));
        self
    }

    /// The same with one more payload part.
    #[must_use]
    pub fn part(mut self, scope: KeyScope, payload: Value) -> Self {
        self.parts.push(PartDraft { scope, payload });
        self
    }

    /// What will have happened.
    #[must_use]
    pub fn event(&self) -> &EventType {
        &self.event
    }

    /// Where the payload lives.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// How long the record is kept.
    #[must_use]
    pub fn retention(&self) -> RetentionClass {
        self.retention
    }

    /// The payload parts; [`Draft::seal`] wants one salt for each.
    #[must_use]
    pub fn parts(&self) -> &[PartDraft] {
        &self.parts
    }

    /// The leaf at the place `seq` and the time `time_us`, and the opened parts to seal beside
    /// it. `salts` are fresh random bytes, one salt a part, in order. A draft can be sealed again
    /// when its commit has to be run again: with other salts.
    ///
    /// # Errors
    /// [`LeafError`]: what of the draft can't be in a leaf, or [`LeafError::Salts`].
    pub fn seal(&self, seq: u64, time_us: i64, salts: &[[u8; SALT_BYTES]]) -> Result<(Leaf, Vec<OpenPart>), LeafError> {
        if salts.len() != self.parts.len() {
            return Err(LeafError::Salts { parts: self.parts.len(), salts: salts.len() });
        }
        let mut ids = BTreeMap::new();
        for (kind, id) in &self.ids {
            if ids.insert(kind.clone(), id.clone()).is_some() {
                return Err(LeafError::RepeatedId(kind.chars().take(40).collect()));
            }
        }
        let open = self.parts.iter().zip(salts).map(|(part, salt)| part.open(*salt)).collect::<Result<Vec<_>, _>>()?;
        let commitments =
            open.iter().map(|part| Commitment::to(part.scope.clone(), &part.salt, &part.payload)).collect();
        let header = Header {
            seq,
            time_us,
            event: self.event.clone(),
            ids,
            region: self.region.clone(),
            retention: self.retention,
        };
        Ok((Leaf::new(header, commitments)?, open))
    }
}

impl PartDraft {
    fn open(&self, salt: [u8; SALT_BYTES]) -> Result<OpenPart, LeafError> {
        let payload = canonical_json(&self.payload).into_bytes();
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(LeafError::PayloadTooLong(payload.len()));
        }
        Ok(OpenPart { scope: self.scope.clone(), salt, payload })
    }
}
