//! The master key, and what is derived from it.

use crate::{DataKey, MacKey, SealingKey, mac::length};
use aws_lc_rs::hkdf;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// The HKDF salt: the product, and the version of everything derived. Changing it changes every key.
const SALT: &[u8] = b"daypass/seal/v1";

/// What a derived key is for, as a type: the same purpose and context never give the same bytes for two of these.
#[derive(Clone, Copy)]
enum Kind {
    Raw,
    Sealing,
    Mac,
    Password,
    Fingerprint,
    /// From a data key.
    DataSealing,
    /// From a data key.
    Frames,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Raw => b"raw",
            Self::Sealing => b"sealing",
            Self::Mac => b"mac",
            Self::Password => b"password",
            Self::Fingerprint => b"fingerprint",
            Self::DataSealing => b"data-sealing",
            Self::Frames => b"frames",
        }
    }
}

/// The root of every key: 32 secret bytes, held extracted (RFC 5869), cleared when dropped, never printed.
pub struct MasterKey(hkdf::Prk);

/// Why a text or a file isn't a master key. Never shows what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// Nothing there, or only white space.
    #[error("the master key is empty: give 32 random bytes, for example from `openssl rand -hex 32`")]
    Empty,
    /// Neither 64 hex digits, nor base64 of 32 bytes, nor 32 raw bytes.
    #[error(
        "the master key is {len} bytes long and neither 64 hexadecimal digits, nor base64 of 32 bytes, nor 32 raw bytes: \
         make one with `openssl rand -hex 32`"
    )]
    Shape {
        /// How long the given text is, in bytes, without surrounding white space.
        len: usize,
    },
    /// Thirty-two printable characters: a password or a 128-bit hex key, not 32 random bytes.
    #[error(
        "the master key is 32 printable characters, which is a password or half a key rather than 32 random bytes: \
         make one with `openssl rand -hex 32`"
    )]
    Printable,
    /// One byte, thirty-two times over.
    #[error("the master key repeats one byte, so it isn't random: make one with `openssl rand -hex 32`")]
    Constant,
}

impl MasterKey {
    /// From 32 random bytes, which are taken as they are and cleared here. Make them with the system's generator.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(extract(&bytes));
        bytes.zeroize();
        key
    }

    /// From what a file or a variable holds: 32 raw bytes, or text as [`MasterKey::parse`] takes it.
    ///
    /// # Errors
    /// [`MasterKeyError`], never showing the content.
    pub fn read(content: &[u8]) -> Result<Self, MasterKeyError> {
        if content.len() == 32 {
            if content.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
                return Err(MasterKeyError::Printable);
            }
            return Self::checked(content);
        }
        match std::str::from_utf8(content) {
            Ok(text) => Self::parse(text),
            Err(_) => Err(MasterKeyError::Shape { len: content.len() }),
        }
    }

    /// From text: 64 hex digits in either case, or base64 (either alphabet, padded or not). Surrounding white space is
    /// dropped.
    ///
    /// # Errors
    /// [`MasterKeyError`], never showing the text.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim().as_bytes();
        let decoded = match text.len() {
            0 => return Err(MasterKeyError::Empty),
            32 => return Err(MasterKeyError::Printable),
            64 => HEXLOWER_PERMISSIVE.decode(text),
            43 => BASE64URL_NOPAD.decode(text).or_else(|_| BASE64_NOPAD.decode(text)),
            44 => BASE64.decode(text).or_else(|_| BASE64URL.decode(text)),
            len => return Err(MasterKeyError::Shape { len }),
        };
        // The decoder's own error would name the offending character of the secret.
        let bytes = Zeroizing::new(decoded.map_err(|_| MasterKeyError::Shape { len: text.len() })?);
        Self::checked(&bytes)
    }

    fn checked(bytes: &[u8]) -> Result<Self, MasterKeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| MasterKeyError::Shape { len: bytes.len() })?;
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(MasterKeyError::Constant);
        }
        Ok(Self::from_bytes(bytes))
    }

    /// 32 bytes for `purpose` and `context`, for keys of a type that isn't here (a ledger's signing seed, say). Wrap the
    /// result in [`Zeroizing`], or hand it to what clears it.
    #[must_use]
    pub fn derive(&self, purpose: &str, context: &[u8]) -> [u8; 32] {
        expand(&self.0, Kind::Raw, purpose, context)
    }

    /// A key that seals. `context` narrows it: a tenant, a region, a table.
    #[must_use]
    pub fn sealing_key(&self, purpose: &str, context: &[u8]) -> SealingKey {
        SealingKey::from_bytes(expand(&self.0, Kind::Sealing, purpose, context))
    }

    /// A key that authenticates rows.
    #[must_use]
    pub fn mac_key(&self, purpose: &str, context: &[u8]) -> MacKey {
        MacKey::from_bytes(expand(&self.0, Kind::Mac, purpose, context))
    }

    /// The password of an ephemeral login: 43 characters of base64url, 256 bits, the same whenever it is asked for, so
    /// that it needn't be stored (I6). `context` must name one grant, and whatever else makes the login new.
    #[must_use]
    pub fn password_for(&self, purpose: &str, context: &[u8]) -> Zeroizing<String> {
        let bytes = Zeroizing::new(expand(&self.0, Kind::Password, purpose, context));
        Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()))
    }

    /// Sixteen hex digits that tell two master keys apart and give neither away: kept beside the data, so that starting
    /// with the wrong key is said at once.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&expand(&self.0, Kind::Fingerprint, "", b"")[..8])
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl DataKey {
    /// The key that seals payload parts under this data key.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey::from_bytes(expand(&extract(self.bytes()), Kind::DataSealing, "", b""))
    }

    /// The key of one segment's frames: its own, so that a counter nonce that starts at 0 is never used twice.
    pub(crate) fn frame_key(&self, segment: &[u8; 16]) -> [u8; 32] {
        expand(&extract(self.bytes()), Kind::Frames, "", segment)
    }
}

fn extract(secret: &[u8]) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret)
}

struct Len32;

impl hkdf::KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-Expand; the info is kind, purpose and context, each after its length, so that no two triples collide.
fn expand(prk: &hkdf::Prk, kind: Kind, purpose: &str, context: &[u8]) -> [u8; 32] {
    let (kind, purpose) = (kind.label(), purpose.as_bytes());
    let lengths = (length(kind.len()), length(purpose.len()), length(context.len()));
    let info = [&lengths.0[..], kind, &lengths.1[..], purpose, &lengths.2[..], context];
    let mut out = [0; 32];
    prk.expand(&info, Len32)
        .and_then(|okm| okm.fill(&mut out))
        // Fails only beyond 255 * 32 bytes of output, or when the two lengths differ; both are 32.
        .expect("32 bytes are within HKDF's limit");
    out
}
