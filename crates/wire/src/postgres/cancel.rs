//! The cancel key that a client gets: its "process id" says which node holds the session, and its secret that the client owns it.
//!
//! A client keeps BackendKeyData to send it back, on another connection, in a CancelRequest. That connection may reach another node,
//! so the node's number is in the process id, above the session's serial number. The target's own key never leaves the gateway.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::startup::Protocol;

/// Bits of a process id below the node's number; the sign stays 0, since drivers print the id and some take it for unsigned.
const SERIAL_BITS: u32 = 23;
/// The largest serial number.
pub const SERIAL_MAX: u32 = (1 << SERIAL_BITS) - 1;
/// The shortest and the longest secret (PostgreSQL manual, "BackendKeyData"), in bytes.
pub const SECRET_LEN: std::ops::RangeInclusive<usize> = 4..=256;

/// A session's cancel key.
#[derive(Clone)]
pub struct CancelKey {
    node: u8,
    serial: u32,
    secret: Zeroizing<Vec<u8>>,
}

impl CancelKey {
    /// For the session `serial` (1 to [`SERIAL_MAX`], unique among the node's live sessions) of a node, with fresh random bytes.
    /// A client of protocol 3.0 gets only four of them: its format has no room for more. `None` when the serial is out of range.
    pub fn new(node: u8, serial: u32, random: [u8; 32], protocol: Protocol) -> Option<Self> {
        let random = Zeroizing::new(random);
        (1..=SERIAL_MAX).contains(&serial).then(|| Self {
            node,
            serial,
            secret: Zeroizing::new(random[..protocol.secret_len()].to_vec()),
        })
    }

    /// From a CancelRequest; `None` when it can't be one of ours.
    pub fn decode(process_id: i32, secret: &[u8]) -> Option<Self> {
        let id = u32::try_from(process_id).ok()?;
        // 31 bits less 23 are 8.
        let node = u8::try_from(id >> SERIAL_BITS).ok()?;
        let serial = id & SERIAL_MAX;
        let fits = serial > 0 && SECRET_LEN.contains(&secret.len());
        fits.then(|| Self { node, serial, secret: Zeroizing::new(secret.to_vec()) })
    }

    /// The node that holds the session.
    pub fn node(&self) -> u8 {
        self.node
    }

    /// The session's serial number on its node.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The "process id" for BackendKeyData, always positive.
    pub fn process_id(&self) -> i32 {
        // The node's 8 bits and the serial's 23 leave the sign bit free.
        (u32::from(self.node) << SERIAL_BITS | self.serial) as i32
    }

    /// The secret for BackendKeyData, or to pass the request on to the node.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Whether this is the same session's key. The secrets are compared in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.process_id() == other.process_id() && bool::from(self.secret.ct_eq(&other.secret))
    }
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey").field("node", &self.node).field("serial", &self.serial).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn comes_back(node: u8, serial in 1..=SERIAL_MAX, random: [u8; 32]) {
            for (protocol, len) in [(Protocol::V3_0, 4), (Protocol::V3_2, 32)] {
                let key = CancelKey::new(node, serial, random, protocol).unwrap();
                prop_assert!(key.process_id() > 0);
                prop_assert_eq!(key.secret().len(), len);
                let back = CancelKey::decode(key.process_id(), key.secret()).unwrap();
                prop_assert_eq!((back.node(), back.serial()), (node, serial));
                prop_assert!(back.is(&key));
            }
        }

        #[test]
        fn another_secret_is_another_key(node: u8, serial in 1..=SERIAL_MAX, random: [u8; 32], bit in 0_usize..256) {
            let mut other = random;
            other[bit / 8] ^= 1 << (bit % 8);
            let key = |random| CancelKey::new(node, serial, random, Protocol::V3_2).unwrap();
            prop_assert!(!key(random).is(&key(other)));
        }
    }

    #[test]
    fn what_cannot_be_ours_is_refused() {
        assert!(CancelKey::new(1, 0, [0; 32], Protocol::V3_0).is_none());
        assert!(CancelKey::new(1, SERIAL_MAX + 1, [0; 32], Protocol::V3_0).is_none());
        for (process_id, len) in [(-1, 4), (0, 4), (1 << 23, 4), (1, 3), (1, 257), (i32::MIN, 32)] {
            assert!(CancelKey::decode(process_id, &vec![0; len]).is_none(), "{process_id} {len}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = CancelKey::new(3, 7, [0xab; 32], Protocol::V3_0).unwrap();
        assert_eq!(format!("{key:?}"), "CancelKey { node: 3, serial: 7, .. }");
    }
}
