//! Making and ending access at a target: one ephemeral login a grant, and what is known once it is over (I5).
//!
//! The life of a login, as the callers of [`Targets`] lead it:
//!
//! 1. [`Targets::make`] when somebody first connects under the grant, and again whenever they connect later (it is
//!    idempotent; after an extension it also moves the backstop). LOGIN comes last, after [`StillGiven`] said yes.
//! 2. [`Targets::cut`] the moment the grant ends. It waits for nothing, so it may run beside a making.
//! 3. [`Targets::list`] cuts again under the lock that makings hold, and says what is there. The caller makes the list
//!    durable, *then* calls
//! 4. [`Targets::remove`], which hands over, drops, and sees that the login is gone.
//!
//! Steps 2 to 4 may be repeated after any crash, in this order. `cut`, `list` and `remove` take many logins at once:
//! one answer each, in their order; what fails for one doesn't fail the others. An error means *unknown*: try again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;
use daypass_domain::{
    GrantId, InstallationId, Name, ResourceId, SessionId, Time,
    resource::{Ownership, PgRole, PostgresTarget, Role},
};
use serde::{Deserialize, Serialize};

pub use crate::secret::Secret;

/// How we reach a target as its administrator.
#[derive(Debug, Clone)]
pub struct Administration {
    /// Whose target it is.
    pub resource: ResourceId,
    /// Where it is, and the administrator's user name.
    pub target: PostgresTarget,
    /// What the credential's name is bound to.
    pub password: Secret,
    /// Whose logins these are: nothing that doesn't carry it is touched.
    pub installation: InstallationId,
}

/// The name of an ephemeral login: `daypass_<installation>_<grant>_<person>`, both ids by their last twelve digits
/// (see `Grant::login_name`). Only what has this shape can be made, ended or dropped, so that no mistake elsewhere can
/// make Daypass drop somebody's role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoginName(String);

/// Why a text can't name an ephemeral login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of an ephemeral login: daypass_, 12 digits, 12 digits, and a name, at most 63 bytes")]
pub struct BadLoginName(pub String);

impl LoginName {
    /// The name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What all logins of an installation begin with.
    #[must_use]
    pub fn prefix(installation: InstallationId) -> String {
        format!("daypass_{}_", installation.short())
    }

    /// The role that owns what nobody declared: it can't log in, is a member of nothing, and is made when needed.
    #[must_use]
    pub fn quarantine(installation: InstallationId) -> String {
        format!("{}quarantine", Self::prefix(installation))
    }

    /// Whether it is a login of this installation.
    #[must_use]
    pub fn is_of(&self, installation: InstallationId) -> bool {
        self.0.starts_with(&Self::prefix(installation))
    }

    /// Whether it is the login of this grant.
    #[must_use]
    pub fn is_for(&self, grant: GrantId) -> bool {
        self.0.get(21..33) == Some(grant.short().as_str())
    }
}

impl TryFrom<String> for LoginName {
    type Error = BadLoginName;
    fn try_from(text: String) -> Result<Self, BadLoginName> {
        let hex = |part: Option<&str>| {
            part.is_some_and(|p| p.len() == 12 && p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        };
        let mut parts = text.splitn(4, '_');
        let shaped = parts.next() == Some("daypass")
            && hex(parts.next())
            && hex(parts.next())
            && parts.next().is_some_and(|person| person.parse::<Name>().is_ok());
        if shaped && text.len() <= 63 {
            return Ok(Self(text));
        }
        Err(BadLoginName(text.chars().take(80).flat_map(char::escape_default).collect()))
    }
}

impl std::str::FromStr for LoginName {
    type Err = BadLoginName;
    fn from_str(text: &str) -> Result<Self, BadLoginName> {
        text.to_owned().try_into()
    }
}

impl From<LoginName> for String {
    fn from(name: LoginName) -> Self {
        name.0
    }
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an ephemeral login shall be.
#[derive(Debug, Clone)]
pub struct LoginSpec {
    /// Whose.
    pub grant: GrantId,
    /// Its name.
    pub name: LoginName,
    /// A SCRAM-SHA-256 verifier as PostgreSQL stores it (`SCRAM-SHA-256$...`), never a password: what is sent may be
    /// logged at the target.
    pub verifier: String,
    /// Whose member it becomes. Rights come by membership only.
    pub member_of: BTreeSet<PgRole>,
    /// Connections at once.
    pub connection_limit: u16,
    /// When the grant ends. The target gets a later VALID UNTIL, as a backstop only: it isn't what ends access.
    pub deadline: Time,
}

/// Asked right before a login opens, and once more right after: whether the grant still stands and a lease covers it.
#[async_trait]
pub trait StillGiven: Send + Sync {
    /// Whether sessions may open under the grant now. "Don't know" is no.
    async fn still_given(&self, grant: GrantId) -> bool;
}

/// A login that opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub login: LoginName,
    /// Whether it was there before.
    pub how: Making,
    /// The server's version as it counts, like 150004.
    pub server_version: u32,
}

/// Whether a login was there before it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// It was not.
    New,
    /// It was, for the same grant; now it has the verifier that was given.
    Again,
}

/// An ending to carry out at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Of which grant.
    pub grant: GrantId,
    /// Its login.
    pub login: LoginName,
    /// Who shall own what it owns. As the role said when the login was made.
    pub owns: Ownership,
}

/// After a cut: the login can't log in, and no backend of it was left, at the primary and at every declared replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutReport {
    /// Whose.
    pub login: LoginName,
    /// How many backends were ended.
    pub backends_ended: u32,
    /// Whether the role was there at all.
    pub presence: Presence,
}

/// Whether a login exists at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It does.
    There,
    /// It doesn't: never made, or dropped already.
    Gone,
}

/// What is there of a login before it is dropped. The names in it were chosen by whoever used the login: data, to be
/// escaped wherever it is shown ([`ResidueItem`]'s `Display` does).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// For which ending.
    pub ending: Ending,
    /// Whether the login was there. When it was gone, `items` says that the list is lost.
    pub presence: Presence,
    /// What remains and nobody declared: an ending with any is `Residue`.
    pub items: Vec<ResidueItem>,
    /// What goes to (or was made as) the role's declared owner: an ending with any, and no items, is `Kept`.
    pub kept: Vec<ResidueItem>,
    /// What the end itself undoes, so that nothing of it remains: transactions rolled back, memberships taken back.
    pub undone: Vec<ResidueItem>,
    /// How many objects the login owned. Items beyond [`Residue::MOST_ITEMS`] are counted here and not listed.
    pub objects: u64,
}

impl Residue {
    /// How many items each list has at most.
    pub const MOST_ITEMS: usize = 1_000;
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidueItem {
    /// What it is.
    pub kind: ResidueKind,
    /// In which database; none for what belongs to the whole server.
    pub database: Option<String>,
    /// Its identity as PostgreSQL gives it, at most 300 characters.
    pub name: String,
    /// What matters about it, in words; may be empty.
    pub detail: String,
}

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidueKind {
    /// The login was gone before a list was durable: what it left can't be told any more.
    ListLost,
    /// An object that the login owned: table, view, sequence, schema, type, large object and so on.
    Object,
    /// A function or procedure that the login owned.
    Function,
    /// A function that runs with its owner's rights.
    SecurityDefiner,
    /// Owned by a role that the login could become, and not there before the grant.
    MadeAsAnother,
    /// Something of a role that the login could become was opened to PUBLIC while the grant was live.
    PublicGrant,
    /// A membership given by the login, or by a role that it could become, while the grant was live.
    Membership,
    /// Default privileges of the login.
    DefaultPrivileges,
    /// A transaction prepared for two-phase commit.
    PreparedTransaction,
    /// A job of the pg_cron extension.
    CronJob,
    /// A publication, subscription, event trigger or replication slot.
    Replication,
    /// An attribute (CREATEROLE and so on) that somebody gave to the login after it was made.
    Attribute,
}

impl ResidueKind {
    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ListLost => "list lost",
            Self::Object => "object",
            Self::Function => "function",
            Self::SecurityDefiner => "security definer function",
            Self::MadeAsAnother => "made as another role",
            Self::PublicGrant => "grant to PUBLIC",
            Self::Membership => "membership",
            Self::DefaultPrivileges => "default privileges",
            Self::PreparedTransaction => "prepared transaction",
            Self::CronJob => "cron job",
            Self::Replication => "replication",
            Self::Attribute => "attribute",
        }
    }
}

impl fmt::Display for ResidueItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.word())?;
        if let Some(database) = &self.database {
            write!(f, " in {}", Shown(database))?;
        }
        write!(f, ": {}", Shown(&self.name))?;
        if !self.detail.is_empty() {
            write!(f, " ({})", Shown(&self.detail))?;
        }
        Ok(())
    }
}

/// Text from outside, with control characters and the ones that reorder text escaped.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            let reorders = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
            if c.is_control() || reorders || c == '\u{feff}' || c == '\u{61c}' {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

/// A login that is gone: seen in the catalog, not assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Which.
    pub login: LoginName,
    /// Whether this call dropped it.
    pub how: Removal,
}

/// Whether a call dropped a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It did.
    Dropped,
    /// It was gone already.
    WasGone,
}

/// What gateways claim of a target's logins.
///
/// Asked by the reaper *after* it has read which backends there are: a claim is registered before its session dials,
/// so every backend that was seen and is ours is in the answer. No grace time is needed, and none is given.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Every login of this installation at the target that a live grant covers, with the sessions under it.
    ///
    /// # Errors
    /// When they aren't known. Nothing is ended then: not knowing is no reason to end what may be somebody's.
    async fn claims(&self) -> Result<ClaimSet, ClaimsUnknown>;
}

/// What gateways claim isn't known now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what gateways claim isn't known now, so nothing is reaped: {why}")]
pub struct ClaimsUnknown {
    /// Why.
    pub why: String,
}

/// Logins that live grants cover, with the sessions that gateways carry under each.
pub type ClaimSet = BTreeMap<LoginName, BTreeMap<SessionId, Claim>>;

/// What a gateway knows of a session's backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is connecting: one backend whose `application_name` is [`application_name`] of the session is its.
    Dialling,
    /// It is connected: exactly this backend is its, whatever it calls itself by now.
    Connected {
        /// The process id from BackendKeyData.
        pid: i32,
    },
}

/// What a session calls itself toward the target.
#[must_use]
pub fn application_name(session: SessionId) -> String {
    format!("daypass:{session}")
}

/// What a reaper did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReapReport {
    /// Backends that no session claims, ended.
    pub ended: Vec<ReapedBackend>,
    /// Logins of this installation that no live grant covers. The caller looks again, and ends them.
    pub uncovered: Vec<LoginName>,
    /// Replicas that couldn't be looked at.
    pub unknown: Vec<TargetError>,
}

/// A backend that no session claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReapedBackend {
    /// Whose login it used.
    pub login: LoginName,
    /// Its process id.
    pub pid: i32,
    /// What it called itself (from outside; escape it where it is shown).
    pub application_name: String,
    /// Where it came from, as far as the server says.
    pub client_address: Option<String>,
    /// Where it ran: the primary's or a replica's address.
    pub server: String,
}

/// What a doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found and why it matters.
    pub what: String,
    /// SQL for the owner of the server that mends it, where SQL does.
    pub fix_sql: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// It works, and is more than needed or less than good.
    Warning,
    /// Something that Daypass promises won't work.
    Broken,
}

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

/// Making and ending access at targets.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Makes the login of a grant, or sees that it is as it should be. LOGIN comes last, after `still` said yes under
    /// the lock that endings hold too; `still` is asked once more after, and a no closes it again. // I5
    ///
    /// # Errors
    /// [`TargetError`]; whatever it is, something may exist at the target now, and the end must look.
    async fn make(&self, at: &Administration, spec: &LoginSpec, still: &dyn StillGiven) -> Result<Made, TargetError>;

    /// Ends what the logins have open and closes them: as fast as can be, waiting for no lock and no making. // I5
    async fn cut(&self, at: &Administration, logins: &[LoginName]) -> Vec<Result<CutReport, TargetError>>;

    /// Under the lock: cuts again, rolls back prepared transactions, and says what is there. Nothing is dropped. // I5
    async fn list(&self, at: &Administration, endings: &[Ending]) -> Vec<Result<Residue, TargetError>>;

    /// Hands over what each login owns, drops it, and sees in the catalog that it is gone. Call it only once the list
    /// is durable. // I5
    async fn remove(&self, at: &Administration, listed: &[Residue]) -> Vec<Result<Removed, TargetError>>;

    /// Ends backends of this installation's logins that no session claims, and names logins that no grant covers. // I5
    ///
    /// # Errors
    /// When the primary can't be looked at. Replicas that can't are in the report.
    async fn reap(&self, at: &Administration, claims: &dyn Claims) -> Result<ReapReport, TargetError>;

    /// Whether the administrator login can do what is needed for these roles, and not more. Never fails: not reaching
    /// the target is a finding.
    async fn doctor(&self, at: &Administration, roles: &BTreeMap<Name, Role>) -> Vec<Finding>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shape_of_our_logins_passes() {
        let installation = InstallationId::new(Time::from_micros(0), [0xab; 10]);
        let grant = GrantId::new(Time::from_micros(0), [0xcd; 10]);
        let good: LoginName = "daypass_abababababab_cdcdcdcdcdcd_alice.o-neil".parse().unwrap();
        assert!(good.is_of(installation) && good.is_for(grant));
        assert!(!good.is_for(GrantId::new(Time::from_micros(0), [1; 10])));
        for bad in
            ["postgres", "daypass_abababababab_quarantine", "daypass_abababababab_cdcdcdcdcdcd_", "daypass_x_y_z"]
        {
            assert!(bad.parse::<LoginName>().is_err(), "{bad}");
        }
        assert!("daypass_abababababab_cdcdcdcdcdcd_a\"b".parse::<LoginName>().is_err());
        assert!(LoginName::quarantine(installation).parse::<LoginName>().is_err());
    }

    #[test]
    fn hostile_names_are_not_shown_raw() {
        let item = ResidueItem {
            kind: ResidueKind::Object,
            database: Some("a\u{1b}[2J".into()),
            name: "x\ny\u{202e}".into(),
            detail: String::new(),
        };
        assert_eq!(item.to_string(), "object in a\\u{1b}[2J: x\\ny\\u{202e}");
    }
}
