//! The four functions that RFC 5802 builds on.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::{ITERATIONS_MAX, ScramError};

/// Bytes of a SHA-256 value.
pub(super) const KEY_LEN: usize = 32;

/// A key that is wiped when it goes.
pub(super) type Key = Zeroizing<[u8; KEY_LEN]>;

/// HMAC-SHA-256 over the parts, one after the other.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    fixed(context.sign().as_ref())
}

/// `H` of RFC 5802.
pub(super) fn hash(input: &[u8]) -> Key {
    fixed(digest::digest(&digest::SHA256, input).as_ref())
}

/// `Hi` of RFC 5802: PBKDF2.
pub(super) fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Result<Key, ScramError> {
    let count = NonZeroU32::new(iterations)
        .filter(|count| count.get() <= ITERATIONS_MAX)
        .ok_or(ScramError::Iterations(u64::from(iterations)))?;
    let mut out = Key::default();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, salt, password, out.as_mut_slice());
    Ok(out)
}

/// The two keys that a salted password gives: `(ClientKey, ServerKey)`.
pub(super) fn keys(salted: &Key) -> (Key, Key) {
    (hmac(salted.as_slice(), &[b"Client Key"]), hmac(salted.as_slice(), &[b"Server Key"]))
}

/// `a XOR b`.
pub(super) fn xor(a: &[u8; KEY_LEN], b: &[u8; KEY_LEN]) -> Key {
    let mut out = Key::default();
    for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
        *out = a ^ b;
    }
    out
}

fn fixed(bytes: &[u8]) -> Key {
    let mut out = Key::default();
    out.copy_from_slice(bytes);
    out
}
