//! Transmitters of signals: what they say of themselves (SSF 1.0, "Transmitter Configuration Discovery"), asking them for
//! what they have (RFC 8936), and asking them to verify their stream.

use daypass_domain::trust::{Issuer, IssuerUrl};
use daypass_ports::{identity::IdentityError, signals::Listener};
use daypass_wire::{
    jwt::strict,
    secevent::poll::{Answered, Asked},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    Oidc,
    discovery::place,
    fetch::{Fetcher, unusable},
};

/// The end of the address at which a transmitter says everything of itself.
const WELL_KNOWN: &str = "/.well-known/ssf-configuration";

/// Where everything of a transmitter is.
pub(super) struct Found {
    pub jwks: IssuerUrl,
    verification: Option<IssuerUrl>,
}

/// Asks a transmitter, and believes what is of one piece.
pub(super) async fn discover(fetcher: &Fetcher, issuer: &Issuer) -> Result<Found, IdentityError> {
    let document = document(fetcher, issuer).await?;
    if document.get("issuer").and_then(Value::as_str) != Some(issuer.url.as_str()) {
        return Err(unusable(issuer, "it calls itself otherwise than it is declared here, to the letter".to_owned()));
    }
    Ok(Found {
        jwks: place(issuer, &document, "jwks_uri")?
            .ok_or_else(|| unusable(issuer, "it says no `jwks_uri`: name the address of its keys".to_owned()))?,
        verification: place(issuer, &document, "verification_endpoint")?,
    })
}

/// Between the host and the path, as the text says; after both, as some do.
async fn document(fetcher: &Fetcher, issuer: &Issuer) -> Result<Value, IdentityError> {
    let whole = issuer.url.as_str().trim_end_matches('/');
    let host_at = whole.find("://").map_or(0, |at| at + 3);
    let path_at = whole[host_at..].find('/').map_or(whole.len(), |at| host_at + at);
    let (base, path) = whole.split_at(path_at);
    let ask = async |address: String| match address.parse::<IssuerUrl>() {
        Ok(address) => fetcher.get(issuer, &address).await,
        Err(_) => Err(unusable(issuer, "its address can't be completed".to_owned())),
    };
    match ask(format!("{base}{WELL_KNOWN}{path}")).await {
        Err(IdentityError::Unusable { .. }) if !path.is_empty() => ask(format!("{whole}{WELL_KNOWN}")).await,
        answered => answered,
    }
}

/// Asks once for signals.
pub(super) async fn poll(
    oidc: &Oidc,
    by: &Listener<'_>,
    at: &IssuerUrl,
    asked: &Asked,
) -> Result<Answered, IdentityError> {
    let issuer = by.issuer;
    let bearer = by.credential.map(|secret| secret.expose().trim());
    let (status, bytes) = oidc.fetcher.post_json(issuer, at, &asked.body(), bearer).await?;
    must_be_fine(issuer, status)?;
    let body = strict(&bytes).ok_or_else(|| unusable(issuer, "no JSON that says everything once".to_owned()))?;
    Answered::read(&body).map_err(|why| unusable(issuer, why.to_owned()))
}

/// Asks for a signal that says `state`.
pub(super) async fn ask_to_verify(
    oidc: &Oidc,
    by: &Listener<'_>,
    stream: &str,
    state: &str,
) -> Result<(), IdentityError> {
    let found = discover(&oidc.fetcher, by.issuer).await?;
    let place = found
        .verification
        .ok_or_else(|| unusable(by.issuer, "it says no `verification_endpoint`, so it can't be asked".to_owned()))?;
    let bearer = by.credential.map(|secret| secret.expose().trim());
    let body = json!({"stream_id": stream, "state": state});
    let (status, _) = oidc.fetcher.post_json(by.issuer, &place, &body, bearer).await?;
    must_be_fine(by.issuer, status)
}

fn must_be_fine(issuer: &Issuer, status: StatusCode) -> Result<(), IdentityError> {
    if status.is_success() {
        return Ok(());
    }
    Err(IdentityError::Denied { issuer: issuer.url.clone(), why: format!("it answers {status}") })
}
