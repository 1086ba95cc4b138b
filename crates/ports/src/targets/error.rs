//! Why something at a target didn't work, and what to do about it.

use daypass_domain::GrantId;

use super::{ClaimsUnknown, LoginName, Shown};

/// Why something at a target didn't work. Texts that came from the server are data; they are shown escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No connection.
    #[error("can't reach {address}: {}; see that the server runs and that this machine may connect to it", Shown(.why))]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system said.
        why: String,
    },
    /// The server doesn't speak TLS, or isn't who it should be.
    #[error("{address} didn't show that it is the declared server: {}; compare the resource's `tls`", Shown(.why))]
    TlsRefused {
        /// Host and port.
        address: String,
        /// What was wrong.
        why: String,
    },
    /// TLS was switched off for an address that isn't this machine.
    #[error("{address} is declared without TLS, which is only for loopback addresses; declare `verify` or `pin`")]
    PlaintextRefused {
        /// Host and port.
        address: String,
    },
    /// The administrator login isn't let in.
    #[error(
        "{address} refused the administrator login \"{}\": {}; check what the credential's name is bound to, and pg_hba.conf",
        Shown(.administrator), Shown(.why)
    )]
    AdministratorRefused {
        /// Host and port.
        address: String,
        /// The login.
        administrator: String,
        /// What the server said.
        why: String,
    },
    /// The administrator login may not do something that it must.
    #[error("the administrator login may not {}; as the server's owner run: {}", Shown(.what), Shown(.fix))]
    LacksPrivilege {
        /// What.
        what: String,
        /// SQL.
        fix: String,
    },
    /// A role that the resource names isn't there.
    #[error("there is no role \"{}\" at {address}; create it there, or change the role's `member_of` or `owner`", Shown(.role))]
    RoleMissing {
        /// Which.
        role: String,
        /// Host and port.
        address: String,
    },
    /// A role gives more than can be taken back.
    #[error(
        "\"{}\" can't be given for a while: {}, and what comes of that outlives a grant; give a role without it",
        Shown(.role), Shown(.why)
    )]
    RoleTooStrong {
        /// Which.
        role: String,
        /// What it can.
        why: String,
    },
    /// It isn't ours.
    #[error("\"{}\" doesn't carry this installation's id; it is left alone", Shown(.role))]
    NotOurs {
        /// The role.
        role: String,
    },
    /// Something other than a SCRAM verifier was given.
    #[error("a login is made from a SCRAM-SHA-256 verifier only, so that no password reaches a log; this is a bug")]
    NotAVerifier,
    /// The grant ended while its login was made; the login was left closed.
    #[error("{grant} ended while its login was made; nothing can log in with it")]
    NoLongerGiven {
        /// Which.
        grant: GrantId,
    },
    /// Another making or ending of the same login goes on.
    #[error("another making or ending of \"{login}\" goes on at the target; it is tried again")]
    Busy {
        /// Which.
        login: LoginName,
    },
    /// Backends of a login that was cut are still there.
    #[error("{backends} backends of \"{login}\" at {address} don't end; it is tried again, look at them there")]
    StillConnected {
        /// Which.
        login: LoginName,
        /// How many.
        backends: u32,
        /// Host and port.
        address: String,
    },
    /// More is there than the list says.
    #[error("\"{login}\" owns more than its list says; list it again before it is dropped")]
    ListStale {
        /// Which.
        login: LoginName,
    },
    /// A replica hasn't seen yet that the login can't log in.
    #[error("the replica {address} is behind, logins that ended may still open there; it is tried again")]
    ReplicaBehind {
        /// Host and port.
        address: String,
    },
    /// What gateways claim isn't known.
    #[error(transparent)]
    ClaimsUnknown(#[from] ClaimsUnknown),
    /// No answer in time.
    #[error("{address} gave no answer in time to: {what}; it is tried again")]
    TimedOut {
        /// Host and port.
        address: String,
        /// What was asked.
        what: &'static str,
    },
    /// The server refused something else.
    #[error("{address} refused to {what}: {} (SQLSTATE {sqlstate})", Shown(.message))]
    Refused {
        /// Host and port.
        address: String,
        /// What was asked.
        what: &'static str,
        /// Five characters, PostgreSQL's Appendix A.
        sqlstate: String,
        /// What it said.
        message: String,
    },
}
