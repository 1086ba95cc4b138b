//! Checkpoints (C2SP `tlog-checkpoint`): the signed heads of the log.

use std::fmt;

use crate::{
    hash::Hash,
    key::{KeyName, NoteSigner, VerifierKey},
    note::{Note, NoteError, SignError},
    text,
    tree::MAX_TREE_SIZE,
};

/// The longest origin or extension line, in bytes.
pub const MAX_LINE_BYTES: usize = 1024;
/// The most extension lines that are read.
pub const MAX_EXTENSIONS: usize = 16;

/// Why a checkpoint can't be read, or can't be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not an origin.
    #[error("the checkpoint's origin should be one line of 1 to {MAX_LINE_BYTES} bytes")]
    Origin,
    /// Fewer than three lines, or an empty one.
    #[error("a checkpoint is an origin, a size and a root, a line each, and no line is empty")]
    Shape,
    /// Not a size.
    #[error("the checkpoint's size should be a number of at most {MAX_TREE_SIZE}, no zero in front")]
    Size,
    /// Not a root.
    #[error("the checkpoint's root should be the standard base64 of 32 bytes")]
    Root,
    /// Too many extension lines, or one that is empty or too long.
    #[error("a checkpoint has at most {MAX_EXTENSIONS} extension lines, each not empty and not long")]
    Extension,
    /// Signed by the key, for another log.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    OtherLog {
        /// The origin in the checkpoint.
        found: Origin,
        /// The name of the trusted key, which is the origin.
        expected: KeyName,
    },
}

/// Which log a checkpoint is of: one line. Daypass's own are the name of the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// An origin, checked.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`].
    pub fn new(origin: impl Into<String>) -> Result<Self, CheckpointError> {
        let origin = origin.into();
        if is_line(&origin) { Ok(Self(origin)) } else { Err(CheckpointError::Origin) }
    }

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&KeyName> for Origin {
    fn from(name: &KeyName) -> Self {
        // What a key name forbids is more than what an origin forbids, and the lengths agree.
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LINE_BYTES && !text.contains(|c: char| c < ' ')
}

/// A head of the log: how many entries, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A head without extension lines; the format recommends against them.
    ///
    /// # Errors
    /// [`CheckpointError::Size`] above [`MAX_TREE_SIZE`].
    pub fn new(origin: Origin, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if size > MAX_TREE_SIZE {
            return Err(CheckpointError::Size);
        }
        Ok(Self { origin, size, root, extensions: Vec::new() })
    }

    /// The same head with extension lines, opaque to this log.
    ///
    /// # Errors
    /// [`CheckpointError::Extension`].
    pub fn with_extensions(self, lines: Vec<String>) -> Result<Self, CheckpointError> {
        if lines.len() > MAX_EXTENSIONS || !lines.iter().all(|line| is_line(line)) {
            return Err(CheckpointError::Extension);
        }
        Ok(Self { extensions: lines, ..self })
    }

    /// The extension lines.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Reads a checkpoint's note text, strictly.
    ///
    /// # Errors
    /// [`CheckpointError`]: what is wrong with which line.
    pub fn parse(note_text: &str) -> Result<Self, CheckpointError> {
        let body = note_text.strip_suffix('\n').ok_or(CheckpointError::Shape)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Shape);
        };
        let origin = Origin::new(origin)?;
        let size = text::decimal(size).ok_or(CheckpointError::Size)?;
        let root = root.parse().map_err(|_| CheckpointError::Root)?;
        // One more than allowed is enough to be refused.
        let extensions = lines.take(MAX_EXTENSIONS + 1).map(str::to_owned).collect();
        Self::new(origin, size, root)?.with_extensions(extensions)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        for line in &self.extensions {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// A checkpoint with its signatures. What it says is only given out once it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: Note,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Signs a head.
    ///
    /// # Errors
    /// [`SignError`]: the key failed.
    pub fn sign(checkpoint: Checkpoint, signer: &NoteSigner) -> Result<Self, SignError> {
        let note = Note::sign(checkpoint.to_string(), signer)?;
        Ok(Self { note, checkpoint })
    }

    /// Reads a signed checkpoint, strictly. Nothing is verified yet.
    ///
    /// # Errors
    /// [`CheckpointError`]: what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { note, checkpoint })
    }

    /// Checks that the key signed it, for the log of that name, and gives what it says.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] with the reason, [`CheckpointError::OtherLog`].
    pub fn verify(&self, key: &VerifierKey) -> Result<&Checkpoint, CheckpointError> {
        self.note.verify(key)?;
        if self.checkpoint.origin.as_str() != key.name().as_str() {
            let found = self.checkpoint.origin.clone();
            return Err(CheckpointError::OtherLog { found, expected: key.name().clone() });
        }
        Ok(&self.checkpoint)
    }

    /// What it says, for who made it or for showing; not to be believed without
    /// [`SignedCheckpoint::verify`].
    #[must_use]
    pub fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note with all its signatures.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds a witness's signature line; see [`Note::add_signature`].
    ///
    /// # Errors
    /// As [`Note::add_signature`].
    pub fn add_signature(&mut self, line: &str) -> Result<(), NoteError> {
        self.note.add_signature(line)
    }

    /// The bytes of the note, as served at `checkpoint`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_string().into_bytes()
    }
}
