//! What a client is told when the door stays shut before anybody asked policy.

use super::error::{PgError, Sqlstate};
use super::frame::FrameError;
use crate::scram::ScramError;

const HOW_TO_CONNECT: &str =
    "Connect with sslmode=verify-full; `daypass connect RESOURCE --print` gives the whole connection string.";

fn violation(message: impl Into<String>) -> PgError {
    PgError::fatal(Sqlstate::PROTOCOL_VIOLATION, message)
}

pub(super) fn frame(error: FrameError) -> PgError {
    violation(error.to_string())
}

pub(super) fn no_tls() -> PgError {
    PgError::fatal(Sqlstate::INVALID_AUTHORIZATION, "Daypass takes no connection without TLS")
        .with_detail("The client asked to connect in clear, where what it reads and writes can be seen and changed.")
        .with_hint(HOW_TO_CONNECT)
}

pub(super) fn injected() -> PgError {
    violation("received unencrypted data after the SSL request")
        .with_detail("Either the client has a fault, or somebody in between tries to put commands into the session.")
        .with_hint(HOW_TO_CONNECT)
}

pub(super) fn second_request() -> PgError {
    violation("asked for encryption a second time").with_hint(HOW_TO_CONNECT)
}

pub(super) fn long_request() -> PgError {
    violation("a request for encryption holds 8 bytes, and this one more").with_hint(HOW_TO_CONNECT)
}

pub(super) fn too_much_early() -> PgError {
    violation("the client sends too much before it is let in")
        .with_hint("Wait for ReadyForQuery before the first query.")
}

pub(super) fn not_sasl(tag: u8) -> PgError {
    violation(format!("expected a SASL response, got a message of type {tag:#04x}"))
}

pub(super) fn unknown_mechanism() -> PgError {
    violation("the client chose a SASL mechanism that wasn't offered")
        .with_hint("Use a driver that knows SCRAM-SHA-256: libpq 10, pgJDBC 42.2, or later.")
}

/// I6: it tells no secret, and not whether the user exists.
pub(super) fn scram(user: &str, error: &ScramError) -> PgError {
    match error {
        ScramError::WrongProof => {
            PgError::fatal(Sqlstate::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
                .with_detail("The secret is wrong or has run out, or there is no such user: which of them, isn't told.")
                .with_hint("Run `daypass login`: it writes a fresh secret to the passfile, and secrets run out. The user is your Daypass user, not the target's.")
        }
        ScramError::Downgrade
        | ScramError::BindingMismatch
        | ScramError::BindingRequired
        | ScramError::BindingUnsupported => {
            PgError::fatal(Sqlstate::INVALID_AUTHORIZATION, error.to_string()).with_hint(HOW_TO_CONNECT)
        }
        ScramError::Malformed(_)
        | ScramError::NonceMismatch
        | ScramError::WrongServerSignature
        | ScramError::ServerRefused(_)
        | ScramError::Iterations(_)
        | ScramError::BadVerifier(_)
        | ScramError::Certificate(_) => violation(error.to_string()),
    }
}
