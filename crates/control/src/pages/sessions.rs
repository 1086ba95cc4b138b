//! The sessions through which bytes pass, and the button that ends one.

use askama::Template;
use daypass_api::words;
use daypass_app::{
    ask::{self, SessionView, Whose},
    entry::event,
};
use daypass_domain::session::SessionState;
use serde::Deserialize;

use super::{
    shell::{self, Here, Shell, Who, redirect},
    words::{Moment, ago, moment},
};
use crate::{
    body::{Form, Raw},
    call::Call,
    fault::Result,
    page,
    route::{Access::Browser, Route},
    show,
};

/// How many that are over are shown.
const OVER_MOST: u32 = 20;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/sessions", Browser, "The sessions that one may see", list),
        Route::post("/sessions/{id}/kill", Browser, "End one session, as a form", kill)
            .takes_away()
            .writes(&[event::SESSION_KILLED, event::SESSION_CLOSED]),
    ]
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct Page {
    shell: Shell,
    open: Vec<Open>,
    over: Vec<Over>,
}

/// A session through which bytes pass.
struct Open {
    id: String,
    who: String,
    resource: String,
    role: String,
    since: Moment,
    ago: String,
}

/// A session that is over.
struct Over {
    who: String,
    resource: String,
    role: String,
    at: Moment,
    cause: &'static str,
    statements: String,
}

async fn list(call: Call) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Sessions, "Sessions").await?;
    let (app, actor) = (call.app(), call.actor()?);
    let whole = ask::Page { after: None, most: page::MOST };
    let open = app.open_sessions(actor, &whole).await?;
    let newest = ask::Page { after: None, most: OVER_MOST };
    let over = app.sessions(actor, Whose::Everybodys, &newest).await?;
    let now = app.time();
    let open = open.into_iter().filter_map(|view| match view.session.state {
        SessionState::Open { since } => Some(Open {
            id: view.session.id.to_string(),
            who: who(&view),
            resource: view.resource.to_string(),
            role: view.role.to_string(),
            since: moment(since),
            ago: ago(since, now),
        }),
        SessionState::Closed { .. } => None,
    });
    shell::page(&Page { shell, open: open.collect(), over: over.into_iter().filter_map(ended).collect() })
}

/// Who connected: a workload with its owner.
fn who(view: &SessionView) -> String {
    words::who(view.principal.as_str(), view.owner.as_ref().map(daypass_domain::Name::as_str))
}

fn ended(view: SessionView) -> Option<Over> {
    let (who, resource, role) = (who(&view), view.resource.to_string(), view.role.to_string());
    match view.session.state {
        SessionState::Open { .. } => None,
        SessionState::Closed { at, cause, passed, .. } => {
            let statements = usize::try_from(passed.statements).unwrap_or(usize::MAX);
            Some(Over {
                who,
                resource,
                role,
                at: moment(at),
                cause: words::session_end(show::sessions::end(cause)),
                statements: words::count(statements, "statement", "statements"),
            })
        }
    }
}

#[derive(Deserialize)]
struct Killing {
    #[serde(default)]
    reason: String,
}

async fn kill(call: Call, Form(killing): Form<Killing>) -> Result<Raw> {
    call.app().kill_session(call.actor()?, call.id("id")?, killing.reason.trim()).await?;
    Ok(redirect("/sessions?done=killed"))
}
