//! The doctor: whether the administrator login can do what is needed, and not more.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{Name, resource::Role};
use daypass_ports::targets::{Administration, Finding, Severity, TargetError};
use tokio_postgres::types::Type;

use super::{
    connect::{Pool, Session},
    names::ident,
    roles::{self, Reached},
    setup::given,
};

/// The oldest version that we know.
const OLDEST: u32 = 120_000;

pub(super) async fn doctor(pool: &Pool, at: &Administration, roles: &BTreeMap<Name, Role>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match pool.primary(at).await {
        Err(error) => findings.push(broken(error.to_string(), None)),
        Ok(session) => {
            findings.push(fine(format!("{} is reached, and showed who it is", session.address)));
            if let Err(error) = examine(&session, at, roles, &mut findings).await {
                findings.push(broken(format!("the examination stopped: {error}"), None));
            } else {
                pool.give_back(session);
            }
        }
    }
    for replica in &at.target.replicas {
        match pool.take(at, replica, &at.target.database).await {
            Ok(session) => {
                findings.push(fine(format!("the replica {replica} is reached")));
                pool.give_back(session);
            }
            Err(error) => findings
                .push(broken(format!("the replica {replica} can't be swept, so ends stay unknown: {error}"), None)),
        }
    }
    findings
}

async fn examine(
    session: &Session,
    at: &Administration,
    roles: &BTreeMap<Name, Role>,
    findings: &mut Vec<Finding>,
) -> Result<(), TargetError> {
    findings.push(version(session.version));
    administrator(session, at, findings).await?;
    for (name, role) in roles {
        examine_role(session, at, name, role, findings).await?;
    }
    givable(session, at, roles, findings).await?;
    databases(session, at, findings).await?;
    settings(session, findings).await
}

fn version(version: u32) -> Finding {
    let shown = format!("PostgreSQL {}.{}", version / 10_000, version % 10_000);
    if version < OLDEST {
        return broken(format!("{shown} is too old: Daypass needs 12 or later"), None);
    }
    fine(shown)
}

/// An attribute of the administrator login, and what is to be said where it is as it shouldn't be.
struct Attribute {
    column: usize,
    wanted: bool,
    severity: Severity,
    what: &'static str,
    sql: &'static str,
}

const ATTRIBUTES: [Attribute; 6] = [
    Attribute {
        column: 0,
        wanted: true,
        severity: Severity::Broken,
        what: "lacks CREATEROLE, so it can make no logins",
        sql: "CREATEROLE",
    },
    Attribute {
        column: 1,
        wanted: true,
        severity: Severity::Broken,
        what: "is NOINHERIT, so it can't end the sessions of its own logins",
        sql: "INHERIT",
    },
    Attribute {
        column: 2,
        wanted: false,
        severity: Severity::Warning,
        what: "is a superuser, which is more than Daypass needs: CREATEROLE is enough",
        sql: "NOSUPERUSER CREATEROLE",
    },
    Attribute {
        column: 3,
        wanted: false,
        severity: Severity::Warning,
        what: "may create databases, which isn't needed",
        sql: "NOCREATEDB",
    },
    Attribute {
        column: 4,
        wanted: false,
        severity: Severity::Warning,
        what: "may replicate, which isn't needed",
        sql: "NOREPLICATION",
    },
    Attribute {
        column: 5,
        wanted: false,
        severity: Severity::Warning,
        what: "bypasses row security, which isn't needed",
        sql: "NOBYPASSRLS",
    },
];

async fn administrator(session: &Session, at: &Administration, findings: &mut Vec<Finding>) -> Result<(), TargetError> {
    let name = at.target.administrator.as_str();
    let quoted = ident(name);
    let sql = "SELECT rolcreaterole OR rolsuper, rolinherit OR rolsuper, rolsuper, rolcreatedb, rolreplication, \
         rolbypassrls, pg_has_role('pg_signal_backend', 'USAGE') FROM pg_roles WHERE rolname = current_user";
    let row = session.row("show the administrator login", sql, &[]).await?;
    let before = findings.len();
    let superuser: bool = session.get(&row, 2)?;
    for attribute in ATTRIBUTES {
        // A superuser has the others by the way: one finding says it.
        if session.get::<bool>(&row, attribute.column)? != attribute.wanted && (attribute.column == 2 || !superuser) {
            findings.push(Finding {
                severity: attribute.severity,
                what: format!("the administrator login \"{name}\" {}", attribute.what),
                fix_sql: Some(format!("ALTER ROLE {quoted} {}", attribute.sql)),
            });
        }
    }
    if findings.len() == before {
        findings.push(fine(format!("the administrator login \"{name}\" has CREATEROLE and nothing more")));
    }
    if !session.get::<bool>(&row, 6)? {
        findings.push(Finding {
            severity: Severity::Warning,
            what:
                "the administrator login isn't a member of pg_signal_backend: it ends the sessions of logins that it \
                   made all the same, but not those that outlived their login"
                    .into(),
            fix_sql: Some(format!("GRANT pg_signal_backend TO {quoted}")),
        });
    }
    Ok(())
}

async fn examine_role(
    session: &Session,
    at: &Administration,
    name: &Name,
    role: &Role,
    findings: &mut Vec<Finding>,
) -> Result<(), TargetError> {
    let wanted: BTreeSet<String> = role.member_of.iter().map(|role| role.as_str().to_owned()).collect();
    let names: Vec<&String> = wanted.iter().collect();
    let reached = roles::reached_from(session, &names).await?;
    match roles::givable(&session.address, &wanted, &reached) {
        Err(error) => findings.push(broken(format!("the role {name}: {error}"), None)),
        Ok(()) => findings.push(fine(format!("the role {name} gives nothing that outlives a grant by its nature"))),
    }
    let administrator = at.target.administrator.as_str();
    if reached.iter().any(|r| r.role == administrator) {
        findings.push(broken(format!("the role {name} would give the administrator login itself"), None));
    }
    for Reached { root, role, .. } in reached.iter().filter(|r| r.admin) {
        findings.push(Finding {
            severity: Severity::Warning,
            what: format!(
                "under the role {name}, \"{root}\" could make others members of \"{role}\"; an end lists that"
            ),
            fix_sql: Some(format!("REVOKE ADMIN OPTION FOR {} FROM {}", ident(role), ident(root))),
        });
    }
    Ok(())
}

/// From 16 on CREATEROLE reaches only roles on which it has ADMIN.
async fn givable(
    session: &Session,
    at: &Administration,
    roles: &BTreeMap<Name, Role>,
    findings: &mut Vec<Finding>,
) -> Result<(), TargetError> {
    let names: Vec<&str> = given(roles).into_iter().collect();
    let sql = "SELECT w.name, r.oid IS NOT NULL, coalesce(pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'), false) \
         FROM unnest($1::text[]) w (name) LEFT JOIN pg_roles r ON r.rolname = w.name ORDER BY 1";
    for row in session.rows("show what can be given", sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        let (name, there, admin): (String, bool, bool) =
            (session.get(&row, 0)?, session.get(&row, 1)?, session.get(&row, 2)?);
        let quoted = ident(&name);
        if !there {
            findings
                .push(broken(format!("there is no role \"{name}\""), Some(format!("CREATE ROLE {quoted} NOLOGIN"))));
        } else if session.version >= 160_000 && !admin {
            let administrator = ident(at.target.administrator.as_str());
            findings.push(broken(
                format!("the administrator login can't give \"{name}\", nor hand things over to it"),
                Some(format!("GRANT {quoted} TO {administrator} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")),
            ));
        } else {
            findings.push(fine(format!("\"{name}\" can be given")));
        }
    }
    Ok(())
}

/// A login may leave something in any database that lets it in; the administrator must get in too.
async fn databases(session: &Session, at: &Administration, findings: &mut Vec<Finding>) -> Result<(), TargetError> {
    let sql = "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT has_database_privilege(oid, 'CONNECT') \
         ORDER BY 1";
    for row in session.rows("show databases", sql, &[]).await? {
        let name: String = session.get(&row, 0)?;
        let administrator = ident(at.target.administrator.as_str());
        findings.push(Finding {
            severity: Severity::Warning,
            what: format!(
                "the administrator login may not connect to the database \"{name}\": what a login left there \
                           would keep it from being dropped"
            ),
            fix_sql: Some(format!("GRANT CONNECT ON DATABASE {} TO {administrator}", ident(&name))),
        });
    }
    Ok(())
}

async fn settings(session: &Session, findings: &mut Vec<Finding>) -> Result<(), TargetError> {
    let sql = "SELECT current_setting('max_prepared_transactions')::int4, current_setting('log_statement'), \
         current_setting('password_encryption')";
    let row = session.row("show its settings", sql, &[]).await?;
    if session.get::<i32>(&row, 0)? > 0 {
        let how = if session.version >= 160_000 {
            "those of a login are rolled back when it ends"
        } else {
            "those of a login are rolled back when it ends, those prepared after SET ROLE are listed"
        };
        findings.push(fine(format!("two-phase commit is on; {how}")));
    }
    let logged: String = session.get(&row, 1)?;
    if logged != "none" {
        findings
            .push(fine(format!("log_statement is {logged}: logins are made from verifiers, so no password is logged")));
    }
    let encryption: String = session.get(&row, 2)?;
    if encryption != "scram-sha-256" {
        findings.push(Finding {
            severity: Severity::Warning,
            what: format!(
                "password_encryption is {encryption}: passwords that people set for themselves are hashed weakly"
            ),
            fix_sql: Some("ALTER SYSTEM SET password_encryption = 'scram-sha-256'".into()),
        });
    }
    Ok(())
}

fn fine(what: String) -> Finding {
    Finding { severity: Severity::Fine, what, fix_sql: None }
}

fn broken(what: String, fix_sql: Option<String>) -> Finding {
    Finding { severity: Severity::Broken, what, fix_sql }
}
