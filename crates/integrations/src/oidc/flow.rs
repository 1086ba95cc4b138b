//! Signing people in: authorization code (OpenID Connect Core 1.0, 3.1, with RFC 7636), and another device (RFC 8628).

use std::collections::BTreeSet;

use daypass_domain::{
    Span, Time,
    trust::{Claims, IssuerUrl},
};
use daypass_ports::{
    identity::{Authorization, Client, Code, Device, Expected, IdentityError, Polled, TokenKind},
    secret::Secret,
};
use form_urlencoded::{Serializer, byte_serialize};
use reqwest::StatusCode;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::{
    Oidc, check,
    discovery::{Discovered, SaysIssuer},
    fetch::{Answer, unusable},
};

/// RFC 8628, 3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628, 3.2: how often is asked when the provider doesn't say.
const INTERVAL: i64 = 5;

pub(super) async fn authorize(
    oidc: &Oidc,
    client: &Client<'_>,
    asked: &Authorization<'_>,
) -> Result<String, IdentityError> {
    let place = oidc.discovered_now(client.issuer).await?.authorize;
    let place = place.ok_or_else(|| unusable(client.issuer, "it has no authorization endpoint".to_owned()))?;
    let mut address = url::Url::parse(place.as_str()).map_err(|e| unusable(client.issuer, e.to_string()))?;
    let mut query = address.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", client.id)
        .append_pair("redirect_uri", asked.redirect_uri)
        .append_pair("scope", &scope(client.scopes))
        .append_pair("state", asked.state)
        .append_pair("nonce", asked.nonce)
        .append_pair("code_challenge", asked.challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(age) = asked.max_age {
        query.append_pair("max_age", &age.secs().to_string());
    }
    drop(query);
    Ok(address.into())
}

fn scope(more: &BTreeSet<String>) -> String {
    let more = more.iter().map(String::as_str).filter(|s| *s != "openid");
    std::iter::once("openid").chain(more).collect::<Vec<_>>().join(" ")
}

pub(super) async fn redeem(
    oidc: &Oidc,
    client: &Client<'_>,
    code: &Code<'_>,
    now: Time,
) -> Result<Claims, IdentityError> {
    let places = oidc.discovered(client.issuer).await?;
    // Before the code goes anywhere: one provider's must not reach another (RFC 9700, 4.4).
    match (code.said, places.says_issuer) {
        (Some(said), _) if said == client.issuer.url.as_str() => {}
        (None, SaysIssuer::Perhaps) => {}
        (Some(_), _) | (None, SaysIssuer::Always) => {
            let why = "the answer isn't of the provider that was gone to, or doesn't say so";
            return Err(IdentityError::Refused(why.to_owned()));
        }
    }
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.code.expose()),
        ("redirect_uri", code.redirect_uri),
        ("code_verifier", code.verifier.expose()),
    ];
    let answer = ask(oidc, client, &places, places.token.as_ref(), &pairs).await?;
    if answer.status != StatusCode::OK {
        return Err(denied(client, &answer));
    }
    let claims = told(oidc, client, &places, &answer, now).await?;
    let nonce = claims.text("nonce").unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(code.nonce.as_bytes())) {
        return Err(IdentityError::Refused("its `nonce` isn't that of this sign-in".to_owned()));
    }
    Ok(claims)
}

pub(super) async fn begin_device(oidc: &Oidc, client: &Client<'_>) -> Result<Device, IdentityError> {
    let places = oidc.discovered(client.issuer).await?;
    let none = "it offers no sign-in on another device";
    let place = places.device.as_ref().ok_or_else(|| unusable(client.issuer, none.to_owned()))?;
    let answer = ask(oidc, client, &places, Some(place), &[("scope", &scope(client.scopes))]).await?;
    if answer.status != StatusCode::OK {
        return Err(denied(client, &answer));
    }
    let text = |name: &str| answer.body.get(name).and_then(Value::as_str).filter(|t| t.len() <= 2_000);
    let missing = |name: &str| unusable(client.issuer, format!("it says no `{name}`"));
    let place = |name: &str| text(name).filter(|said| said.parse::<IssuerUrl>().is_ok() || is_page(said));
    Ok(Device {
        code: Secret::new(text("device_code").ok_or_else(|| missing("device_code"))?.to_owned()),
        user_code: text("user_code").ok_or_else(|| missing("user_code"))?.to_owned(),
        verification_uri: place("verification_uri").ok_or_else(|| missing("verification_uri"))?.to_owned(),
        verification_uri_complete: place("verification_uri_complete").map(ToOwned::to_owned),
        interval: seconds(answer.body.get("interval"), INTERVAL),
        lasts: seconds(answer.body.get("expires_in"), 600),
    })
}

/// Whether a person can be sent there.
fn is_page(said: &str) -> bool {
    url::Url::parse(said).is_ok_and(|page| page.scheme() == "https" || page.host_str().is_some_and(is_local))
}

fn is_local(host: &str) -> bool {
    format!("http://{host}").parse::<IssuerUrl>().is_ok()
}

fn seconds(said: Option<&Value>, otherwise: i64) -> Span {
    let seconds = said.and_then(Value::as_i64).unwrap_or(otherwise).clamp(1, 1_800);
    Span::from_micros(seconds * 1_000_000)
}

pub(super) async fn poll_device(
    oidc: &Oidc,
    client: &Client<'_>,
    code: &Secret,
    now: Time,
) -> Result<Polled, IdentityError> {
    let places = oidc.discovered(client.issuer).await?;
    let pairs = [("grant_type", DEVICE_GRANT), ("device_code", code.expose())];
    let answer = ask(oidc, client, &places, places.token.as_ref(), &pairs).await?;
    if answer.status == StatusCode::OK {
        return told(oidc, client, &places, &answer, now).await.map(Polled::Done);
    }
    match answer.body.get("error").and_then(Value::as_str) {
        Some("authorization_pending") => Ok(Polled::NotYet(seconds(None, INTERVAL))),
        Some("slow_down") => Ok(Polled::NotYet(seconds(None, 2 * INTERVAL))),
        Some(_) | None => Err(denied(client, &answer)),
    }
}

/// Sends a form to an endpoint, as the client that we are there.
async fn ask(
    oidc: &Oidc,
    client: &Client<'_>,
    places: &Discovered,
    place: Option<&IssuerUrl>,
    pairs: &[(&str, &str)],
) -> Result<Answer, IdentityError> {
    let place = place.ok_or_else(|| unusable(client.issuer, "it has no token endpoint".to_owned()))?;
    let (form, basic) = form_of(client, places, pairs);
    oidc.fetcher.post(client.issuer, place, form, basic).await
}

/// A form with our name in it, and our secret there or beside it (RFC 6749, 2.3.1).
fn form_of(client: &Client<'_>, places: &Discovered, pairs: &[(&str, &str)]) -> (String, Option<(String, String)>) {
    let mut form = Serializer::new(String::new());
    // In the form in any case: RFC 8628, 3.1, wants it there.
    form.extend_pairs(pairs).append_pair("client_id", client.id);
    let basic = match client.secret {
        Some(secret) if places.secret_in_form => {
            form.append_pair("client_secret", secret.expose());
            None
        }
        // Both are encoded as a form first.
        Some(secret) => {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            Some((encoded(client.id), encoded(secret.expose())))
        }
        None => None,
    };
    (form.finish(), basic)
}

/// Who the ID token of an answer says it is; with what the userinfo endpoint says beside it, when something is missing.
async fn told(
    oidc: &Oidc,
    client: &Client<'_>,
    places: &Discovered,
    answer: &Answer,
    now: Time,
) -> Result<Claims, IdentityError> {
    let text = |name: &str| answer.body.get(name).and_then(Value::as_str);
    let token = text("id_token").ok_or_else(|| unusable(client.issuer, "an answer without an ID token".to_owned()))?;
    let expected = Expected { kind: TokenKind::IdToken, audience: client.id, now };
    let claims = check::verify(oidc, client.issuer, &expected, token).await?;
    let complete = client.needs.iter().all(|claim| claims.says(claim) || claims.has_elsewhere(claim));
    let (Some(place), Some(bearer), false) = (&places.userinfo, text("access_token"), complete) else {
        return Ok(claims);
    };
    let said = oidc.fetcher.get_as(client.issuer, place, bearer).await?;
    let Value::Object(said) = said else {
        return Err(unusable(client.issuer, "what it says of somebody is no object".to_owned()));
    };
    let more = Claims::new(said.into_iter().collect());
    // OpenID Connect Core 1.0, 5.3.2.
    if more.text("sub") != claims.text("sub") {
        return Err(IdentityError::Refused("the provider speaks of two different people".to_owned()));
    }
    Ok(claims.and(more))
}

/// The provider's own word for its no (RFC 6749, 5.2).
fn denied(client: &Client<'_>, answer: &Answer) -> IdentityError {
    let text = |name: &str| answer.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let words = format!("{} {}", text("error"), text("error_description"));
    let words: String = words.trim().chars().take(200).flat_map(char::escape_debug).collect();
    let why = if words.is_empty() { answer.status.to_string() } else { words };
    IdentityError::Denied { issuer: client.issuer.url.clone(), why }
}
