//! Coming back with a code: what a provider may answer, and what others may put in its place.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use daypass_domain::{Time, trust::Claims};
use daypass_ports::{
    identity::{Authorization, Client, Code, Identity, IdentityError},
    secret::Secret,
};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, EAGER, NOW, World, header, http};

const NONCE: &str = "of this sign-in";

async fn world() -> World {
    let world = World::new(EAGER).await;
    world.document(json!({}));
    world
}

/// Comes back with a code, and what the browser says of whose answer it is.
async fn redeem(world: &World, said: Option<&str>, needs: &[&str]) -> Result<Claims, IdentityError> {
    let (issuer, scopes) = (world.issuer(), BTreeSet::new());
    let client = Client { issuer: &issuer, id: AUDIENCE, secret: None, scopes: &scopes, needs };
    let (code, verifier) = (Secret::new("code".to_owned()), Secret::new("verifier".to_owned()));
    let redirect_uri = "https://daypass.example/signin/oidc/callback";
    let code = Code { code: &code, verifier: &verifier, redirect_uri, nonce: NONCE, said };
    world.oidc.redeem(&client, &code, Time::from_micros(NOW * 1_000_000)).await
}

/// The token endpoint answers with an ID token that says this beside the usual.
fn gives(world: &World, other: Value) {
    let mut claims = world.but(json!({"nonce": NONCE, "sub": "carol"}));
    for (name, value) in other.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let token = world.key.sign(&header(), &claims);
    world.answer("/token", &http(&json!({"id_token": token, "access_token": "of carol"}).to_string()));
}

async fn refused(world: &World, said: Option<&str>, words: &str) {
    let error = redeem(world, said, &[]).await.unwrap_err();
    assert!(matches!(error, IdentityError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains(words), "{words}: {error}");
}

#[tokio::test]
async fn who_comes_back_is_whom_the_id_token_names() {
    let world = world().await;
    gives(&world, json!({}));
    assert_eq!(redeem(&world, None, &[]).await.unwrap().text("sub").as_deref(), Some("carol"));
    assert_eq!(redeem(&world, Some(&world.url), &[]).await.unwrap().text("sub").as_deref(), Some("carol"));
}

#[tokio::test]
async fn an_answer_of_another_sign_in_or_for_another_client_is_refused() {
    let world = world().await;
    for (other, words) in [
        (json!({"nonce": "of another"}), "`nonce` isn't that of this sign-in"),
        (json!({"nonce": ""}), "`nonce` isn't that of this sign-in"),
        (json!({"nonce": [NONCE]}), "`nonce` isn't that of this sign-in"),
        (json!({"aud": "another"}), "another audience"),
        (json!({"aud": [AUDIENCE, "another"]}), "another client"),
        (json!({"iss": "https://another.example"}), "another issuer"),
        (json!({"exp": NOW - 100}), "expired"),
    ] {
        gives(&world, other);
        refused(&world, None, words).await;
    }
}

#[tokio::test]
async fn a_code_of_one_provider_never_reaches_another() {
    let world = world().await;
    gives(&world, json!({}));
    for other in ["https://evil.example", "", &format!("{}/", world.url)] {
        refused(&world, Some(other), "isn't of the provider that was gone to").await;
    }
    // Where answers always say whose they are, one that doesn't was cut (RFC 9207, 2.4).
    let strict = World::new(EAGER).await;
    strict.document(json!({"authorization_response_iss_parameter_supported": true}));
    gives(&strict, json!({}));
    refused(&strict, None, "or doesn't say so").await;
    assert_eq!(strict.served.codes_asked.load(Ordering::Relaxed), 0);
    assert_eq!(world.served.codes_asked.load(Ordering::Relaxed), 0);
    redeem(&strict, Some(&strict.url), &[]).await.unwrap();
}

#[tokio::test]
async fn what_is_said_elsewhere_is_about_the_same_person() {
    let world = world().await;
    gives(&world, json!({}));
    world.answer("/me", &http(&json!({"sub": "dave", "groups": ["administrators"]}).to_string()));
    let error = redeem(&world, None, &["groups"]).await.unwrap_err();
    assert!(error.to_string().contains("two different people"), "{error}");
    world.answer("/me", &http(&json!({"sub": "carol", "groups": ["dba"], "iss": "x"}).to_string()));
    let said = redeem(&world, None, &["groups"]).await.unwrap();
    assert_eq!(said.texts("groups"), ["dba"]);
    assert_eq!(said.text("iss").as_deref(), Some(world.url.as_str()), "what was signed goes before what wasn't");
}

#[tokio::test]
async fn a_no_is_told_and_an_answer_that_is_none_is_not_believed() {
    let world = world().await;
    let no = json!({"error": "invalid_grant", "error_description": "used\u{1b}[31m before"}).to_string();
    let status = "HTTP/1.1 400 Bad Request\r\nconnection: close";
    world.answer("/token", &format!("{status}\r\ncontent-length: {}\r\n\r\n{no}", no.len()));
    let error = redeem(&world, None, &[]).await.unwrap_err();
    assert!(matches!(error, IdentityError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("invalid_grant") && !error.to_string().contains('\u{1b}'), "{error}");
    world.answer("/token", &http(&json!({"access_token": "and no ID token"}).to_string()));
    assert!(redeem(&world, None, &[]).await.unwrap_err().to_string().contains("without an ID token"));
    let away = "HTTP/1.1 307 Temporary Redirect\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n";
    world.answer("/token", away);
    assert!(redeem(&world, None, &[]).await.unwrap_err().to_string().contains("redirect"));
}

#[tokio::test]
async fn nobody_is_sent_to_a_provider_that_is_away() {
    let world = world().await;
    let (issuer, scopes) = (world.issuer(), BTreeSet::new());
    let client = Client { issuer: &issuer, id: AUDIENCE, secret: None, scopes: &scopes, needs: &[] };
    let asked = Authorization {
        redirect_uri: "https://daypass.example/signin/oidc/callback",
        state: "s",
        nonce: NONCE,
        challenge: "c",
        max_age: None,
    };
    let url = world.oidc.authorize(&client, &asked).await.unwrap();
    for part in ["response_type=code&", "code_challenge=c&code_challenge_method=S256", "state=s", "scope=openid"] {
        assert!(url.contains(part), "{part}: {url}");
    }
    world.served.away.store(true, Ordering::Relaxed);
    let error = world.oidc.authorize(&client, &asked).await.unwrap_err();
    assert!(matches!(error, IdentityError::Unreachable { .. }), "{error:?}");
}
