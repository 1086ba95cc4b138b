//! What ends a session ends it now, and says so where it can. // I3

mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use common::{
    House, Wishes,
    authority::{grant, revoked},
    client::{message, query, tags},
    login, stderr,
};
use daypass_domain::{Span, session::SessionEnd};
use daypass_ports::record::Terms;
use daypass_testkit::{Pg, scratch::Options};
use daypass_wire::postgres::error::PgError;
use tokio::io::AsyncReadExt;

/// Revokes, and gives the error that the client saw and how the session was reported.
async fn revoke(house: &House, raw: &mut common::client::Raw) -> (Option<PgError>, SessionEnd) {
    let revision = house.control.end(grant(1), revoked());
    let error = raw.last_error().await;
    let (_, end, _) = house.control.closes(1).await;
    house.control.confirmed.subscribe().wait_for(|confirmed| *confirmed >= revision).await.unwrap();
    assert_eq!(house.gateway.metrics().sessions_open, 0);
    (error, end)
}

/// Returns when a backend of this test waits for that.
async fn waits_for(pg: &Pg, event: &str) {
    let superuser = pg.superuser().await;
    let waiting = "SELECT FROM pg_stat_activity WHERE wait_event = $1 AND datname = $2";
    while superuser.query(waiting, &[&event, &pg.database]).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn assert_revoked((error, end): (Option<PgError>, SessionEnd)) {
    let error = error.expect("the client is told");
    assert_eq!(error.sqlstate.as_str(), "57P01");
    assert_eq!(error.message, "terminating connection: the grant was revoked");
    assert_eq!(error.hint.as_deref(), Some("Ask again with: daypass connect orders"));
    assert_eq!(end, SessionEnd::GrantEnded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_is_cut() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    assert_revoked(revoke(&house, &mut raw).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_cut_in_a_statement() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    raw.send(&query("SELECT pg_sleep(600)")).await;
    waits_for(&pg, "PgSleep").await;
    assert_revoked(revoke(&house, &mut raw).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_cut_in_copy_out() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    // In the target list: as a table it would be made whole before its first row is sent.
    raw.send(&query("COPY (SELECT generate_series(1, 2000000000), repeat('x', 80)) TO STDOUT")).await;
    // The client keeps reading, as psql does.
    for _ in 0..1000 {
        raw.next().await.unwrap();
    }
    let revision = house.control.end(grant(1), revoked());
    // Rows come faster than they are read, so the socket may be full at the cut, with half a message in it: its rest must
    // not pass any more (I3). Then the client is closed without a word. What must never be is a word within a message.
    let (error, rest) = raw.broken_off().await;
    match error {
        Some(error) => {
            assert_eq!(error.sqlstate.as_str(), "57P01");
            assert!(rest.is_empty(), "half a message after the last word");
        }
        None => assert!(!rest.windows(5).any(|at| at == b"57P01"), "the last word stands within a message"),
    }
    assert_eq!(house.control.closes(1).await.1, SessionEnd::GrantEnded);
    house.control.confirmed.subscribe().wait_for(|confirmed| *confirmed >= revision).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_is_said_within_a_message() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    // A message of 200 MB: wherever the cut falls, it falls within it. Several, since where it falls is chance.
    for number in 1..=8 {
        let mut raw = house.raw().await;
        raw.send(&query("COPY (SELECT repeat('x', 200000000)) TO STDOUT")).await;
        raw.some().await;
        house.control.kill(house.gateway.sessions()[0]);
        let (error, rest) = raw.broken_off().await;
        assert!(error.is_none() && rest.len() < 200_000_000, "{error:?}");
        assert!(!rest.windows(5).any(|at| at == b"57P01"), "the last word stands within a message");
        assert_eq!(house.control.closes(number).await.1, SessionEnd::Killed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_copy_out_is_told_why() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    // A row is longer than what the server collects before it sends.
    raw.send(&query("COPY (SELECT generate_series(1, 2000000), repeat('x', 9000), pg_sleep(0.01)) TO STDOUT")).await;
    for _ in 0..20 {
        raw.next().await.unwrap();
    }
    assert_revoked(revoke(&house, &mut raw).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_cut_in_copy_in() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    raw.send(&query("CREATE TABLE public.cut_in (line text)")).await;
    raw.until_ready().await;
    raw.send(&query("COPY public.cut_in FROM STDIN")).await;
    assert_eq!(raw.next().await.unwrap().tag, b'G');
    for _ in 0..100 {
        raw.send(&message(b'd', b"a line of it\n")).await;
    }
    assert_revoked(revoke(&house, &mut raw).await);
    let count = pg.superuser().await.query_one("SELECT count(*) FROM public.cut_in", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 0, "nothing was committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_all_the_same() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    raw.send(&query("SELECT generate_series(1, 10000000), repeat('x', 1000)")).await;
    // Until everything between is full: the backend waits for its client.
    waits_for(&pg, "ClientWrite").await;
    let revision = house.control.end(grant(1), revoked());
    assert_eq!(house.control.closes(1).await.1, SessionEnd::GrantEnded);
    house.control.confirmed.subscribe().wait_for(|confirmed| *confirmed >= revision).await.unwrap();
    // What was in the sockets is still there, and then it ends.
    let mut rest = vec![0; 1 << 16];
    while raw.tls.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_killed_and_the_other_goes_on() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let (mut one, mut two) = (house.raw().await, house.raw().await);
    let mut ids = house.gateway.sessions();
    ids.sort();
    house.control.kill(ids[0]);
    let error = one.last_error().await.unwrap();
    assert_eq!(error.message, "terminating connection: the session was ended by an administrator");
    assert_eq!(house.control.closes(1).await.0, ids[0]);
    two.send(&query("SELECT 1")).await;
    assert_eq!(tags(&two.until_ready().await), "TDCZ");
    // Another grant's end is no business of this one.
    let revision = house.control.end(grant(9), revoked());
    house.control.confirmed.subscribe().wait_for(|confirmed| *confirmed >= revision).await.unwrap();
    two.send(&query("SELECT 1")).await;
    assert_eq!(tags(&two.until_ready().await), "TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_sessions_end_together() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(house.raw().await);
    }
    let revision = house.control.end(grant(1), revoked());
    house.control.confirmed.subscribe().wait_for(|confirmed| *confirmed >= revision).await.unwrap();
    assert_eq!(house.gateway.metrics().sessions_open, 0);
    for mut raw in clients {
        assert_eq!(raw.last_error().await.unwrap().sqlstate.as_str(), "57P01");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_an_end_that_overtakes_a_permit_still_ends_the_session() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    house.control.overtakes.store(true, Ordering::SeqCst);
    let error = house.raw_with(vec![]).await.err().expect("the grant ended while the permit was on its way");
    assert_eq!(error.message, "terminating connection: the grant was revoked");
    assert_eq!(house.control.closes(1).await.1, SessionEnd::GrantEnded);
    assert!(house.control.backends.lock().unwrap().is_empty(), "the target was never dialled");
}

async fn with(pg: &Pg, change: impl FnOnce(&mut Terms)) -> House {
    let mut terms = login(pg).await;
    change(&mut terms);
    House::with(terms, Wishes::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_runs_out_ends_without_a_word_of_control() {
    let pg = Pg::start().await;
    let house = with(&pg, |terms| terms.remaining = Span::from_micros(700_000)).await;
    house.control.reachable.store(true, Ordering::SeqCst);
    let mut raw = house.raw().await;
    house.control.reachable.store(false, Ordering::SeqCst);
    let error = raw.last_error().await.unwrap();
    assert_eq!(error.message, "terminating connection: the time of the grant is up");
    house.control.reachable.store(true, Ordering::SeqCst);
    assert_eq!(house.control.closes(1).await.1, SessionEnd::GrantEnded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_hears_nothing_loses_its_lease() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    house.control.reachable.store(false, Ordering::SeqCst);
    let error = raw.last_error().await.unwrap();
    assert_eq!(error.message, "terminating connection: gateway lost its lease");
    assert!(!house.gateway.holds_lease());
    house.control.reachable.store(true, Ordering::SeqCst);
    assert_eq!(house.control.closes(1).await.1, SessionEnd::LeaseLost);
    while !house.gateway.holds_lease() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.raw().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_which_nothing_passes_ends() {
    let pg = Pg::start().await;
    let house = with(&pg, |terms| terms.limits.idle = Span::from_micros(400_000)).await;
    let mut raw = house.raw().await;
    // What passes keeps it open for longer than the limit.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        raw.send(&query("SELECT 1")).await;
        assert_eq!(tags(&raw.until_ready().await), "TDCZ");
    }
    let error = raw.last_error().await.unwrap();
    assert_eq!(error.sqlstate.as_str(), "57P05");
    assert_eq!(house.control.closes(1).await.1, SessionEnd::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_vanishes_in_a_statement_is_told() {
    let mut pg = Pg::alone(Options::default()).await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    raw.send(&query("SELECT pg_sleep(600)")).await;
    waits_for(&pg, "PgSleep").await;
    pg.scratch_mut().unwrap().kill();
    let error = raw.last_error().await.unwrap();
    assert_eq!((error.sqlstate.as_str(), error.severity.as_str()), ("08006", "FATAL"), "{error}");
    assert_eq!(house.control.closes(1).await.1, SessionEnd::TargetLost);
    // And one that can't be reached is said to be so.
    let out = house.psql(&["-c", "SELECT 1"]).await;
    assert!(stderr(&out).contains("orders can't be reached"), "{}", stderr(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_terminated_says_so_itself() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    let backend = *house.control.backends.lock().unwrap().values().next().unwrap();
    pg.superuser().await.execute("SELECT pg_terminate_backend($1)", &[&backend]).await.unwrap();
    let error = raw.last_error().await.unwrap();
    assert_eq!(error.message, "terminating connection due to administrator command");
    assert_eq!(house.control.closes(1).await.1, SessionEnd::TargetLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_its_grace_and_then_cuts() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    let House { control, gateway, folder: _folder, .. } = house;
    let control = Arc::clone(&control);
    let (error, ()) = tokio::join!(raw.last_error(), gateway.shutdown(Duration::from_millis(100)));
    assert_eq!(error.unwrap().message, "terminating connection: gateway is shutting down");
    assert_eq!(control.closes(1).await.1, SessionEnd::Shutdown);
    assert!(!control.seals.lock().unwrap().is_empty());
}
