//! Every way of asking wrongly gets a problem that says what is wrong, and every answer its headers.

use axum::http::Method;
use serde_json::json;

use crate::world::{Ask, Reply, World, wish};

fn is_a_problem(reply: &Reply, word: &str) {
    assert_eq!(reply.word(), word, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    let code = word.split(' ').nth(1).unwrap();
    assert_eq!(problem["type"], format!("urn:daypass:problem:{code}"));
    assert_eq!(problem["status"], reply.status.as_u16());
    for text in ["title", "detail"] {
        assert!(problem[text].as_str().is_some_and(|t| t.len() > 3), "{problem}");
    }
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let world = World::new().await;
    let carol = world.bearers["carol"].clone();
    is_a_problem(&world.ask(Ask::get("/v1/nothing")).await, "404 no_such_route");
    let other = world.ask(Ask::new(Method::DELETE, "/v1/me")).await;
    is_a_problem(&other, "405 method_not_allowed");
    assert!(other.header("allow").is_some_and(|allow| allow.contains("GET")), "{:?}", other.headers);
    let unsigned = world.ask(Ask::get("/v1/me")).await;
    is_a_problem(&unsigned, "401 not_signed_in");
    assert_eq!(unsigned.header("www-authenticate"), Some("Bearer realm=\"daypass\""));
    let text = Ask::post("/v1/requests", wish("lab")).by(&carol).header("content-type", "text/plain");
    is_a_problem(&world.ask(text).await, "415 unsupported_media_type");
    let large = json!({"resource": "x".repeat(1 << 20), "role": "r", "duration_s": 1});
    is_a_problem(&world.post("carol", "/v1/requests", large.clone()).await, "413 too_large");
    is_a_problem(&world.ask(Ask::post("/v1/requests", large)).await, "401 not_signed_in");
    let mut wrong = wish("lab");
    wrong["duration_s"] = json!("an hour");
    let wrong = world.post("carol", "/v1/requests", wrong).await;
    is_a_problem(&wrong, "422 invalid");
    assert_eq!(wrong.json()["field"], "duration_s");
    is_a_problem(&world.get("carol", "/v1/grants/grant_1").await, "422 invalid");
    is_a_problem(&world.get("carol", "/v1/grants?whose=nobodys").await, "422 invalid");
    is_a_problem(&world.get("carol", "/v1/grants?surprise=1").await, "422 invalid");
    is_a_problem(&world.get("carol", &format!("/v1/grants/grant_{}", "0".repeat(32))).await, "404 not_found");
    is_a_problem(&world.get("carol", "/v1/resources/nothing").await, "404 not_found");
    is_a_problem(&world.get("carol", "/v1/resources/%ff").await, "400 bad_path");
    is_a_problem(&world.post("carol", "/v1/requests", wish("nothing")).await, "404 not_found");
    let mut ticket = wish("lab");
    ticket["ticket"] = json!("no ticket\u{7}");
    let ticket = world.post("carol", "/v1/requests", ticket).await;
    is_a_problem(&ticket, "422 invalid");
    assert_eq!(ticket.json()["field"], "ticket");
}

#[tokio::test]
async fn only_one_bearer_secret_in_the_one_header_is_a_sign_in() {
    let world = World::new().await;
    let carol = world.bearers["carol"].clone();
    let with = |name: &'static str, value: String| Ask::get("/v1/me").header(name, &value);
    assert_eq!(world.ask(with("authorization", format!("bearer {carol}"))).await.status, 200);
    for (name, value) in [
        ("authorization", carol.clone()),
        ("authorization", format!("Basic {carol}")),
        ("authorization", format!("Bearer {carol}x")),
        ("authorization", "Bearer ".to_owned()),
        ("cookie", format!("token={carol}")),
        ("x-api-key", carol.clone()),
    ] {
        assert_eq!(world.ask(with(name, value)).await.status, 401, "{name}");
    }
    assert_eq!(world.ask(Ask::get(format!("/v1/me?access_token={carol}"))).await.status, 401);
}

#[tokio::test]
async fn every_answer_says_that_it_is_not_to_be_kept() {
    let world = World::new().await;
    let local = world.ask(Ask::get("/healthz").header("host", "localhost:7443")).await;
    assert_eq!(local.header("strict-transport-security"), None);
    for path in ["/healthz", "/v1/nothing", "/v1/me"] {
        let reply = world.ask(Ask::get(path).header("host", "daypass.example.com")).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.header("strict-transport-security").is_some(), "{path}");
        assert!(reply.header("content-security-policy").is_some_and(|c| c.contains("default-src 'none'")), "{path}");
    }
}

#[tokio::test]
async fn wrong_passwords_run_out_and_name_nobody() {
    let world = World::new().await;
    let wrong = |who: &str| Ask::post("/v1/signin", json!({"name": who, "password": "wrong wrong wrong"}));
    let (known, unknown) = (world.ask(wrong("carol")).await, world.ask(wrong("nobody")).await);
    is_a_problem(&known, "401 wrong_sign_in");
    assert_eq!(known.text(), unknown.text());
    let mut last = known;
    for _ in 0..12 {
        last = world.ask(wrong("carol")).await;
    }
    assert_eq!(last.status, 429, "{}", last.text());
    let wait: u64 = last.header("retry-after").expect("it says when to come again").parse().unwrap();
    assert!((1..=30).contains(&wait), "two a minute: {wait}");
    assert_eq!(last.json()["retry_after_s"], wait);
    let there: std::net::SocketAddr = ([192, 0, 2, 7], 1).into();
    let else_where = Ask {
        peer: Some(there),
        ..Ask::post("/v1/signin", json!({"name": "dave", "password": crate::world::PASSWORD}))
    };
    assert_eq!(world.ask(else_where).await.status, 201, "others, from elsewhere, go on");
}
