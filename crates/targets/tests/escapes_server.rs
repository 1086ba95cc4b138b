//! Escapes that are about the server around: its log, and its hot standbys. // I5

mod common;

use common::{Claimed, PASSWORD, World};
use daypass_domain::resource::HostPort;
use daypass_ports::targets::{TargetError, Targets};
use daypass_testkit::{
    Pg,
    pg::connect,
    scratch::{Options, Scratch},
};
use tokio_postgres::Client;

#[tokio::test]
async fn i5_creating_a_login_logs_no_password() {
    let world = World::around(Pg::alone(Options::default().setting("log_statement", "ddl")).await);
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("CREATE TABLE logged (n int)").await.unwrap();
    world.end(&world.ending(1)).await;
    let log = world.pg.scratch().log();
    assert!(log.contains(&format!("CREATE ROLE \"{login}\"")) && log.contains("CREATE TABLE logged"));
    assert!(log.contains("SCRAM-SHA-256$4096:"));
    assert!(!log.contains(PASSWORD));
}

async fn standby_of(world: &mut World) -> Scratch {
    let standby = world.pg.scratch().standby().unwrap();
    world.at.target.replicas = vec![HostPort { host: "127.0.0.1".into(), port: standby.port() }];
    standby
}

/// A session at the standby, as soon as the login has got there.
async fn enter_standby(standby: &Scratch, world: &World, login: &str) -> Client {
    for _ in 0..3_000 {
        if let Ok(client) = connect(standby, &world.pg.database, login, PASSWORD).await {
            return client;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the login never got to the standby");
}

#[tokio::test]
async fn i5_a_hot_standby_session_ends_with_the_grant() {
    let mut world = World::around(Pg::alone(Options::default()).await);
    let standby = standby_of(&mut world).await;
    let (login, _client) = world.enter(1, &[&world.pg.read]).await;
    let reader = enter_standby(&standby, &world, login.as_str()).await;
    reader.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
    assert_eq!(world.cut(1).await, Ok(2));
    reader.batch_execute("SELECT count(*) FROM accounts").await.unwrap_err();
    assert!(connect(&standby, &world.pg.database, login.as_str(), PASSWORD).await.is_err());
    world.end(&world.ending(1)).await;
}

#[tokio::test]
async fn i5_a_standby_is_reaped_too() {
    let mut world = World::around(Pg::alone(Options::default()).await);
    let standby = standby_of(&mut world).await;
    let login = world.make(1, &[&world.pg.read]).await.unwrap().login;
    let reader = enter_standby(&standby, &world, login.as_str()).await;
    let claimed = Claimed::default();
    claimed.grant(&login);
    let report = world.targets.reap(&world.at, &claimed).await.unwrap();
    assert_eq!(report.ended.len(), 1, "{report:?}");
    assert_eq!(report.ended[0].server, world.at.target.replicas[0].to_string());
    assert!(report.uncovered.is_empty() && report.unknown.is_empty());
    reader.batch_execute("SELECT 1").await.unwrap_err();
}

#[tokio::test]
async fn i5_a_standby_that_cant_be_swept_leaves_the_end_unknown() {
    let mut world = World::around(Pg::alone(Options::default()).await);
    let mut standby = standby_of(&mut world).await;
    let (login, client) = world.enter(1, &[&world.pg.read]).await;
    standby.kill();
    assert!(matches!(world.cut(1).await, Err(TargetError::Unreachable { .. })));
    // The primary was cut all the same, and nothing is dropped.
    client.batch_execute("SELECT 1").await.unwrap_err();
    assert!(matches!(world.list(&world.ending(1)).await, Err(TargetError::Unreachable { .. })));
    assert!(world.pg.has_role(login.as_str()).await);
    let report = world.targets.reap(&world.at, &Claimed::default()).await.unwrap();
    assert_eq!(report.unknown.len(), 1);
    standby.restart().unwrap();
    world.end(&world.ending(1)).await;
}
