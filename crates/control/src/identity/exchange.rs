//! `POST /v1/token`: a form. A workload's own token for one of ours (RFC 8693, 2), or its X.509-SVID, by which it showed in the
//! handshake who it is (RFC 6749, 4.4; RFC 8705, 2.1). A no is a problem like everywhere here (RFC 9457), whose `code` is
//! OAuth's word where it has one.

use daypass_api::identity::{
    ACCESS_TOKEN_TYPE, CLIENT_CREDENTIALS, ID_TOKEN_TYPE, JWT_TYPE, TOKEN_EXCHANGE, TokenExchange, TokenExchanged,
};
use daypass_app::exchange::{ExchangeInput, Proof};

use crate::{
    body::{Json, OauthForm},
    call::{Call, name},
    fault::{Fault, Result},
    signin::{secret, shown},
};

pub(super) async fn exchange(call: Call, OauthForm(body): OauthForm<TokenExchange>) -> Result<Json<TokenExchanged>> {
    let proof = match body.grant_type.as_str() {
        TOKEN_EXCHANGE => by_token(&body)?,
        CLIENT_CREDENTIALS => by_certificate(&call)?,
        _ => {
            let what = format!("the grant type is {TOKEN_EXCHANGE}, or {CLIENT_CREDENTIALS} by a certificate");
            return Err(refused("unsupported_grant_type", what));
        }
    };
    let workload = body.workload.map(|workload| name("workload", &workload)).transpose()?;
    let input = ExchangeInput { proof, workload, peer: call.peer.ip() };
    let got = call.app().exchange_token(input).await?;
    let scope: Vec<&str> = got.scopes.iter().map(|scope| scope.as_str()).collect();
    Ok(Json(TokenExchanged {
        access_token: shown(&got.token),
        issued_token_type: ACCESS_TOKEN_TYPE.to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: u32::try_from(got.lasts.secs()).unwrap_or(0),
        scope: scope.join(" "),
        workload: got.workload.to_string(),
    }))
}

fn by_token(body: &TokenExchange) -> Result<Proof> {
    let kind = body.subject_token_type.as_deref().unwrap_or_default();
    if ![JWT_TYPE, ID_TOKEN_TYPE].contains(&kind) {
        return Err(refused("invalid_request", format!("the subject token's type is {JWT_TYPE} or {ID_TOKEN_TYPE}")));
    }
    if body.actor_token.is_some() {
        return Err(refused("invalid_request", "nobody acts for another here: send no actor token".to_owned()));
    }
    match &body.subject_token {
        Some(token) => Ok(Proof::Token(secret(token))),
        None => Err(refused("invalid_request", "there is no subject token".to_owned())),
    }
}

fn by_certificate(call: &Call) -> Result<Proof> {
    let chain = call.certificates.chain();
    if !chain.is_empty() {
        return Ok(Proof::Certificates(chain.to_vec()));
    }
    let next = match &call.control.state.info.workloads {
        Some(url) => format!("connect to {url}, which asks for one"),
        None => {
            "whoever runs the server sets `workloads` in server.toml, where it then listens for workloads".to_owned()
        }
    };
    let what = "no certificate was shown: this listener asks for none";
    Err(Fault::new(axum::http::StatusCode::BAD_REQUEST, "invalid_client", what, next))
}

fn refused(code: &'static str, what: String) -> Fault {
    Fault::new(axum::http::StatusCode::BAD_REQUEST, code, what, "see RFC 8693, 2.1")
}
