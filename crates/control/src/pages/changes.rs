//! Changes to what decisions read: looking, and the form by which another administrator says yes. // I12

use askama::Template;
use daypass_app::{
    changes::{ChangeView, Handed, Standing, Which},
    entry::event,
};
use daypass_domain::{ChangeId, change::ChangeState};
use serde::Deserialize;

use super::{
    shell::{self, Here, Shell, Who, redirect},
    step_up::{self, StepUp},
    words::{Moment, moment},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::{Call, digest},
    changes,
    fault::Result,
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/changes", Browser, "The changes that wait for another administrator", list).for_administrators(),
        Route::get("/changes/{id}", Browser, "One change, and the forms to answer it", show).for_administrators(),
        Route::post("/changes/{id}/approve", Browser, "Approve another's change and do it, as a form", approve)
            .for_administrators()
            .shows_a_secret()
            .writes(changes::WRITES_BY_PAGE),
        Route::post("/changes/{id}/reject", Browser, "Turn a change down, as a form", reject)
            .for_administrators()
            .writes(&[event::CHANGE_ENDED]),
    ]
}

#[derive(Template)]
#[template(path = "changes.html")]
struct List {
    shell: Shell,
    items: Vec<Item>,
}

struct Item {
    id: String,
    subject: String,
    proposer: String,
    made: Moment,
}

#[derive(Template)]
#[template(path = "change.html")]
struct Page {
    shell: Shell,
    id: String,
    subject: String,
    proposer: String,
    digest: String,
    made: Moment,
    state: &'static str,
    plan: Vec<String>,
    outdated: String,
    forms: Forms,
    step_up: StepUp,
}

/// What whoever looks can do.
enum Forms {
    Answer,
    TakeBack,
    OnlyReject,
    Nothing,
}

/// A change that is done, with what it hands out once.
#[derive(Template)]
#[template(path = "change_done.html")]
struct Done {
    shell: Shell,
    plan: Vec<String>,
    called: &'static str,
    secret: String,
}

async fn list(call: Call) -> Result<Raw> {
    let (app, actor) = (call.app(), call.actor()?);
    let mut waiting = app.changes_list(actor, Which::Pending).await?;
    waiting.sort_by_key(|change| change.id);
    let mut items = Vec::new();
    for change in waiting {
        items.push(Item {
            id: change.id.to_string(),
            proposer: app.name_of(change.proposer).await?.to_string(),
            made: moment(change.made),
            subject: change.subject,
        });
    }
    let shell = Shell::of(&call, Here::Changes, "Changes").await?;
    shell::page(&List { shell, items })
}

async fn show(call: Call) -> Result<Raw> {
    let (app, actor) = (call.app(), call.actor()?);
    let ChangeView { change, proposer, plan, standing, .. } = app.show_change(actor, call.id("id")?).await?;
    let own = change.proposer_person == actor.person;
    let (outdated, forms) = match standing {
        Standing::Over => (String::new(), Forms::Nothing),
        Standing::Fine | Standing::Outdated(_) if own => (String::new(), Forms::TakeBack),
        Standing::Outdated(why) => (why, Forms::OnlyReject),
        Standing::Fine => (String::new(), Forms::Answer),
    };
    let state = match change.state {
        ChangeState::Pending { .. } => "waits for another administrator",
        ChangeState::Committed { .. } => "done",
        ChangeState::Rejected { .. } => "turned down",
        ChangeState::Expired { .. } => "not answered in time",
    };
    shell::page(&Page {
        shell: Shell::of(&call, Here::Changes, "A change").await?,
        id: change.id.to_string(),
        proposer: proposer.to_string(),
        digest: change.digest.to_string(),
        made: moment(change.made),
        subject: change.subject,
        state,
        plan,
        outdated,
        forms,
        step_up: StepUp::of(&app.freshness(actor).await?),
    })
}

#[derive(Deserialize)]
struct Yes {
    digest: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

async fn approve(call: Call, Form(yes): Form<Yes>) -> Result<Raw> {
    let id: ChangeId = call.id("id")?;
    let seen = digest("digest", &yes.digest)?;
    changes::must_be_seen(&call, id, seen).await?;
    let actor = step_up::shown(&call, &yes.code, &yes.passkey).await?;
    let done = call.app().approve_change(&actor, id).await?;
    let (called, secret) = match done.handed {
        Handed::Nothing => ("", String::new()),
        Handed::Invitation(code) => ("The invitation's code", code.expose().to_owned()),
        Handed::InvitationHalf(half) => ("Your half of the invitation's code", half.expose().to_owned()),
        Handed::Token(token) => ("The token", token.expose().to_owned()),
        // Its files went to whoever proposed it.
        Handed::Kit(_) => ("", String::new()),
    };
    let shell = Shell::of(&call, Here::Changes, "The change is done").await?;
    shell::page(&Done { shell, plan: done.plan, called, secret })
}

async fn reject(call: Call, _: Form<NoFields>) -> Result<Raw> {
    call.app().reject_change(call.actor()?, call.id("id")?).await?;
    Ok(redirect("/changes?done=rejected"))
}
