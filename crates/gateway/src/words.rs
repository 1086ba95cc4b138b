//! What a client is told, in PostgreSQL's form: SQLSTATE, message, detail, hint.

use daypass_domain::{Name, Span, end::EndCause};
use daypass_ports::{
    authority::{AuthorityError, Refusal, RefusalKind},
    dial::DialError,
};
use daypass_wire::postgres::error::{PgError, Sqlstate};

use crate::{lease::Stop, recording::RecordingError};

/// `58030` input/output error.
fn io_error() -> Sqlstate {
    Sqlstate::new(b"58030").unwrap_or(Sqlstate::SYSTEM_ERROR)
}

/// Why it may not in.
#[must_use]
pub fn refused(refusal: &Refusal) -> PgError {
    let sqlstate = match refusal.kind {
        RefusalKind::NoSuchResource => Sqlstate::INVALID_CATALOG_NAME,
        RefusalKind::NoGrant | RefusalKind::WhichRole => Sqlstate::INVALID_AUTHORIZATION,
        RefusalKind::Forbidden => Sqlstate::INSUFFICIENT_PRIVILEGE,
        RefusalKind::TargetUnavailable => Sqlstate::CONNECTION_NOT_MADE,
        RefusalKind::TooMany => Sqlstate::TOO_MANY_CONNECTIONS,
        RefusalKind::NothingGiven => Sqlstate::CANNOT_CONNECT_NOW,
    };
    let mut error = PgError::fatal(sqlstate, &refusal.message);
    error.detail = Some(refusal.detail.clone()).filter(|detail| !detail.is_empty());
    error.hint = Some(refusal.hint.clone()).filter(|hint| !hint.is_empty());
    error
}

/// Why its session was cut.
#[must_use]
pub fn stopped(stop: &Stop, resource: &Name) -> PgError {
    let again = format!("Ask again with: daypass connect {resource}");
    let (message, detail, hint) = match stop {
        Stop::Grant(cause) => {
            let hint = match cause {
                EndCause::Disabled { .. } => "Ask an administrator.".to_owned(),
                EndCause::Signalled { .. } => format!("Sign in again with: daypass login. {again}"),
                EndCause::Deadline
                | EndCause::Released { .. }
                | EndCause::Revoked { .. }
                | EndCause::FactGone { .. }
                | EndCause::PolicyChanged { .. }
                | EndCause::RoleChanged
                | EndCause::StatementOver
                | EndCause::Restored => again,
            };
            (cause.to_string(), "The session lived under that grant and ended with it.", hint)
        }
        Stop::Killed => (
            "the session was ended by an administrator".to_owned(),
            "The grant goes on; only this session is over.",
            format!("Connect again with: daypass connect {resource}"),
        ),
        Stop::LeaseLost => (
            "gateway lost its lease".to_owned(),
            "The gateway couldn't hear from its control in time, so nothing may pass.",
            "Connect again; if that fails, ask whoever runs Daypass.".to_owned(),
        ),
        Stop::Shutdown => {
            ("gateway is shutting down".to_owned(), "The gateway is being stopped.", "Connect again later.".to_owned())
        }
        Stop::Unrecorded => return unrecorded(None),
    };
    PgError::fatal(Sqlstate::ADMIN_SHUTDOWN, format!("terminating connection: {message}"))
        .with_detail(detail)
        .with_hint(hint)
}

/// Its statements can't be recorded.
#[must_use]
pub fn unrecorded(error: Option<&RecordingError>) -> PgError {
    if let Some(error) = error {
        tracing::error!(%error, "a session ends because it can't be recorded");
    }
    PgError::fatal(io_error(), "terminating connection: the statement can't be recorded")
        .with_detail("Nothing passes that isn't recorded. The statement was not sent to the target.")
        .with_hint("Whoever runs Daypass must make room on the disk of the recordings, or mend it.")
}

/// Nothing passed for too long.
#[must_use]
pub fn idle(limit: Span) -> PgError {
    PgError::fatal(Sqlstate::IDLE_SESSION_TIMEOUT, "terminating connection: nothing passed for too long")
        .with_detail(format!("The resource allows {limit} without a byte in either direction."))
        .with_hint("Connect again.")
}

/// The target couldn't be dialled.
#[must_use]
pub fn undialled(error: &DialError, resource: &Name) -> PgError {
    PgError::fatal(Sqlstate::CONNECTION_NOT_MADE, format!("{resource} can't be reached"))
        .with_detail(error.to_string())
        .with_hint(format!(
            "Try again; if it lasts, whoever answers for the resource can run: daypass doctor {resource}"
        ))
}

/// The target closed the connection, or vanished.
#[must_use]
pub fn target_lost(resource: &Name) -> PgError {
    PgError::fatal(Sqlstate::CONNECTION_FAILURE, format!("terminating connection: {resource} closed the connection"))
        .with_detail("Whether the statement that was running took effect isn't known.")
        .with_hint("Connect again, and look before you repeat it.")
}

/// Control doesn't answer.
#[must_use]
pub fn no_authority(error: &AuthorityError) -> PgError {
    PgError::fatal(Sqlstate::CANNOT_CONNECT_NOW, "nothing is given now")
        .with_detail(error.to_string())
        .with_hint("Try again; if it lasts, ask whoever runs Daypass.")
}

/// Too many wrong proofs.
#[must_use]
pub fn too_many_attempts(wait: Span) -> PgError {
    let secs = wait.secs() + 1;
    PgError::fatal(Sqlstate::INVALID_AUTHORIZATION, format!("too many failed attempts, wait {secs} s"))
        .with_detail("Your address, or this user, failed to prove who it is too often.")
        .with_hint("Sign in with: daypass login, which writes the secret that clients use.")
}

/// It waited at the door for as long as it may.
#[must_use]
pub fn waited(missing: &str) -> PgError {
    PgError::fatal(Sqlstate::CANNOT_CONNECT_NOW, "the request wasn't decided while you waited")
        .with_detail(format!("It still waits for: {missing}"))
        .with_hint("The request goes on. Connect again once it is approved.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_the_code_that_clients_know() {
        for (kind, code) in [
            (RefusalKind::NoSuchResource, "3D000"),
            (RefusalKind::NoGrant, "28000"),
            (RefusalKind::WhichRole, "28000"),
            (RefusalKind::Forbidden, "42501"),
            (RefusalKind::TargetUnavailable, "08001"),
            (RefusalKind::TooMany, "53300"),
            (RefusalKind::NothingGiven, "57P03"),
        ] {
            let refusal = Refusal { kind, message: "m".into(), detail: String::new(), hint: "h".into() };
            let error = refused(&refusal);
            assert_eq!((error.sqlstate.as_str(), error.detail, error.hint.as_deref()), (code, None, Some("h")));
        }
    }

    #[test]
    fn a_cut_says_why_and_what_next() {
        let orders: Name = "orders".parse().unwrap();
        let error = stopped(&Stop::Grant(EndCause::Deadline), &orders);
        assert_eq!(error.sqlstate, Sqlstate::ADMIN_SHUTDOWN);
        assert_eq!(error.message, "terminating connection: the time of the grant is up");
        assert_eq!(error.hint.as_deref(), Some("Ask again with: daypass connect orders"));
        assert_eq!(stopped(&Stop::Unrecorded, &orders).sqlstate.as_str(), "58030");
    }
}
