//! Oneself.

mod factors;

use daypass_api::{
    PrincipalId,
    people::PrincipalKind,
    signin::{ChangePassword, Code, ConnectionSecret, EnrolTotp, FourEyes, Me, TotpEnrolment, Via},
};
use daypass_app::{entry::event, signin::Credential};
use daypass_domain::principal::{Group, Kind, SecondFactor};
use daypass_ports::rows::{self, Settings, SignIn, TokenScope, key};

use crate::{
    body::{Created, Done, Empty, Json},
    call::Call,
    fault::Result,
    route::{Access::Scope, Route},
    show::time,
    signin::{secret, shown},
    tokens,
};

pub(crate) fn routes() -> Vec<Route> {
    let own = vec![
        Route::get("/v1/me", Scope(TokenScope::Read), "Who calls, and by what", show),
        Route::post("/v1/me/password", Scope(TokenScope::Read), "Another password; one's other sign-ins end", password)
            .for_people()
            .shows_a_secret()
            .writes(&[event::PASSWORD_CHANGED]),
        Route::post("/v1/me/totp", Scope(TokenScope::Read), "Begin to enrol a second factor", enrol)
            .for_people()
            .shows_a_secret()
            .writes(&[event::FACTOR_ENROLLED]),
        Route::post(
            "/v1/me/totp/confirm",
            Scope(TokenScope::Read),
            "Show a first code: the second factor counts",
            confirm,
        )
        .for_people()
        .shows_a_secret()
        .writes(&[event::FACTOR_ENROLLED]),
        Route::post(
            "/v1/me/connection-secret",
            Scope(TokenScope::Request),
            "The secret that database clients prove at the gateway",
            connection_secret,
        )
        .shows_a_secret()
        .writes(&[event::CONNECTION_SECRET_GIVEN]),
    ];
    own.into_iter().chain(factors::routes()).collect()
}

async fn show(call: Call) -> Result<Json<Me>> {
    let (app, caller) = (call.app(), call.caller()?);
    let principal = app.principal(caller.principal()).await?.value;
    let own = principal.id.to_string();
    let groups = app.store().find::<Group>(key::MEMBER, &own).await?;
    let kind = match principal.kind {
        Kind::User => PrincipalKind::User,
        Kind::Workload { owner } => PrincipalKind::Workload { owner: app.name_of(owner).await?.to_string() },
    };
    let via = match caller.credential() {
        Credential::Token(_) => Via::Token,
        Credential::SignIn(id) => {
            let row = app.store().get::<SignIn>(&id.to_string()).await?;
            let second_factor_at = row.and_then(|row| match row.value.second_factor {
                SecondFactor::NotShown => None,
                SecondFactor::ShownAt { at } => Some(time(at)),
            });
            Via::SignIn { second_factor_at }
        }
    };
    let four_eyes = match app.store().get::<Settings>(Settings::ID).await?.map(|s| s.value.four_eyes) {
        Some(rows::FourEyes::Since { at }) => FourEyes::Since { at: time(at) },
        Some(rows::FourEyes::NotYet) | None => FourEyes::NotYet,
    };
    let mut groups: Vec<String> = groups.into_iter().map(|g| g.value.name.to_string()).collect();
    groups.sort();
    Ok(Json(Me {
        principal: PrincipalId::of(principal.id),
        name: principal.name.to_string(),
        kind,
        groups,
        via,
        scopes: tokens::SCOPES.iter().filter(|(s, _)| caller.may(*s).is_ok()).map(|(_, shown)| *shown).collect(),
        four_eyes,
    }))
}

async fn password(call: Call, Json(body): Json<ChangePassword>) -> Result<Done> {
    call.app().change_password(call.caller()?, secret(&body.old), secret(&body.new)).await?;
    Ok(Done)
}

async fn enrol(call: Call, Json(body): Json<EnrolTotp>) -> Result<Created<TotpEnrolment>> {
    let enrolment = call.app().enrol_totp(call.caller()?, secret(&body.password)).await?;
    Ok(Created(TotpEnrolment { secret: shown(&enrolment.secret), uri: shown(&enrolment.uri) }))
}

async fn confirm(call: Call, Json(body): Json<Code>) -> Result<Done> {
    call.app().confirm_totp(call.caller()?, &body.code, call.peer.ip()).await?;
    Ok(Done)
}

async fn connection_secret(call: Call, _: Empty) -> Result<Created<ConnectionSecret>> {
    let given = call.app().connection_secret(call.caller()?).await?;
    Ok(Created(ConnectionSecret {
        user: given.user.to_string(),
        secret: shown(&given.secret),
        expires: time(given.expires),
        gateway: call.control.state.info.gateways.clone(),
    }))
}
