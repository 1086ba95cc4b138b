//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), both sides, as PostgreSQL speaks them.
//!
//! The channel binding is `tls-server-end-point` (RFC 5929): a hash of the server's certificate, which
//! [`server_end_point`] computes. Nonces and salts are arguments: this module has no randomness of its own.
//!
//! The server's side, for a client that knocks:
//!
//! ```
//! use daypass_wire::scram::{ClientExchange, ClientBinding, ClientSecret, Mechanism, Nonce, ScramVerifier};
//! use daypass_wire::scram::{ServerBinding, ServerExchange};
//!
//! let verifier = ScramVerifier::from_password(b"a generated secret", [7; 16], 4096)?;
//! let server = ServerExchange::new(verifier, Nonce::from_random([1; 18]), ServerBinding::Unavailable);
//!
//! let secret = ClientSecret::password(b"a generated secret");
//! let (client, first) = ClientExchange::start(secret, Nonce::from_random([2; 18]), ClientBinding::Unsupported);
//! let (server, challenge) = server.client_first(Mechanism::ScramSha256, &first)?;
//! let (client, last) = client.server_first(&challenge)?;
//! let signature = server.client_final(&last)?;
//! client.server_final(&signature)?;
//! # Ok::<(), daypass_wire::scram::ScramError>(())
//! ```
//!
//! Passwords are bytes. SASLprep (RFC 4013) isn't applied: the passwords that Daypass makes are ASCII, which
//! SASLprep leaves alone, and for what isn't valid under SASLprep PostgreSQL also uses the bytes as they are.

mod client;
mod crypto;
mod end_point;
mod message;
mod server;
mod verifier;

pub use client::{ClientBinding, ClientExchange, ClientSecret, ClientVerifying};
pub use end_point::server_end_point;
pub use message::{Mechanism, Nonce};
pub use server::{AwaitingFinal, ServerBinding, ServerExchange};
pub use verifier::{DEFAULT_ITERATIONS, ScramVerifier, mock_verifier};

/// The most iterations that we derive a key with, so that a hostile target can't keep a core busy.
/// PostgreSQL's default is 4,096.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// Why an exchange ended without success. Never carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The peer's message isn't what RFC 5802 allows at this point.
    #[error("malformed SCRAM message: {0}; the peer doesn't speak SCRAM-SHA-256 as RFC 5802 says")]
    Malformed(&'static str),
    /// The client says that we don't offer channel binding, and we do: somebody in the middle removed the offer.
    #[error(
        "the client was told that channel binding isn't offered, but it is: somebody may sit in between; check the TLS path"
    )]
    Downgrade,
    /// The client's view of our certificate isn't our certificate.
    #[error(
        "the channel binding doesn't match: the client saw another certificate than ours; something between terminates TLS"
    )]
    BindingMismatch,
    /// Channel binding is required, and the client doesn't use it.
    #[error("channel binding is required here; use a client that supports SCRAM-SHA-256-PLUS (libpq 11 or later)")]
    BindingRequired,
    /// The mechanism chosen and the channel binding flag contradict each other, or another binding type is asked for.
    #[error("the SASL mechanism and the channel binding asked for don't fit; only tls-server-end-point is supported")]
    BindingUnsupported,
    /// The nonce that came back isn't the one that was sent.
    #[error("the SCRAM nonce doesn't match: this message belongs to another exchange")]
    NonceMismatch,
    /// The proof doesn't fit the verifier: wrong password, or unknown user.
    #[error("the SCRAM proof is wrong")]
    WrongProof,
    /// The server couldn't prove that it knows the verifier.
    #[error(
        "the server's SCRAM signature is wrong: it doesn't know this login's verifier, so it isn't the server it claims to be"
    )]
    WrongServerSignature,
    /// The server answered the proof with an `e=` attribute.
    #[error("the server refused the SCRAM exchange: {0}")]
    ServerRefused(String),
    /// The server asks for an iteration count of zero, or above [`ITERATIONS_MAX`].
    #[error("the server asks for {0} SCRAM iterations; between 1 and {ITERATIONS_MAX} are accepted")]
    Iterations(u64),
    /// A verifier's text isn't `SCRAM-SHA-256$iterations:salt$stored:server`.
    #[error("not a SCRAM-SHA-256 verifier: {0}; expected SCRAM-SHA-256$iterations:salt$stored:server")]
    BadVerifier(&'static str),
    /// The certificate can't be bound to: it isn't DER, or its signature names no hash (Ed25519).
    #[error("no tls-server-end-point binding for this certificate: {0}; use an ECDSA or RSA signature")]
    Certificate(&'static str),
}
