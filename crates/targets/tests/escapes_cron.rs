//! Jobs that the server runs by itself, with the extension pg_cron. // I5
//!
//! Debian has it for its own PostgreSQL only: `cargo xtask test` leaves these out, and says so, on servers without it.

mod common;

use common::{World, has};
use daypass_ports::targets::{ResidueItem, ResidueKind, Targets};
use daypass_testkit::{Pg, scratch::Options};

/// Its jobs are run by workers, as no password is there for a connection of theirs.
async fn with_pg_cron() -> World {
    let options = Options::default()
        .setting("shared_preload_libraries", "pg_cron")
        .setting("cron.database_name", "ledger")
        .setting("cron.use_background_workers", "on")
        .setting("max_worker_processes", "20");
    let world = World::around(Pg::alone(options).await);
    // Not the database of the resource: jobs are where its settings say.
    world.pg.superuser_in("ledger").await.batch_execute("CREATE EXTENSION pg_cron").await.unwrap();
    world
}

const JOBS: &str = "SELECT string_agg(username, ',' ORDER BY username) FROM cron.job";

fn jobs(list: &[ResidueItem]) -> Vec<&str> {
    list.iter().filter(|item| item.kind == ResidueKind::CronJob).map(|item| item.detail.as_str()).collect()
}

#[tokio::test]
async fn i5_pg_cron_jobs_of_a_login_are_unscheduled() {
    let world = with_pg_cron().await;
    // To everybody: then nothing in the catalogs points from the login to that database.
    let ledger = world.pg.superuser_in("ledger").await;
    ledger.batch_execute("GRANT USAGE ON SCHEMA cron TO PUBLIC").await.unwrap();
    ledger.batch_execute("SELECT cron.schedule('0 4 * * *', 'VACUUM')").await.unwrap();
    for ending in [1, 2] {
        let login = world.make(ending, &[&world.pg.read]).await.unwrap().login;
        let client = world.pg.connect_to("ledger", login.as_str(), common::PASSWORD).await.unwrap();
        client.batch_execute("SELECT cron.schedule('* * * * *', 'SELECT 1')").await.unwrap();
        assert_eq!(world.ask_in("ledger", JOBS).await, format!("{login},postgres"));
        let mut end = world.ending(ending);
        if ending == 2 {
            end = world.ending_kept(ending);
        }
        let residue = world.end(&end).await;
        assert_eq!(jobs(&residue.undone), ["scheduled * * * * *, unscheduled"], "{residue:?}");
        assert!(residue.items.is_empty() && residue.kept.is_empty(), "{residue:?}");
        assert_eq!(world.ask_in("ledger", JOBS).await, "postgres");
    }
}

#[tokio::test]
async fn i5_pg_cron_jobs_that_may_not_be_unscheduled_are_listed_and_run_no_more() {
    let world = with_pg_cron().await;
    let ledger = world.pg.superuser_in("ledger").await;
    let (login, _client) = world.enter(1, &[&world.pg.write]).await;
    ledger.batch_execute(&format!("GRANT USAGE ON SCHEMA cron TO {}", world.pg.write)).await.unwrap();
    let client = world.pg.connect_to("ledger", login.as_str(), common::PASSWORD).await.unwrap();
    client.batch_execute("SELECT cron.schedule('* * * * *', 'SELECT 1')").await.unwrap();
    ledger.batch_execute("REVOKE EXECUTE ON FUNCTION cron.unschedule(bigint) FROM PUBLIC").await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    assert_eq!(jobs(&residue.items), ["scheduled * * * * *, can't run, since the login is gone"], "{residue:?}");
    assert_eq!(world.ask_in("ledger", JOBS).await, login.as_str());
}

#[tokio::test]
async fn i5_pg_cron_jobs_scheduled_after_set_role_are_listed() {
    let world = with_pg_cron().await;
    let ledger = world.pg.superuser_in("ledger").await;
    let write = &world.pg.write;
    ledger.batch_execute(&format!("GRANT USAGE ON SCHEMA cron TO {write}")).await.unwrap();
    let before = format!("SET ROLE {write}; SELECT cron.schedule('0 1 * * *', 'SELECT 1')");
    ledger.batch_execute(&before).await.unwrap();
    let (login, client) = world.enter(1, &[write]).await;
    world.let_become(&client, &login, write).await;
    let client = world.pg.connect_to("ledger", login.as_str(), common::PASSWORD).await.unwrap();
    let smuggled = format!("SET ROLE {write}; SELECT cron.schedule('0 2 * * *', 'SELECT 1')");
    client.batch_execute(&smuggled).await.unwrap();
    let residue = world.end(&world.ending(1)).await;
    assert_eq!(jobs(&residue.items), [format!("scheduled 0 2 * * *, as {write} while the grant was live")]);
    assert!(has(&residue.items, ResidueKind::CronJob, "2"), "{residue:?}");
    // Whose it is can't be told for sure: it is for a person to decide.
    assert_eq!(world.ask_in("ledger", JOBS).await, format!("{write},{write}"));
}

#[tokio::test]
async fn i5_a_pg_cron_job_that_runs_ends_with_its_login_and_starts_no_more() {
    let mut world = with_pg_cron().await;
    let ledger = world.pg.superuser_in("ledger").await;
    ledger
        .batch_execute(&format!(
            "GRANT USAGE ON SCHEMA cron TO {write}; CREATE TABLE runs (n int); GRANT INSERT ON runs TO {write}",
            write = world.pg.write
        ))
        .await
        .unwrap();
    let (login, _client) = world.enter(1, &[&world.pg.write]).await;
    let client = world.pg.connect_to("ledger", login.as_str(), common::PASSWORD).await.unwrap();
    let job = "SELECT cron.schedule('@reboot', 'WITH w AS (INSERT INTO runs VALUES (1)) SELECT pg_sleep(600)')";
    client.batch_execute(job).await.unwrap();
    drop(client);
    let running =
        format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{login}' AND backend_type = 'pg_cron'");
    world.pg.scratch_mut().unwrap().restart().unwrap();
    world.until(&running, "1").await;

    world.cut(1).await.unwrap();
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());
    // The row is still there, and the login as well: that it may not log in keeps the job from starting.
    assert_eq!(world.ask_in("ledger", JOBS).await, login.as_str());
    let refused = format!("role \"{login}\" is not permitted to log in");
    world.pg.scratch_mut().unwrap().restart().unwrap();
    for _ in 0..3_000 {
        if world.pg.scratch().log().contains(&refused) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(world.pg.scratch().log().contains(&refused), "{}", world.pg.scratch().log());
    assert!(world.pg.backends_of(login.as_str()).await.is_empty());

    let residue = world.targets.list(&world.at, &[world.ending(1)]).await.remove(0).unwrap();
    assert_eq!(jobs(&residue.undone), ["scheduled @reboot, unscheduled"]);
    world.remove(&residue).await.unwrap();
    assert_eq!(world.ask_in("ledger", JOBS).await, "none");
    assert_eq!(world.ask_in("ledger", "SELECT count(*) FROM runs").await, "0");
}
