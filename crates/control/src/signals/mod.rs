//! Shared signals: declaring transmitters, looking at them, and what they send (RFC 8935).

mod push;

use daypass_api::{
    Page, PayloadId,
    changes::Proposed,
    signals::{
        DeclareTransmitter, Delivery, Failing, OnRevoked, RefusedSignal, Signal, StreamState, Transmitter,
        TransmitterBearer, VerificationAsked,
    },
};
use daypass_app::{
    changes::Proposal,
    entry::event,
    signals::{Bearer, SignalView, TransmitterView},
};
use daypass_domain::{Name, signals};
use daypass_ports::{
    rows::TokenScope::{Administer, Read},
    signals::StreamState as Said,
};

pub(crate) use push::refusal;

use crate::{
    body::{Empty, Json},
    call::{Call, name},
    fault::Result,
    page::{PageQuery, of_all},
    people::propose,
    route::{
        Access::{Anybody, Scope},
        Route,
    },
    show::time,
};

const CHANGES: &[&str] = &[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED];
/// What a signal may write.
const SIGNALLED: &[&str] = &[
    event::SIGNAL_RECEIVED,
    event::PRINCIPAL_DISABLED,
    event::SESSION_KILLED,
    event::FOUR_EYES,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/signals", Scope(Read), "Transmitters of shared signals, and how each does", list)
            .for_administrators()
            .query::<PageQuery>(),
        Route::post("/v1/signals", Scope(Administer), "Declare a transmitter, or declare it otherwise", declare)
            .for_administrators()
            .shows_a_secret()
            .writes(CHANGES),
        Route::delete("/v1/signals/{name}", Scope(Administer), "Hear a transmitter no more", remove)
            .for_administrators()
            .writes(CHANGES),
        Route::get("/v1/signals/{name}/received", Scope(Read), "The last signals of a transmitter", received)
            .for_administrators()
            .query::<PageQuery>(),
        Route::post(
            "/v1/signals/{name}/verify",
            Scope(Administer),
            "Ask a transmitter to show that its signals arrive",
            verify,
        )
        .for_administrators()
        .writes(&[event::SIGNALS_VERIFYING]),
        Route::post("/signals/{name}", Anybody, "A transmitter sends a signal (RFC 8935)", push::push)
            .for_transmitters()
            .writes(SIGNALLED),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Transmitter>>> {
    let query: PageQuery = call.query()?;
    let base = &call.control.state.info.url;
    let all = call.app().transmitters(call.actor()?).await?;
    let all = all.into_iter().map(|view| transmitter(base, view)).collect();
    Ok(Json(of_all(all, |one: &Transmitter| one.name.clone(), &query)))
}

fn transmitter(base: &str, view: TransmitterView) -> Transmitter {
    let declared = view.transmitter;
    Transmitter {
        issuer: declared.issuer,
        audience: declared.audience,
        delivery: match declared.delivery {
            signals::Delivery::Push => Delivery::Push { url: format!("{base}/signals/{}", view.name) },
            signals::Delivery::Poll { url } => Delivery::Poll { url },
        },
        provider: declared.provider.map(|name| name.to_string()),
        directory: declared.directory.map(|name| name.to_string()),
        grants: match declared.grants {
            signals::Grants::End => OnRevoked::End,
            signals::Grants::Keep => OnRevoked::Keep,
        },
        stream: declared.stream,
        state: match view.state {
            Said::Enabled => StreamState::Enabled,
            Said::Paused => StreamState::Paused,
            Said::Disabled => StreamState::Disabled,
        },
        signals: view.signals,
        heard: view.heard.map(time),
        asked: view.asked.map(time),
        verified: view.verified.map(time),
        answered: view.answered.map(time),
        failing: view.failing.map(|failing| Failing { since: time(failing.since), why: failing.why }),
        refused: view.refused.map(|refused| RefusedSignal { at: time(refused.at), why: refused.why }),
        name: view.name.to_string(),
    }
}

async fn declare(call: Call, Json(body): Json<DeclareTransmitter>) -> Result<Json<Proposed>> {
    let named = |field: &str, said: &Option<String>| said.as_deref().map(|said| name(field, said)).transpose();
    let algorithms = if body.algorithms.is_empty() { vec!["RS256".to_owned()] } else { body.algorithms };
    let transmitter = signals::Transmitter {
        issuer: body.issuer,
        jwks: body.jwks,
        algorithms: algorithms.into_iter().collect(),
        authorities: body.authorities,
        audience: body.audience,
        delivery: match body.poll {
            Some(url) => signals::Delivery::Poll { url },
            None => signals::Delivery::Push,
        },
        stream: body.stream,
        credential: named("credential", &body.credential)?,
        provider: named("provider", &body.provider)?,
        directory: named("directory", &body.directory)?,
        grants: match body.grants {
            OnRevoked::End => signals::Grants::End,
            OnRevoked::Keep => signals::Grants::Keep,
        },
    };
    let bearer = match body.bearer {
        TransmitterBearer::Kept => Bearer::Kept,
        TransmitterBearer::New => Bearer::New,
    };
    let name: Name = name("name", &body.name)?;
    propose(&call, Proposal::DeclareTransmitter { name, transmitter: Box::new(transmitter), bearer }).await
}

async fn remove(call: Call) -> Result<Json<Proposed>> {
    propose(&call, Proposal::RemoveTransmitter { name: call.name("name")? }).await
}

async fn received(call: Call) -> Result<Json<Page<Signal>>> {
    let query: PageQuery = call.query()?;
    let shown = |view: SignalView| Signal {
        at: time(view.at),
        events: view.events,
        outcome: view.outcome.to_owned(),
        principal: view.principal.map(|name| name.to_string()),
        subject: view.subject,
        content: PayloadId::of(view.content),
    };
    let all = call.app().signals_of(call.actor()?, &call.name("name")?).await?;
    let all: Vec<Signal> = all.into_iter().map(shown).collect();
    // In the order in which they came: of one millisecond too, which is all that an id tells.
    Ok(Json(of_all(all, |one: &Signal| format!("{:020} {}", one.at.micros(), one.content), &query)))
}

async fn verify(call: Call, _: Empty) -> Result<Json<VerificationAsked>> {
    let asked = call.app().verify_signals(call.actor()?, &call.name("name")?).await?;
    Ok(Json(VerificationAsked { asked: time(asked) }))
}
