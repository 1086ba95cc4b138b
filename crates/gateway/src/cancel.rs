//! Cancel requests: only one's own statement, and only while one's session may pass bytes.
//!
//! A client gets key data of ours, never the target's. The process number begins with the node's number, so that a
//! cancel that comes to another node finds its way.

use std::{fmt, sync::Arc};

use daypass_domain::resource::PostgresTarget;
use daypass_ports::{
    authority::NodeId,
    world::{Random, random_bytes},
};
use subtle::ConstantTimeEq;

/// What a client cancels with: `BackendKeyData` of ours.
#[derive(Clone, Copy)]
pub struct CancelKey {
    /// The process number: the node's number, then 24 random bits. Not secret.
    pub process: u32,
    /// The secret.
    secret: [u8; 4],
}

impl CancelKey {
    /// A new one of this node.
    #[must_use]
    pub fn new(node: NodeId, random: &dyn Random) -> Self {
        let [a, b, c] = random_bytes(random);
        // libpq reads it as a signed number; a negative one would be as good, but looks like a fault.
        let process = u32::from_be_bytes([node.0 & 0x7f, a, b, c]);
        Self { process, secret: random_bytes(random) }
    }

    /// As a client sent it. Nothing for a secret of another length than ours.
    #[must_use]
    pub fn from_client(process: u32, secret: &[u8]) -> Option<Self> {
        Some(Self { process, secret: secret.try_into().ok()? })
    }

    /// The secret, for the client that it belongs to.
    #[must_use]
    pub fn secret(&self) -> [u8; 4] {
        self.secret
    }

    /// Whether it is the same, without telling by time how much of it is.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.process == other.process && bool::from(self.secret.ct_eq(&other.secret))
    }
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelKey {{ process: {}, .. }}", self.process)
    }
}

/// Where a cancel request goes: the target's own key data.
#[derive(Clone)]
pub struct CancelRoute {
    /// Whom to dial.
    pub target: Arc<PostgresTarget>,
    /// The `CancelRequest` packet for it, whole.
    pub packet: Arc<[u8]>,
}

impl fmt::Debug for CancelRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelRoute {{ target: {}, .. }}", self.target.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandom;

    #[test]
    fn only_the_whole_key_is_the_same() {
        let key = CancelKey::new(NodeId(3), &SystemRandom);
        assert_eq!(key.process >> 24, 3);
        assert!(key.same(&CancelKey::from_client(key.process, &key.secret()).unwrap()));
        let mut wrong = key.secret();
        wrong[3] ^= 1;
        assert!(!key.same(&CancelKey::from_client(key.process, &wrong).unwrap()));
        assert!(CancelKey::from_client(key.process, &[0; 32]).is_none());
        assert!(!format!("{key:?}").contains("secret"));
    }
}
