//! What a login has, found in the catalogs.
//!
//! `pg_shdepend` is the spine: one table for the whole server that says who owns what in which database, and whose rows
//! are as young (`xmin`) as the ownership. So one question tells which databases must be looked into at all: for a
//! grant that only read, none.

use std::collections::{BTreeMap, BTreeSet};

use daypass_ports::targets::{Administration, ResidueKind, TargetError};
use tokio_postgres::{Row, types::Type};

use super::{
    connect::{Parameter, Pool, Session},
    roles::Login,
};

/// A login, and what else it could act as.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    oid: u32,
    pub(super) since: Option<u32>,
    /// Roles that it is a member of, directly or not.
    pub(super) others: BTreeMap<u32, String>,
}

impl Subject {
    pub(super) fn new(login: &Login, others: BTreeMap<u32, String>) -> Self {
        Self { name: login.name.to_string(), oid: login.oid, since: login.marker.since, others }
    }
}

/// One thing, before it is sorted into a list.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) login: String,
    pub(super) kind: ResidueKind,
    /// Who owns it, where that isn't the login.
    pub(super) owner: Option<String>,
    pub(super) database: Option<String>,
    pub(super) name: String,
    pub(super) detail: String,
    /// Whether the end itself undoes it.
    pub(super) undone: bool,
}

/// The subjects as rows: each with each role that it could act as. `$1` logins, `$2` roles, `$3` since.
struct Pairs {
    logins: Vec<u32>,
    others: Vec<u32>,
    since: Vec<String>,
}

/// What `Pairs` are to SQL.
const PAIRS: &str = "unnest($1::oid[], $2::oid[], $3::text[]) AS pair (login, other, since)";

impl Pairs {
    /// Only of logins with a marker: without it nobody knows what is younger than they are.
    fn of(subjects: &[Subject]) -> Self {
        let mut pairs = Self { logins: Vec::new(), others: Vec::new(), since: Vec::new() };
        for subject in subjects {
            for other in subject.others.keys() {
                let Some(since) = subject.since else { continue };
                pairs.logins.push(subject.oid);
                pairs.others.push(*other);
                pairs.since.push(since.to_string());
            }
        }
        pairs
    }

    fn parameters(&self) -> [Parameter<'_>; 3] {
        [(&self.logins, Type::OID_ARRAY), (&self.others, Type::OID_ARRAY), (&self.since, Type::TEXT_ARRAY)]
    }
}

fn name_of(subjects: &[Subject], oid: u32) -> String {
    subjects.iter().find(|subject| subject.oid == oid).map(|subject| subject.name.clone()).unwrap_or_default()
}

/// How many rows of `pg_shdepend` speak of each login: what must be none before it can be dropped.
pub(super) async fn owned(session: &Session, subjects: &[Subject]) -> Result<BTreeMap<u32, u64>, TargetError> {
    let oids: Vec<u32> = subjects.iter().map(|subject| subject.oid).collect();
    owned_by(session, &oids).await
}

/// The same by number.
pub(super) async fn owned_by(session: &Session, oids: &[u32]) -> Result<BTreeMap<u32, u64>, TargetError> {
    let sql = "SELECT refobjid, count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass \
         AND refobjid = ANY ($1) GROUP BY 1";
    let mut counts = BTreeMap::new();
    for row in session.rows("count what logins own", sql, &[(&oids, Type::OID_ARRAY)]).await? {
        let count: i64 = session.get(&row, 1)?;
        counts.insert(session.get(&row, 0)?, u64::try_from(count).unwrap_or(0));
    }
    Ok(counts)
}

/// What belongs to the whole server: memberships, and transactions prepared in another role's name.
pub(super) async fn of_server(
    session: &Session,
    at: &Administration,
    subjects: &[Subject],
) -> Result<Vec<Found>, TargetError> {
    let mut found = members(session, at, subjects).await?;
    let pairs = Pairs::of(subjects);
    if pairs.logins.is_empty() {
        return Ok(found);
    }
    // A membership that the login gave, or that was given in the name of a role that it could act as.
    let sql = format!(
        "SELECT pair.login, m.member::regrole::text, m.roleid::regrole::text FROM {PAIRS} JOIN pg_auth_members m \
         ON m.grantor IN (pair.login, pair.other) AND age(m.xmin) <= age(pair.since::xid) AND m.roleid <> pair.login"
    );
    for row in session.rows("show memberships", &sql, &pairs.parameters()).await? {
        let (login, member, role): (u32, String, String) =
            (session.get(&row, 0)?, session.get(&row, 1)?, session.get(&row, 2)?);
        found.push(Found {
            login: name_of(subjects, login),
            kind: ResidueKind::Membership,
            owner: None,
            database: None,
            name: member,
            detail: format!("made a member of {role} while the grant was live"),
            undone: false,
        });
    }
    let sql = format!(
        "SELECT pair.login, x.gid, x.owner::text, x.database::text FROM {PAIRS} JOIN pg_roles r ON r.oid = pair.other \
         JOIN pg_prepared_xacts x ON x.owner = r.rolname AND age(x.transaction) <= age(pair.since::xid)"
    );
    for row in session.rows("show prepared transactions", &sql, &pairs.parameters()).await? {
        let owner: String = session.get(&row, 2)?;
        found.push(Found {
            login: name_of(subjects, session.get(&row, 0)?),
            kind: ResidueKind::PreparedTransaction,
            detail: format!("prepared as {owner} while the grant was live, and still there"),
            owner: Some(owner),
            database: session.get(&row, 3)?,
            name: session.get(&row, 1)?,
            undone: false,
        });
    }
    Ok(found)
}

/// Who was made a member of a login. Before 16 every role may give membership in itself, and we may take it back; from
/// 16 on only we and superusers may give it, and what a superuser gave goes when the login is dropped.
async fn members(session: &Session, at: &Administration, subjects: &[Subject]) -> Result<Vec<Found>, TargetError> {
    let oids: Vec<u32> = subjects.iter().map(|subject| subject.oid).collect();
    let administrator = at.target.administrator.as_str();
    let sql = "SELECT m.roleid, r.rolname::text, bool_or(m.grantor <> a.oid) FROM pg_auth_members m \
         JOIN pg_roles r ON r.oid = m.member CROSS JOIN pg_roles a \
         WHERE m.roleid = ANY ($1) AND r.rolname <> $2 AND a.rolname = $2 GROUP BY 1, 2";
    let rows =
        session.rows("show members of logins", sql, &[(&oids, Type::OID_ARRAY), (&administrator, Type::TEXT)]).await?;
    let mut found = Vec::new();
    for row in &rows {
        let stays = session.version >= 160_000 && session.get::<bool>(row, 2)?;
        let how = if stays { "by somebody else; goes with the login" } else { "taken back" };
        found.push(Found {
            login: name_of(subjects, session.get(row, 0)?),
            kind: ResidueKind::Membership,
            owner: None,
            database: None,
            name: session.get(row, 1)?,
            detail: format!("was made a member of the login, {how}"),
            undone: true,
        });
    }
    Ok(found)
}

/// What is in databases. Only those are looked into where the logins own something, or a role does that they could act as.
pub(super) async fn of_databases(
    pool: &Pool,
    at: &Administration,
    session: &Session,
    subjects: &[Subject],
) -> Result<Vec<Found>, TargetError> {
    let mut found = Vec::new();
    let mut shared = true;
    for database in databases(session, at, subjects).await? {
        let inside = pool.take(at, &at.target.address, &database).await?;
        found.extend(objects(&inside, &database, subjects, shared).await?);
        found.extend(made_as_another(&inside, &database, subjects, shared).await?);
        found.extend(opened_to_public(&inside, &database, subjects).await?);
        pool.give_back(inside);
        shared = false;
    }
    Ok(found)
}

/// Their names. The administration's own is first where anything belongs to no database (a database itself, say).
pub(super) async fn databases(
    session: &Session,
    at: &Administration,
    subjects: &[Subject],
) -> Result<Vec<String>, TargetError> {
    let oids: BTreeSet<u32> = subjects
        .iter()
        .flat_map(|subject| std::iter::once(subject.oid).chain(subject.others.keys().copied()))
        .collect();
    databases_of(session, at, &oids.into_iter().collect::<Vec<u32>>()).await
}

/// Databases where any of the roles owns, or was given, something. Those that let nobody in can't be looked into.
pub(super) async fn databases_of(
    session: &Session,
    at: &Administration,
    oids: &[u32],
) -> Result<Vec<String>, TargetError> {
    let sql = "SELECT DISTINCT d.dbid, b.datname::text FROM pg_shdepend d LEFT JOIN pg_database b ON b.oid = d.dbid \
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = ANY ($1) AND (d.dbid = 0 OR b.datallowconn) \
         ORDER BY 1";
    let mut names: Vec<String> = Vec::new();
    for row in session.rows("show where logins own something", sql, &[(&oids, Type::OID_ARRAY)]).await? {
        let name = session.get::<Option<String>>(&row, 1)?.unwrap_or_else(|| at.target.database.clone());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Rows of this database, and of the whole server when it is the first that we look into.
fn here(shared: bool) -> &'static str {
    if shared {
        "(d.dbid = 0 OR d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    } else {
        "d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    }
}

/// What an object is and what is dangerous about it.
const DESCRIBED: &str = "i.type, i.identity, p.oid IS NOT NULL, coalesce(p.prosecdef, false), \
     coalesce(EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0), false), \
     EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) a WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid \
         AND a.grantee = 0), \
     (SELECT string_agg(t.tgname || ' on ' || t.tgrelid::regclass::text, ', ') FROM (SELECT tgname, tgrelid FROM \
         pg_trigger WHERE tgfoid = p.oid AND NOT tgisinternal LIMIT 5) t)";

const JOINED: &str = "CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i \
     LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid";

/// What logins own in a database.
async fn objects(
    session: &Session,
    database: &str,
    subjects: &[Subject],
    shared: bool,
) -> Result<Vec<Found>, TargetError> {
    let oids: Vec<u32> = subjects.iter().map(|subject| subject.oid).collect();
    let sql = format!(
        "SELECT d.refobjid, NULL::text, {DESCRIBED} FROM pg_shdepend d {JOINED} \
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = ANY ($1) AND d.deptype = 'o' AND {} \
         ORDER BY d.classid, d.objid LIMIT 5000",
        here(shared)
    );
    let rows = session.rows("list what logins own", &sql, &[(&oids, Type::OID_ARRAY)]).await?;
    rows.iter().map(|row| describe(session, database, subjects, row)).collect()
}

/// What came to be owned by a role that a login could act as, while the login was there.
async fn made_as_another(
    session: &Session,
    database: &str,
    subjects: &[Subject],
    shared: bool,
) -> Result<Vec<Found>, TargetError> {
    let pairs = Pairs::of(subjects);
    let sql = format!(
        "SELECT pair.login, pair.other::regrole::text, {DESCRIBED} FROM {PAIRS} JOIN pg_shdepend d \
         ON d.refobjid = pair.other AND age(d.xmin) <= age(pair.since::xid) {JOINED} \
         WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND {} LIMIT 5000",
        here(shared)
    );
    let rows = session.rows("list what was made as another role", &sql, &pairs.parameters()).await?;
    let found: Result<Vec<Found>, TargetError> =
        rows.iter().map(|row| describe(session, database, subjects, row)).collect();
    Ok(found?.into_iter().filter(|one| !one.undone).collect())
}

fn describe(session: &Session, database: &str, subjects: &[Subject], row: &Row) -> Result<Found, TargetError> {
    let login: u32 = session.get(row, 0)?;
    let owner: Option<String> = session.get(row, 1)?;
    let type_name = session.get::<Option<String>>(row, 2)?.unwrap_or_default();
    let (routine, definer): (bool, bool) = (session.get(row, 4)?, session.get(row, 5)?);
    let (public_routine, public_table): (bool, bool) = (session.get(row, 6)?, session.get(row, 7)?);
    let triggers: Option<String> = session.get(row, 8)?;
    let mut notes = vec![type_name.clone()];
    if let Some(owner) = &owner {
        notes.push(format!("owned by {owner} since the grant"));
    }
    if definer {
        notes.push("runs with its owner's rights".into());
    }
    if (definer && public_routine) || public_table {
        notes.push("open to PUBLIC".into());
    }
    if let Some(triggers) = triggers {
        notes.push(format!("called by {triggers}"));
    }
    let kind = match (&owner, type_name.as_str()) {
        (_, "default acl" | "user mapping") => ResidueKind::DefaultPrivileges,
        (Some(_), _) => ResidueKind::MadeAsAnother,
        (None, "publication" | "subscription" | "event trigger") => ResidueKind::Replication,
        (None, _) if definer => ResidueKind::SecurityDefiner,
        (None, _) if routine => ResidueKind::Function,
        (None, _) => ResidueKind::Object,
    };
    Ok(Found {
        login: name_of(subjects, login),
        kind,
        owner,
        database: Some(database.to_owned()),
        name: session.get::<Option<String>>(row, 3)?.unwrap_or_default(),
        detail: notes.join(", "),
        undone: kind == ResidueKind::DefaultPrivileges,
    })
}

/// Things of roles that a login could act as, changed while it was there, and open to PUBLIC.
async fn opened_to_public(session: &Session, database: &str, subjects: &[Subject]) -> Result<Vec<Found>, TargetError> {
    let pairs = Pairs::of(subjects);
    let each = |class: &str, table: &str, owner: &str, acl: &str| {
        format!(
            "SELECT pair.login, pair.other::regrole::text, '{class}'::regclass::oid, t.oid, (SELECT string_agg(\
             a.privilege_type, ', ') FROM aclexplode(t.{acl}) a WHERE a.grantee = 0) FROM {PAIRS} JOIN {table} t \
             ON t.{owner} = pair.other AND age(t.xmin) <= age(pair.since::xid)"
        )
    };
    let sql = format!(
        "SELECT x.login, x.owner, (pg_identify_object(x.class, x.oid, 0)).identity, x.privileges FROM ({} UNION ALL {} \
         UNION ALL {}) x (login, owner, class, oid, privileges) WHERE x.privileges IS NOT NULL LIMIT 1000",
        each("pg_class", "pg_class", "relowner", "relacl"),
        each("pg_proc", "pg_proc", "proowner", "proacl"),
        each("pg_namespace", "pg_namespace", "nspowner", "nspacl"),
    );
    let mut found = Vec::new();
    for row in session.rows("list what was opened to PUBLIC", &sql, &pairs.parameters()).await? {
        let owner: String = session.get(&row, 1)?;
        let privileges: String = session.get(&row, 3)?;
        found.push(Found {
            login: name_of(subjects, session.get(&row, 0)?),
            kind: ResidueKind::PublicGrant,
            detail: format!("{privileges} to PUBLIC; owned by {owner}, changed since the grant"),
            owner: Some(owner),
            database: Some(database.to_owned()),
            name: session.get::<Option<String>>(&row, 2)?.unwrap_or_default(),
            undone: false,
        });
    }
    Ok(found)
}
