//! Jobs of the extension pg_cron: rows of `cron.job`, which the server runs by itself in the name of a role.
//!
//! Row security shows each role its own jobs alone, so we look as that role. What a login scheduled is unscheduled. What
//! was scheduled after SET ROLE, in another role's name, runs on and may be anybody's: it is listed.

use daypass_ports::targets::{Administration, ResidueKind, TargetError};
use tokio_postgres::{Row, types::Type};

use super::{
    connect::{Pool, Session},
    error::{self, DENIED},
    inventory::{Found, Subject},
    names::ident,
    roles,
};

/// Unschedules what the logins scheduled, and finds what was scheduled as roles that they could act as.
pub(super) async fn end_jobs(
    pool: &Pool,
    at: &Administration,
    session: &Session,
    subjects: &[Subject],
) -> Result<Vec<Found>, TargetError> {
    let mut found = Vec::new();
    for database in databases(session).await? {
        let inside = pool.take(at, &at.target.address, &database).await?;
        if is_there(&inside).await? {
            for subject in subjects {
                found.extend(of_login(&inside, &database, subject).await?);
                found.extend(of_others(&inside, &database, subject).await?);
            }
        }
        pool.give_back(inside);
    }
    Ok(found)
}

/// Where jobs may be: nowhere unless the server loaded pg_cron, else in the one database that its setting names. Versions
/// that keep this setting from us make us look into every database.
pub(super) async fn databases(session: &Session) -> Result<Vec<String>, TargetError> {
    let sql = "SELECT current_setting('cron.database_name', true)";
    match session.row("tell where pg_cron is", sql, &[]).await {
        Ok(row) => Ok(session.get::<Option<String>>(&row, 0)?.into_iter().collect()),
        Err(error) if error::sqlstate(&error) == Some(DENIED) => {
            let sql = "SELECT datname::text FROM pg_database WHERE datallowconn AND has_database_privilege(oid, 'CONNECT') \
                 ORDER BY 1";
            let rows = session.rows("show databases", sql, &[]).await?;
            rows.iter().map(|row| session.get(row, 0)).collect()
        }
        Err(error) => Err(error),
    }
}

/// Whether what is called so here is the extension's, which takes a superuser: a schema of that name alone may be
/// anybody's, and whatever is in it.
async fn is_there(session: &Session) -> Result<bool, TargetError> {
    let sql = "SELECT count(*) = 2 FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass \
         AND d.refobjid = e.oid AND d.deptype = 'e' AND (d.classid, d.objid) IN (\
         ('pg_class'::regclass, to_regclass('cron.job')::oid), ('pg_proc'::regclass, to_regprocedure('cron.unschedule(bigint)')::oid)) \
         WHERE e.extname = 'pg_cron'";
    session.get(&session.row("look for pg_cron", sql, &[]).await?, 0)
}

async fn of_login(session: &Session, database: &str, subject: &Subject) -> Result<Vec<Found>, TargetError> {
    become_role(session, &subject.name).await?;
    let mut found = Vec::new();
    if may_look(session).await? {
        let sql =
            "SELECT jobid::text, schedule::text, cron.unschedule(jobid) FROM cron.job WHERE username = current_user";
        let rows = match session.rows("unschedule jobs", sql, &[]).await {
            Err(error) if error::sqlstate(&error) == Some(DENIED) => jobs(session, "0").await?,
            other => other?,
        };
        for row in &rows {
            let undone = row.len() > 2;
            let how = if undone { "unscheduled" } else { "can't run, since the login is gone" };
            found.push(Found { undone, ..job(session, database, subject, row, how)? });
        }
    }
    session.run("act as the administrator again", "RESET ROLE").await?;
    Ok(found)
}

/// Only of logins with a marker: without it nobody knows what is younger than they are.
async fn of_others(session: &Session, database: &str, subject: &Subject) -> Result<Vec<Found>, TargetError> {
    let mut found = Vec::new();
    let Some(since) = subject.since.map(|since| since.to_string()) else {
        return Ok(found);
    };
    let oids: Vec<u32> = subject.others.keys().copied().collect();
    let sql =
        format!("SELECT rolname::text FROM pg_roles WHERE oid = ANY ($1) AND {} ORDER BY 1", roles::acts_as(session));
    for row in session.rows("tell memberships", &sql, &[(&oids, Type::OID_ARRAY)]).await? {
        let role: String = session.get(&row, 0)?;
        become_role(session, &role).await?;
        if may_look(session).await? {
            for row in &jobs(session, &since).await? {
                let mut one = job(session, database, subject, row, &format!("as {role} while the grant was live"))?;
                one.owner = Some(role.clone());
                found.push(one);
            }
        }
        session.run("act as the administrator again", "RESET ROLE").await?;
    }
    Ok(found)
}

async fn become_role(session: &Session, role: &str) -> Result<(), TargetError> {
    session.run("act as the role of a job", &format!("SET ROLE {}", ident(role))).await
}

/// Who may not look into the schema schedules nothing.
async fn may_look(session: &Session) -> Result<bool, TargetError> {
    let sql = "SELECT has_schema_privilege('cron', 'USAGE') AND has_table_privilege('cron.job', 'SELECT')";
    session.get(&session.row("tell a privilege", sql, &[]).await?, 0)
}

/// The jobs of who we act as, written since a transaction (`0`: all; `age` counts from now, and nothing is older).
async fn jobs(session: &Session, since: &str) -> Result<Vec<Row>, TargetError> {
    let sql = "SELECT jobid::text, schedule::text FROM cron.job WHERE username = current_user \
         AND ($1 = '0' OR age(xmin) <= age($1::xid)) ORDER BY jobid";
    session.rows("list cron jobs", sql, &[(&since, Type::TEXT)]).await
}

fn job(session: &Session, database: &str, subject: &Subject, row: &Row, how: &str) -> Result<Found, TargetError> {
    let schedule: String = session.get(row, 1)?;
    Ok(Found {
        login: subject.name.clone(),
        kind: ResidueKind::CronJob,
        owner: None,
        database: Some(database.to_owned()),
        name: session.get(row, 0)?,
        detail: format!("scheduled {schedule}, {how}"),
        undone: false,
    })
}
