//! Following the ledger, the server's health, its numbers.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use daypass_domain::Span;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::world::{Ask, World, wish};

/// Reads the next event of a stream; comments are passed over.
async fn next(stream: &mut BodyDataStream) -> Option<(u64, Value)> {
    loop {
        let chunk = tokio::time::timeout(Duration::from_secs(30), stream.next()).await.expect("nothing came")?.unwrap();
        let text = String::from_utf8(chunk.to_vec()).unwrap();
        let field = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
        if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
            assert_eq!(field("event:").as_deref(), Some("entry"));
            return Some((id.parse().unwrap(), serde_json::from_str(&data).unwrap()));
        }
    }
}

async fn listen(world: &World, who: &str, last: Option<u64>) -> BodyDataStream {
    let mut ask = Ask::get("/v1/events").by(&world.bearers[who]);
    if let Some(last) = last {
        ask = ask.header("last-event-id", &last.to_string());
    }
    let response = world.open(ask).await;
    assert_eq!(response.status(), 200);
    let body: Body = response.into_body();
    body.into_data_stream()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_hear_what_concerns_them_and_go_on_where_they_were() {
    let world = World::new().await;
    let mut carol = listen(&world, "carol", None).await;
    let mut dave = listen(&world, "dave", None).await;
    let made = world.post("carol", "/v1/requests", wish("orders")).await.ok().json();
    let (seq, entry) = next(&mut carol).await.unwrap();
    assert_eq!((entry["event"].as_str(), entry["seq"].as_u64()), (Some("request.made"), Some(seq)));
    assert_eq!(next(&mut dave).await.unwrap().0, seq, "it waits for his answer");
    world.post("alice", "/v1/groups", json!({"name": "quiet"})).await.ok();
    let path = format!("/v1/requests/{}/withdraw", made["request"]["id"].as_str().unwrap());
    world.act("carol", &path).await.ok();
    for who in [&mut carol, &mut dave] {
        let (_, entry) = next(who).await.unwrap();
        assert_eq!(entry["event"], "request.withdrawn", "and nothing of the group");
    }
    let mut again = listen(&world, "carol", Some(seq)).await;
    assert_eq!(next(&mut again).await.unwrap().1["event"], "request.withdrawn");
    let mut alice = listen(&world, "alice", Some(seq)).await;
    assert_eq!(next(&mut alice).await.unwrap().1["event"], "change.committed", "who may read evidence hears all");
    let bad = Ask::get("/v1/events").by(&world.bearers["carol"]).header("last-event-id", "x");
    assert_eq!(world.ask(bad).await.word(), "422 invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_sign_in_that_opened_it() {
    let world = World::new().await;
    let mut stream = listen(&world, "carol", None).await;
    world.act("alice", "/v1/principals/carol/disable").await.ok();
    let mut heard = Vec::new();
    while let Some((_, entry)) = next(&mut stream).await {
        heard.push(entry["event"].as_str().unwrap().to_owned());
    }
    assert!(heard.len() <= 1, "that she was disabled, and then nothing: {heard:?}");
}

#[tokio::test]
async fn readiness_says_what_is_not_fine() {
    let world = World::new().await;
    let ready = world.ask(Ask::get("/readyz")).await;
    assert_eq!((ready.status.as_u16(), ready.json()["ready"].as_bool()), (200, Some(true)), "{}", ready.text());
    world.gateway.0.lock().unwrap().holds_lease = false;
    world.clock.back(Span::from_secs(5));
    let ready = world.ask(Ask::get("/readyz")).await;
    assert_eq!(ready.status, 503);
    let broken: Vec<String> = ready.json()["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["health"] == "broken")
        .map(|c| format!("{}: {}", c["name"].as_str().unwrap(), c["why"].as_str().unwrap()))
        .collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken[0].starts_with("clock: ") && broken[1].starts_with("gateway: "), "{broken:?}");
}

#[tokio::test]
async fn readiness_says_when_nothing_can_be_written() {
    let world = World::new().await;
    world.store.limit_pages(1).await.unwrap();
    loop {
        let made = world.post("alice", "/v1/groups", json!({"name": world.fresh("group")})).await;
        if !made.status.is_success() {
            assert_eq!(made.word(), "503 not_durable"); // I1
            break;
        }
    }
    let ready = world.ask(Ask::get("/readyz")).await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert_eq!(ready.json()["checks"][0]["health"], "broken", "{}", ready.text());
    assert_eq!(world.ask(Ask::get("/healthz")).await.text(), "ok\n", "the process lives");
}

#[tokio::test]
async fn the_numbers_are_there_for_this_machine_and_for_who_may_read() {
    let world = World::new().await;
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 40_000));
    let scrape = || Ask { peer: Some(local), ..Ask::get("/metrics") };
    world.ask(scrape()).await.ok();
    assert_eq!(world.ask(Ask::get("/metrics")).await.word(), "401 not_signed_in", "from elsewhere");
    let grant = world.post("carol", "/v1/requests", wish("lab")).await.ok().json();
    world.post("carol", "/v1/requests", wish("orders")).await.ok();
    let id = grant["outcome"]["grant"]["id"].as_str().unwrap();
    world.act("carol", &format!("/v1/grants/{id}/release")).await.ok();
    let text = world.get("carol", "/metrics").await.ok().text();
    for line in [
        "daypass_sessions_open 3",
        "daypass_gateway_lease 1",
        "daypass_requests_waiting 1",
        "daypass_ledger_lag 0",
        "daypass_decisions_total{verdict=\"granted\"} 1",
        "daypass_decisions_total{verdict=\"pending\"} 1",
        "daypass_ledger_entries_total{event=\"grant.ended\"} 1",
        "daypass_http_requests_total{method=\"POST\",route=\"/v1/requests\",status=\"201\"} 2",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
    assert!(text.contains(&format!("daypass_ledger_size {}", world.size().await)), "{text}");
    assert!(text.ends_with("# EOF\n"));
    for name in ["carol", "orders", id] {
        assert!(!text.contains(name), "the numbers name {name}");
    }
}
