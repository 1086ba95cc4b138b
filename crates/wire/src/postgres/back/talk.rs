//! What the machine at the target and its driver say to each other.

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::postgres::error::{PgError, Severity, Sqlstate};
use crate::postgres::frame::FrameError;
use crate::scram::{ClientSecret, Nonce, ScramError};

/// What the connection is for.
#[derive(Debug)]
pub enum Errand {
    /// A session.
    Login(Login),
    /// To cancel what runs in a session.
    Cancel(TargetKey),
}

/// How to log in at the target.
#[derive(Debug)]
pub struct Login {
    /// The ephemeral login.
    pub user: String,
    /// Its secret (I6: it exists only for the grant).
    pub secret: ClientSecret,
    /// The database.
    pub database: String,
    /// What the target shows as `application_name`.
    pub application_name: String,
    /// The client's other startup parameters (`Door::parameters`), passed on byte for byte, without those that are ours.
    pub parameters: Vec<(Bytes, Bytes)>,
    /// A fresh nonce.
    pub nonce: Nonce,
}

/// What to do with a target that doesn't speak TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Leave.
    Required,
    /// Speak in clear, where the resource's configuration says so.
    PlaintextAllowed,
}

/// What SCRAM can bind to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsBinding {
    /// The hash of the target's certificate (`scram::server_end_point`).
    EndPoint(Vec<u8>),
    /// Nothing: the certificate names no hash.
    Unavailable,
}

/// What the driver does next.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    ToUpstream(Bytes),
    /// Do the client's side of the TLS handshake, and verify or pin the certificate, then call `Back::tls_started`.
    StartTls,
    /// The session is ready. Nothing follows.
    Ready(Ready),
    /// The CancelRequest is on its way. Nothing follows.
    CancelSent,
    /// Close the connection. Nothing follows.
    Failed(BackError),
}

/// A session that waits for its first query.
#[derive(Debug)]
pub struct Ready {
    /// How to cancel what runs in it.
    pub key: TargetKey,
    /// ParameterStatus and notices, as they came, without BackendKeyData and ReadyForQuery.
    pub parameters: Bytes,
    /// ReadyForQuery's transaction status: `I`, `T` or `E`.
    pub status: u8,
}

/// A target's own cancel key, which never leaves the gateway.
#[derive(Clone)]
pub struct TargetKey {
    pid: i32,
    secret: Zeroizing<Vec<u8>>,
}

impl TargetKey {
    pub(super) fn new(pid: i32, secret: &[u8]) -> Self {
        Self { pid, secret: Zeroizing::new(secret.to_vec()) }
    }

    /// The process id of the backend.
    pub fn backend_pid(&self) -> i32 {
        self.pid
    }

    /// The secret.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetKey").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// How a target wants a login to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all, or no more.
    Ok,
    /// Password in clear.
    Cleartext,
    /// Password as MD5.
    Md5,
    /// Kerberos.
    Gss,
    /// SASL: the offer.
    Sasl,
    /// SASL: the challenge.
    SaslContinue,
    /// SASL: the signature.
    SaslFinal,
    /// Anything else.
    Other(i32),
}

impl Method {
    pub(super) fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Ok,
            3 => Self::Cleartext,
            5 => Self::Md5,
            7..=9 => Self::Gss,
            10 => Self::Sasl,
            11 => Self::SaslContinue,
            12 => Self::SaslFinal,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("no proof at all (`trust`, or a certificate)"),
            Self::Cleartext => f.write_str("a password in clear (`password`, `ldap`, `pam`)"),
            Self::Md5 => f.write_str("an MD5 hash (`md5`)"),
            Self::Gss => f.write_str("Kerberos (`gss`, `sspi`)"),
            Self::Sasl => f.write_str("a SASL mechanism other than SCRAM-SHA-256"),
            Self::SaslContinue | Self::SaslFinal => f.write_str("SASL messages in the wrong order"),
            Self::Other(code) => write!(f, "a method that Daypass doesn't know (code {code})"),
        }
    }
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackError {
    /// The target said so itself.
    #[error("the target refused the session: {0}")]
    Target(Box<PgError>),
    /// The target has no TLS.
    #[error("the target doesn't speak TLS; switch `ssl` on there, or allow plaintext for this resource")]
    TlsRefused,
    /// Neither `S` nor `N`.
    #[error(
        "the target answers a request for TLS with {0:#04x}: it isn't PostgreSQL, or it takes no connections now; look at the address and the target's log"
    )]
    TlsAnswer(u8),
    /// Bytes in clear before TLS.
    #[error(
        "the target's answer to a request for TLS has more bytes than one: somebody in between may try to put in a session; look at the path to it"
    )]
    Injected,
    /// The login isn't proven by SCRAM-SHA-256.
    #[error(
        "the target wants {0} for the ephemeral login; only SCRAM-SHA-256 shows that it knows the login: set `scram-sha-256` in its pg_hba.conf"
    )]
    NotScram(Method),
    /// The SCRAM exchange failed.
    #[error("the login at the target failed: {0}")]
    Scram(#[from] ScramError),
    /// The target's bytes aren't messages.
    #[error("the target doesn't keep to PostgreSQL's protocol: {0}")]
    Frame(#[from] FrameError),
    /// A message that has no place here.
    #[error("the target sent a message of type {0:#04x} while a session starts, where it has no place")]
    Unexpected(u8),
    /// More than [`super::COLLECTED_LEN_MAX`].
    #[error("the target sends more than {max} bytes of settings and notices while a session starts; look for a login trigger that talks a lot", max = super::COLLECTED_LEN_MAX)]
    TooTalkative,
    /// A cancel key of another size, or two.
    #[error("the target's cancel key isn't of 4 to 256 bytes, or it sent two")]
    BadKey,
    /// ReadyForQuery without BackendKeyData: no statement could be cancelled.
    #[error(
        "the target sent no cancel key, so no statement could be cancelled; connect to PostgreSQL itself rather than through a pooler that hides it"
    )]
    NoKey,
    /// The driver called what wasn't awaited.
    #[error("an answer out of turn: TLS isn't awaited in this state of the connection to the target")]
    OutOfTurn,
}

impl BackError {
    /// What the client is told: the target's own error under its own SQLSTATE, else that there is no connection, and why.
    pub fn to_client(&self) -> PgError {
        match self {
            Self::Target(error) => PgError { severity: Severity::Fatal, ..PgError::clone(error) },
            Self::TlsRefused
            | Self::TlsAnswer(_)
            | Self::Injected
            | Self::NotScram(_)
            | Self::Scram(_)
            | Self::Frame(_)
            | Self::Unexpected(_)
            | Self::TooTalkative
            | Self::BadKey
            | Self::NoKey
            | Self::OutOfTurn => PgError::fatal(Sqlstate::CONNECTION_NOT_MADE, "no session at the target")
                .with_detail(self.to_string())
                .with_hint("This is for whoever runs the resource: `daypass doctor RESOURCE` looks at it."),
        }
    }
}
