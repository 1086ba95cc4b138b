//! A command signs somebody in by a provider, and a provider says that somebody signed out.

use axum::http::StatusCode;
use daypass_api::{
    Page, SecretText,
    identity::{
        BackChannelLogout, BeginSignIn, CameBack, FinishSignIn, Provider, SignInBegun, SignInFinished, SignInWay,
    },
};
use daypass_app::{
    ProblemKind,
    signin::{Came, Finished, Return},
};
use daypass_domain::Span;

use crate::{
    body::{Json, OauthForm, Raw},
    call::{Call, name},
    fault::{Fault, Result},
    signin::{secret, shown, signed_in},
};

pub(super) async fn providers(call: Call) -> Result<Json<Page<Provider>>> {
    let all = call.app().providers().await?;
    let items = all.into_iter().map(|p| Provider { name: p.name.to_string(), title: p.title }).collect();
    Ok(Json(Page { items, next: None }))
}

pub(super) async fn begin(call: Call, Json(body): Json<BeginSignIn>) -> Result<Json<SignInBegun>> {
    let provider = body.provider.map(|provider| name("provider", &provider)).transpose()?;
    let (app, peer) = (call.app(), call.peer.ip());
    Ok(Json(match body.way {
        SignInWay::Loopback { port } => {
            let began = app.begin_provider_sign_in(provider.as_ref(), &Return::Loopback { port }, peer).await?;
            SignInBegun::Browser { url: began.url, attempt: shown(&began.attempt) }
        }
        SignInWay::Device => {
            let began = app.begin_device_sign_in(provider.as_ref(), peer).await?;
            SignInBegun::Device {
                user_code: began.user_code,
                verification_uri: began.verification_uri,
                verification_uri_complete: began.verification_uri_complete,
                interval_s: seconds(began.interval),
                attempt: shown(&began.attempt),
            }
        }
    }))
}

pub(super) async fn finish(call: Call, Json(body): Json<FinishSignIn>) -> Result<Json<SignInFinished>> {
    let came = match body.came {
        Some(CameBack { code, state, iss }) => {
            Came::Code(daypass_app::signin::CameBack { code: secret(&code), state, issuer: iss })
        }
        None => Came::Device,
    };
    Ok(Json(match call.app().finish_provider_sign_in(&secret(&body.attempt), came, call.peer.ip()).await? {
        Finished::NotYet(interval) => SignInFinished::NotYet { interval_s: seconds(interval) },
        Finished::SignedIn(made) => SignInFinished::SignedIn { signed_in: Box::new(signed_in(&call, *made)) },
    }))
}

fn seconds(span: Span) -> u32 {
    u32::try_from(span.secs()).unwrap_or(u32::MAX)
}

/// Back-Channel Logout 1.0, 2.8: 200 when it was done, 400 when the token is no good.
pub(super) async fn logout(call: Call, OauthForm(body): OauthForm<BackChannelLogout>) -> Result<Raw> {
    let token: SecretText = body.logout_token;
    call.app().provider_signed_out(token.expose(), call.peer.ip()).await.map_err(|problem| {
        if problem.kind == ProblemKind::Invalid {
            return Fault::new(StatusCode::BAD_REQUEST, problem.code, problem.what, problem.next);
        }
        Fault::from(problem)
    })?;
    Ok(Raw::of("text/plain; charset=utf-8", ""))
}
