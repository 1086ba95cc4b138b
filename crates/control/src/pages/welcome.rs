//! Taking an invitation up with a browser. The code stands behind the `#` of the address, which browsers send to nobody:
//! so it is in no log. The script of the page puts it into the form; without it, it is typed.

use askama::Template;
use daypass_app::{
    entry::event,
    signin::{PASSWORD_MIN, SignInInput, Step},
};
use serde::Deserialize;

use super::{
    shell::{self, Shell, Who, redirect},
    sign_in::{Secretly, let_in},
};
use crate::{
    body::{Form, Raw},
    call::Call,
    fault::{Fault, Result},
    route::{Access::Anybody, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/welcome", Anybody, "The page to take an invitation up", show),
        Route::post("/welcome", Anybody, "Take an invitation up, and sign in", accept).shows_a_secret().writes(&[
            event::INVITATION_USED,
            event::FOUR_EYES,
            event::SIGNED_IN,
        ]),
    ]
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct Page {
    shell: Shell,
    wrong: String,
    shortest: usize,
}

fn page(wrong: String) -> Page {
    Page { shell: Shell::of_nobody("Welcome"), wrong, shortest: PASSWORD_MIN }
}

async fn show(_: Call) -> Result<Raw> {
    shell::page(&page(String::new()))
}

#[derive(Deserialize)]
struct Given {
    code: Secretly,
    password: Secretly,
}

async fn accept(call: Call, Form(given): Form<Given>) -> Result<Raw> {
    let (app, peer) = (call.app(), call.peer.ip());
    let password = given.password.0;
    let id = match app.accept_invitation(&given.code.0, password.clone(), peer).await {
        Ok(id) => id,
        Err(problem) => {
            let fault = Fault::from(problem);
            let said = fault.problem();
            let wrong = format!("{}: {}", said.detail, said.next.clone().unwrap_or_default());
            if fault.status().is_server_error() {
                return Err(fault);
            }
            return shell::show(&page(wrong), fault.status());
        }
    };
    let input = SignInInput { name: app.name_of(id).await?.to_string(), password, code: None, peer };
    match app.sign_in_browser(input).await? {
        Step::In(made) => let_in(&call, &made, "/factors"),
        // Nobody has a second factor who sets their first password.
        Step::SecondFactor(_) => Ok(redirect("/signin")),
    }
}
