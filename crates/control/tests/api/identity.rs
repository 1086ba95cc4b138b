//! Coming in on another's word, over HTTP: the forms of the standards, and what becomes of them. Providers that people sign in
//! by are tested with a real one, in `crates/daypass/tests/house`.

use axum::http::Method;
use daypass_testkit::issuer::Issuer;
use serde_json::{Value, json};

use crate::world::{Ask, Reply, World, wish};

const EXCHANGE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange";
const JWT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt";

/// A world where jobs of acme/shop are `deployer`, of alice's.
async fn world() -> (World, Issuer) {
    let world = World::new().await;
    let issuer = Issuer::fresh();
    world.post("alice", "/v1/workloads", json!({"name": "deployer", "owner": "alice"})).await.ok();
    let text = issuer.trust("deployer", "acme/shop");
    world.post("alice", "/v1/trust/apply", json!({"file": "t.toml", "mode": "apply", "text": text})).await.ok();
    (world, issuer)
}

/// A form as a program sends it, from no page.
fn sent(path: &str, fields: &str) -> Ask {
    Ask { form: Some(fields.to_owned()), ..Ask::new(Method::POST, path) }
}

fn form(fields: &str) -> Ask {
    sent("/v1/token", fields)
}

async fn exchange(world: &World, token: &str) -> Reply {
    world.ask(form(&format!("grant_type={EXCHANGE}&subject_token_type={JWT}&subject_token={token}"))).await
}

fn now(world: &World) -> i64 {
    world.app.time().micros() / 1_000_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_gets_a_token_for_its_own_and_both_are_in_its_entries() {
    let (world, issuer) = world().await;
    let before = world.size().await;
    let reply = exchange(&world, &issuer.token(now(&world), "acme/shop", "refs/heads/main")).await.ok();
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let got = reply.json();
    assert_eq!((got["token_type"].as_str(), got["expires_in"].as_u64()), (Some("Bearer"), Some(3600)), "{got}");
    assert_eq!(world.events_from(before).await, ["token.exchanged"]);
    // It asks for what it may have, and approves and administers nothing.
    let bearer = got["access_token"].as_str().unwrap().to_owned();
    let by = |ask: Ask| ask.by(&bearer);
    let me = world.ask(by(Ask::get("/v1/me"))).await.ok().json();
    assert_eq!(me["name"], "deployer", "{me}");
    world.ask(by(Ask::post("/v1/requests", wish("lab")))).await.ok();
    assert_eq!(world.ask(by(Ask::get("/v1/trust"))).await.word(), "403 token_scope");
    // A token that was refused is an entry too, and gives nothing.
    let before = world.size().await;
    let refused = exchange(&world, &issuer.token(now(&world), "evil/shop", "refs/heads/main")).await;
    assert_eq!(refused.word(), "401 invalid_grant");
    assert_eq!(world.events_from(before).await, ["signin.failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_exchange_is_refused_with_a_word_and_repeats_nothing() {
    let (world, issuer) = world().await;
    let token = issuer.token(now(&world), "acme/shop", "refs/heads/main");
    let good = format!("grant_type={EXCHANGE}&subject_token_type={JWT}&subject_token={token}");
    for (fields, word) in [
        (good.replace(EXCHANGE, "password"), "400 unsupported_grant_type"),
        (good.replace(JWT, "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Asaml2"), "400 invalid_request"),
        (format!("{good}&actor_token={token}"), "400 invalid_request"),
        (format!("{good}&subject_token={token}"), "400 invalid_request"),
        (good.replace("&subject_token=", "&other="), "400 invalid_request"),
        (good.replace(&token, "a.b.c"), "401 invalid_grant"),
        (good.replace(&token, "x"), "401 invalid_grant"),
        (format!("{good}&workload=other"), "401 invalid_grant"),
    ] {
        let reply = world.ask(form(&fields)).await;
        assert_eq!(reply.word(), word, "{fields}: {}", reply.text());
        assert!(!reply.text().contains(&token), "{}", reply.text());
    }
    let reply = world.ask(Ask::post("/v1/token", Value::String(good))).await;
    assert_eq!(reply.word(), "415 unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_made_up_logout_ends_nothing() {
    let (world, issuer) = world().await;
    for token in [issuer.token(now(&world), "acme/shop", "refs/heads/main"), "a.b.c".to_owned()] {
        let reply = world.ask(sent("/signin/oidc/logout", &format!("logout_token={token}"))).await;
        assert_eq!(reply.word(), "400 bad_logout_token", "{}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!(world.get("alice", "/v1/me").await.status, 200);
}
