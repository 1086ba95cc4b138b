//! Handing over what a login owns, in one database, in one transaction.

use daypass_domain::resource::Ownership;
use daypass_ports::targets::{Administration, LoginName, TargetError};
use tokio_postgres::types::Type;

use super::{
    connect::Session,
    error::{self, DENIED, DUPLICATE, UNIQUE, lacking},
    names::{ident, literal},
    roles::{self, Login},
};

/// Sees that the quarantine role is there: nobody's member, no login, no rights.
pub(super) async fn see_to_quarantine(session: &Session, at: &Administration) -> Result<(), TargetError> {
    let name = LoginName::quarantine(at.installation);
    let sql = format!("SELECT {} FROM pg_roles WHERE rolname = $1", roles::acts_as(session));
    let rows = session.rows("look for the quarantine role", &sql, &[(&name, Type::TEXT)]).await?;
    let (role, administrator) = (ident(&name), ident(at.target.administrator.as_str()));
    let grant = format!("GRANT {role} TO {administrator}");
    let sql = match rows.first() {
        Some(row) if session.get(row, 0)? => return Ok(()),
        Some(_) => grant,
        None => format!(
            "BEGIN; CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS; \
             COMMENT ON ROLE {role} IS {}; {grant}; COMMIT",
            literal(&format!("Daypass {}: owns what ended grants left", at.installation))
        ),
    };
    match session.run("make the quarantine role", &sql).await {
        // Somebody else made it at the same time. The transaction stands aborted: end it.
        Err(error) if matches!(error::sqlstate(&error), Some(DUPLICATE | UNIQUE)) => {
            session.run("go on after a race", "ROLLBACK").await
        }
        other => other,
    }
}

/// Everything of the login in this database goes to its new owner; then its privileges go.
pub(super) async fn hand_over(
    session: &Session,
    at: &Administration,
    login: &Login,
    owns: &Ownership,
) -> Result<(), TargetError> {
    let from = ident(login.name.as_str());
    let first = match owns {
        Ownership::Quarantine => to_quarantine(&login.name, &ident(&LoginName::quarantine(at.installation))),
        Ownership::Kept { owner } => to_owner(session, at, &from, owner.as_str()).await?,
    };
    let second = disown(session, at, login).await?;
    let sql = format!("BEGIN; {first}; DROP OWNED BY {from}; {second}COMMIT");
    let done = session.run("hand over what a login owns", &sql).await;
    if done.is_err() {
        session.run("undo a handover", "ROLLBACK").await?;
    }
    done.map_err(|denied| refused(denied, at, owns))
}

/// Every kind of thing that may carry privileges, with the column of its access list.
const WITH_PRIVILEGES: [(&str, &str); 10] = [
    ("pg_class", "relacl"),
    ("pg_proc", "proacl"),
    ("pg_namespace", "nspacl"),
    ("pg_database", "datacl"),
    ("pg_type", "typacl"),
    ("pg_largeobject_metadata", "lomacl"),
    ("pg_language", "lanacl"),
    ("pg_foreign_server", "srvacl"),
    ("pg_foreign_data_wrapper", "fdwacl"),
    ("pg_tablespace", "spcacl"),
];

/// A privilege is taken back only by who gave it, and the user of a login may have given it some in the name of a role
/// that they could act as. So each giver in turn does what is to be done, as the administrator who is it for a moment.
/// The login's own memberships go first: else making the giver a member of the login would be a circle.
async fn disown(session: &Session, at: &Administration, login: &Login) -> Result<String, TargetError> {
    let givers = givers(session, login).await?;
    if givers.is_empty() {
        return Ok(String::new());
    }
    let from = ident(login.name.as_str());
    let administrator = ident(at.target.administrator.as_str());
    let mut sql = String::new();
    for role in direct_memberships(session, login.name.as_str()).await? {
        sql.push_str(&format!("REVOKE {} FROM {from}; ", ident(&role)));
    }
    let ours = direct_memberships(session, at.target.administrator.as_str()).await?;
    for giver in givers {
        // Before 16 there is one membership, whoever gave it: what was there before must be there after.
        let lent = session.version >= 160_000 || !ours.contains(&giver);
        let giver = ident(&giver);
        let (lend, take_back) = match lent {
            true => (format!("GRANT {giver} TO {administrator}; "), format!("REVOKE {giver} FROM {administrator}; ")),
            false => (String::new(), String::new()),
        };
        sql.push_str(&format!(
            "{lend}GRANT {from} TO {giver}; SET LOCAL ROLE {giver}; DROP OWNED BY {from}; RESET ROLE; \
             REVOKE {from} FROM {giver}; {take_back}"
        ));
    }
    Ok(sql)
}

/// Who gave the login privileges in this database, or on the server's own things. A superuser can't be borrowed.
async fn givers(session: &Session, login: &Login) -> Result<Vec<String>, TargetError> {
    let mut lists: Vec<String> = WITH_PRIVILEGES
        .iter()
        .map(|(table, column)| {
            format!(
                "SELECT t.{column} FROM pg_shdepend d JOIN {table} t ON t.oid = d.objid WHERE d.classid = \
                 '{table}'::regclass AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = $1 AND d.deptype = 'a'"
            )
        })
        .collect();
    lists.push(
        "SELECT t.attacl FROM pg_shdepend d JOIN pg_attribute t ON t.attrelid = d.objid WHERE d.classid = \
         'pg_class'::regclass AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = $1 AND d.deptype = 'a'"
            .into(),
    );
    let sql = format!(
        "SELECT DISTINCT r.rolname::text FROM ({}) x (acl), aclexplode(x.acl) a JOIN pg_roles r ON r.oid = a.grantor \
         WHERE a.grantee = $1 AND a.grantor <> $1 AND NOT r.rolsuper ORDER BY 1",
        lists.join(" UNION ALL ")
    );
    let rows = session.rows("show who gave a login privileges", &sql, &[(&login.oid, Type::OID)]).await?;
    rows.iter().map(|row| session.get(row, 0)).collect()
}

async fn direct_memberships(session: &Session, member: &str) -> Result<Vec<String>, TargetError> {
    let sql = "SELECT DISTINCT r.rolname::text FROM pg_auth_members m \
         JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles w ON w.oid = m.member WHERE w.rolname = $1";
    let rows = session.rows("show memberships", sql, &[(&member, Type::TEXT)]).await?;
    rows.iter().map(|row| session.get(row, 0)).collect()
}

/// A function can only go to a role that may create in its schema, and the quarantine role may nothing: so it is a
/// member of the login for as long as this transaction lasts, which nobody else ever sees. The user may have taken the
/// right to create from their own schemas: it is given back to the login first. And what runs with its owner's rights
/// isn't for everybody to call any more.
fn to_quarantine(login: &LoginName, quarantine: &str) -> String {
    let from = ident(login.as_str());
    let body = format!(
        "DECLARE one pg_catalog.text; BEGIN \
         FOR one IN SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace WHERE nspowner = {role} LOOP \
         EXECUTE pg_catalog.concat('GRANT ALL ON SCHEMA ', one, ' TO {from_text}'); END LOOP; \
         FOR one IN SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc p WHERE proowner = {role} AND prosecdef LOOP \
         EXECUTE pg_catalog.concat('REVOKE ALL ON ROUTINE ', one, ' FROM PUBLIC'); END LOOP; END",
        role = format_args!("{}::pg_catalog.regrole", literal(&from)),
        from_text = from.replace('\'', "''"),
    );
    format!(
        "DO {}; GRANT {from} TO {quarantine}; REASSIGN OWNED BY {from} TO {quarantine}; REVOKE {from} FROM {quarantine}",
        literal(&body)
    )
}

/// The administrator borrows the declared owner for this transaction, unless it is a member anyway.
async fn to_owner(session: &Session, at: &Administration, from: &str, owner: &str) -> Result<String, TargetError> {
    let sql = format!("SELECT {} FROM pg_roles WHERE rolname = $1", roles::acts_as(session));
    let rows = session.rows("tell a membership", &sql, &[(&owner, Type::TEXT)]).await?;
    let Some(row) = rows.first() else {
        return Err(TargetError::RoleMissing { role: owner.to_owned(), address: session.address.clone() });
    };
    let to = ident(owner);
    let reassign = format!("REASSIGN OWNED BY {from} TO {to}");
    if session.get(row, 0)? {
        return Ok(reassign);
    }
    let administrator = ident(at.target.administrator.as_str());
    Ok(format!("GRANT {to} TO {administrator}; {reassign}; REVOKE {to} FROM {administrator}"))
}

fn refused(denied: TargetError, at: &Administration, owns: &Ownership) -> TargetError {
    if error::sqlstate(&denied) != Some(DENIED) {
        return denied;
    }
    let administrator = ident(at.target.administrator.as_str());
    match owns {
        Ownership::Quarantine => lacking(denied, "hand what a login owns to the quarantine role", || {
            format!("GRANT CREATE ON DATABASE (the one it is in) TO {administrator}")
        }),
        Ownership::Kept { owner } => lacking(denied, "hand what a login owns to its declared owner", || {
            let to = ident(owner.as_str());
            format!(
                "GRANT CREATE ON SCHEMA (the one it is in) TO {to}; and on PostgreSQL 16 or later also: \
                 GRANT {to} TO {administrator} WITH ADMIN OPTION"
            )
        }),
    }
}
