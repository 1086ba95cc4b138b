//! What one holds, how to connect, and what one could ask for.

use askama::Template;
use daypass_api::connection::{ConnectionText, SecretAt};
use daypass_app::{
    ask::{self, Requests, Whose},
    entry::event,
};
use daypass_domain::{grant::GrantState, request::RequestState};

use super::{
    shell::{self, Here, Shell, Who, redirect},
    words::{self, Moment, Said},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::Call,
    fault::Result,
    page,
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Browser, "What one holds, and what one could ask for", show),
        Route::post("/grants/{id}/release", Browser, "Give a grant back, as a form", release).writes(&[
            event::GRANT_ENDED,
            event::END_LISTED,
            event::END_UNKNOWN,
            event::END_CONFIRMED,
        ]),
    ]
}

#[derive(Template)]
#[template(path = "access.html")]
struct Page {
    shell: Shell,
    held: Vec<Held>,
    waiting: Vec<Waiting>,
    offers: Vec<Offer>,
}

/// A grant that is live.
struct Held {
    id: String,
    resource: String,
    role: String,
    standing: Standing,
    connection: String,
}

enum Standing {
    Active { left: String, left_s: i64, until: Moment },
    Scheduled { start: Moment },
}

/// A request that waits.
struct Waiting {
    id: String,
    resource: String,
    role: String,
    missing: String,
}

/// What could be asked for.
struct Offer {
    resource: String,
    role: String,
    gives: String,
    said: Said,
}

async fn show(call: Call) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Access, "My access").await?;
    let (app, actor) = (call.app(), call.actor()?);
    let whole = ask::Page { after: None, most: page::MOST };
    let user = app.name_of(actor.principal).await?.to_string();
    let mut held = Vec::new();
    for view in app.grants(actor, Whose::Mine, &whole).await? {
        let standing = match view.grant.state {
            GrantState::Active { deadline, .. } => Standing::Active {
                left: words::left(deadline, app.time()),
                left_s: deadline.since(app.time()).secs(),
                until: words::moment(deadline),
            },
            GrantState::Scheduled { start, .. } => Standing::Scheduled { start: words::moment(start) },
            GrantState::Ending { .. } | GrantState::Ended { .. } => continue,
        };
        let (resource, role) = (view.resource.to_string(), view.grant.role.to_string());
        let connection = ConnectionText {
            gateways: &call.control.state.info.gateways,
            user: &user,
            database: &resource,
            authority: "authority.pem",
            secret: SecretAt::Asked,
        }
        .text();
        held.push(Held { id: view.grant.id.to_string(), resource, role, standing, connection });
    }
    let mut waiting = Vec::new();
    for view in app.requests(actor, Requests::Mine, &whole).await? {
        match view.request.state {
            RequestState::Pending { .. } => waiting.push(Waiting {
                id: view.request.id.to_string(),
                resource: view.resource.to_string(),
                role: view.request.asked.role.to_string(),
                missing: view.missing.to_string(),
            }),
            RequestState::Granted { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => {}
        }
    }
    let offers = app.offers(actor).await?.into_iter().map(|offer| Offer {
        resource: offer.resource.to_string(),
        role: offer.role.to_string(),
        gives: offer.gives,
        said: words::said(&offer.answer),
    });
    shell::page(&Page { shell, held, waiting, offers: offers.collect() })
}

async fn release(call: Call, _: Form<NoFields>) -> Result<Raw> {
    call.app().release(call.actor()?, call.id("id")?).await?;
    Ok(redirect("/?done=released"))
}
