//! The door: who is it, may it in, and what is it told.

mod common;

use std::time::Duration;

use common::{House, Wishes, authority::Answer, client::query, login, stderr, stdout};
use daypass_domain::session::SessionEnd;
use daypass_gateway::Limits;
use daypass_ports::authority::{Refusal, RefusalKind};
use daypass_testkit::Pg;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test(flavor = "multi_thread")]
async fn psql_comes_in_with_channel_binding_and_is_told_that_it_is_recorded() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let out = house.psql(&["-c", "SELECT current_setting('application_name'), session_user"]).await;
    assert!(out.status.success(), "{}", stderr(&out));
    let (session, end, passed) = house.control.closes(1).await;
    let login = house.control.terms.lock().unwrap().login.clone();
    assert_eq!(stdout(&out), format!("daypass:{session}|{login}\n"));
    assert!(stderr(&out).contains("NOTICE:  orders as readonly: every statement and its parameters are recorded"));
    assert_eq!((end, passed.statements), (SessionEnd::ClientLeft, 1));
    let asked = house.control.asked.lock().unwrap();
    assert_eq!((asked[0].resource.as_str(), asked[0].application.as_str()), ("orders", "psql"));
    assert!(asked[0].peer.starts_with("127.0.0.1:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_an_unknown_user_look_the_same() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let wrong = house.psql_as("alice", "not it", &["-c", "SELECT 1"]).await;
    let unknown = house.psql_as("mallory", "not it", &["-c", "SELECT 1"]).await;
    assert!(stderr(&wrong).contains("password authentication failed for user \"alice\""), "{}", stderr(&wrong));
    assert_eq!(stderr(&wrong).replace("alice", "mallory"), stderr(&unknown));
    assert_eq!(house.gateway.metrics().failed_proofs, 2);
    assert!(house.control.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_is_refused() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut command = house.command("psql", common::authority::SECRET);
    let port = house.address().port();
    command.args(["-X", "-d", &format!("host=127.0.0.1 port={port} user=alice dbname=orders sslmode=disable")]);
    let out = common::output(command).await;
    assert!(stderr(&out).contains("without TLS"), "{}", stderr(&out));
    assert!(stderr(&out).contains("sslmode=verify-full"), "{}", stderr(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_tls_needs_the_protocols_name() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let startup = [0, 0, 0, 33, 0, 3, 0, 0].iter().chain(b"user\0alice\0database\0orders\0\0").copied();
    let startup: Vec<u8> = startup.collect();
    let mut startup = startup;
    let length = u32::try_from(startup.len()).unwrap();
    startup[..4].copy_from_slice(&length.to_be_bytes());

    let tcp = TcpStream::connect(house.address()).await.unwrap();
    let mut named = house.tls(tcp, Some(b"postgresql")).await.unwrap();
    named.write_all(&startup).await.unwrap();
    assert_eq!(named.read_u8().await.unwrap(), b'R');

    let tcp = TcpStream::connect(house.address()).await.unwrap();
    let mut nameless = house.tls(tcp, None).await.unwrap();
    let _ = nameless.write_all(&startup).await;
    assert_eq!(nameless.read(&mut [0; 1]).await.unwrap_or(0), 0);

    let tcp = TcpStream::connect(house.address()).await.unwrap();
    assert!(house.tls(tcp, Some(b"http/1.1")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_has_its_code_and_its_hint() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    *house.control.answer.lock().unwrap() = Answer::Refuse(Refusal {
        kind: RefusalKind::NoGrant,
        message: "no grant for orders".into(),
        detail: "Alice has no live grant.".into(),
        hint: "Ask: daypass connect orders".into(),
    });
    let out = house.psql(&["-c", "SELECT 1"]).await;
    for part in ["FATAL:  no grant for orders", "DETAIL:  Alice has no", "HINT:  Ask: daypass connect orders"] {
        assert!(stderr(&out).contains(part), "{part}: {}", stderr(&out));
    }
    let error = house.raw_with(vec![]).await.err().unwrap();
    assert_eq!(error.sqlstate.as_str(), "28000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_at_the_door_and_is_let_in() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    house.control.answers(Answer::Wait("one approval of dba-leads".into()));
    let control = house.control.clone();
    let approves = async {
        let mut asked = tokio::time::interval(Duration::from_millis(5));
        while control.asked.lock().unwrap().is_empty() {
            asked.tick().await;
        }
        control.answers(Answer::Wait("the ticket".into()));
        while control.asked.lock().unwrap().len() < 2 {
            asked.tick().await;
        }
        control.answers(Answer::Admit);
    };
    let (out, ()) = tokio::join!(house.psql(&["-c", "SELECT 'in'"]), approves);
    assert_eq!(stdout(&out), "in\n", "{}", stderr(&out));
    let told = stderr(&out);
    let (first, second) = (told.find("waiting at the door: one approval of dba-leads"), told.find("the ticket"));
    assert!(first.is_some() && first < second, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_bounded_and_notices_come_again() {
    let pg = Pg::start().await;
    let limits =
        Limits { door: Duration::from_millis(300), notice_every: Duration::from_millis(100), ..Limits::default() };
    let house = House::with(login(&pg).await, Wishes { limits, ..Wishes::default() }).await;
    house.control.answers(Answer::Wait("an approval".into()));
    let out = house.psql(&["-c", "SELECT 1"]).await;
    assert!(stderr(&out).matches("waiting at the door: an approval").count() >= 2, "{}", stderr(&out));
    assert!(stderr(&out).contains("FATAL:  the request wasn't decided while you waited"), "{}", stderr(&out));
    assert!(stderr(&out).contains("The request goes on"), "{}", stderr(&out));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_the_door_is_noticed() {
    let pg = Pg::start().await;
    let limits = Limits { connections: 1, ..Limits::default() };
    let house = House::with(login(&pg).await, Wishes { limits, ..Wishes::default() }).await;
    house.control.answers(Answer::Wait("an approval".into()));
    let waiting = tokio::time::timeout(Duration::from_millis(300), house.raw_with(vec![])).await;
    assert!(waiting.is_err(), "it waits");
    // The only place is free again only when the gateway noticed that the first client left.
    house.control.answers(Answer::Admit);
    let mut raw = loop {
        match house.knock(vec![]).await {
            Some(raw) => break raw.unwrap(),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    raw.send(&query("SELECT 1")).await;
    assert_eq!(common::client::tags(&raw.until_ready().await), "TDCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wrong_secrets_are_slowed_down() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut slowed = None;
    for attempt in 0..40 {
        let out = house.psql_as("alice", "guess", &["-c", "SELECT 1"]).await;
        if stderr(&out).contains("too many failed attempts, wait") {
            slowed = Some(attempt);
            break;
        }
        assert!(stderr(&out).contains("password authentication failed"), "{}", stderr(&out));
    }
    assert!(slowed.is_some_and(|attempt| attempt >= 20), "{slowed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_given_when_control_is_away() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    house.control.reachable.store(false, std::sync::atomic::Ordering::SeqCst);
    let out = house.psql(&["-c", "SELECT 1"]).await;
    assert!(stderr(&out).contains("nothing is given now"), "{}", stderr(&out));
}
