//! The keys that sign notes: names, ids, verifier keys and the signer (C2SP `signed-note`).

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::text;

/// The signature type byte of plain Ed25519.
const ED25519_TYPE: u8 = 0x01;
/// Bytes in an Ed25519 public key, and in a seed.
pub const KEY_BYTES: usize = 32;
/// The longest name of a key, in bytes.
pub const MAX_KEY_NAME_BYTES: usize = 1024;

/// Why a key can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name breaks the rules of `signed-note`.
    #[error(
        "`{0}` can't name a key: a name is 1 to {MAX_KEY_NAME_BYTES} bytes without spaces, \
         control characters and `+`, like `example.com/daypass`"
    )]
    Name(String),
    /// The text isn't a verifier key.
    #[error(
        "not a verifier key: it should read NAME+HASH+KEY, as `daypass ledger key` prints it; \
         copy it whole"
    )]
    Malformed,
    /// A signature type that this verifier doesn't know.
    #[error("the verifier key is of type {0:#04x}, and only Ed25519 (0x01) is known here")]
    UnknownType(u8),
    /// The key id in the text isn't that of the key in it.
    #[error("the verifier key's hash doesn't fit its key: it was copied wrongly, or altered")]
    WrongId,
    /// The crypto library refused the seed.
    #[error("the signing seed was refused; make the ledger key anew, or restore it")]
    Seed,
    /// The crypto library failed to sign.
    #[error("signing failed in the crypto library; nothing was signed")]
    Sign,
}

/// The name of a key, by custom a URL without scheme: `example.com/daypass`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// A name, checked.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(name: impl Into<String>) -> Result<Self, KeyError> {
        let name = name.into();
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > MAX_KEY_NAME_BYTES || name.contains(bad) {
            return Err(KeyError::Name(text::excerpt(&name, 80)));
        }
        Ok(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The short id of a key: it finds the key, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// `SHA-256(name || "\n" || 0x01 || key)[:4]`.
    fn ed25519(name: &KeyName, key: &[u8; KEY_BYTES]) -> Self {
        let sha = Sha256::new()
            .chain_update(name.as_str())
            .chain_update(b"\n")
            .chain_update([ED25519_TYPE])
            .chain_update(key)
            .finalize();
        Self([sha[0], sha[1], sha[2], sha[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The public half of a log's key. Its text, the "vkey", is `NAME+HASH+KEY`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    key: [u8; KEY_BYTES],
}

impl VerifierKey {
    /// A key from its name and the 32 bytes of RFC 8032.
    #[must_use]
    pub fn new(name: KeyName, key: [u8; KEY_BYTES]) -> Self {
        let id = KeyId::ed25519(&name, &key);
        Self { name, id, key }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether this is a signature of that text by this key.
    #[must_use]
    pub fn accepts(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519_TYPE];
        typed.extend(self.key);
        write!(f, "{}+{}+{}", self.name, self.id, BASE64.encode(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, KeyError> {
        if vkey.len() > MAX_KEY_NAME_BYTES + 128 {
            return Err(KeyError::Malformed);
        }
        // Base64 may hold a `+` of its own, so the text is split from the left.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        let name = KeyName::new(name)?;
        let typed = text::base64(key).ok_or(KeyError::Malformed)?;
        let (&kind, key) = typed.split_first().ok_or(KeyError::Malformed)?;
        if kind != ED25519_TYPE {
            return Err(KeyError::UnknownType(kind));
        }
        let verifier = Self::new(name, key.try_into().map_err(|_| KeyError::Malformed)?);
        if id == verifier.id.to_string() { Ok(verifier) } else { Err(KeyError::WrongId) }
    }
}

/// The private half of a log's key. Its bytes live inside the crypto library, which wipes them
/// when it frees them.
pub struct NoteSigner {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// The signer of this name with this seed; the seed is wiped here.
    ///
    /// # Errors
    /// [`KeyError::Seed`].
    pub fn from_seed(name: KeyName, seed: Zeroizing<[u8; KEY_BYTES]>) -> Result<Self, KeyError> {
        // "Unchecked" only means: without a public key to compare with. There is none yet.
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Seed)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Seed)?;
        Ok(Self { pair, verifier: VerifierKey::new(name, key) })
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// A signature of the text, 64 bytes.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.try_sign(text).map_err(|_| KeyError::Sign)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({}+{}, redacted)", self.verifier.name, self.verifier.id)
    }
}
