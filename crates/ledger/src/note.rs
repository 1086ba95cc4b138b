//! Signed notes (C2SP `signed-note`): a text, a blank line, and a line per signature.

use std::fmt;

use data_encoding::BASE64;

use crate::key::{KeyError, KeyId, KeyName, NoteSigner, VerifierKey};

/// The longest note that is read. Room for 32 post-quantum signatures of 5 kB.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;
/// The most signatures that are read; the format asks for at least 16.
pub const MAX_SIGNATURES: usize = 32;

/// How a signature line starts: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// Why a note can't be read, or can't be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Over [`MAX_NOTE_BYTES`].
    #[error("the note has {0} bytes, and more than {MAX_NOTE_BYTES} are not read")]
    TooLong(usize),
    /// Over [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// Not UTF-8, or with control characters.
    #[error("the note isn't UTF-8 text without control characters")]
    NotText,
    /// The text doesn't end in a newline, or has no blank line and signatures after it.
    #[error("the note isn't a text, a blank line and signatures, each line ended by a newline")]
    Shape,
    /// A line below the blank line isn't a signature.
    #[error("line {0} of the note's signatures isn't `\u{2014} NAME BASE64`")]
    SignatureLine(usize),
    /// No signature is by the key, and one has its name.
    #[error(
        "signed by `{name}`, but with another key (id {found}) than the one that you trust \
         (id {trusted}): either the key was replaced, and you need the new verifier key from \
         somewhere you trust, or this isn't the log that it claims to be"
    )]
    WrongKey {
        /// The name that both share.
        name: KeyName,
        /// The id of the key that signed.
        found: KeyId,
        /// The id of the key that was to sign.
        trusted: KeyId,
    },
    /// No signature is by the key, or by its name.
    #[error("not signed by `{name}` (id {trusted}), the key that you trust")]
    NotSigned {
        /// The name of the trusted key.
        name: KeyName,
        /// Its id.
        trusted: KeyId,
    },
    /// The signature claims to be by the key and isn't.
    #[error("the signature by `{name}` is bad: the text was altered after it was signed")]
    BadSignature {
        /// The name of the key.
        name: KeyName,
    },
}

/// One signature under a note. Those by keys that nobody here knows are kept as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub id: KeyId,
    /// The signature's bytes, without the id in front. Never empty.
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// The signature's bytes: 64 for plain Ed25519, otherwise what the key's type says.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let name = KeyName::new(name).ok()?;
        let bytes = crate::text::base64(base64)?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        (!bytes.is_empty()).then(|| Self { name, id: KeyId(*id), bytes: bytes.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.0.to_vec();
        bytes.extend(&self.bytes);
        write!(f, "{SIGNATURE_MARK}{} {}", self.name, BASE64.encode(&bytes))
    }
}

impl fmt::Debug for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSignature({}+{})", self.name, self.id)
    }
}

/// A text with its signatures. Until [`Note::verify`] says so, nothing in it is to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// Why a note can't be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The text can't be a note's.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Note {
    /// A note of this text, signed. The text ends in a newline.
    ///
    /// # Errors
    /// [`SignError`]: the text can't be a note's, or the key failed.
    pub fn sign(text: impl Into<String>, signer: &NoteSigner) -> Result<Self, SignError> {
        let text = text.into();
        check_text(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Shape.into());
        }
        let bytes = signer.sign(text.as_bytes())?;
        let key = signer.verifier();
        let signature = NoteSignature { name: key.name().clone(), id: key.id(), bytes };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// Reads a note, strictly. Nothing is verified yet.
    ///
    /// # Errors
    /// [`NoteError::TooLong`], [`NoteError::TooManySignatures`], [`NoteError::NotText`],
    /// [`NoteError::Shape`], [`NoteError::SignatureLine`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        check_text(note)?;
        // The text may hold blank lines; the last one of the note divides.
        let blank = note.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, below) = (&note[..=blank], &note[blank + 2..]);
        let lines = below.strip_suffix('\n').ok_or(NoteError::Shape)?;
        let mut signatures = Vec::new();
        for (index, line) in lines.split('\n').enumerate() {
            if index == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            let signature = NoteSignature::parse(line);
            signatures.push(signature.ok_or(NoteError::SignatureLine(index + 1))?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, ending in a newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, in order, verified or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, as a witness gave it: one line, `— NAME BASE64`. One by the same key is
    /// replaced. It isn't verified here.
    ///
    /// # Errors
    /// [`NoteError::SignatureLine`], [`NoteError::TooManySignatures`].
    pub fn add_signature(&mut self, line: &str) -> Result<(), NoteError> {
        let clean = line.strip_suffix('\n').unwrap_or(line);
        let added = NoteSignature::parse(clean).ok_or(NoteError::SignatureLine(1))?;
        self.signatures.retain(|have| have.name != added.name || have.id != added.id);
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(added);
        Ok(())
    }

    /// Checks that the key signed this text. Signatures by other keys are left alone.
    ///
    /// # Errors
    /// [`NoteError::WrongKey`], [`NoteError::NotSigned`], [`NoteError::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let named = || self.signatures.iter().filter(|have| have.name == *key.name());
        let mut by_key = named().filter(|have| have.id == key.id()).peekable();
        if by_key.peek().is_none() {
            let (name, trusted) = (key.name().clone(), key.id());
            return Err(match named().next() {
                Some(other) => NoteError::WrongKey { name, found: other.id, trusted },
                None => NoteError::NotSigned { name, trusted },
            });
        }
        // Should the key appear twice, both must hold.
        if by_key.all(|have| key.accepts(self.text.as_bytes(), &have.bytes)) {
            Ok(())
        } else {
            Err(NoteError::BadSignature { name: key.name().clone() })
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "{signature}")?;
        }
        Ok(())
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLong(text.len()));
    }
    let control = |c: char| c < ' ' && c != '\n';
    if text.contains(control) { Err(NoteError::NotText) } else { Ok(()) }
}
