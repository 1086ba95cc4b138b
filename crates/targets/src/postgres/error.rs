//! What the server says, in our words.

use daypass_ports::targets::TargetError;
use tokio_postgres::{Error, error::SqlState};

use super::names::cut_short;

/// The longest message of a server that we carry on.
const MESSAGE_MOST: usize = 500;

/// What a failed statement means.
pub(super) fn statement(address: &str, what: &'static str, error: &Error) -> TargetError {
    let address = address.to_owned();
    let Some(said) = error.as_db_error() else {
        return TargetError::Unreachable { address, why: chain(error) };
    };
    if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(said.code()) {
        return TargetError::TimedOut { address, what };
    }
    let message = match said.detail() {
        Some(detail) => format!("{}: {detail}", said.message()),
        None => said.message().to_owned(),
    };
    let message = cut_short(&message, MESSAGE_MOST);
    TargetError::Refused { address, what, sqlstate: said.code().code().to_owned(), message }
}

/// What a failed start of an administrator's connection means.
pub(super) fn startup(address: &str, administrator: &str, error: &Error) -> TargetError {
    let refused = |why: &str| TargetError::AdministratorRefused {
        address: address.to_owned(),
        administrator: administrator.to_owned(),
        why: cut_short(why, MESSAGE_MOST),
    };
    match error.as_db_error() {
        // Class 28: invalid authorization specification.
        Some(said) if said.code().code().starts_with("28") => refused(said.message()),
        Some(_) => statement(address, "let the administrator in", error),
        // SCRAM failed on our side: no such mechanism, or the server couldn't prove that it knows the verifier.
        None if error.to_string().contains("authentication") => refused(&chain(error)),
        None => statement(address, "let the administrator in", error),
    }
}

/// An error and its causes in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    cut_short(&text, MESSAGE_MOST)
}

/// The SQLSTATE of a refusal, if it is one.
pub(super) fn sqlstate(error: &TargetError) -> Option<&str> {
    match error {
        TargetError::Refused { sqlstate, .. } => Some(sqlstate),
        TargetError::Unreachable { .. }
        | TargetError::TlsRefused { .. }
        | TargetError::PlaintextRefused { .. }
        | TargetError::AdministratorRefused { .. }
        | TargetError::LacksPrivilege { .. }
        | TargetError::RoleMissing { .. }
        | TargetError::RoleTooStrong { .. }
        | TargetError::NotOurs { .. }
        | TargetError::NotAVerifier
        | TargetError::NoLongerGiven { .. }
        | TargetError::Busy { .. }
        | TargetError::StillConnected { .. }
        | TargetError::ListStale { .. }
        | TargetError::ReplicaBehind { .. }
        | TargetError::TimedOut { .. }
        | TargetError::ClaimsUnknown(_) => None,
    }
}

/// `insufficient_privilege`.
pub(super) const DENIED: &str = "42501";
/// `undefined_object`.
pub(super) const NO_SUCH: &str = "42704";
/// `internal_error`: what "tuple concurrently updated" comes as.
pub(super) const INTERNAL: &str = "XX000";
/// `duplicate_object`.
pub(super) const DUPLICATE: &str = "42710";
/// `unique_violation`: two `CREATE ROLE` of one name at once end so.
pub(super) const UNIQUE: &str = "23505";

/// With the SQL that helps, where the server said that something isn't allowed.
pub(super) fn lacking(error: TargetError, what: &str, fix: impl FnOnce() -> String) -> TargetError {
    match sqlstate(&error) {
        Some(DENIED) => TargetError::LacksPrivilege { what: what.to_owned(), fix: fix() },
        _ => error,
    }
}
