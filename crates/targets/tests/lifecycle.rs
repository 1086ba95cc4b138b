//! Making, and ending step by step, with everything that may come between. // I5

mod common;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common::{PASSWORD, World, Yes, deadline, grant, has};
use daypass_domain::{Digest, GrantId, Span, resource::TargetTls};
use daypass_ports::{
    dial::{DialError, DialSecurity, Dialer},
    targets::{
        Administration, Ending, LoginName, Making, Presence, Removal, ResidueKind, Secret, StillGiven, TargetError,
        Targets,
    },
};
use daypass_targets::postgres::{PostgresDialer, PostgresTargets};
use daypass_testkit::{Pg, scratch::Options};
use tokio::sync::Notify;

#[tokio::test]
async fn i5_making_is_idempotent() {
    let world = World::new().await;
    let made = world.make(1, &[&world.pg.read]).await.unwrap();
    assert_eq!(made.how, Making::New);
    assert!(made.server_version >= 120_000);
    let client = world.pg.connect_as(made.login.as_str(), PASSWORD).await.unwrap();
    let mut spec = world.spec(1, &[&world.pg.read]);
    spec.deadline = deadline() + Span::from_mins(60);
    let again = world.targets.make(&world.at, &spec, &Yes::always()).await.unwrap();
    assert_eq!(again.how, Making::Again);
    client.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
    world.pg.connect_as(made.login.as_str(), PASSWORD).await.unwrap();
    let until =
        format!("SELECT extract(epoch FROM rolvaliduntil)::bigint FROM pg_roles WHERE rolname = '{}'", made.login);
    let backstop = (spec.deadline + Span::from_mins(10)).micros() / 1_000_000;
    assert_eq!(world.ask(&until).await, backstop.to_string());
    let limit = format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{}'", made.login);
    assert_eq!(world.ask(&limit).await, "32");
}

/// Since 16 whoever makes a role is given it, in the ways that this setting says, beside what we give ourselves.
#[tokio::test]
async fn i5_a_login_is_made_and_ended_whatever_its_maker_is_given_by_itself() {
    let world = World::new().await;
    let given = if world.pg.version().await >= 160_000 { &["", "set", "inherit", "set, inherit"][..] } else { &[] };
    let mut settings: Vec<String> = given.iter().map(|how| format!("SET createrole_self_grant = '{how}'")).collect();
    settings.push("RESET ALL".into());
    for (number, setting) in (1..).zip(settings) {
        world.root(&format!("ALTER ROLE {} {setting}", world.pg.administrator)).await;
        // Nothing warm: connections made before don't know the setting.
        let world = World { targets: PostgresTargets::new(), pg: world.pg.clone(), at: world.at.clone() };
        let (_, client) = world.enter(number, &[&world.pg.write]).await;
        client.batch_execute(&format!("CREATE TABLE made_{number} (n int)")).await.unwrap();
        let residue = world.end(&world.ending(number)).await;
        assert!(has(&residue.items, ResidueKind::Object, &format!("made_{number}")), "{setting}: {residue:?}");
    }
}

#[tokio::test]
async fn i5_a_login_carries_its_installation_and_grant() {
    let world = World::new().await;
    let login = world.make(1, &[&world.pg.read]).await.unwrap().login;
    let comment = world.ask(&format!("SELECT shobj_description('{login}'::regrole, 'pg_authid')")).await;
    assert!(
        comment.contains(&world.at.installation.to_string()) && comment.contains(&grant(1).to_string()),
        "{comment}"
    );
}

#[tokio::test]
async fn i5_a_grant_that_ended_before_login_leaves_nothing_open() {
    for yes in [0, 1] {
        let world = World::new().await;
        let spec = world.spec(1, &[&world.pg.read]);
        let refused = world.targets.make(&world.at, &spec, &Yes::times(yes)).await.unwrap_err();
        assert_eq!(refused, TargetError::NoLongerGiven { grant: grant(1) });
        world.pg.connect_as(spec.name.as_str(), PASSWORD).await.err().unwrap();
        let residue = world.end(&world.ending(1)).await;
        assert!(residue.items.is_empty());
    }
}

/// Says yes, and holds the making right there until told to go on.
struct Held {
    asked: Notify,
    go: Notify,
}

#[async_trait]
impl StillGiven for Held {
    async fn still_given(&self, _grant: GrantId) -> bool {
        self.asked.notify_one();
        self.go.notified().await;
        true
    }
}

#[tokio::test]
async fn i5_an_ending_waits_for_a_making_and_closes_what_it_opened() {
    let world = Arc::new(World::new().await);
    let held = Arc::new(Held { asked: Notify::new(), go: Notify::new() });
    let making = tokio::spawn({
        let (world, held) = (world.clone(), held.clone());
        async move {
            let spec = world.spec(1, &[&world.pg.read]);
            world.targets.make(&world.at, &spec, held.as_ref()).await
        }
    });
    held.asked.notified().await;
    // The cut doesn't wait; the list does, for the lock that the making holds.
    world.cut(1).await.unwrap();
    let listing = tokio::spawn({
        let world = world.clone();
        async move { world.list(&world.ending(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!listing.is_finished());
    // A gateway that is told yes twice opens the login after the cut: the list's own cut closes it.
    held.go.notify_one();
    held.asked.notified().await;
    held.go.notify_one();
    making.await.unwrap().unwrap();
    let residue = listing.await.unwrap().unwrap();
    assert_eq!(residue.presence, Presence::There);
    world.pg.connect_as(world.login(1).as_str(), PASSWORD).await.err().unwrap();
    assert_eq!(world.remove(&residue).await.unwrap().how, Removal::Dropped);
}

#[tokio::test]
async fn i5_an_ending_doesnt_wait_for_ever() {
    let world = Arc::new(World::new().await);
    let held = Arc::new(Held { asked: Notify::new(), go: Notify::new() });
    let making = tokio::spawn({
        let (world, held) = (world.clone(), held.clone());
        async move { world.targets.make(&world.at, &world.spec(1, &[&world.pg.read]), held.as_ref()).await.map(drop) }
    });
    held.asked.notified().await;
    let ending = world.ending(1);
    assert_eq!(world.list(&ending).await, Err(TargetError::Busy { login: ending.login.clone() }));
    // A Daypass that dies in the middle of a making takes its lock with it.
    making.abort();
    assert!(making.await.is_err());
    world.end(&ending).await;
}

#[tokio::test]
async fn i5_every_step_may_be_repeated() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("CREATE TABLE mine (n int)").await.unwrap();
    assert_eq!(world.cut(1).await, Ok(1));
    assert_eq!(world.cut(1).await, Ok(0));
    let first = world.list(&world.ending(1)).await.unwrap();
    // Killed before the list was durable: another process lists again, with nothing warm.
    let other = PostgresTargets::new();
    let second = other.list(&world.at, &[world.ending(1)]).await.remove(0).unwrap();
    assert_eq!(first, second);
    assert_eq!(world.remove(&first).await.unwrap().how, Removal::Dropped);
    // Killed after the drop, before it was noted.
    assert_eq!(other.remove(&world.at, &[second]).await.remove(0).unwrap().how, Removal::WasGone);
    assert_eq!(world.targets.cut(&world.at, &[world.login(1)]).await.remove(0).unwrap().presence, Presence::Gone);
}

#[tokio::test]
async fn i5_a_login_already_gone_without_a_list_is_residue() {
    let world = World::new().await;
    let login = world.make(1, &[&world.pg.read]).await.unwrap().login;
    world.root(&format!("DROP ROLE \"{login}\"")).await;
    let residue = world.list(&world.ending(1)).await.unwrap();
    assert_eq!(residue.presence, Presence::Gone);
    assert!(has(&residue.items, ResidueKind::ListLost, login.as_str()));
    assert_eq!(world.remove(&residue).await.unwrap().how, Removal::WasGone);
}

#[tokio::test]
async fn i5_more_than_was_listed_isnt_dropped() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("CREATE TABLE listed (n int)").await.unwrap();
    world.cut(1).await.unwrap();
    let residue = world.list(&world.ending(1)).await.unwrap();
    world.root(&format!("CREATE TABLE later (n int); ALTER TABLE later OWNER TO \"{login}\"")).await;
    assert_eq!(world.remove(&residue).await, Err(TargetError::ListStale { login: login.clone() }));
    assert!(world.pg.has_role(login.as_str()).await);
    world.end(&world.ending(1)).await;
}

#[tokio::test]
async fn i5_a_removal_that_stopped_half_way_goes_on() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("CREATE TABLE here (n int)").await.unwrap();
    let other = world.pg.connect_to(&world.pg.other_database, login.as_str(), PASSWORD).await.unwrap();
    other.batch_execute("CREATE TABLE there (n int)").await.unwrap();
    world.cut(1).await.unwrap();
    let residue = world.list(&world.ending(1)).await.unwrap();
    // Handed over in one database already.
    world.root(&format!("REASSIGN OWNED BY \"{login}\" TO postgres")).await;
    assert_eq!(world.remove(&residue).await.unwrap().how, Removal::Dropped);
    assert!(!world.pg.has_role(login.as_str()).await);
}

#[tokio::test]
async fn i5_many_end_together_and_one_that_cant_keeps_no_other() {
    const MANY: u32 = 200;
    let world = World::around(Pg::alone(Options::default()).await);
    let mut clients = Vec::new();
    for number in 1..=MANY {
        let login = world.make(number, &[&world.pg.write]).await.unwrap().login;
        if number % 2 == 0 {
            clients.push(world.pg.connect_as(login.as_str(), PASSWORD).await.unwrap());
        }
    }
    clients[0].batch_execute("CREATE TABLE of_one (n int)").await.unwrap();
    world.root(&format!("ALTER ROLE \"{}\" SUPERUSER", world.login(4))).await;
    let endings: Vec<Ending> = (1..=MANY).map(|number| world.ending(number)).collect();
    let logins: Vec<LoginName> = endings.iter().map(|ending| ending.login.clone()).collect();

    let cut = world.targets.cut(&world.at, &logins).await;
    assert_eq!(cut.iter().filter(|answer| answer.is_ok()).count(), 199);
    assert!(cut[3].is_err());
    let count = "SELECT count(*) FROM pg_stat_activity WHERE starts_with(usename, 'daypass_')";
    assert_eq!(world.ask(count).await, "1");
    let listed = world.targets.list(&world.at, &endings).await;
    let residues: Vec<_> = listed.iter().filter_map(|answer| answer.clone().ok()).collect();
    assert_eq!(residues.len(), 199);
    assert_eq!(residues.iter().filter(|residue| !residue.items.is_empty()).count(), 1);
    let removed = world.targets.remove(&world.at, &residues).await;
    assert!(removed.iter().all(|answer| answer.as_ref().is_ok_and(|r| r.how == Removal::Dropped)));
    let roles = "SELECT string_agg(rolname, ',') FROM pg_roles WHERE starts_with(rolname, 'daypass_') AND rolname NOT LIKE '%quarantine'";
    assert_eq!(world.ask(roles).await, world.login(4).as_str());
    world.root(&format!("ALTER ROLE \"{}\" NOSUPERUSER", world.login(4))).await;
    world.end(&world.ending(4)).await;
}

#[tokio::test]
async fn i5_what_isnt_ours_is_neither_made_nor_taken() {
    let world = World::new().await;
    let mut spec = world.spec(1, &[&world.pg.read]);
    spec.verifier = "a password".into();
    assert_eq!(world.targets.make(&world.at, &spec, &Yes::always()).await, Err(TargetError::NotAVerifier));
    let mut spec = world.spec(1, &[&world.pg.read]);
    spec.grant = grant(2);
    let refused = world.targets.make(&world.at, &spec, &Yes::always()).await;
    assert!(matches!(refused, Err(TargetError::NotOurs { .. })));
    // A role of our name that carries another installation's marker.
    let name = world.login(3);
    world
        .root(&format!(
            "CREATE ROLE \"{name}\" LOGIN PASSWORD 'theirs';
        COMMENT ON ROLE \"{name}\" IS 'Daypass daypass_00000000000000000000000000000000 grant_0 since 3'"
        ))
        .await;
    assert!(matches!(world.make(3, &[&world.pg.read]).await, Err(TargetError::NotOurs { .. })));
    match world.list(&world.ending(3)).await {
        Ok(residue) => drop(world.remove(&residue).await.unwrap()),
        // From 16 on the server itself keeps our hands off a role that we didn't make.
        Err(TargetError::Refused { sqlstate, .. }) if world.pg.version().await >= 160_000 => {
            assert_eq!(sqlstate, "42501")
        }
        Err(error) => panic!("{error}"),
    }
    assert!(world.pg.has_role(name.as_str()).await);
    world.root(&format!("DROP ROLE \"{name}\"")).await;
}

#[tokio::test]
async fn a_target_that_isnt_as_declared_says_whose_fault_it_is() {
    let world = World::new().await;
    let make = async |change: &dyn Fn(&mut Administration)| {
        let mut at = world.at.clone();
        change(&mut at);
        world.targets.make(&at, &world.spec(1, &[&world.pg.read]), &Yes::always()).await
    };
    let wrong = make(&|at| at.password = Secret::new("wrong".into())).await;
    assert!(matches!(wrong, Err(TargetError::AdministratorRefused { .. })), "{wrong:?}");
    assert!(!wrong.unwrap_err().to_string().contains("wrong\""));
    let nowhere = make(&|at| at.target.address.port = 1).await;
    assert!(matches!(nowhere, Err(TargetError::Unreachable { .. })), "{nowhere:?}");
    let other = Digest::of(b"another certificate");
    let pinned = make(&|at| at.target.tls = TargetTls::Pin { sha256: other }).await;
    assert!(matches!(&pinned, Err(TargetError::TlsRefused { why, .. }) if why.contains("pinned")), "{pinned:?}");
    let system = make(&|at| at.target.tls = TargetTls::Verify { authorities: None }).await;
    assert!(matches!(system, Err(TargetError::TlsRefused { .. })), "{system:?}");
    let plain = make(&|at| at.target.tls = TargetTls::LoopbackPlaintext).await;
    assert!(matches!(plain, Err(TargetError::AdministratorRefused { .. })), "{plain:?}");
    let pin = Digest::of(world.pg.scratch().certificate_der());
    make(&|at| at.target.tls = TargetTls::Pin { sha256: pin }).await.unwrap();
    // What a gateway dials knows the certificate that SCRAM-SHA-256-PLUS binds to.
    let dialed = PostgresDialer.dial(&world.at.target).await.unwrap();
    assert!(matches!(dialed.security, DialSecurity::Tls { server_end_point: Some(hash) } if hash.len() == 32));
    let mut target = world.at.target.clone();
    target.tls = TargetTls::Pin { sha256: other };
    assert!(matches!(PostgresDialer.dial(&target).await, Err(DialError::Unproven { .. })));
}

#[tokio::test]
async fn i5_an_unreachable_target_is_unknown_and_known_later() {
    let mut world = World::around(Pg::alone(Options::default()).await);
    let (login, _client) = world.enter(1, &[&world.pg.read]).await;
    world.pg.scratch_mut().unwrap().kill();
    assert!(matches!(world.cut(1).await, Err(TargetError::Unreachable { .. })));
    assert!(matches!(world.list(&world.ending(1)).await, Err(TargetError::Unreachable { .. })));
    let server = world.pg.scratch_mut().unwrap();
    server.restart().unwrap();
    assert!(world.pg.has_role(login.as_str()).await);
    world.end(&world.ending(1)).await;
}
