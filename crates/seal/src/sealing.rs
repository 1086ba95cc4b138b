//! AES-256-GCM for small things at rest, and the wrapping of data keys.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// How many bytes a nonce has. Take them from the system's generator; never use one twice under a key.
pub const NONCE_LEN: usize = 12;

/// The only format so far: `1 || nonce || ciphertext || tag`.
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 1 + NONCE_LEN;

/// By how many bytes the sealed form is longer than the plain one.
pub const SEAL_OVERHEAD: usize = HEAD_LEN + TAG_LEN;

/// What a sealed thing is; part of what is authenticated, so that `open` never gives a wrapped key away.
#[derive(Clone, Copy)]
enum Content {
    Data = 0,
    Key = 1,
}

/// Seals and opens. Nonces are random, so one key should seal at most 2^32 things (NIST SP 800-38D, 8.3).
pub struct SealingKey(LessSafeKey);

/// Why something sealed didn't open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than any sealed value.
    #[error(
        "the sealed value is {len} bytes long, shorter than any sealed value: it was cut, restore it from a backup"
    )]
    Short {
        /// Its length in bytes.
        len: usize,
    },
    /// A format that this version doesn't know.
    #[error(
        "the sealed value has format {version}, and this version of Daypass reads format 1: it was damaged, or a newer version wrote it"
    )]
    Version {
        /// The format byte found.
        version: u8,
    },
    /// Another key, other associated data, or changed bytes: AES-GCM can't say which.
    #[error(
        "the sealed value does not open: it was changed, belongs to another row, or was sealed under another master key. \
         Check that the master key is the one it was written under"
    )]
    Rejected,
}

impl SealingKey {
    /// From 32 key bytes. Prefer [`crate::MasterKey::sealing_key`], which derives them. The argument is cleared.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = aead_key(&bytes);
        bytes.zeroize();
        Self(key)
    }

    /// `plain` sealed under a fresh `nonce`, bound to `aad` (say which row and column it belongs to): [`SEAL_OVERHEAD`]
    /// bytes longer.
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        self.seal_as(Content::Data, nonce, aad, plain)
    }

    /// What [`SealingKey::seal`] sealed, given the same `aad`.
    ///
    /// # Errors
    /// [`OpenError`] when it was cut or changed, or the key or `aad` is another.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_as(Content::Data, aad, sealed)
    }

    /// `key` sealed for storing, bound to `context` (whose key it is). Destroying every copy of the result erases
    /// whatever was sealed under `key` (I9).
    #[must_use]
    pub fn wrap(&self, nonce: [u8; NONCE_LEN], context: &[u8], key: &DataKey) -> WrappedKey {
        WrappedKey(self.seal_as(Content::Key, nonce, context, key.bytes()))
    }

    /// The data key that [`SealingKey::wrap`] wrapped for `context`.
    ///
    /// # Errors
    /// [`OpenError`] when it was changed, or belongs to another context or key.
    pub fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<DataKey, OpenError> {
        let plain = self.open_as(Content::Key, context, &wrapped.0)?;
        let bytes = plain.as_slice().try_into().map_err(|_| OpenError::Rejected)?;
        Ok(DataKey::from_bytes(bytes))
    }

    fn seal_as(&self, content: Content, nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plain.len() + SEAL_OVERHEAD);
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(content, aad)),
                &mut out[HEAD_LEN..],
            )
            // AES-GCM refuses only beyond 2^36 - 32 bytes, which is more than a caller may hold in memory here.
            .expect("a value that fits in memory is within AES-GCM's limit");
        out.extend_from_slice(tag.as_ref());
        out
    }

    fn open_as(&self, content: Content, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let Some((head, body)) = sealed.split_first_chunk::<HEAD_LEN>() else {
            return Err(OpenError::Short { len: sealed.len() });
        };
        let [version, nonce @ ..] = *head;
        if version != VERSION {
            return Err(OpenError::Version { version });
        }
        let Some((cipher, tag)) = body.split_last_chunk::<TAG_LEN>() else {
            return Err(OpenError::Short { len: sealed.len() });
        };
        let mut plain = Zeroizing::new(vec![0; cipher.len()]);
        self.0
            .open_separate_gather(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(content, aad)),
                cipher,
                tag,
                &mut plain,
            )
            .map_err(|_| OpenError::Rejected)?;
        Ok(plain)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// The key of one subject's, session's or operation's data (I9). Stored only as a [`WrappedKey`]; cleared when dropped.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// From 32 random bytes, which are cleared here.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// A data key as it is stored: useless without the key that wrapped it.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey(Vec<u8>);

impl WrappedKey {
    /// As read from storage. Whether it is whole shows when it is unwrapped.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As it goes to storage.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}

/// The associated data as it is authenticated: what it is, and in which format, before what the caller binds.
fn bound(content: Content, aad: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + aad.len());
    out.extend_from_slice(&[VERSION, content as u8]);
    out.extend_from_slice(aad);
    out
}

/// An AES-256-GCM key.
pub(crate) fn aead_key(bytes: &[u8; 32]) -> LessSafeKey {
    // Fails only when the length is wrong, and it is in the type.
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("an AES-256 key has 32 bytes"))
}
