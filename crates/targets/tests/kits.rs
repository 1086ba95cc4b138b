//! Logins of emergency kits: made, their credential replaced, seen in use, never ended for that. // I5

mod common;

use common::{Claimed, World};
use daypass_domain::{GrantId, KitId, Time, kit::Traces, resource::Ownership, resource::PgRole};
use daypass_ports::{
    kits::{KitMade, KitSpec, Seen},
    targets::{Ending, LoginName, TargetError, Targets},
};
use daypass_testkit::{Pg, scratch::Options};
use daypass_wire::scram::ScramVerifier;

const OLD: &str = "0123456789abcdef of the first sealing";
const NEW: &str = "fedcba9876543210 of the second one";

fn kit() -> KitId {
    KitId::new(Time::from_micros(1_700_000_000_000_000), [9; 10])
}

fn login(world: &World) -> LoginName {
    format!("daypass_{}_{}_emergency", world.at.installation.short(), kit().short()).parse().unwrap()
}

fn spec(world: &World, password: &str, member_of: &[&PgRole]) -> KitSpec {
    let verifier = ScramVerifier::from_password(password.as_bytes(), [7; 16], 4096).unwrap();
    KitSpec {
        kit: kit(),
        login: login(world),
        verifier: verifier.to_postgres().to_string(),
        member_of: member_of.iter().map(|role| (*role).clone()).collect(),
    }
}

async fn make(world: &World, password: &str, member_of: &[&PgRole]) -> Result<KitMade, TargetError> {
    world.targets.make_kit(&world.at, &spec(world, password, member_of)).await
}

/// What a reaper sees of the kit, when gateways claim nothing.
async fn seen(world: &World, claims: &Claimed, since: Option<Time>) -> (Vec<Seen>, usize, usize) {
    claims.1.lock().unwrap().insert(login(world), since);
    let report = world.targets.reap(&world.at, claims).await.unwrap();
    assert!(report.emergency.iter().all(|sighting| sighting.login == login(world)));
    (report.emergency.into_iter().map(|s| s.seen).collect(), report.ended.len(), report.uncovered.len())
}

fn sessions(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| matches!(seen, Seen::Session { .. })).count()
}

fn traces(seen: &[Seen]) -> Traces {
    let found = seen.iter().find_map(|seen| match seen {
        Seen::Traces { found } => Some(*found),
        Seen::Session { .. } => None,
    });
    found.expect("a reaper counts what is left")
}

#[tokio::test]
async fn a_kit_opens_gives_its_roles_and_nothing_more() {
    let world = World::new().await;
    make(&world, OLD, &[&world.pg.read]).await.unwrap();
    let client = world.pg.connect_as(login(&world).as_str(), OLD).await.unwrap();
    client.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
    assert!(client.batch_execute("DELETE FROM accounts").await.is_err());
    let flags = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls";
    let sql = format!("SELECT {flags} FROM pg_roles WHERE rolname = '{}'", login(&world));
    assert_eq!(world.ask(&sql).await, "false");
    // Another's kit, and another's installation.
    let mut foreign = spec(&world, OLD, &[]);
    foreign.kit = KitId::new(Time::from_micros(0), [1; 10]);
    assert!(matches!(world.targets.make_kit(&world.at, &foreign).await, Err(TargetError::NotOurs { .. })));
    let mut plain = spec(&world, OLD, &[]);
    plain.verifier = OLD.to_owned();
    assert_eq!(world.targets.make_kit(&world.at, &plain).await, Err(TargetError::NotAVerifier));
}

#[tokio::test]
async fn a_new_credential_replaces_the_old_one_its_sessions_and_its_memberships_at_once() {
    let world = World::new().await;
    make(&world, OLD, &[&world.pg.read, &world.pg.write]).await.unwrap();
    let inside = world.pg.connect_as(login(&world).as_str(), OLD).await.unwrap();
    inside.batch_execute("ALTER ROLE CURRENT_USER SET search_path = 'trap'").await.unwrap();
    let bob = format!("bob_{}", world.pg.read);
    // Up to 14 the login could do this by itself.
    world.root(&format!("CREATE ROLE {bob}; GRANT \"{}\" TO {bob}", login(&world))).await;
    make(&world, NEW, &[&world.pg.read]).await.unwrap();
    assert!(inside.batch_execute("SELECT 1").await.is_err(), "its session is over");
    assert!(world.pg.connect_as(login(&world).as_str(), OLD).await.is_err());
    let client = world.pg.connect_as(login(&world).as_str(), NEW).await.unwrap();
    client.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
    assert!(client.batch_execute("DELETE FROM accounts").await.is_err(), "its roles are as they are declared now");
    let settings = format!("SELECT rolconfig IS NULL FROM pg_roles WHERE rolname = '{}'", login(&world));
    assert_eq!(world.ask(&settings).await, "true", "what the last user set for the next one is gone");
    // From 16 on what a superuser gave only a superuser takes.
    let is_member = world.ask(&format!("SELECT pg_has_role('{bob}', '{}', 'MEMBER')", login(&world))).await;
    assert_eq!(is_member == "true", world.pg.version().await >= 160_000, "nobody else has its roles by it");
    world.root(&format!("DROP ROLE {bob}")).await;
}

#[tokio::test]
async fn i5_a_kit_in_use_is_told_of_and_not_ended_and_other_logins_are() {
    let world = World::new().await;
    let made = make(&world, OLD, &[&world.pg.read]).await.unwrap();
    let claims = Claimed::default();
    let (nothing, ended, uncovered) = seen(&world, &claims, Some(made.clock)).await;
    assert_eq!((sessions(&nothing), ended, uncovered), (0, 0, 0));
    assert!(!traces(&nothing).are_more_than(&made.traces), "nobody has used it: {nothing:?}");

    let inside = world.pg.connect_as(login(&world).as_str(), OLD).await.unwrap();
    let (_, other) = world.enter(1, &[&world.pg.read]).await;
    let (found, ended, uncovered) = seen(&world, &claims, Some(made.clock)).await;
    assert_eq!((sessions(&found), ended, uncovered), (1, 1, 1));
    inside.batch_execute("SELECT 1").await.unwrap();
    assert!(other.batch_execute("SELECT 1").await.is_err());

    // Who connected before the credential was replaced came by the one before, and is ended.
    let Some(Seen::Session { since, .. }) = found.iter().find(|s| matches!(s, Seen::Session { .. })) else { panic!() };
    let later = Time::from_micros(since.micros() + 1);
    let (found, ended, _) = seen(&world, &claims, Some(later)).await;
    assert_eq!((sessions(&found), ended), (0, 1));
    world.until("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE '%emergency'", "0").await;

    // Once it doesn't stand any more, it is a login like any other that nobody claims.
    claims.1.lock().unwrap().clear();
    let report = world.targets.reap(&world.at, &claims).await.unwrap();
    assert!(report.uncovered.contains(&login(&world)) && report.emergency.is_empty());
}

#[tokio::test]
async fn what_a_session_left_is_counted_after_it_is_gone() {
    let world = World::new().await;
    let made = make(&world, OLD, &[&world.pg.write]).await.unwrap();
    assert_eq!(made.traces.objects, 0);
    let claims = Claimed::default();
    for (statement, what) in
        [("CREATE TABLE left_behind (n int)", (1, 0)), ("ALTER ROLE CURRENT_USER SET work_mem = '1MB'", (1, 1))]
    {
        let inside = world.pg.connect_as(login(&world).as_str(), OLD).await.unwrap();
        inside.batch_execute(statement).await.unwrap();
        drop(inside);
        let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", login(&world));
        world.until(&gone, "0").await;
        let (found, _, _) = seen(&world, &claims, Some(made.clock)).await;
        let counted = traces(&found);
        assert_eq!((sessions(&found), (counted.objects, counted.settings)), (0, what), "{statement}");
        assert!(counted.are_more_than(&made.traces));
    }
    // Sealed anew, what is left so far is known.
    let again = make(&world, NEW, &[&world.pg.write]).await.unwrap();
    assert_eq!((again.traces.objects, again.traces.settings), (1, 0));
}

#[tokio::test]
async fn who_only_reads_is_seen_each_time_where_statements_are_counted() {
    let options = Options::default().setting("shared_preload_libraries", "pg_stat_statements");
    let world = World::around(Pg::alone(options).await);
    world.root("CREATE EXTENSION pg_stat_statements").await;
    let made = make(&world, OLD, &[&world.pg.read]).await.unwrap();
    assert_eq!(made.traces.statements, Some(0));
    let (claims, mut known) = (Claimed::default(), made.traces);
    // The same words twice: the second time is another use.
    for _ in 0..2 {
        let inside = world.pg.connect_as(login(&world).as_str(), OLD).await.unwrap();
        inside.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
        drop(inside);
        let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", login(&world));
        world.until(&gone, "0").await;
        let (found, _, _) = seen(&world, &claims, Some(made.clock)).await;
        let counted = traces(&found);
        assert!(sessions(&found) == 0 && counted.are_more_than(&known), "{counted:?}");
        known = counted;
    }
}

#[tokio::test]
async fn i5_a_kit_is_removed_like_any_login_and_what_it_owns_is_listed() {
    let world = World::new().await;
    make(&world, OLD, &[&world.pg.write]).await.unwrap();
    let inside = world.pg.connect_as(login(&world).as_str(), OLD).await.unwrap();
    inside.batch_execute("CREATE TABLE left_behind (n int)").await.unwrap();
    let none = GrantId::new(Time::from_micros(0), [0; 10]);
    let residue = world.end(&Ending { grant: none, login: login(&world), owns: Ownership::Quarantine }).await;
    assert!(residue.items.iter().any(|item| item.name.contains("left_behind")), "{residue:?}");
    assert!(inside.batch_execute("SELECT 1").await.is_err());
}
