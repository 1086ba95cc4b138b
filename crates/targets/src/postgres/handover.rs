//! Handing over what a login owns, in one database, in one transaction.

use daypass_domain::resource::Ownership;
use daypass_ports::targets::{Administration, LoginName, TargetError};

use super::{
    connect::Session,
    error::{self, DENIED, DUPLICATE, UNIQUE, lacking},
    names::{ident, literal},
};

/// Sees that the quarantine role is there: nobody's member, no login, no rights.
pub(super) async fn see_to_quarantine(session: &Session, at: &Administration) -> Result<(), TargetError> {
    let name = LoginName::quarantine(at.installation);
    let sql = "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1";
    let rows = session.rows("look for the quarantine role", sql, &[(&name, tokio_postgres::types::Type::TEXT)]).await?;
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
    login: &LoginName,
    owns: &Ownership,
) -> Result<(), TargetError> {
    let from = ident(login.as_str());
    let sql = match owns {
        Ownership::Quarantine => to_quarantine(login, &ident(&LoginName::quarantine(at.installation))),
        Ownership::Kept { owner } => to_owner(session, at, &from, owner.as_str()).await?,
    };
    let sql = format!("BEGIN; {sql}; DROP OWNED BY {from}; COMMIT");
    let done = session.run("hand over what a login owns", &sql).await;
    if done.is_err() {
        session.run("undo a handover", "ROLLBACK").await?;
    }
    done.map_err(|denied| refused(denied, at, owns))
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
    let sql = match session.version {
        160_000.. => "SELECT pg_has_role(oid, 'SET') AND pg_has_role(oid, 'USAGE') FROM pg_roles WHERE rolname = $1",
        _ => "SELECT pg_has_role(oid, 'USAGE') FROM pg_roles WHERE rolname = $1",
    };
    let rows = session.rows("tell a membership", sql, &[(&owner, tokio_postgres::types::Type::TEXT)]).await?;
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
