//! Keys that rotate, that are away, and issuers that say what can't be believed.

use std::{sync::atomic::Ordering, time::Duration};

use daypass_domain::{
    Time,
    trust::{Issuer, Keys},
};
use daypass_integrations::oidc::Ages;
use daypass_ports::identity::{Expected, Identity, IdentityError, TokenKind};
use serde_json::json;

use crate::issuer::{AUDIENCE, EAGER, NOW, World, http, pair};

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let world = World::new(EAGER).await;
    world.says(TokenKind::Workload, &world.good()).await.unwrap();
    world.says(TokenKind::Workload, &world.good()).await.unwrap();
    assert_eq!(world.asked_for_keys(), 1);
    let two = pair("two");
    let token = two.sign(&json!({"alg": "ES256", "kid": "two"}), &world.claims());
    assert!(world.refuses(&token).await.contains("no such key"));
    *world.served.keys.lock().unwrap() = vec![two.jwk.clone()];
    world.says(TokenKind::Workload, &token).await.unwrap();
    // The old one was withdrawn, and is no good.
    assert!(world.refuses(&world.good()).await.contains("no such key"));
}

#[tokio::test]
async fn made_up_names_of_keys_make_few_questions() {
    let world = World::new(Ages { again: Duration::from_secs(3600), ..EAGER }).await;
    world.says(TokenKind::Workload, &world.good()).await.unwrap();
    for n in 0..50 {
        world.refuses(&world.key.sign(&json!({"alg": "ES256", "kid": format!("k{n}")}), &world.claims())).await;
    }
    assert_eq!(world.asked_for_keys(), 1);
}

#[tokio::test]
async fn those_who_are_known_stay_known_while_the_issuer_is_away() {
    let world = World::new(Ages { fresh: Duration::ZERO, ..EAGER }).await;
    world.says(TokenKind::Workload, &world.good()).await.unwrap();
    world.served.away.store(true, Ordering::Relaxed);
    world.says(TokenKind::Workload, &world.good()).await.unwrap();
    let forgetful = World::new(Ages { fresh: Duration::ZERO, stale: Duration::ZERO, ..EAGER }).await;
    forgetful.says(TokenKind::Workload, &forgetful.good()).await.unwrap();
    forgetful.served.away.store(true, Ordering::Relaxed);
    let error = forgetful.says(TokenKind::Workload, &forgetful.good()).await.unwrap_err();
    assert!(matches!(error, IdentityError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&forgetful.url), "{error}");
    // Nor does each wait in turn for one that doesn't answer: it is asked seldom.
    let patient = World::new(Ages { fresh: Duration::ZERO, again: Duration::from_secs(3600), ..EAGER }).await;
    for _ in 0..3 {
        patient.says(TokenKind::Workload, &patient.good()).await.unwrap();
    }
    assert_eq!(patient.asked_for_keys(), 1);
}

#[tokio::test]
async fn what_an_issuer_says_of_itself_must_be_of_one_piece() {
    let evil = "https://evil.example/keys";
    let found = "/.well-known/openid-configuration";
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {evil}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let long = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", " ".repeat(600 << 10));
    for (path, answer, words) in [
        (
            found,
            http(&json!({"issuer": "https://evil.example", "jwks_uri": evil}).to_string()),
            "calls itself otherwise",
        ),
        (found, redirect.clone(), "redirect"),
        (found, http("<html>"), "no JSON"),
        (found, http(r#"{"issuer":"x","issuer":"y"}"#), "says everything once"),
        (found, long.clone(), "more than"),
        (found, "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned(), "404"),
        ("/keys", redirect, "redirect"),
        ("/keys", long, "more than"),
        ("/keys", http(&json!({"keys": vec![json!({}); 101]}).to_string()), "at most 100"),
        ("/keys", http("[]"), "no JWK set"),
    ] {
        let world = World::new(EAGER).await;
        world.answer(path, &answer);
        let error = world.says(TokenKind::Workload, &world.good()).await.unwrap_err();
        assert!(matches!(error, IdentityError::Unusable { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    for place in
        [json!("http://evil.example/keys"), json!("file:///etc/passwd"), json!(7), json!("https://u@evil.example/")]
    {
        let world = World::new(EAGER).await;
        world.answer(found, &http(&json!({"issuer": world.url, "jwks_uri": place}).to_string()));
        let error = world.says(TokenKind::Workload, &world.good()).await.unwrap_err();
        assert!(error.to_string().contains("jwks_uri"), "{error}");
    }
}

#[tokio::test]
async fn a_key_is_good_for_what_it_says_it_is() {
    let world = World::new(EAGER).await;
    let good = world.key.jwk.clone();
    for other in [json!({"use": "enc"}), json!({"key_ops": ["sign"]}), json!({"alg": "ES384"}), json!({"crv": "P-384"})]
    {
        let mut jwk = good.clone();
        for (name, value) in other.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        // A key of a kind that nobody knows is skipped, and spoils nothing.
        *world.served.keys.lock().unwrap() = vec![json!({"kty": "XYZ"}), json!(7), jwk];
        assert!(world.refuses(&world.good()).await.contains("no such key"), "{other}");
    }
    *world.served.keys.lock().unwrap() = vec![json!({"kty": "XYZ"}), good];
    world.says(TokenKind::Workload, &world.good()).await.unwrap();
}

#[tokio::test]
async fn an_issuer_whose_keys_are_declared_is_never_asked() {
    let world = World::new(EAGER).await;
    let keys = Keys::Given(json!({"keys": [world.key.jwk]}).to_string());
    let issuer = Issuer { keys, ..world.issuer() };
    let now = Time::from_micros(NOW * 1_000_000);
    let expected = Expected { kind: TokenKind::Workload, audience: AUDIENCE, now };
    world.oidc.verify(&issuer, &expected, &world.good()).await.unwrap();
    assert_eq!(world.asked_for_keys(), 0);
}
