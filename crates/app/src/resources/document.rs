//! Documents that declare resources: TOML, of which nothing is skipped that isn't understood.
//!
//! ```toml
//! remove = ["old-orders"]              # optional: only what stands here is ever removed
//!
//! [[resource]]
//! name = "orders"                      # what clients give as the database name
//! kind = "postgres"
//! address = "db.internal:5432"
//! database = "orders"                  # when the client names none; the resource's name when absent
//! administrator = "daypass_admin"      # a login with CREATEROLE, no superuser
//! credential = "orders-admin"          # a name that the server's own configuration binds
//! owner = "dba"                        # the group that answers for it
//! region = "eu"                        # the installation's when absent
//! record = "full"                      # full (the default), text or digest
//! tls = { mode = "verify" }            # verify (the default; with `authorities`), pin (with `sha256`), loopback_plaintext
//! replicas = ["db2.internal:5432"]
//! limits = { idle = "30m", sessions = 16 }
//!
//! [resource.labels]                    # what isn't said is taken for the most sensitive
//! environment = "production"
//! classification = ["pii"]
//! tags = { team = "billing" }
//!
//! [resource.role.readonly]
//! description = "read every table"
//! member_of = ["orders_read"]          # roles at the target
//! owner = "orders_owner"               # whose is what is made under a grant; nobody's when absent
//! narrower = []                        # roles here that give less: an approver may pick one instead
//! ```

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Digest, Name, Span,
    resource::{
        Classification, Environment, HostPort, Labels, Limits, Ownership, PgRole, PostgresTarget, RecordMode, Role,
        Target, TargetTls,
    },
};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::{Problem, Result, start::check_region};

/// The longest document, in bytes.
pub const DOCUMENT_MAX: usize = 256 << 10;
const RESOURCES_MAX: usize = 1_000;
const ROLES_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 300;
const AUTHORITIES_MAX: usize = 64 << 10;

/// What a document says.
#[derive(Debug)]
pub(super) struct Document {
    pub resources: Vec<Declared>,
    pub remove: BTreeSet<Name>,
}

/// A resource as it is declared, checked; it gets its id when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    pub name: Name,
    pub target: Target,
    pub region: Option<Name>,
    pub owner: Name,
    pub labels: Labels,
    pub roles: BTreeMap<Name, Role>,
    pub record: RecordMode,
    pub limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    #[serde(default)]
    remove: BTreeSet<Name>,
    #[serde(default)]
    resource: Vec<Spanned<RawResource>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawResource {
    pub name: Name,
    pub kind: RawKind,
    pub address: HostPort,
    pub database: Option<String>,
    pub administrator: PgRole,
    pub credential: Name,
    pub owner: Name,
    pub region: Option<Name>,
    pub record: Option<RecordMode>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<HostPort>,
    pub tls: Option<RawTls>,
    pub limits: Option<RawLimits>,
    pub labels: Option<RawLabels>,
    #[serde(default)]
    pub role: BTreeMap<Name, RawRole>,
}

#[derive(Deserialize, Serialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawKind {
    Postgres,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub mode: RawTlsMode,
    pub authorities: Option<String>,
    pub sha256: Option<Digest>,
}

#[derive(Deserialize, Serialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawTlsMode {
    Verify,
    Pin,
    LoopbackPlaintext,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub idle: Option<String>,
    pub sessions: Option<u16>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLabels {
    pub environment: Option<Environment>,
    pub classification: Option<BTreeSet<Classification>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Name, Name>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRole {
    pub description: String,
    pub member_of: BTreeSet<PgRole>,
    pub owner: Option<PgRole>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub narrower: BTreeSet<Name>,
}

/// Reads a document.
pub(super) fn read(file: &str, text: &str) -> Result<Document> {
    let file: String = file.chars().take(200).flat_map(char::escape_debug).collect();
    let refuse = |at: usize, what: String| {
        let line = text[..at.min(text.len())].matches('\n').count() + 1;
        Problem::invalid("bad_document", format!("{file}:{line}: {what}"), "correct that, and apply it again")
    };
    if text.len() > DOCUMENT_MAX {
        return Err(refuse(0, format!("the document has {} bytes, and at most {DOCUMENT_MAX} are read", text.len())));
    }
    let raw: RawDocument = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| floor(text, s.start));
        refuse(at, e.message().to_owned())
    })?;
    if raw.resource.len() > RESOURCES_MAX {
        return Err(refuse(
            0,
            format!("it declares {} resources, and at most {RESOURCES_MAX} are read at once", raw.resource.len()),
        ));
    }
    let mut resources: Vec<Declared> = Vec::new();
    for spanned in raw.resource {
        let at = floor(text, spanned.span().start);
        let name = spanned.get_ref().name.clone();
        let declared =
            check(spanned.into_inner()).map_err(|what| refuse(at, format!("the resource `{name}`: {what}")))?;
        if resources.iter().any(|r| r.name == name) {
            return Err(refuse(at, format!("the resource `{name}` is declared twice")));
        }
        if raw.remove.contains(&name) {
            return Err(refuse(at, format!("the resource `{name}` is declared, and listed to be removed")));
        }
        resources.push(declared);
    }
    Ok(Document { resources, remove: raw.remove })
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

type Checked<T> = std::result::Result<T, String>;

fn check(raw: RawResource) -> Checked<Declared> {
    if let Some(region) = &raw.region {
        check_region(region).map_err(|p| p.what)?;
    }
    if raw.role.is_empty() {
        return Err("it has no role, so nobody could ask for anything: add a [resource.role.NAME]".into());
    }
    if raw.role.len() > ROLES_MAX {
        return Err(format!("it has {} roles, and at most {ROLES_MAX} are read", raw.role.len()));
    }
    let database = raw.database.unwrap_or_else(|| raw.name.to_string());
    if database.is_empty() || database.len() > 63 || database.chars().any(char::is_control) {
        return Err("a database's name has 1 to 63 bytes and no control characters".into());
    }
    let all_loopback = raw.address.is_loopback() && raw.replicas.iter().all(HostPort::is_loopback);
    let tls = tls(raw.tls, all_loopback)?;
    let RawKind::Postgres = raw.kind;
    let target = Target::Postgres(PostgresTarget {
        address: raw.address,
        database,
        credential: raw.credential,
        administrator: raw.administrator.clone(),
        tls,
        replicas: raw.replicas,
    });
    let mut roles = BTreeMap::new();
    for (name, role) in raw.role {
        let role = check_role(role, &raw.administrator).map_err(|what| format!("the role `{name}`: {what}"))?;
        roles.insert(name, role);
    }
    check_narrower(&roles)?;
    Ok(Declared {
        name: raw.name,
        target,
        region: raw.region,
        owner: raw.owner,
        labels: labels(raw.labels)?,
        roles,
        record: raw.record.unwrap_or(RecordMode::Full),
        limits: limits(raw.limits)?,
    })
}

fn tls(raw: Option<RawTls>, loopback: bool) -> Checked<TargetTls> {
    let Some(raw) = raw else { return Ok(TargetTls::Verify { authorities: None }) };
    match (raw.mode, raw.authorities, raw.sha256) {
        (RawTlsMode::Verify, authorities, None) => {
            let fits = |a: &String| a.len() <= AUTHORITIES_MAX && a.contains("-----BEGIN CERTIFICATE-----");
            if authorities.as_ref().is_some_and(|a| !fits(a)) {
                return Err("tls.authorities holds certificates in PEM, at most 64 KiB".into());
            }
            Ok(TargetTls::Verify { authorities })
        }
        (RawTlsMode::Pin, None, Some(sha256)) => Ok(TargetTls::Pin { sha256 }),
        (RawTlsMode::LoopbackPlaintext, None, None) if loopback => Ok(TargetTls::LoopbackPlaintext),
        (RawTlsMode::LoopbackPlaintext, None, None) => {
            Err("tls.mode = \"loopback_plaintext\" is for loopback addresses only: use verify or pin".into())
        }
        (RawTlsMode::Pin, None, None) => Err("tls.mode = \"pin\" needs sha256, of the certificate's DER".into()),
        (RawTlsMode::Verify | RawTlsMode::Pin | RawTlsMode::LoopbackPlaintext, _, _) => {
            Err("in tls, `authorities` goes with mode = \"verify\", and `sha256` with mode = \"pin\"".into())
        }
    }
}

fn labels(raw: Option<RawLabels>) -> Checked<Labels> {
    let most_sensitive = Labels::default();
    let Some(raw) = raw else { return Ok(most_sensitive) };
    let classification = match raw.classification {
        None => most_sensitive.classification,
        Some(said) if said.is_empty() => {
            return Err("labels.classification is empty: say [\"public\"] when anybody may know what is in it".into());
        }
        Some(said) => said,
    };
    if raw.tags.len() > 50 {
        return Err(format!("it has {} tags, and at most 50 are read", raw.tags.len()));
    }
    Ok(Labels { environment: raw.environment.unwrap_or(most_sensitive.environment), classification, tags: raw.tags })
}

fn limits(raw: Option<RawLimits>) -> Checked<Limits> {
    let default = Limits::default();
    let Some(raw) = raw else { return Ok(default) };
    let idle = match raw.idle {
        None => default.idle,
        Some(text) => text.parse::<Span>().map_err(|e| format!("limits.idle: {e}"))?,
    };
    if idle < Span::from_secs(10) || idle > Span::from_mins(7 * 24 * 60) {
        return Err("limits.idle is at least 10s and at most 7d".into());
    }
    let sessions = raw.sessions.unwrap_or(default.sessions);
    if sessions == 0 || sessions > 1_000 {
        return Err("limits.sessions is at least 1 and at most 1000".into());
    }
    Ok(Limits { idle, sessions })
}

fn check_role(raw: RawRole, administrator: &PgRole) -> Checked<Role> {
    let description = raw.description;
    if description.trim().is_empty() || description.len() > DESCRIPTION_MAX || description.chars().any(char::is_control)
    {
        return Err(format!(
            "its description is one line of at most {DESCRIPTION_MAX} bytes that tells an approver what it gives"
        ));
    }
    if raw.member_of.is_empty() {
        return Err("its member_of is empty, so it would give nothing: name roles at the target".into());
    }
    if raw.member_of.contains(administrator) || raw.owner.as_ref() == Some(administrator) {
        return Err(format!(
            "it would give the administrator login `{administrator}` itself, and with it every other role"
        ));
    }
    let owns = raw.owner.map_or(Ownership::Quarantine, |owner| Ownership::Kept { owner });
    Ok(Role { description, member_of: raw.member_of, owns, narrower: raw.narrower })
}

/// Narrower roles exist, and none is narrower than itself, round any number of corners.
fn check_narrower(roles: &BTreeMap<Name, Role>) -> Checked<()> {
    for (name, role) in roles {
        if let Some(unknown) = role.narrower.iter().find(|n| !roles.contains_key(*n)) {
            let known = roles.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "the role `{name}` calls `{unknown}` narrower, and there is none of that name; there are: {known}"
            ));
        }
        let (mut seen, mut next): (BTreeSet<&Name>, Vec<&Name>) = (BTreeSet::new(), role.narrower.iter().collect());
        while let Some(narrower) = next.pop() {
            if narrower == name {
                return Err(format!("the role `{name}` is declared narrower than itself"));
            }
            if seen.insert(narrower) {
                next.extend(&roles[narrower].narrower);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"[[resource]]
name = "orders"
kind = "postgres"
address = "db.internal:5432"
administrator = "daypass_admin_login"
credential = "orders-admin"
owner = "dba"

[resource.role.readonly]
description = "read every table"
member_of = ["orders_read"]
"#;

    fn good(text: &str) -> Declared {
        read("a.toml", text).unwrap().resources.remove(0)
    }

    fn admin_ok() -> String {
        GOOD.replace("daypass_admin_login", "admin_login")
    }

    fn problem(from: &str, to: &str) -> String {
        let text = admin_ok().replace(from, to);
        assert_ne!(text, admin_ok(), "{from}");
        read("a.toml", &text).unwrap_err().what
    }

    #[test]
    fn what_is_not_said_is_most_sensitive_and_most_careful() {
        let declared = good(&admin_ok());
        assert_eq!(declared.labels, Labels::default());
        assert_eq!(declared.record, RecordMode::Full);
        let Target::Postgres(postgres) = &declared.target;
        assert_eq!(postgres.tls, TargetTls::Verify { authorities: None });
        assert_eq!(postgres.database, "orders");
        let half = good(&format!("{}\n[resource.labels]\nenvironment = \"lab\"\n", admin_ok()));
        assert_eq!(half.labels.environment, Environment::Lab);
        assert!(half.labels.classification.contains(&Classification::Phi));
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_what_is_known() {
        for (from, to, line, words) in [
            ("owner = \"dba\"", "ownr = \"dba\"", 7, "unknown field `ownr`, expected one of"),
            ("kind = \"postgres\"", "kind = \"oracle\"", 3, "unknown variant `oracle`, expected `postgres`"),
            ("address = \"db.internal:5432\"", "address = \"db.internal\"", 4, "is not host:port"),
            ("name = \"orders\"", "name = \"Orders\"", 2, "can't be a name"),
            ("description =", "descripton =", 10, "unknown field `descripton`"),
            ("owner = \"dba\"", "owner = \"dba\"\nregion = \"e.u\"", 1, "is no region"),
            ("owner = \"dba\"", "owner = \"dba\"\nlabels = { environment = \"prod\" }", 8, "`lab`, `development`"),
            ("owner = \"dba\"", "owner = \"dba\"\nlabels = { classification = [\"gdpr\"] }", 8, "`public`, `internal`"),
            ("owner = \"dba\"", "owner = \"dba\"\nlabels = { classification = [] }", 1, "is empty"),
            (
                "owner = \"dba\"",
                "owner = \"dba\"\ntls = { mode = \"loopback_plaintext\" }",
                1,
                "loopback addresses only",
            ),
            ("owner = \"dba\"", "owner = \"dba\"\ntls = { mode = \"pin\" }", 1, "needs sha256"),
            ("owner = \"dba\"", "owner = \"dba\"\nlimits = { idle = \"5\" }", 1, "length of time"),
            ("[\"orders_read\"]", "[]", 1, "member_of is empty"),
            ("[\"orders_read\"]", "[\"admin_login\"]", 1, "the administrator login"),
            ("[\"orders_read\"]", "[\"orders_read\"]\nnarrower = [\"less\"]", 1, "there are: readonly"),
            ("[\"orders_read\"]", "[\"orders_read\"]\nnarrower = [\"readonly\"]", 1, "narrower than itself"),
            ("[resource.role.readonly]", "remove = [\"x\"]\n[resource.role.readonly]", 9, "unknown field `remove`"),
        ] {
            let what = problem(from, to);
            assert!(what.contains(words), "{to}: {what}");
            assert!(what.starts_with(&format!("a.toml:{line}: ")), "{to}: {what}");
        }
        assert!(read("a.toml", GOOD).unwrap_err().what.contains("daypass_"), "our own logins are no administrators");
    }

    #[test]
    fn a_name_stands_once() {
        let twice = format!("{0}\n{0}", admin_ok());
        assert!(read("a.toml", &twice).unwrap_err().what.contains("declared twice"));
        let removed = format!("remove = [\"orders\"]\n{}", admin_ok());
        assert!(read("a.toml", &removed).unwrap_err().what.contains("listed to be removed"));
        assert!(read("a.toml", &"#".repeat(DOCUMENT_MAX + 1)).unwrap_err().what.contains("at most"));
    }
}
