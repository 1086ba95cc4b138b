//! HMAC-SHA256 over a list of parts, encoded so that no two lists give the same bytes.

use aws_lc_rs::{constant_time, hmac};
use std::fmt;
use zeroize::Zeroize;

/// Authenticates rows: who lacks this key can't make a row that gives access.
pub struct MacKey(hmac::Key);

/// A tag didn't verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the authentication code does not match: the row was changed outside Daypass, or written under another master key. \
     Restore the row from a backup, or start with the master key it was written under"
)]
pub struct MacMismatch;

impl MacKey {
    /// From 32 key bytes. Prefer [`crate::MasterKey::mac_key`], which derives them. The argument is cleared.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        bytes.zeroize();
        Self(key)
    }

    /// The 32-byte HMAC-SHA256 (RFC 2104) of `parts`: `["ab", "c"]` and `["a", "bc"]` differ.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&length(parts.len()));
        for part in parts {
            context.update(&length(part.len()));
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Whether `tag` is the code of `parts`, compared in constant time.
    ///
    /// # Errors
    /// [`MacMismatch`] when it isn't, also when `tag` isn't 32 bytes long.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), MacMismatch> {
        constant_time::verify_slices_are_equal(&self.mac(parts), tag).map_err(|_| MacMismatch)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// `parts` as one byte string that no other list of parts gives: the count, then each part after its length, all
/// lengths as big-endian `u64`. For contexts and associated data that are made of several fields.
#[must_use]
pub fn encode_parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + parts.iter().map(|part| 8 + part.len()).sum::<usize>());
    out.extend_from_slice(&length(parts.len()));
    for part in parts {
        out.extend_from_slice(&length(part.len()));
        out.extend_from_slice(part);
    }
    out
}

/// A length as the encoding writes it. `usize` is at most 64 bits wide wherever Rust runs.
pub(crate) const fn length(value: usize) -> [u8; 8] {
    (value as u64).to_be_bytes()
}
