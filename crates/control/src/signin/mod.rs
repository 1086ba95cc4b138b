//! Set-up, invitations, signing in and out. The only routes by which somebody comes in without a bearer secret.

use daypass_api::{
    PrincipalId, SecretText,
    signin::{AcceptInvitation, Code, Enrolled, SecondFactorShown, SetUp, SignIn, SignedIn},
};
use daypass_app::{
    entry::event,
    signin::{Showing, SignInInput},
};
use daypass_domain::principal::{SecondFactor, Via};
use daypass_ports::{rows::TokenScope, secret::Secret};

use crate::{
    body::{Created, Done, Empty, Json},
    call::Call,
    fault::Result,
    route::{
        Access::{Anybody, Scope},
        Route,
    },
    show::time,
};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/setup", Anybody, "Make the first administrator, with the set-up token", set_up)
            .shows_a_secret()
            .writes(&[event::SET_UP]),
        Route::post("/v1/invitations/accept", Anybody, "Take an invitation up: set a first password", accept)
            .shows_a_secret()
            .writes(&[event::INVITATION_USED, event::FOUR_EYES]),
        Route::post("/v1/signin", Anybody, "Sign in", sign_in).shows_a_secret().writes(&[
            event::SIGNED_IN,
            event::SIGN_IN_FAILED,
            event::RECOVERY_CODE_USED,
        ]),
        Route::post("/v1/signout", Scope(TokenScope::Read), "End this sign-in", sign_out)
            .for_people()
            .shows_a_secret()
            .writes(&[event::SIGNED_OUT]),
        Route::post("/v1/signin/second-factor", Scope(TokenScope::Read), "Show the second factor again", second_factor)
            .for_people()
            .shows_a_secret()
            .writes(&[event::SECOND_FACTOR_SHOWN, event::RECOVERY_CODE_USED]),
    ]
}

/// A secret on its way in.
pub(crate) fn secret(text: &SecretText) -> Secret {
    Secret::new(text.expose().to_owned())
}

/// A secret on its way out, once.
pub(crate) fn shown(secret: &Secret) -> SecretText {
    SecretText::new(secret.expose().to_owned())
}

async fn set_up(call: Call, Json(body): Json<SetUp>) -> Result<Created<Enrolled>> {
    let (code, password) = (secret(&body.code), secret(&body.password));
    let id = call.app().setup(&code, &body.name, password, call.peer.ip()).await?;
    Ok(Created(Enrolled { principal: PrincipalId::of(id), name: call.app().name_of(id).await?.to_string() }))
}

async fn accept(call: Call, Json(body): Json<AcceptInvitation>) -> Result<Created<Enrolled>> {
    let id = call.app().accept_invitation(&secret(&body.code), secret(&body.password), call.peer.ip()).await?;
    Ok(Created(Enrolled { principal: PrincipalId::of(id), name: call.app().name_of(id).await?.to_string() }))
}

async fn sign_in(call: Call, Json(body): Json<SignIn>) -> Result<Created<SignedIn>> {
    let input = SignInInput {
        name: body.name,
        password: secret(&body.password),
        code: body.code.map(Secret::new),
        peer: call.peer.ip(),
    };
    let made = call.app().sign_in(input).await?;
    Ok(Created(signed_in(&call, made)))
}

/// A sign-in, on its way out, once.
pub(crate) fn signed_in(call: &Call, made: daypass_app::signin::SignedIn) -> SignedIn {
    SignedIn {
        principal: PrincipalId::of(made.principal),
        token: shown(&made.token),
        connection_user: made.connection_user.to_string(),
        connection_secret: shown(&made.connection_secret),
        expires: time(made.expires),
        second_factor_at: match made.second_factor {
            SecondFactor::NotShown => None,
            SecondFactor::ShownAt { at } => Some(time(at)),
        },
        gateway: call.control.state.info.gateways.clone(),
        log_key: call.app().store().log_key(),
    }
}

async fn sign_out(call: Call, _: Empty) -> Result<Done> {
    call.app().sign_out(call.caller()?).await?;
    Ok(Done)
}

async fn second_factor(call: Call, Json(body): Json<Code>) -> Result<Json<SecondFactorShown>> {
    let showing = Showing::Code(Secret::new(body.code));
    let actor = call.app().show_second_factor(call.caller()?, &showing, call.peer.ip()).await?;
    let at = match actor.via {
        Via::SignIn { second_factor: SecondFactor::ShownAt { at } } => at,
        // What the use case gives says when it was shown; otherwise it was this moment.
        Via::SignIn { second_factor: SecondFactor::NotShown } | Via::Token { .. } => call.app().time(),
    };
    Ok(Json(SecondFactorShown { at: time(at) }))
}
