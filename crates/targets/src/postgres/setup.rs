//! What the owner of a server runs once.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Name,
    resource::{Ownership, PgRole, Role},
};

use super::names::{ident, literal};

/// The SQL that the owner of a server runs once, so that Daypass can administer logins there: an administrator login
/// with CREATEROLE, and (PostgreSQL 16 and later, where CREATEROLE reaches only what it has ADMIN on) the right to give
/// the roles named. It sets no password: `psql`'s `\password` does that without writing it anywhere.
#[must_use]
pub fn setup_sql(administrator: &PgRole, roles: &BTreeMap<Name, Role>) -> String {
    let name = ident(administrator.as_str());
    let mut sql = format!(
        "CREATE ROLE {name} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS INHERIT;\n\
         GRANT pg_signal_backend TO {name};\n"
    );
    let given = given(roles);
    if !given.is_empty() {
        let given: Vec<String> = given.into_iter().map(ident).collect();
        let grant = format!("GRANT {} TO {name} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", given.join(", "));
        let body = format!(
            "BEGIN IF current_setting('server_version_num')::int >= 160000 THEN EXECUTE {}; END IF; END",
            literal(&grant)
        );
        sql.push_str(&format!("DO {};\n", literal(&body)));
    }
    sql.push_str(&format!("-- then, in psql:  \\password {name}\n"));
    sql
}

/// Every role that is given, or that owns what is made.
pub(super) fn given(roles: &BTreeMap<Name, Role>) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = roles.values().flat_map(|role| &role.member_of).map(PgRole::as_str).collect();
    for role in roles.values() {
        match &role.owns {
            Ownership::Quarantine => {}
            Ownership::Kept { owner } => {
                names.insert(owner.as_str());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_no_password_is_in_it() {
        let role = Role {
            description: String::new(),
            member_of: ["app'; DROP".parse().unwrap()].into(),
            owns: Ownership::Kept { owner: "app_owner".parse().unwrap() },
            narrower: BTreeSet::new(),
        };
        let sql = setup_sql(&"gate\"keeper".parse().unwrap(), &BTreeMap::from([("w".parse().unwrap(), role)]));
        assert!(sql.contains("CREATE ROLE \"gate\"\"keeper\" LOGIN CREATEROLE NOSUPERUSER"));
        assert!(sql.contains("GRANT \"app''''; DROP\", \"app_owner\""), "{sql}");
        assert!(!sql.contains("PASSWORD"));
    }
}
