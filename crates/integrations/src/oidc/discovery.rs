//! What an issuer says of itself (OpenID Connect Discovery 1.0, 4).

use daypass_domain::trust::{Issuer, IssuerUrl};
use daypass_ports::identity::IdentityError;
use serde_json::Value;

use super::fetch::{Fetcher, unusable};

/// Where everything of an issuer is.
#[derive(Debug, Clone)]
pub(super) struct Discovered {
    pub jwks: IssuerUrl,
    pub authorize: Option<IssuerUrl>,
    pub token: Option<IssuerUrl>,
    pub userinfo: Option<IssuerUrl>,
    pub device: Option<IssuerUrl>,
    /// Whether it takes our secret in the form only.
    pub secret_in_form: bool,
    /// Whether its answers say whose they are (RFC 9207, 3).
    pub says_issuer: SaysIssuer,
}

/// Whether a provider's answers say whose they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaysIssuer {
    Always,
    Perhaps,
}

/// Asks an issuer, and believes what is of one piece: it says of itself what we call it (4.3), and what is over HTTPS
/// stays there.
pub(super) async fn discover(fetcher: &Fetcher, issuer: &Issuer) -> Result<Discovered, IdentityError> {
    let base = issuer.url.as_str().trim_end_matches('/');
    let Ok(address) = format!("{base}/.well-known/openid-configuration").parse::<IssuerUrl>() else {
        return Err(unusable(issuer, "its address can't be completed".to_owned()));
    };
    let document = fetcher.get(issuer, &address).await?;
    if document.get("issuer").and_then(Value::as_str) != Some(issuer.url.as_str()) {
        return Err(unusable(issuer, "it calls itself otherwise than it is declared here, to the letter".to_owned()));
    }
    let place = |name: &'static str| place(issuer, &document, name);
    let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let secret_in_form = methods.is_some_and(|methods| {
        let has = |method: &str| methods.iter().any(|m| m.as_str() == Some(method));
        has("client_secret_post") && !has("client_secret_basic")
    });
    Ok(Discovered {
        jwks: place("jwks_uri")?.ok_or_else(|| unusable(issuer, "it says no `jwks_uri`".to_owned()))?,
        authorize: place("authorization_endpoint")?,
        token: place("token_endpoint")?,
        userinfo: place("userinfo_endpoint")?,
        device: place("device_authorization_endpoint")?,
        secret_in_form,
        says_issuer: match document.get("authorization_response_iss_parameter_supported") {
            Some(Value::Bool(true)) => SaysIssuer::Always,
            Some(_) | None => SaysIssuer::Perhaps,
        },
    })
}

pub(super) fn place(issuer: &Issuer, document: &Value, name: &'static str) -> Result<Option<IssuerUrl>, IdentityError> {
    let Some(said) = document.get(name) else { return Ok(None) };
    let bad = || unusable(issuer, format!("its `{name}` isn't an address that can be trusted"));
    let said = said.as_str().ok_or_else(bad)?;
    let place: IssuerUrl = said.parse().map_err(|_| bad())?;
    let downgraded = issuer.url.as_str().starts_with("https://") && !place.as_str().starts_with("https://");
    if downgraded { Err(bad()) } else { Ok(Some(place)) }
}
