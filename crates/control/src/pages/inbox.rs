//! The requests that wait for one's answer.

use askama::Template;
use daypass_api::words::{span, who};
use daypass_app::ask::{self, Requests};

use super::{
    shell::{self, Here, Shell, Who},
    words::{self, Moment},
};
use crate::{
    body::Raw,
    call::Call,
    fault::Result,
    page,
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/inbox", Browser, "The requests that wait for one's answer", show)]
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct Page {
    shell: Shell,
    items: Vec<Item>,
}

/// A request. Its reason is on its own page: reading that is an entry. // I11
struct Item {
    id: String,
    requester: String,
    resource: String,
    role: String,
    lasts: String,
    made: Moment,
}

async fn show(call: Call) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Inbox, "Inbox").await?;
    let whole = ask::Page { after: None, most: page::MOST };
    let waiting = call.app().requests(call.actor()?, Requests::ToAnswer, &whole).await?;
    let items = waiting.into_iter().map(|view| Item {
        id: view.request.id.to_string(),
        requester: who(view.requester.as_str(), view.owner.as_ref().map(daypass_domain::Name::as_str)),
        resource: view.resource.to_string(),
        role: view.request.asked.role.to_string(),
        lasts: span(view.request.asked.duration.secs()),
        made: words::moment(view.request.made),
    });
    shell::page(&Page { shell, items: items.collect() })
}
