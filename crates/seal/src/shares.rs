//! A secret in two shares, of which one alone says nothing (two out of two, by XOR).

use std::fmt;

use data_encoding::HEXLOWER;
use zeroize::{Zeroize, Zeroizing};

/// How many bytes a secret has, and each of its shares.
pub const SECRET_LEN: usize = 32;

/// One share of a secret. Alone it is as random as anything: every secret fits it equally well.
pub struct Share([u8; SECRET_LEN]);

impl Share {
    /// The share as people and shells handle it: 64 hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&self.0))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; SECRET_LEN] {
        &self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share(..)")
    }
}

/// Splits a secret. `pad` are fresh random bytes, never used for anything else: the first share is they, the second is
/// the secret under them. Both arguments are cleared.
#[must_use]
pub fn split(mut secret: [u8; SECRET_LEN], mut pad: [u8; SECRET_LEN]) -> [Share; 2] {
    let shares = [Share(pad), Share(std::array::from_fn(|n| secret[n] ^ pad[n]))];
    secret.zeroize();
    pad.zeroize();
    shares
}

/// The secret of two shares, in either order.
#[must_use]
pub fn join(one: &Share, other: &Share) -> Zeroizing<[u8; SECRET_LEN]> {
    Zeroizing::new(std::array::from_fn(|n| one.0[n] ^ other.0[n]))
}
