//! What one holds, how to connect, and what one could ask for.

use askama::Template;
use daypass_api::connection::{ConnectionText, SecretAt};
use daypass_app::{
    ask::{self, Requests, Whose},
    entry::event,
};
use daypass_domain::{Span, grant::GrantState, request::RequestState};
use serde::Deserialize;

use super::{
    shell::{self, Here, Shell, Who, redirect},
    words::{self, Moment, Said},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::Call,
    fault::{Fault, Result},
    page,
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Browser, "What one holds, and what one could ask for", show),
        Route::post("/grants/{id}/extend", Browser, "Move a grant's deadline, as a form", extend)
            .writes(&[event::GRANT_EXTENDED, event::REFUSED]),
        Route::post("/grants/{id}/release", Browser, "Give a grant back, as a form", release).writes(&[
            event::GRANT_ENDED,
            event::END_LISTED,
            event::END_UNKNOWN,
            event::END_CONFIRMED,
        ]),
    ]
}

/// By how many minutes a grant can be extended at once.
const LONGER: [u32; 4] = [15, 30, 60, 120];

#[derive(Template)]
#[template(path = "access.html")]
struct Page {
    shell: Shell,
    held: Vec<Held>,
    longer: Vec<(u32, String)>,
    waiting: Vec<Waiting>,
    offers: Vec<Offer>,
}

/// A grant that is live.
struct Held {
    id: String,
    resource: String,
    role: String,
    standing: Standing,
    user: String,
    ways: Vec<Connecting>,
}

/// How one kind of client is told to connect.
struct Connecting {
    /// What the client is called.
    client: &'static str,
    text: String,
}

enum Standing {
    Active { left: String, until: Moment },
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
    let name = app.name_of(actor.principal).await?.to_string();
    let mut held = Vec::new();
    for view in app.grants(actor, Whose::Mine, &whole).await? {
        let standing = match view.grant.state {
            GrantState::Active { deadline, .. } => {
                Standing::Active { left: words::left(deadline, app.time()), until: words::moment(deadline) }
            }
            GrantState::Scheduled { start, .. } => Standing::Scheduled { start: words::moment(start) },
            GrantState::Ending { .. } | GrantState::Ended { .. } => continue,
        };
        let (resource, role) = (view.resource.to_string(), view.grant.role.to_string());
        // With the role, so that another grant on the same resource is never taken for this one.
        let user = format!("{name}:{role}");
        let ways = ways(&call.control.state.info.gateways, &user, &resource);
        held.push(Held { id: view.grant.id.to_string(), resource, role, standing, user, ways });
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
    let longer = LONGER.map(|m| (m, daypass_api::words::span(i64::from(m) * 60))).into();
    shell::page(&Page { shell, held, longer, waiting, offers: offers.collect() })
}

fn ways(gateways: &[String], user: &str, resource: &str) -> Vec<Connecting> {
    let text =
        ConnectionText { gateways, user, database: resource, authority: "authority.pem", secret: SecretAt::Asked };
    vec![
        Connecting { client: "psql, and what is made with libpq", text: format!("psql \"{}\"", text.text()) },
        Connecting { client: "DATABASE_URL: Rails, Django, Prisma", text: text.url() },
        Connecting { client: "JDBC: DBeaver, DataGrip", text: text.jdbc() },
    ]
}

#[derive(Deserialize)]
struct Longer {
    minutes: String,
}

async fn extend(call: Call, Form(longer): Form<Longer>) -> Result<Raw> {
    let minutes = LONGER.into_iter().find(|m| m.to_string() == longer.minutes);
    let minutes =
        minutes.ok_or_else(|| Fault::invalid("minutes", "the time is none of those offered", "choose by how long"))?;
    call.app().extend(call.actor()?, call.id("id")?, Span::from_mins(minutes)).await?;
    Ok(redirect("/?done=extended"))
}

async fn release(call: Call, _: Form<NoFields>) -> Result<Raw> {
    call.app().release(call.actor()?, call.id("id")?).await?;
    Ok(redirect("/?done=released"))
}
