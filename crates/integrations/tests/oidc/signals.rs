//! Transmitters of signals: what they say of themselves, what they answer, and tokens of what happened.

use daypass_domain::{
    Time,
    trust::{Issuer, Keys},
};
use daypass_ports::{
    identity::{Expected, Identity, IdentityError, TokenKind},
    signals::Listener,
};
use daypass_wire::secevent::poll::{Asked, More};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, EAGER, NOW, World, header, http};

fn signal(world: &World, issuer: &str) -> String {
    let head = json!({"alg": "ES256", "kid": "one", "typ": "secevent+jwt"});
    world.key.sign(&head, &claims(issuer))
}

fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": [AUDIENCE], "iat": NOW - 10, "jti": "1",
        "sub_id": {"format": "iss_sub", "iss": "https://i.example", "sub": "carol"},
        "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
    })
}

async fn verified(world: &World, issuer: &Issuer, token: &str) -> Result<(), IdentityError> {
    let expected = Expected { kind: TokenKind::Signal, audience: AUDIENCE, now: Time::from_micros(NOW * 1_000_000) };
    world.oidc.verify(issuer, &expected, token).await.map(drop)
}

fn not_found() -> String {
    "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned()
}

#[tokio::test]
async fn a_transmitter_says_where_its_keys_are() {
    let world = World::new(EAGER).await;
    let document =
        |issuer: &str| http(&json!({"issuer": issuer, "jwks_uri": format!("{}/keys", world.url)}).to_string());
    let issuer = Issuer { keys: Keys::OfTransmitter, ..world.issuer() };
    world.answer("/.well-known/ssf-configuration", &document(&world.url));
    verified(&world, &issuer, &signal(&world, &world.url)).await.unwrap();
    // With a path, the text puts it at the end; some put it before.
    for (tenant, at) in [("a", "/.well-known/ssf-configuration/a"), ("b", "/b/.well-known/ssf-configuration")] {
        let url = format!("{}/{tenant}", world.url);
        world.answer("/.well-known/ssf-configuration/b", &not_found());
        world.answer(at, &document(&url));
        let issuer = Issuer { url: url.parse().unwrap(), ..issuer.clone() };
        verified(&world, &issuer, &signal(&world, &url)).await.unwrap();
    }
    // One that calls itself otherwise says nothing.
    world.answer("/.well-known/ssf-configuration/c", &document(&world.url));
    let url = format!("{}/c", world.url);
    let issuer = Issuer { url: url.parse().unwrap(), ..issuer };
    let refused = verified(&world, &issuer, &signal(&world, &url)).await.unwrap_err();
    assert!(matches!(refused, IdentityError::Unusable { .. }), "{refused}");
}

#[tokio::test]
async fn its_keys_may_be_where_they_were_declared_to_be() {
    let world = World::new(EAGER).await;
    let keys = Keys::At(format!("{}/keys", world.url).parse().unwrap());
    let issuer = Issuer { url: "https://transmitter.example".parse().unwrap(), keys, ..world.issuer() };
    // It is asked there and nowhere else: of a public address it would be refused to be sent to this machine.
    let refused = verified(&world, &issuer, &signal(&world, "https://transmitter.example")).await.unwrap_err();
    assert!(!matches!(refused, IdentityError::Refused(_)), "{refused}");
    let issuer = Issuer { url: world.url.parse().unwrap(), ..issuer };
    verified(&world, &issuer, &signal(&world, &world.url)).await.unwrap();
}

#[tokio::test]
async fn a_signal_passes_for_no_other_token_and_no_other_for_a_signal() {
    let world = World::new(EAGER).await;
    let good = signal(&world, &world.url);
    world.says(TokenKind::Signal, &good).await.unwrap();
    for kind in [TokenKind::IdToken, TokenKind::Workload, TokenKind::Logout] {
        assert!(world.refuses_as(kind, &good).await.contains("another kind"), "{kind:?}");
    }
    assert!(world.refuses_as(TokenKind::Signal, &world.good()).await.contains("another kind"));
    // Nor by what it says: whoever may sign both has to say which.
    let named = world.key.sign(&header(), &claims(&world.url));
    assert!(world.refuses_as(TokenKind::Signal, &named).await.contains("another kind"));
    let head = json!({"alg": "ES256", "kid": "one", "typ": "secevent+jwt"});
    for (field, value) in [
        ("sub", json!("carol")),
        ("exp", json!(NOW + 300)),
        ("jti", Value::Null),
        ("events", json!({})),
        ("sub_id", Value::Null),
        ("iat", json!(NOW - 8 * 86_400)),
        ("iat", json!(NOW + 61)),
        ("aud", json!("https://other.example")),
        ("iss", json!("https://evil.example")),
    ] {
        let mut claims = claims(&world.url);
        claims[field] = value;
        world.refuses_as(TokenKind::Signal, &world.key.sign(&head, &claims)).await;
    }
}

#[tokio::test]
async fn what_a_transmitter_answers_is_taken_when_it_is_of_one_piece() {
    let world = World::new(EAGER).await;
    let (issuer, at) = (world.issuer(), format!("{}/poll", world.url).parse().unwrap());
    let by = Listener { issuer: &issuer, credential: None };
    let asked = Asked::default();
    world.answer("/poll", &http(r#"{"sets":{"1":"a.b.c"},"moreAvailable":true}"#));
    let answered = world.oidc.poll_signals(&by, &at, &asked).await.unwrap();
    assert_eq!((answered.sets.len(), answered.more), (1, More::Waiting));
    for bad in [r#"{"sets":{"1":"a","1":"b"}}"#, r#"{"sets":[]}"#, "<html>", "", r#"{"moreAvailable":7}"#] {
        world.answer("/poll", &http(bad));
        let refused = world.oidc.poll_signals(&by, &at, &asked).await.unwrap_err();
        assert!(matches!(refused, IdentityError::Unusable { .. }), "{bad}: {refused}");
    }
    world.answer("/poll", &not_found());
    let refused = world.oidc.poll_signals(&by, &at, &asked).await.unwrap_err();
    assert!(matches!(refused, IdentityError::Denied { .. }), "{refused}");
    world.served.away.store(true, std::sync::atomic::Ordering::Relaxed);
    let refused = world.oidc.poll_signals(&by, &at, &asked).await.unwrap_err();
    assert!(matches!(refused, IdentityError::Unreachable { .. }), "{refused}");
}
