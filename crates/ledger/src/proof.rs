//! One entry's offline proof (C2SP `tlog-proof`): the index, the path and the signed head, in one
//! text file. With the entry's bytes and the log's verifier key it needs nothing else.

use std::fmt;

use data_encoding::BASE64;

use crate::{
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint},
    hash::{Hash, leaf_hash},
    key::VerifierKey,
    merkle::{InclusionProof, MAX_PATH, ProofError},
    note::MAX_NOTE_BYTES,
    text,
};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// The most extra data, decoded.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;
/// The longest proof that is read.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES + 8 * 1024;

/// Why a proof file can't be read, or doesn't prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Over [`MAX_PROOF_BYTES`].
    #[error("the proof has {0} bytes, and more than {MAX_PROOF_BYTES} are not read")]
    TooLong(usize),
    /// Another file, or another version.
    #[error("not a log proof: the first line should be {HEADER}")]
    NotAProof,
    /// The extra data.
    #[error("the proof's extra line should be base64 of 1 to {MAX_EXTRA_BYTES} bytes")]
    Extra,
    /// The index line.
    #[error("the proof's index line should read `index` and a number without a zero in front")]
    Index,
    /// A hash of the path.
    #[error("line {0} of the proof's path isn't the base64 of 32 bytes")]
    Path(usize),
    /// No blank line between path and checkpoint, or too long a path.
    #[error("the proof should go on with at most {MAX_PATH} hashes, a blank line and the checkpoint")]
    Shape,
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path doesn't prove the entry.
    #[error("{0}; either the entry's bytes or the proof were altered")]
    Proof(#[from] ProofError),
}

/// A proof that one entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl TlogProof {
    /// A proof from its parts: the inclusion proof must be for the checkpoint's size.
    ///
    /// # Errors
    /// [`ProofError::WrongShape`] when it is for another.
    pub fn new(proof: InclusionProof, head: SignedCheckpoint) -> Result<Self, ProofError> {
        if proof.size != head.unverified().size || proof.path.len() > MAX_PATH {
            return Err(ProofError::WrongShape);
        }
        Ok(Self { extra: None, index: proof.index, path: proof.path, checkpoint: head })
    }

    /// The same proof with extra data, which nothing protects: context, never evidence.
    ///
    /// # Errors
    /// [`TlogProofError::Extra`] when it is empty or over [`MAX_EXTRA_BYTES`].
    pub fn with_extra(self, extra: Vec<u8>) -> Result<Self, TlogProofError> {
        if extra.is_empty() || extra.len() > MAX_EXTRA_BYTES {
            return Err(TlogProofError::Extra);
        }
        Ok(Self { extra: Some(extra), ..self })
    }

    /// The extra data. Nothing protects it.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The entry's index.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The head that the proof leads to; not to be believed before [`TlogProof::verify`].
    #[must_use]
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Reads a proof, strictly. Nothing is verified yet.
    ///
    /// # Errors
    /// [`TlogProofError`]: what is wrong with which part.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > MAX_PROOF_BYTES {
            return Err(TlogProofError::TooLong(bytes.len()));
        }
        let proof = str::from_utf8(bytes).map_err(|_| TlogProofError::NotAProof)?;
        let rest = proof.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n'));
        let (extra, rest) = parse_extra(rest.ok_or(TlogProofError::NotAProof)?)?;
        let (line, mut rest) = rest.split_once('\n').ok_or(TlogProofError::Index)?;
        let index = line.strip_prefix("index ").and_then(text::decimal);
        let index = index.ok_or(TlogProofError::Index)?;
        let mut path = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(TlogProofError::Shape)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if path.len() == MAX_PATH {
                return Err(TlogProofError::Shape);
            }
            path.push(line.parse().map_err(|_| TlogProofError::Path(path.len() + 1))?);
        }
        let checkpoint = SignedCheckpoint::parse(rest.as_bytes())?;
        Ok(Self { extra, index, path, checkpoint })
    }

    /// Checks that the log with this key has exactly these bytes as an entry, and gives the head
    /// that says so.
    ///
    /// # Errors
    /// [`TlogProofError::Checkpoint`], [`TlogProofError::Proof`].
    pub fn verify(&self, entry: &[u8], key: &VerifierKey) -> Result<&Checkpoint, TlogProofError> {
        let head = self.checkpoint.verify(key)?;
        let path = self.path.clone();
        let proof = InclusionProof { index: self.index, size: head.size, path };
        proof.verify(leaf_hash(entry), head.root)?;
        Ok(head)
    }
}

/// The extra data, if the next line has any, and what follows.
fn parse_extra(rest: &str) -> Result<(Option<Vec<u8>>, &str), TlogProofError> {
    let Some(after) = rest.strip_prefix("extra ") else {
        return Ok((None, rest));
    };
    let (base64, after) = after.split_once('\n').ok_or(TlogProofError::Extra)?;
    let extra = text::base64(base64).ok_or(TlogProofError::Extra)?;
    if extra.is_empty() || extra.len() > MAX_EXTRA_BYTES {
        return Err(TlogProofError::Extra);
    }
    Ok((Some(extra), after))
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint.note())
    }
}
