//! Reaching a target's socket: what a gateway dials through, so that a regional gateway can relay.
//!
//! An attacker holding this can open connections to targets, and learns no credential by it: the ephemeral login's
//! password travels only inside the PostgreSQL exchange that follows, and only a `Permit` carries one (I4, I6).

use std::fmt;

use async_trait::async_trait;
use daypass_domain::resource::PostgresTarget;
use tokio::io::{AsyncRead, AsyncWrite};

/// Opens connections to targets.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// A connection to the target's primary, on which nothing of the startup has been sent yet.
    ///
    /// TCP with `TCP_NODELAY`; the SSLRequest and the TLS handshake are done, and the certificate was verified or is
    /// the pinned one, as the target's `tls` says. Bounded in time by the dialer.
    ///
    /// # Errors
    /// See [`DialError`].
    async fn dial(&self, target: &PostgresTarget) -> Result<Dialed, DialError>;
}

/// A byte stream to a target.
pub trait Conduit: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Conduit for T {}

/// An open connection to a target.
pub struct Dialed {
    /// The stream: plain TCP, or TLS inside.
    pub stream: Box<dyn Conduit>,
    /// What is known of the other end's identity.
    pub security: DialSecurity,
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").field("security", &self.security).finish_non_exhaustive()
    }
}

/// How a connection to a target is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialSecurity {
    /// No TLS: a loopback address.
    LoopbackPlaintext,
    /// TLS; the certificate is the target's.
    Tls {
        /// The `tls-server-end-point` hash of its certificate (RFC 5929) for SCRAM-SHA-256-PLUS; none when its
        /// signature names no hash (Ed25519).
        server_end_point: Option<Vec<u8>>,
    },
}

/// Why a target couldn't be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No connection: the name doesn't resolve, nobody listens, or nobody answered in time.
    #[error("{address} can't be reached: {why}")]
    Unreachable {
        /// The target's host and port.
        address: String,
        /// What the system said.
        why: String,
    },
    /// The target doesn't show that it is who it should be, or has no TLS.
    #[error(
        "{address} doesn't show that it is the target: {why}. Check the resource's `tls` against the server's certificate"
    )]
    Unproven {
        /// The target's host and port.
        address: String,
        /// What was wrong.
        why: String,
    },
    /// It isn't a plaintext target that we may speak to.
    #[error("{address} is not a loopback address, and without TLS only those are dialled. Set the resource's `tls`")]
    PlaintextRefused {
        /// The target's host and port.
        address: String,
    },
}
