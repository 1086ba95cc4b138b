//! Writing once.

use daypass_domain::{Digest, Span};
use serde_json::json;

use crate::world::{Ask, Reply, World, wish};

async fn keyed(world: &World, who: &str, resource: &str, key: &str) -> Reply {
    world.ask(Ask::post("/v1/requests", wish(resource)).by(&world.bearers[who]).header("idempotency-key", key)).await
}

async fn made(world: &World) -> usize {
    world.get("carol", "/v1/requests").await.ok().json()["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_write_is_done_once_and_answered_twice() {
    let world = World::new().await;
    let first = keyed(&world, "carol", "lab", "k1").await.ok();
    assert_eq!(first.header("idempotency-replayed"), None);
    let size = world.size().await;
    let again = keyed(&world, "carol", "lab", "k1").await;
    assert_eq!((again.status, &again.bytes), (first.status, &first.bytes));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!((world.size().await, made(&world).await), (size, 1));
    assert_eq!(keyed(&world, "carol", "orders", "k1").await.word(), "422 idempotency_key_reused");
    keyed(&world, "carol", "lab", "k2").await.ok();
    keyed(&world, "dave", "lab", "k1").await.ok();
    assert_eq!(made(&world).await, 2, "another key, and another person, are other writes");
    world.clock.later(Span::from_mins(24 * 60));
    let mut world = world;
    world.sign_in("carol").await;
    let later = keyed(&world, "carol", "lab", "k1").await.ok();
    assert_eq!(later.header("idempotency-replayed"), None, "after a day the key is free");
}

#[tokio::test]
async fn writes_that_come_at_once_are_done_once() {
    let world = World::new().await;
    let tries = (0..8).map(|_| keyed(&world, "carol", "lab", "k1"));
    let replies = futures_util::future::join_all(tries).await;
    let words: Vec<String> = replies.iter().map(Reply::word).collect();
    assert!(words.iter().any(|w| w == "201"), "{words:?}");
    assert!(words.iter().all(|w| w == "201" || w == "409 idempotency_outcome_unknown"), "{words:?}");
    assert_eq!(made(&world).await, 1);
}

#[tokio::test]
async fn a_write_whose_end_is_not_known_is_not_done_again() {
    let world = World::new().await;
    let me = world.get("carol", "/v1/me").await.json()["principal"].as_str().unwrap().parse().unwrap();
    // What a server leaves that died in the middle of the write.
    let body = wish("lab").to_string();
    let asked = Digest::of_value("idempotent request", &("POST", "/v1/requests", Digest::of(body.as_bytes())));
    drop(world.app.begin_once(me, "k1", asked).await.unwrap());
    let reply = keyed(&world, "carol", "lab", "k1").await;
    assert_eq!(reply.word(), "409 idempotency_outcome_unknown");
    assert_eq!(made(&world).await, 0);
}

#[tokio::test]
async fn a_refusal_frees_the_key() {
    let world = World::new().await;
    assert_eq!(keyed(&world, "carol", "nothing", "k1").await.word(), "404 not_found");
    assert_eq!(keyed(&world, "carol", "lab", "k1").await.status, 201);
}

#[tokio::test]
async fn an_answer_with_nothing_in_it_is_said_again_too() {
    let world = World::new().await;
    let proposed = world.post("alice", "/v1/workloads", json!({"name": "bot", "owner": "carol"})).await.ok();
    assert_eq!(proposed.json()["outcome"]["outcome"], "done");
    let disable = || Ask::act("/v1/principals/bot/disable").by(&world.bearers["alice"]).header("idempotency-key", "k1");
    assert_eq!(world.ask(disable()).await.status, 204);
    let again = world.ask(disable()).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (204, Some("true")));
}

#[tokio::test]
async fn answers_with_secrets_take_no_key() {
    let world = World::new().await;
    let alice = world.bearers["alice"].clone();
    let size = world.size().await;
    for (path, body) in [
        ("/v1/tokens", json!({"scopes": ["read"]})),
        ("/v1/users", json!({"name": "eve"})),
        ("/v1/signin", json!({"name": "alice", "password": crate::world::PASSWORD})),
    ] {
        let reply = world.ask(Ask::post(path, body).by(&alice).header("idempotency-key", "k1")).await;
        assert_eq!(reply.word(), "422 idempotency_not_kept", "{path}");
    }
    assert_eq!(world.size().await, size);
    for bad in ["two words", &"x".repeat(201)] {
        assert_eq!(keyed(&world, "carol", "lab", bad).await.word(), "422 bad_idempotency_key", "{bad}");
    }
}
