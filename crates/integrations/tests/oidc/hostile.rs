//! Tokens that somebody made up, changed, kept or took from elsewhere.

use daypass_ports::identity::TokenKind;
use jsonwebtoken::{Algorithm as Alg, EncodingKey};
use serde_json::json;

use crate::issuer::{EAGER, NOW, World, header, pair, sign};

#[tokio::test]
async fn a_good_token_says_who_it_is() {
    let world = World::new(EAGER).await;
    let said = world.says(TokenKind::Workload, &world.good()).await.unwrap();
    assert_eq!(said.text("sub").as_deref(), Some("job"));
}

#[tokio::test]
async fn no_signature_and_no_other_algorithm_passes() {
    let world = World::new(EAGER).await;
    let claims = world.claims().to_string();
    for alg in ["none", "None", "HS256", "RS384", "ES512", "es256", ""] {
        let why = world.refuses(&world.key.sign_text(&json!({"alg": alg, "kid": "one"}).to_string(), &claims)).await;
        assert!(why.contains("isn't signed by what is declared"), "{alg}: {why}");
    }
    let unsigned = world.good();
    let (signed, _) = unsigned.rsplit_once('.').unwrap();
    assert!(world.refuses(&format!("{signed}.")).await.contains("signature"));
}

#[tokio::test]
async fn a_public_key_is_never_a_shared_secret() {
    let world = World::new(EAGER).await;
    let claims = world.claims().to_string();
    // Both ways: HS256 under the public key, said and unsaid.
    let secret = EncodingKey::from_secret(&world.key.point);
    for alg in ["HS256", "ES256", "RS256"] {
        let head = json!({"alg": alg, "kid": "one"}).to_string();
        world.refuses(&sign(&head, &claims, &secret, Alg::HS256)).await;
    }
    // And a set that carries a secret, by mistake, makes nobody able to sign.
    let secret = b"thirty-two bytes that are secret";
    let jwk = json!({"kty": "oct", "kid": "shared", "k": data_encoding::BASE64URL_NOPAD.encode(secret)});
    world.served.keys.lock().unwrap().push(jwk);
    let head = json!({"alg": "HS256", "kid": "shared"}).to_string();
    world.refuses(&sign(&head, &claims, &EncodingKey::from_secret(secret), Alg::HS256)).await;
    let head = json!({"alg": "ES256", "kid": "shared"}).to_string();
    assert!(
        world
            .refuses(&sign(&head, &claims, &EncodingKey::from_secret(secret), Alg::HS256))
            .await
            .contains("no such key")
    );
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_looked_at() {
    let world = World::new(EAGER).await;
    let own = pair("own");
    for kid in [json!("own"), json!("one"), json!("../../one"), json!("one' OR '1'='1"), json!("one\u{0}")] {
        let head = json!({
            "alg": "ES256", "kid": kid, "jwk": own.jwk, "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/"
        });
        world.refuses(&own.sign(&head, &world.claims())).await;
    }
    let nameless = json!({"alg": "ES256", "jwk": own.jwk});
    assert!(world.refuses(&own.sign(&nameless, &world.claims())).await.contains("signature"));
}

#[tokio::test]
async fn one_changed_bit_is_enough() {
    let world = World::new(EAGER).await;
    let good = world.good();
    let parts: Vec<&str> = good.split('.').collect();
    let other = world.key.sign(&header(), &world.but(json!({"sub": "other"})));
    let body = other.split('.').nth(1).unwrap();
    assert!(world.refuses(&format!("{}.{body}.{}", parts[0], parts[2])).await.contains("signature"));
}

#[tokio::test]
async fn whose_when_and_for_whom_must_all_fit() {
    let world = World::new(EAGER).await;
    let cases = [
        (json!({"iss": "https://evil.example"}), "another issuer"),
        (json!({"iss": format!("{}/", world.url)}), "another issuer"),
        (json!({"iss": null}), "another issuer"),
        (json!({"iss": [world.url]}), "another issuer"),
        (json!({"aud": "https://other.example"}), "another audience"),
        (json!({"aud": ["https://other.example"]}), "another audience"),
        (json!({"aud": null}), "another audience"),
        (json!({"exp": NOW - 61}), "expired"),
        (json!({"exp": null}), "no `exp`"),
        (json!({"exp": "never"}), "is no time"),
        (json!({"exp": 1e300}), "is no time"),
        (json!({"exp": -1}), "is no time"),
        (json!({"iat": null}), "no `iat`"),
        (json!({"iat": NOW + 61, "exp": NOW + 400}), "isn't good yet"),
        (json!({"nbf": NOW + 61}), "isn't good yet"),
        (json!({"exp": NOW + 90_000}), "more than a day"),
        (json!({"sub": null}), "doesn't say"),
        (json!({"sub": ""}), "doesn't say"),
        (json!({"events": {"x": {}}}), "doesn't say"),
    ];
    for (other, words) in cases {
        let why = world.refuses(&world.key.sign(&header(), &world.but(other.clone()))).await;
        assert!(why.contains(words), "{other}: {why}");
    }
    // Within the skew, and in a list of audiences, it passes.
    let fine =
        world.but(json!({"exp": NOW - 59, "iat": NOW - 100, "nbf": NOW + 59, "aud": ["x", crate::issuer::AUDIENCE]}));
    world.says(TokenKind::Workload, &world.key.sign(&header(), &fine)).await.unwrap();
}

#[tokio::test]
async fn a_token_of_one_kind_is_never_one_of_another() {
    let world = World::new(EAGER).await;
    for typ in ["at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt"] {
        let head = json!({"alg": "ES256", "kid": "one", "typ": typ});
        assert!(world.refuses(&world.key.sign(&head, &world.claims())).await.contains("another kind"), "{typ}");
    }
    let logout = world.but(json!({
        "jti": "1", "sid": "s", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
    }));
    let head = json!({"alg": "ES256", "kid": "one", "typ": "logout+jwt"});
    world.says(TokenKind::Logout, &world.key.sign(&head, &logout)).await.unwrap();
    world.refuses_as(TokenKind::IdToken, &world.key.sign(&header(), &logout)).await;
    world.refuses_as(TokenKind::Logout, &world.good()).await;
    for other in [
        json!({"nonce": "n"}),
        json!({"jti": null}),
        json!({"events": {}}),
        json!({"sub": null, "sid": null}),
        json!({"iat": NOW - 400, "exp": null}),
        json!({"iat": NOW - 400, "exp": NOW + 600}),
    ] {
        let mut claims = logout.clone();
        for (name, value) in other.as_object().unwrap() {
            match value {
                serde_json::Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                _ => claims[name] = value.clone(),
            }
        }
        world.refuses_as(TokenKind::Logout, &world.key.sign(&head, &claims)).await;
    }
}

#[tokio::test]
async fn an_id_token_is_for_one_client() {
    let world = World::new(EAGER).await;
    let audience = crate::issuer::AUDIENCE;
    for other in [json!({"azp": "other"}), json!({"aud": [audience, "other"]})] {
        let why = world.refuses_as(TokenKind::IdToken, &world.key.sign(&header(), &world.but(other))).await;
        assert!(why.contains("another client"), "{why}");
    }
    let fine = world.but(json!({"aud": [audience, "other"], "azp": audience}));
    world.says(TokenKind::IdToken, &world.key.sign(&header(), &fine)).await.unwrap();
}

#[tokio::test]
async fn what_is_malformed_asks_the_issuer_nothing() {
    let world = World::new(EAGER).await;
    let twice = format!(r#"{{"iss":"{}","sub":"a","sub":"b"}}"#, world.url);
    world.refuses(&world.key.sign_text(&header().to_string(), &twice)).await;
    world.refuses(&"x".repeat(100_000)).await;
    world.refuses(&world.key.sign(&header(), &world.but(json!({"exp": NOW - 100})))).await;
    world.refuses(&world.key.sign(&json!({"alg": "none"}), &world.claims())).await;
    assert_eq!(world.asked_for_keys(), 0);
}
