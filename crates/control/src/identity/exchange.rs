//! `POST /v1/token` (RFC 8693, 2): a form. A no is a problem like everywhere here (RFC 9457), whose `code` is OAuth's word
//! where it has one.

use daypass_api::identity::{
    ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, JWT_TYPE, TOKEN_EXCHANGE, TokenExchange, TokenExchanged,
};
use daypass_app::exchange::ExchangeInput;

use crate::{
    body::{Json, OauthForm},
    call::{Call, name},
    fault::{Fault, Result},
    signin::{secret, shown},
};

pub(super) async fn exchange(call: Call, OauthForm(body): OauthForm<TokenExchange>) -> Result<Json<TokenExchanged>> {
    let refused = |code: &'static str, what: String| {
        Fault::new(axum::http::StatusCode::BAD_REQUEST, code, what, "see RFC 8693, 2.1")
    };
    if body.grant_type != TOKEN_EXCHANGE {
        return Err(refused("unsupported_grant_type", format!("the grant type is {TOKEN_EXCHANGE}")));
    }
    if ![JWT_TYPE, ID_TOKEN_TYPE].contains(&body.subject_token_type.as_str()) {
        return Err(refused("invalid_request", format!("the subject token's type is {JWT_TYPE} or {ID_TOKEN_TYPE}")));
    }
    if body.actor_token.is_some() {
        return Err(refused("invalid_request", "nobody acts for another here: send no actor token".to_owned()));
    }
    let workload = body.workload.map(|workload| name("workload", &workload)).transpose()?;
    let input = ExchangeInput { token: secret(&body.subject_token), workload, peer: call.peer.ip() };
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
