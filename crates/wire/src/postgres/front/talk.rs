//! What the machine at the door and its driver say to each other.

use bytes::Bytes;

use crate::postgres::cancel::CancelKey;
use crate::postgres::error::PgError;
use crate::postgres::startup::Door;
use crate::scram::{Nonce, ScramVerifier, ServerBinding};

/// What the connection is when the machine starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As TCP gave it.
    Plain,
    /// In TLS already (`sslnegotiation=direct`).
    Tls,
}

/// What the driver does next.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    ToClient(Bytes),
    /// Do the server's side of the TLS handshake, then call [`Front::tls_started`](super::Front::tls_started).
    StartTls,
    /// Find out, then answer.
    Ask(Ask),
    /// Cancel what runs in the session with this key, if it is one's own; [`Output::Close`] follows.
    Cancel(CancelKey),
    /// Close the connection. Nothing follows.
    Close(Reason),
}

/// What the machine can't know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// How this user proves who it is: answer with [`Front::credential`](super::Front::credential), for unknown users too.
    Credential {
        /// The name, of whatever form.
        user: String,
    },
    /// The user is who it says, and wants in: answer with [`Front::notice`](super::Front::notice) any number of times, then [`Front::admit`](super::Front::admit) or [`Front::refuse`](super::Front::refuse).
    Open(Box<Door>),
}

/// Why the connection closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A cancel request was taken, or wasn't one of ours: there is never an answer.
    Cancel,
    /// The client left.
    Left,
    /// The proof was wrong, and the client got this error: count it against the user and the address.
    WrongProof(PgError),
    /// The client got this error.
    Refused(PgError),
}

/// How a user proves who it is.
#[derive(Debug)]
pub struct Credential {
    /// The user's verifier, or a mock for who doesn't exist.
    pub verifier: ScramVerifier,
    /// A fresh nonce.
    pub nonce: Nonce,
    /// The hash of the certificate that the client saw.
    pub binding: ServerBinding,
}

/// What a client gets when it is let in.
#[derive(Debug)]
pub struct Admission {
    /// ParameterStatus and notices of the target, as they came.
    pub parameters: Bytes,
    /// The session's cancel key.
    pub key: CancelKey,
    /// The transaction status for ReadyForQuery, as the target gave it.
    pub status: u8,
}

/// The driver answered what wasn't asked: an error in the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer out of turn: {0} isn't awaited in this state of the connection")]
pub struct OutOfTurn(pub(super) &'static str);

impl From<PgError> for Reason {
    fn from(error: PgError) -> Self {
        Self::Refused(error)
    }
}
