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

mod error;
mod residue;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;
use daypass_domain::{
    GrantId, InstallationId, KitId, Name, ResourceId, SessionId, Time,
    resource::{Ownership, PgRole, PostgresTarget, Role},
};
use serde::{Deserialize, Serialize};

pub use self::{
    error::TargetError,
    residue::{Residue, ResidueItem, ResidueKind, Shown},
};
use crate::kits::{KitLogins, KitMade, KitSpec, Sighting};
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

    /// Whether it is the login of this emergency kit.
    #[must_use]
    pub fn is_of_kit(&self, kit: KitId) -> bool {
        self.0.get(21..33) == Some(kit.short().as_str())
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

    /// The logins of emergency kits that stand at the target. No gateway claims their sessions, and they aren't ended for
    /// it: they are told of.
    ///
    /// # Errors
    /// When they aren't known. Nothing is ended then.
    async fn emergency(&self) -> Result<KitLogins, ClaimsUnknown>;
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
    /// Logins of this installation that no live grant covers, and that are no kit's. The caller looks again, and ends them.
    pub uncovered: Vec<LoginName>,
    /// What was seen of the logins of emergency kits: their sessions, and what sessions left.
    pub emergency: Vec<Sighting>,
    /// What couldn't be looked at: replicas, and what sessions of kits left.
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

    /// Makes the login of an emergency kit, or sees that it is as it should be: with this credential and no other, a
    /// member of these roles and of no others. Sessions that came by an earlier credential are ended.
    ///
    /// # Errors
    /// [`TargetError`]; whatever it is, something may exist at the target now. It may be repeated.
    async fn make_kit(&self, at: &Administration, spec: &KitSpec) -> Result<KitMade, TargetError>;

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
}
