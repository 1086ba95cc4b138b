//! The personal connection secret: what a client of PostgreSQL proves at the gateway, for those that the command line
//! doesn't start. It opens nothing by itself. // I6

use askama::Template;
use daypass_app::entry::event;

use super::{
    shell::{self, Here, Shell, Who},
    words::{Moment, moment},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::Call,
    fault::Result,
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/secret", Browser, "Show one's personal connection secret, and let it last", show)
            .for_people()
            .shows_a_secret()
            .writes(&[event::CONNECTION_SECRET_GIVEN]),
    ]
}

#[derive(Template)]
#[template(path = "secret.html")]
struct Page {
    shell: Shell,
    user: String,
    secret: String,
    until: Moment,
}

async fn show(call: Call, _: Form<NoFields>) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Access, "Your connection secret").await?;
    let given = call.app().connection_secret(call.caller()?).await?;
    shell::page(&Page {
        shell,
        user: given.user.to_string(),
        secret: given.secret.expose().to_owned(),
        until: moment(given.expires),
    })
}
