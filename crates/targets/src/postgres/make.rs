//! Making a login: everything first, LOGIN last (I5).

use std::collections::BTreeSet;

use daypass_domain::{Span, resource::PgRole};
use daypass_ports::targets::{Administration, LoginName, LoginSpec, Made, Making, StillGiven, TargetError};
use daypass_wire::scram::ScramVerifier;

use super::{
    connect::{Pool, Session},
    error::{self, lacking},
    lock,
    names::{ident, literal},
    roles::{self, Marker},
};

/// How long after the deadline the target itself stops taking the password. A backstop: what ends access is the end.
const SLACK: Span = Span::from_mins(10);

pub(super) async fn make(
    pool: &Pool,
    at: &Administration,
    spec: &LoginSpec,
    still: &dyn StillGiven,
) -> Result<Made, TargetError> {
    if spec.verifier.parse::<ScramVerifier>().is_err() {
        return Err(TargetError::NotAVerifier);
    }
    if !spec.name.is_of(at.installation) || !spec.name.is_for(spec.grant) {
        return Err(TargetError::NotOurs { role: spec.name.to_string() });
    }
    let session = pool.primary(at).await?;
    let (held, _) = lock::lock(&session, [&spec.name]).await?;
    if held.is_empty() {
        return Err(TargetError::Busy { login: spec.name.clone() });
    }
    let how = set_up(&session, at, spec).await?;
    open(&session, spec, still).await?;
    let server_version = session.version;
    lock::unlock(&session).await?;
    pool.give_back(session);
    Ok(Made { login: spec.name.clone(), how, server_version })
}

/// Everything but LOGIN.
async fn set_up(session: &Session, at: &Administration, spec: &LoginSpec) -> Result<Making, TargetError> {
    let wanted: BTreeSet<String> = spec.member_of.iter().map(|role| role.as_str().to_owned()).collect();
    let names: Vec<&String> = wanted.iter().collect();
    let reached = roles::reached_from(session, &names).await?;
    roles::givable(&session.address, &wanted, &reached)?;
    let there = roles::of_names(session, at.installation, std::slice::from_ref(&spec.name)).await?;
    let (how, first) = match there.get(&spec.name) {
        Some(_) => (Making::Again, alter(spec)),
        None => (Making::New, create(session, at, spec).await?),
    };
    let sql = format!("BEGIN; {first}; {}; COMMIT", memberships(session, at, &spec.name, &spec.member_of));
    let done = session.run("make a login", &sql).await;
    done.map_err(|denied| refused(denied, at, &spec.name, &spec.member_of))?;
    Ok(how)
}

async fn create(session: &Session, at: &Administration, spec: &LoginSpec) -> Result<String, TargetError> {
    let marker = Marker::new(at.installation, spec.grant, next_transaction(session).await?);
    Ok(created(&spec.name, &password(spec), &marker))
}

/// What comes after now begins with this transaction, by the low 32 bits of its id.
pub(super) async fn next_transaction(session: &Session) -> Result<u32, TargetError> {
    let sql = "SELECT (txid_snapshot_xmax(txid_current_snapshot()) % 4294967296)::oid";
    session.get(&session.row("tell its next transaction", sql, &[]).await?, 0)
}

/// A login that can't log in yet, and nothing else.
pub(super) fn created(login: &LoginName, password: &str, marker: &Marker) -> String {
    format!(
        "CREATE ROLE {name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT {password}; \
         COMMENT ON ROLE {name} IS {comment}",
        name = ident(login.as_str()),
        comment = literal(&marker.text),
    )
}

fn alter(spec: &LoginSpec) -> String {
    format!("ALTER ROLE {} {}", ident(spec.name.as_str()), password(spec))
}

fn password(spec: &LoginSpec) -> String {
    format!(
        "CONNECTION LIMIT {} PASSWORD {} VALID UNTIL {}",
        spec.connection_limit,
        literal(&spec.verifier),
        literal(&(spec.deadline + SLACK).to_string())
    )
}

/// Two kinds. The administrator becomes a member of the login: that lets it end the login's backends, roll back its
/// prepared transactions and hand over what it owns, without being a superuser. And the login becomes a member of what
/// its role gives; from 16 on without SET, so that nothing can be made or prepared in another role's name.
pub(super) fn memberships(
    session: &Session,
    at: &Administration,
    login: &LoginName,
    member_of: &BTreeSet<PgRole>,
) -> String {
    let login = ident(login.as_str());
    let administrator = ident(at.target.administrator.as_str());
    let (ours, theirs) = match session.version {
        160_000.. => (" WITH INHERIT TRUE, SET TRUE", " WITH ADMIN FALSE, INHERIT TRUE, SET FALSE"),
        _ => ("", ""),
    };
    let mut sql = format!("GRANT {login} TO {administrator}{ours}");
    for role in member_of {
        sql.push_str(&format!("; GRANT {} TO {login}{theirs}", ident(role.as_str())));
    }
    sql
}

pub(super) fn refused(
    denied: TargetError,
    at: &Administration,
    login: &LoginName,
    member_of: &BTreeSet<PgRole>,
) -> TargetError {
    if matches!(error::sqlstate(&denied), Some(error::DUPLICATE | error::UNIQUE)) {
        // There is such a role, and it isn't ours by its marker: or it would have been altered.
        return TargetError::NotOurs { role: login.to_string() };
    }
    lacking(denied, "create roles and give memberships", || {
        let administrator = ident(at.target.administrator.as_str());
        let given: Vec<String> = member_of.iter().map(|role| ident(role.as_str())).collect();
        format!(
            "ALTER ROLE {administrator} CREATEROLE; and on PostgreSQL 16 or later also: GRANT {} TO {administrator} \
             WITH ADMIN OPTION",
            given.join(", ")
        )
    })
}

/// LOGIN, between two questions: the second is for a grant that ended while the first was being answered, whose cut
/// may have come before our LOGIN.
async fn open(session: &Session, spec: &LoginSpec, still: &dyn StillGiven) -> Result<(), TargetError> {
    let name = ident(spec.name.as_str());
    if still.still_given(spec.grant).await {
        session.run("open a login", &format!("ALTER ROLE {name} LOGIN")).await?;
        if still.still_given(spec.grant).await {
            return Ok(());
        }
    }
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ";
    session.run("close a login", &format!("ALTER ROLE {name} NOLOGIN")).await?;
    session.run("end a login's backends", &format!("{sql}{}", literal(spec.name.as_str()))).await?;
    Err(TargetError::NoLongerGiven { grant: spec.grant })
}
