//! The doctor names what is wrong and the SQL that mends it.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::World;
use daypass_domain::{
    Name,
    resource::{Ownership, PgRole, Role},
};
use daypass_ports::targets::{Finding, Severity, Targets};
use daypass_targets::postgres::setup_sql;
use daypass_testkit::{Pg, scratch::Options};

fn roles(given: &PgRole, owns: Ownership) -> BTreeMap<Name, Role> {
    let role = Role {
        description: "a test".into(),
        member_of: BTreeSet::from([given.clone()]),
        owns,
        narrower: BTreeSet::new(),
    };
    BTreeMap::from([("writer".parse().unwrap(), role)])
}

fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap()
}

fn says(findings: &[Finding], severity: Severity, what: &str) -> bool {
    findings.iter().any(|finding| finding.severity == severity && finding.what.contains(what))
}

#[tokio::test]
async fn what_setup_sql_makes_is_healthy() {
    let world = World::around(Pg::alone(Options::default()).await);
    let kept = roles(&world.pg.write, Ownership::Kept { owner: world.pg.owner.clone() });
    let keeper: PgRole = format!("keeper {}\"", world.pg.read).parse().unwrap();
    world.root(&setup_sql(&keeper, &kept)).await;
    let quoted = keeper.as_str().replace('"', "\"\"");
    world.root(&format!("ALTER ROLE \"{quoted}\" PASSWORD 'set by hand'")).await;
    let mut at = world.at.clone();
    at.target.administrator = keeper;
    at.password = daypass_ports::targets::Secret::new("set by hand".into());
    let findings = world.targets.doctor(&at, &kept).await;
    assert_eq!(worst(&findings), Severity::Fine, "{findings:?}");
    assert!(says(&findings, Severity::Fine, "nothing more"));
}

#[tokio::test]
async fn what_is_missing_is_broken_and_what_is_too_much_is_a_warning() {
    let world = World::new().await;
    let writer = roles(&world.pg.write, Ownership::Quarantine);
    let administrator = &world.pg.administrator;

    world.root(&format!("ALTER ROLE {administrator} NOCREATEROLE CREATEDB")).await;
    let findings = world.targets.doctor(&world.at, &writer).await;
    assert!(says(&findings, Severity::Broken, "CREATEROLE"), "{findings:?}");
    assert!(says(&findings, Severity::Warning, "create databases"), "{findings:?}");

    world.root(&format!("ALTER ROLE {administrator} CREATEROLE NOCREATEDB SUPERUSER")).await;
    let findings = world.targets.doctor(&world.at, &writer).await;
    assert!(says(&findings, Severity::Warning, "superuser"), "{findings:?}");
    world.root(&format!("ALTER ROLE {administrator} NOSUPERUSER")).await;

    let strong: PgRole = format!("strong_{}", world.pg.read).parse().unwrap();
    world.root(&format!("CREATE ROLE {strong} BYPASSRLS; GRANT {strong} TO {}", world.pg.write)).await;
    let findings = world.targets.doctor(&world.at, &writer).await;
    assert!(says(&findings, Severity::Broken, "BYPASSRLS"), "{findings:?}");
    world.root(&format!("REVOKE {strong} FROM {}", world.pg.write)).await;

    let missing = roles(&"not_there".parse().unwrap(), Ownership::Quarantine);
    let findings = world.targets.doctor(&world.at, &missing).await;
    let finding = findings.iter().find(|finding| finding.what == "there is no role \"not_there\"").unwrap();
    assert_eq!(finding.fix_sql.as_deref(), Some("CREATE ROLE \"not_there\" NOLOGIN"));

    world.root(&format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", world.pg.other_database)).await;
    let findings = world.targets.doctor(&world.at, &writer).await;
    assert!(says(&findings, Severity::Warning, &world.pg.other_database), "{findings:?}");
}

#[tokio::test]
async fn an_unreachable_target_is_a_finding() {
    let mut world = World::new().await;
    world.at.target.address.port = 1;
    world.at.target.replicas = vec!["127.0.0.1:2".parse().unwrap()];
    let findings = world.targets.doctor(&world.at, &BTreeMap::new()).await;
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Broken));
}
