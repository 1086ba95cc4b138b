//! One's own second factors.

use daypass_api::{
    PasskeyId,
    factors::{
        Bar, BeginPasskey, FactorList, FinishPasskey, Passkey, PasskeyEnrolled, PasskeyOptions, RecoveryCodes, Way,
    },
};
use daypass_app::{entry::event, signin::Again};
use daypass_ports::rows::{self, PasskeyUse, TokenScope};

use crate::{
    body::{Created, Done, Empty, Json, Maybe},
    call::{Call, name},
    fault::Result,
    route::{Access::Scope, Route},
    show::time,
    signin::{secret, shown},
};

pub(super) fn routes() -> Vec<Route> {
    let read = Scope(TokenScope::Read);
    vec![
        Route::get("/v1/me/factors", read, "One's second factors", list).for_people(),
        Route::post("/v1/me/passkeys", read, "Begin to enrol a passkey", begin).for_people().only_looks(),
        Route::post("/v1/me/passkeys/finish", read, "Finish enrolling a passkey", finish)
            .for_people()
            .writes(&[event::FACTOR_ENROLLED]),
        Route::delete("/v1/me/passkeys/{id}", read, "Remove a passkey, unless it is the last second factor", remove)
            .for_people()
            .writes(&[event::FACTOR_REMOVED]),
        Route::post("/v1/me/recovery-codes", read, "Ten new recovery codes; those of before are void", codes)
            .for_people()
            .shows_a_secret()
            .writes(&[event::RECOVERY_CODES_MADE]),
    ]
}

async fn list(call: Call) -> Result<Json<FactorList>> {
    let held = call.app().factors(call.caller()?).await?;
    let way = |way: &rows::Way| match way {
        rows::Way::Passkey => Way::Passkey,
        rows::Way::Totp => Way::Totp,
        rows::Way::RecoveryCode => Way::RecoveryCode,
    };
    let passkeys = held.passkeys.iter().map(|key| Passkey {
        id: PasskeyId::of(key.id),
        name: key.name.to_string(),
        enrolled: time(key.enrolled),
        last_used: match key.last {
            PasskeyUse::Never => None,
            PasskeyUse::At { at } => Some(time(at)),
        },
    });
    Ok(Json(FactorList {
        ways: held.ways.iter().map(way).collect(),
        passkeys: passkeys.collect(),
        recovery_codes: u32::try_from(held.recovery_codes).unwrap_or(u32::MAX),
        bar: match held.bar {
            rows::Bar::None => Bar::None,
            rows::Bar::UntilEnrolled { since } => Bar::UntilEnrolled { since: time(since) },
            rows::Bar::UntilShown { since } => Bar::UntilShown { since: time(since) },
        },
    }))
}

async fn begin(call: Call, Maybe(body): Maybe<BeginPasskey>) -> Result<Json<PasskeyOptions>> {
    let again = body.password.as_ref().map_or(Again::SignedInJustNow, |text| Again::Password(secret(text)));
    Ok(Json(PasskeyOptions { options: call.app().begin_passkey(call.caller()?, again).await? }))
}

async fn finish(call: Call, Json(body): Json<FinishPasskey>) -> Result<Created<PasskeyEnrolled>> {
    let called = name("name", &body.name)?;
    let id = call.app().finish_passkey(call.caller()?, called, &body.answer.to_string()).await?;
    Ok(Created(PasskeyEnrolled { id: PasskeyId::of(id) }))
}

async fn remove(call: Call) -> Result<Done> {
    call.app().remove_passkey(call.caller()?, call.id("id")?).await?;
    Ok(Done)
}

async fn codes(call: Call, _: Empty) -> Result<Created<RecoveryCodes>> {
    let codes = call.app().make_recovery_codes(call.caller()?).await?;
    Ok(Created(RecoveryCodes { codes: codes.iter().map(shown).collect() }))
}
