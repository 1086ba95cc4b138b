//! Emergency kits: who opens what, which was used, and what is to be done about it. Doing it is for the command line.

use askama::Template;

use super::{
    shell::{self, Here, Shell, Who},
    words::{Moment, moment},
};
use crate::{
    body::Raw,
    call::Call,
    fault::Result,
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/emergency", Browser, "Emergency kits, and what is to be done about those that were used", list)
            .for_administrators(),
    ]
}

#[derive(Template)]
#[template(path = "emergency.html")]
struct List {
    shell: Shell,
    items: Vec<Item>,
}

struct Item {
    id: String,
    resource: String,
    holders: String,
    sealed: Moment,
    state: &'static str,
    attention: Vec<String>,
}

async fn list(call: Call) -> Result<Raw> {
    let mut items = Vec::new();
    for view in call.app().emergency_kits(call.actor()?).await? {
        let attention = view.attention();
        items.push(Item {
            id: view.kit.id.to_string(),
            resource: view.resource.to_string(),
            holders: format!("{} and {}", view.holders[0], view.holders[1]),
            sealed: moment(view.kit.sealed.at),
            state: view.kit.at_target.word(),
            attention,
        });
    }
    let shell = Shell::of(&call, Here::Changes, "Emergency kits").await?;
    shell::page(&List { shell, items })
}
