//! The login of an emergency kit: made, its credential replaced, and what its sessions left.
//!
//! A session that began and ended while nobody looked isn't in `pg_stat_activity` any more, and PostgreSQL writes down
//! nowhere that SQL can read who logged in. What such a session *did* may be seen: what it owns, what it set, whom it gave
//! something, and, where `pg_stat_statements` counts, that it ran statements. The rest is in the server's own log alone.

use std::{collections::BTreeSet, time::Duration};

use daypass_domain::{Time, kit::Traces};
use daypass_ports::{
    kits::{KitMade, KitSpec},
    targets::{Administration, LoginName, TargetError},
};
use daypass_wire::scram::ScramVerifier;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::{
    connect::{Pool, Session},
    lock, make,
    names::{ident, literal},
    roles::{self, Marker},
};

/// Connections of a kit's login at once: two people with some windows each.
const CONNECTIONS: u16 = 10;
/// How often, and how long between, sessions of a replaced credential are looked for until none is left.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn make(pool: &Pool, at: &Administration, spec: &KitSpec) -> Result<KitMade, TargetError> {
    if spec.verifier.parse::<ScramVerifier>().is_err() {
        return Err(TargetError::NotAVerifier);
    }
    if !spec.login.is_of(at.installation) || !spec.login.is_of_kit(spec.kit) {
        return Err(TargetError::NotOurs { role: spec.login.to_string() });
    }
    let session = pool.primary(at).await?;
    let (held, _) = lock::lock(&session, [&spec.login]).await?;
    if held.is_empty() {
        return Err(TargetError::Busy { login: spec.login.clone() });
    }
    set(&session, at, spec).await?;
    let clock = clock(&session).await?;
    end_older(&session, &spec.login, clock).await?;
    for replica in &at.target.replicas {
        let ended = async {
            let session = pool.take(at, replica, &at.target.database).await?;
            end_older(&session, &spec.login, clock).await?;
            pool.give_back(session);
            Ok::<(), TargetError>(())
        };
        if let Err(error) = ended.await {
            // The reaper ends them when it gets there: it knows the instant.
            tracing::warn!(%error, "sessions of a replaced credential may be left at a replica");
        }
    }
    let traces = traces(&session, [&spec.login]).await?.into_iter().next().map(|(_, found)| found).unwrap_or_default();
    lock::unlock(&session).await?;
    pool.give_back(session);
    Ok(KitMade { clock, traces })
}

/// In one transaction: the credential, and the memberships that are wanted and no others.
async fn set(session: &Session, at: &Administration, spec: &KitSpec) -> Result<(), TargetError> {
    let wanted: BTreeSet<String> = spec.member_of.iter().map(|role| role.as_str().to_owned()).collect();
    let names: Vec<&String> = wanted.iter().collect();
    let reached = roles::reached_from(session, &names).await?;
    roles::givable(&session.address, &wanted, &reached)?;
    let login = ident(spec.login.as_str());
    // No end: a kit may lie in its safe for years.
    let password =
        format!("CONNECTION LIMIT {CONNECTIONS} PASSWORD {} VALID UNTIL 'infinity'", literal(&spec.verifier));
    let there = roles::of_names(session, at.installation, std::slice::from_ref(&spec.login)).await?;
    let first = match there.get(&spec.login) {
        // What a user of it set for the next one goes with the credential.
        Some(_) => format!("ALTER ROLE {login} {password}; ALTER ROLE {login} RESET ALL"),
        None => {
            let marker = Marker::new(at.installation, spec.kit, make::next_transaction(session).await?);
            make::created(&spec.login, &password, &marker)
        }
    };
    let mut sql = format!("BEGIN; {first}; {}", make::memberships(session, at, &spec.login, &spec.member_of));
    for other in held(session, &spec.login).await?.difference(&wanted) {
        sql.push_str(&format!("; REVOKE {} FROM {login}", ident(other)));
    }
    for member in members(session, at, &spec.login).await? {
        sql.push_str(&format!("; REVOKE {login} FROM {}", ident(&member)));
    }
    sql.push_str(&format!("; ALTER ROLE {login} LOGIN; COMMIT"));
    let done = session.run("make the login of an emergency kit", &sql).await;
    done.map_err(|denied| make::refused(denied, at, &spec.login, &spec.member_of))
}

/// What a login is a member of, directly.
async fn held(session: &Session, login: &LoginName) -> Result<BTreeSet<String>, TargetError> {
    let sql = "SELECT given.rolname::text FROM pg_auth_members m JOIN pg_roles given ON given.oid = m.roleid \
         JOIN pg_roles login ON login.oid = m.member WHERE login.rolname = $1";
    let rows = session.rows("show what roles are members of", sql, &[(&login.as_str(), Type::TEXT)]).await?;
    rows.iter().map(|row| session.get(row, 0)).collect()
}

/// Who has what a login has, beside the administrator. Up to PostgreSQL 14 every role may make others its members: whoever
/// used the kit could have let somebody in who needs no credential of it. From 16 on only a superuser gives what isn't ours
/// to take, and it stays.
async fn members(session: &Session, at: &Administration, login: &LoginName) -> Result<BTreeSet<String>, TargetError> {
    let sql = "SELECT member.rolname::text FROM pg_auth_members m JOIN pg_roles member ON member.oid = m.member \
         JOIN pg_roles login ON login.oid = m.roleid WHERE login.rolname = $1 AND member.rolname <> $2";
    let (login, administrator) = (login.as_str(), at.target.administrator.as_str());
    let rows =
        session.rows("show members of logins", sql, &[(&login, Type::TEXT), (&administrator, Type::TEXT)]).await?;
    rows.iter().map(|row| session.get(row, 0)).collect()
}

async fn clock(session: &Session) -> Result<Time, TargetError> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    Ok(Time::from_micros(session.get(&session.row("tell the time", sql, &[]).await?, 0)?))
}

/// Ends the sessions of a login that connected before an instant, and sees that none is left.
async fn end_older(session: &Session, login: &LoginName, before: Time) -> Result<(), TargetError> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 \
         AND (extract(epoch FROM backend_start) * 1000000)::int8 < $2";
    let (name, before) = (login.as_str(), before.micros());
    let mut left = 0;
    for turn in 0..TRIES {
        if turn > 0 {
            sleep(PAUSE).await;
        }
        let parameters: [super::connect::Parameter<'_>; 2] = [(&name, Type::TEXT), (&before, Type::INT8)];
        left = session.rows("end backends", sql, &parameters).await?.len();
        if left == 0 {
            return Ok(());
        }
    }
    let backends = u32::try_from(left).unwrap_or(u32::MAX);
    Err(TargetError::StillConnected { login: login.clone(), backends, address: session.address.clone() })
}

/// What sessions of these logins left.
pub(super) async fn traces<'a>(
    session: &Session,
    logins: impl IntoIterator<Item = &'a LoginName>,
) -> Result<Vec<(LoginName, Traces)>, TargetError> {
    let names: Vec<&str> = logins.into_iter().map(LoginName::as_str).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT r.rolname::text, r.oid, \
         (SELECT count(*) FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid \
             AND d.deptype = 'o'), \
         (SELECT count(*) FROM pg_db_role_setting s WHERE s.setrole = r.oid), \
         (SELECT count(*) FROM pg_auth_members m WHERE m.grantor = r.oid) \
         FROM pg_roles r WHERE r.rolname = ANY ($1)";
    let mut found = Vec::new();
    for row in session.rows("show what logins left", sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        let Ok(login) = session.get::<String>(&row, 0)?.parse() else { continue };
        let count = |column| session.get::<i64>(&row, column).map(|n| u64::try_from(n).unwrap_or(0));
        let (objects, settings, memberships) = (count(2)?, count(3)?, count(4)?);
        let statements = statements(session, session.get(&row, 1)?).await?;
        found.push((login, Traces { objects, settings, memberships, statements }));
    }
    Ok(found)
}

/// How many statements a login ran, where the extension that counts them is in the administration's database. Each run
/// counts: who reads the same again has used the kit again.
/// Only a superuser can have put it there, so its view is what it says it is.
async fn statements(session: &Session, login: u32) -> Result<Option<u64>, TargetError> {
    let sql = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
         JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' \
         JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND c.relnamespace = n.oid \
         WHERE e.extname = 'pg_stat_statements' AND c.relname = 'pg_stat_statements'";
    let Some(schema) = session.rows("show its extensions", sql, &[]).await?.into_iter().next() else { return Ok(None) };
    let schema: String = session.get(&schema, 0)?;
    let sql =
        format!("SELECT coalesce(sum(calls), 0)::int8 FROM {}.pg_stat_statements WHERE userid = $1", ident(&schema));
    match session.row("count statements", &sql, &[(&login, Type::OID)]).await {
        Ok(row) => Ok(Some(u64::try_from(session.get::<i64>(&row, 0)?).unwrap_or(0))),
        // It isn't loaded, or isn't ours to read.
        Err(TargetError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
