//! Ways in which a session outlives its grant, each countered and looked at from the target. // I5

mod common;

use common::{Claimed, PASSWORD, World, session};
use daypass_ports::targets::{Claim, TargetError, Targets};

/// `UPDATE` that sleeps in the middle: its work would be done and committed after the socket is gone.
const SLOW: &str = "UPDATE accounts SET balance = 0 WHERE id = 1; UPDATE accounts SET balance = 0 WHERE id = 2 AND \
     (SELECT true FROM pg_sleep(60)) IS NULL";

const SLEEPING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";

#[tokio::test]
async fn i5_a_statement_in_flight_doesnt_commit() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    let running = tokio::spawn(async move { client.batch_execute(SLOW).await });
    world.until(SLEEPING, "1").await;
    assert_eq!(world.cut(1).await, Ok(1));
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());
    assert_eq!(world.ask("SELECT count(*) FROM accounts WHERE balance <> 100").await, "0");
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("57P01"));
}

#[tokio::test]
async fn i5_the_second_statement_of_a_batch_doesnt_run() {
    let world = World::new().await;
    let (_, client) = world.enter(1, &[&world.pg.write]).await;
    let batch = "BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1; COMMIT; SELECT pg_sleep(60); \
         UPDATE accounts SET balance = 2 WHERE id = 2";
    let running = tokio::spawn(async move { client.batch_execute(batch).await });
    world.until(SLEEPING, "1").await;
    world.cut(1).await.unwrap();
    running.await.unwrap().unwrap_err();
    assert_eq!(world.ask("SELECT balance FROM accounts WHERE id = 1").await, "1");
    assert_eq!(world.ask("SELECT balance FROM accounts WHERE id = 2").await, "100");
}

#[tokio::test]
async fn i5_timeouts_that_the_user_has_set_away_change_nothing() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    let settings = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0; \
         SET idle_session_timeout = 0; SET client_connection_check_interval = 0; SET tcp_keepalives_idle = 7200";
    client.batch_execute(settings).await.unwrap();
    client.batch_execute("BEGIN; UPDATE accounts SET balance = 0").await.unwrap();
    assert_eq!(world.cut(1).await, Ok(1));
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());
    assert_eq!(world.ask("SELECT count(*) FROM accounts WHERE balance <> 100").await, "0");
}

#[tokio::test]
async fn i5_a_block_that_catches_cancelling_is_ended() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.read]).await;
    let stubborn =
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    let running = tokio::spawn(async move { client.batch_execute(stubborn).await });
    world.until(SLEEPING, "1").await;
    let cancel = format!("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE usename = '{login}'");
    assert_eq!(world.ask(&cancel).await, "1");
    // It took the cancel and sleeps again.
    world.until(SLEEPING, "1").await;
    assert_eq!(world.cut(1).await, Ok(1));
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());
    assert!(running.await.unwrap().is_err());
}

#[tokio::test]
async fn i5_nologin_alone_ends_nobody_and_the_cut_does_both() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.read]).await;
    world.root(&format!("ALTER ROLE \"{login}\" NOLOGIN VALID UNTIL '2001-01-01'")).await;
    client.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(world.cut(1).await, Ok(1));
    client.batch_execute("SELECT 1").await.unwrap_err();
    let refused = world.pg.connect_as(login.as_str(), PASSWORD).await.err().unwrap();
    assert!(refused.code().is_some_and(|code| code.code().starts_with("28")), "{refused:?}");
}

#[tokio::test]
async fn i5_a_session_that_holds_its_own_row_doesnt_hold_up_the_cut() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.read]).await;
    // NOLOGIN would wait for this transaction for as long as its session lives.
    client.batch_execute(&format!("BEGIN; ALTER ROLE \"{login}\" PASSWORD 'mine'")).await.unwrap();
    assert_eq!(world.cut(1).await, Ok(1));
    assert_eq!(world.ask(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{login}'")).await, "false");
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());
}

#[tokio::test]
async fn i5_a_prepared_transaction_that_holds_the_logins_row_doesnt_hold_up_the_cut() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    let held = format!("BEGIN; ALTER ROLE \"{login}\" PASSWORD 'mine'; PREPARE TRANSACTION 'row of {login}'");
    client.batch_execute(&held).await.unwrap();
    drop(client);
    world.cut(1).await.unwrap();
    assert_eq!(world.ask(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{login}'")).await, "false");
}

#[tokio::test]
async fn i5_nor_does_one_prepared_in_another_roles_name() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    world.let_become(&client, &login, &world.pg.write).await;
    let held = format!(
        "BEGIN; ALTER ROLE \"{login}\" PASSWORD 'mine'; SET ROLE {}; PREPARE TRANSACTION 'row of {login}'",
        world.pg.write
    );
    client.batch_execute(&held).await.unwrap();
    drop(client);
    world.cut(1).await.unwrap();
    assert_eq!(world.ask(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{login}'")).await, "false");
    // A member through the login, not by a loan that was forgotten.
    world.end(&world.ending(1)).await;
    assert!(!world.administrator_is(&world.pg.write).await);
}

#[tokio::test]
async fn i5_a_role_that_changed_its_own_password_is_reaped_past_the_gateway() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.read]).await;
    let own = format!("DO $$ BEGIN EXECUTE 'ALTER ROLE \"{login}\" PASSWORD ''stolen'''; END $$");
    client.batch_execute(&own).await.unwrap();
    let claimed = Claimed::default();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    claimed.session(&login, session(1), Claim::Connected { pid });
    let stolen = world.pg.connect_as(login.as_str(), "stolen").await.unwrap();
    // It even calls itself like the claimed session.
    stolen.batch_execute(&format!("SET application_name = 'daypass:{}'", session(1))).await.unwrap();
    // And the claimed one may call itself what it likes.
    client.batch_execute("SET application_name = 'psql'").await.unwrap();

    let report = world.targets.reap(&world.at, &claimed).await.unwrap();
    assert_eq!(report.ended.len(), 1);
    assert_eq!(report.ended[0].login, login);
    assert_eq!(report.ended[0].application_name, format!("daypass:{}", session(1)));
    assert!(report.uncovered.is_empty());
    let only = format!("SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE usename = '{login}'");
    world.until(&only, &pid.to_string()).await;
    client.batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn i5_a_node_that_lost_its_power_leaves_backends_that_are_reaped() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    client.batch_execute("BEGIN; UPDATE accounts SET balance = 0").await.unwrap();
    // The socket stays open and silent, as the server sees it when a node loses its power.
    let report = world.targets.reap(&world.at, &Claimed::default()).await.unwrap();
    assert_eq!(report.ended.len(), 1);
    assert_eq!(report.uncovered, std::slice::from_ref(&login));
    world.until(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{login}'"), "0").await;
    assert_eq!(world.ask("SELECT count(*) FROM accounts WHERE balance <> 100").await, "0");
}

#[tokio::test]
async fn i5_the_reaper_touches_nothing_of_others() {
    let world = World::new().await;
    let (login, client) = world.enter(1, &[&world.pg.read]).await;
    let claimed = Claimed::default();
    claimed.session(&login, session(1), Claim::Dialling);
    client.batch_execute(&format!("SET application_name = 'daypass:{}'", session(1))).await.unwrap();

    // Another installation's login on the same server, a person's own login, and a role of our prefix that carries
    // another installation's marker.
    let theirs = "daypass_ffffffffffff_000000000001_bob";
    let marked = format!("daypass_{}_000000000002_carol", world.at.installation.short());
    world
        .root(&format!(
            "CREATE ROLE {theirs} LOGIN PASSWORD 'x'; CREATE ROLE {marked} LOGIN PASSWORD 'x';
        COMMENT ON ROLE {marked} IS 'Daypass daypass_00000000000000000000000000000000 grant_0 since 3'"
        ))
        .await;
    let mut others = vec![client];
    for name in [theirs, &marked] {
        others.push(world.pg.connect_as(name, "x").await.unwrap());
    }
    let report = world.targets.reap(&world.at, &claimed).await.unwrap();
    assert!(report.ended.is_empty());
    assert!(report.uncovered.is_empty());
    for other in &others {
        other.batch_execute("SELECT 1").await.unwrap();
    }
    drop(others);
    world.root(&format!("DROP ROLE {theirs}; DROP ROLE {marked}")).await;
}

#[tokio::test]
async fn i5_what_a_session_opened_through_dblink_ends_with_it() {
    let world = World::new().await;
    world.root("CREATE EXTENSION dblink").await;
    let (login, client) = world.enter(1, &[&world.pg.write]).await;
    let connect = format!(
        "SELECT dblink_connect('second', 'host={} port={} dbname={} user={login} password=''{PASSWORD}''');
         SELECT dblink_exec('second', 'BEGIN'); SELECT dblink_exec('second', 'UPDATE accounts SET balance = 0')",
        world.pg.scratch().socket_dir().display(),
        world.pg.scratch().port(),
        world.pg.database
    );
    client.batch_execute(&connect).await.unwrap();
    assert_eq!(world.pg.backends_of(login.as_str()).await.len(), 2);
    assert_eq!(world.cut(1).await, Ok(2));
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());
    assert_eq!(world.ask("SELECT count(*) FROM accounts WHERE balance <> 100").await, "0");
}

#[tokio::test]
async fn i5_two_grants_on_one_role_are_counted() {
    let world = World::new().await;
    let (_, first) = world.enter(1, &[&world.pg.write]).await;
    let (_, second) = world.enter(2, &[&world.pg.write]).await;
    world.end(&world.ending(1)).await;
    first.batch_execute("SELECT 1").await.unwrap_err();
    second.batch_execute("UPDATE accounts SET balance = 7 WHERE id = 1").await.unwrap();
    assert_eq!(world.ask("SELECT balance FROM accounts WHERE id = 1").await, "7");
    let again = world.pg.connect_as(world.login(2).as_str(), PASSWORD).await.unwrap();
    again.batch_execute("SELECT count(*) FROM accounts").await.unwrap();
}

#[tokio::test]
async fn i5_a_login_that_was_made_a_superuser_is_reported_and_keeps_no_other_alive() {
    let world = World::new().await;
    let (strong, client) = world.enter(1, &[&world.pg.read]).await;
    let (_, _other) = world.enter(2, &[&world.pg.read]).await;
    world.root(&format!("ALTER ROLE \"{strong}\" SUPERUSER")).await;
    let answers = world.targets.cut(&world.at, &[world.login(1), world.login(2)]).await;
    assert!(answers[0].is_err(), "{answers:?}");
    assert_eq!(answers[1].as_ref().map(|report| report.backends_ended), Ok(1));
    client.batch_execute("SELECT 1").await.unwrap();
    world.root(&format!("ALTER ROLE \"{strong}\" NOSUPERUSER")).await;
    assert_eq!(world.cut(1).await, Ok(1));
}

#[tokio::test]
async fn i5_what_isnt_ours_is_never_cut() {
    let world = World::new().await;
    let theirs = "daypass_ffffffffffff_000000000009_bob".parse().unwrap();
    let answers = world.targets.cut(&world.at, &[theirs]).await;
    assert!(matches!(answers[0], Err(TargetError::NotOurs { .. })));
}
