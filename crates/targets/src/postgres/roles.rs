//! Roles at the target: which are there, what they reach, what is too strong to be given for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use daypass_domain::InstallationId;
use daypass_ports::targets::{LoginName, TargetError};
use tokio_postgres::types::Type;

use super::connect::Session;

/// What is written on a login with COMMENT ON ROLE, which its user can't change: whose it is, and which transactions
/// came after it was made (by the low 32 bits of the next transaction's id, as `xmin` counts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) text: String,
    /// None where there is no marker of ours.
    pub(super) since: Option<u32>,
}

impl Marker {
    /// `owner` is what the login is for: a grant, or an emergency kit.
    pub(super) fn new(installation: InstallationId, owner: impl fmt::Display, since: u32) -> Self {
        Self { text: format!("Daypass {installation} {owner} since {since}"), since: Some(since) }
    }

    fn read(comment: Option<String>) -> Self {
        let text = comment.unwrap_or_default();
        let since = text.starts_with("Daypass ").then(|| text.rsplit_once(" since ")?.1.parse().ok()).flatten();
        Self { text, since }
    }

    /// A login with our prefix and somebody else's marker isn't ours. One without a marker is judged by its name.
    fn denies(&self, installation: InstallationId) -> bool {
        self.since.is_some() && !self.text.contains(&installation.to_string())
    }
}

/// A login of ours as the catalog has it.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) name: LoginName,
    pub(super) oid: u32,
    pub(super) marker: Marker,
    /// Attributes that we never give.
    pub(super) strong: Vec<&'static str>,
}

const COLUMNS: &str = "SELECT rolname::text, oid, shobj_description(oid, 'pg_authid'), \
     rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles";

const ATTRIBUTES: [&str; 5] = ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"];

/// Those of the named logins that are there, and ours.
pub(super) async fn of_names(
    session: &Session,
    installation: InstallationId,
    names: &[LoginName],
) -> Result<BTreeMap<LoginName, Login>, TargetError> {
    let names: Vec<&str> = names.iter().map(LoginName::as_str).collect();
    let sql = format!("{COLUMNS} WHERE rolname = ANY ($1)");
    read(session, installation, &sql, (&names, Type::TEXT_ARRAY)).await
}

/// All logins of the installation.
pub(super) async fn of_installation(
    session: &Session,
    installation: InstallationId,
) -> Result<BTreeMap<LoginName, Login>, TargetError> {
    let prefix = LoginName::prefix(installation);
    let sql = format!("{COLUMNS} WHERE starts_with(rolname::text, $1)");
    read(session, installation, &sql, (&prefix, Type::TEXT)).await
}

async fn read(
    session: &Session,
    installation: InstallationId,
    sql: &str,
    parameter: super::connect::Parameter<'_>,
) -> Result<BTreeMap<LoginName, Login>, TargetError> {
    let mut logins = BTreeMap::new();
    for row in session.rows("show its roles", sql, &[parameter]).await? {
        let Ok(name) = session.get::<String>(&row, 0)?.parse::<LoginName>() else {
            continue;
        };
        let marker = Marker::read(session.get(&row, 2)?);
        if !name.is_of(installation) || marker.denies(installation) {
            continue;
        }
        let mut strong = Vec::new();
        for (index, attribute) in ATTRIBUTES.into_iter().enumerate() {
            if session.get(&row, 3 + index)? {
                strong.push(attribute);
            }
        }
        let login = Login { name: name.clone(), oid: session.get(&row, 1)?, marker, strong };
        logins.insert(name, login);
    }
    Ok(logins)
}

/// Everything that the named roles are, directly or through memberships: name, what is too strong about it, oid.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    /// From which of the named roles.
    pub(super) root: String,
    /// The role that is reached; the named one itself is among them.
    pub(super) role: String,
    pub(super) oid: u32,
    /// What it can that must not be given for a while.
    pub(super) strong: Vec<&'static str>,
    /// Whether the root may give this membership on.
    pub(super) admin: bool,
}

/// Programs, files and workers of the server: what is started or written there outlives every backend.
const OF_THE_MACHINE: [(&str, &str); 4] = [
    ("pg_execute_server_program", "runs programs on the server"),
    ("pg_write_server_files", "writes files on the server"),
    // Since 16; before that it took a superuser.
    ("pg_create_subscription", "makes subscriptions, whose workers go on when every session is over"),
    ("pg_read_server_files", "reads any file of the server, its password hashes among them"),
];

/// SQL for whether we can act as the role of number `oid`, and have its rights. From 16 on being a member isn't enough:
/// who made a role is one, and may have neither.
pub(super) fn acts_as(session: &Session) -> &'static str {
    match session.version {
        160_000.. => "pg_has_role(oid, 'SET') AND pg_has_role(oid, 'USAGE')",
        _ => "pg_has_role(oid, 'USAGE')",
    }
}

/// What the named roles reach. Names that don't exist are simply not in the answer.
pub(super) async fn reached_from<S: AsRef<str> + Sync>(
    session: &Session,
    names: &[S],
) -> Result<Vec<Reached>, TargetError> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let sql = "WITH RECURSIVE reach (root, oid, admin) AS (
             SELECT rolname::text, oid, false FROM pg_roles WHERE rolname = ANY ($1)
             UNION SELECT reach.root, m.roleid, m.admin_option FROM reach JOIN pg_auth_members m ON m.member = reach.oid)
         SELECT reach.root, r.rolname::text, r.oid, bool_or(reach.admin),
             r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls
         FROM reach JOIN pg_roles r ON r.oid = reach.oid GROUP BY 1, 2, 3, 5, 6, 7, 8, 9 ORDER BY 1, 2";
    let mut reached = Vec::new();
    for row in session.rows("show what roles are members of", sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        let role: String = session.get(&row, 1)?;
        let mut strong: Vec<&'static str> =
            OF_THE_MACHINE.iter().filter(|(name, _)| *name == role).map(|(_, what)| *what).collect();
        for (index, attribute) in ATTRIBUTES.into_iter().enumerate() {
            if session.get(&row, 4 + index)? {
                strong.push(attribute);
            }
        }
        let (root, oid, admin) = (session.get(&row, 0)?, session.get(&row, 2)?, session.get(&row, 3)?);
        reached.push(Reached { root, role, oid, strong, admin });
    }
    Ok(reached)
}

/// Refuses roles that aren't there, and roles that give what can't be taken back.
pub(super) fn givable(address: &str, roles: &BTreeSet<String>, reached: &[Reached]) -> Result<(), TargetError> {
    for role in roles {
        if !reached.iter().any(|r| r.root == *role) {
            return Err(TargetError::RoleMissing { role: role.clone(), address: address.to_owned() });
        }
    }
    match reached.iter().find(|r| !r.strong.is_empty()) {
        None => Ok(()),
        Some(r) if r.root == r.role => {
            Err(TargetError::RoleTooStrong { role: r.root.clone(), why: r.strong.join(", ") })
        }
        Some(r) => Err(TargetError::RoleTooStrong {
            role: r.root.clone(),
            why: format!("it is a member of \"{}\": {}", r.role, r.strong.join(", ")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use daypass_domain::{GrantId, Time};

    use super::*;

    #[test]
    fn a_marker_reads_back_and_tells_installations_apart() {
        let ours = InstallationId::new(Time::from_micros(5_000), [1; 10]);
        let theirs = InstallationId::new(Time::from_micros(6_000), [1; 10]);
        let marker = Marker::new(ours, GrantId::new(Time::from_micros(0), [2; 10]), 742);
        assert_eq!(Marker::read(Some(marker.text.clone())), marker);
        assert!(!marker.denies(ours));
        assert!(marker.denies(theirs));
        assert!(!Marker::read(None).denies(ours));
        assert_eq!(Marker::read(Some("somebody's own words since 9".into())).since, None);
    }
}
