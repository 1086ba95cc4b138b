//! One request: for whoever made it, and for whoever shall answer it. An approval is a form that a person sends who is
//! signed in, with their second factor where they have one. // I8

use askama::Template;
use daypass_api::words::span;
use daypass_app::{
    approve::{Less, Seen},
    ask::StatementView,
    entry::event,
    inbox::{Answering, Before},
    request::Outcome,
    statements::estimate::Estimate,
};
use daypass_domain::{
    RequestId, Span,
    grant::GrantState,
    request::{RequestState, Start},
};
use daypass_ports::targets::Shown;
use serde::Deserialize;

use super::{
    shell::{self, Here, Shell, Who, redirect},
    step_up::{self, StepUp},
    words::{self, Moment},
};
use crate::{
    body::{Form, NoFields, Raw},
    call::{Call, digest, name},
    fault::{Fault, Result},
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/requests/{id}", Browser, "One request, and the forms to answer it", show)
            .writes(&[event::EVIDENCE_READ]),
        Route::post("/requests/{id}/approve", Browser, "Say yes, as a form", approve).for_people().writes(&[
            event::SECOND_FACTOR_SHOWN,
            event::RECOVERY_CODE_USED,
            event::PASSKEY_SUSPECT,
            event::APPROVED,
            event::REJUDGED,
            event::GRANT_ACTIVATED,
            event::GRANT_SCHEDULED,
        ]),
        Route::post("/requests/{id}/confirm", Browser, "Stand by what one's own workload asks, as a form", confirm)
            .for_people()
            .writes(&[
                event::SECOND_FACTOR_SHOWN,
                event::RECOVERY_CODE_USED,
                event::PASSKEY_SUSPECT,
                event::CONFIRMED,
                event::REJUDGED,
                event::GRANT_ACTIVATED,
                event::GRANT_SCHEDULED,
            ]),
        Route::post("/requests/{id}/deny", Browser, "Say no, as a form", deny).for_people().writes(&[event::DENIED]),
        Route::post("/requests/{id}/withdraw", Browser, "Take one's request back, as a form", withdraw)
            .writes(&[event::WITHDRAWN]),
    ]
}

#[derive(Template)]
#[template(path = "request.html")]
struct Page {
    shell: Shell,
    id: String,
    requester: String,
    /// Whose workload would hold it; empty when a person would.
    owner: String,
    resource: String,
    role: String,
    gives: String,
    labels: String,
    lasts: String,
    start: String,
    purpose: String,
    ticket: String,
    reason: String,
    statement: OneStatement,
    state: String,
    missing: String,
    made: Moment,
    before: Vec<Earlier>,
    forms: Forms,
    step_up: StepUp,
}

/// What exactly would be run, if it is for one statement.
enum OneStatement {
    No,
    Yes { text: String, estimate: String },
}

struct Earlier {
    what: String,
    made: Moment,
    state: &'static str,
}

/// What whoever looks can do.
enum Forms {
    Confirm { digest: String },
    Answer { digest: String, shorter: Vec<(i64, String)>, narrower: Vec<(String, String)> },
    Withdraw,
    Nothing,
}

const SHORTER: [i64; 8] = [5, 10, 15, 30, 60, 120, 240, 480];

async fn show(call: Call) -> Result<Raw> {
    let shell = Shell::of(&call, Here::Inbox, "A request").await?;
    let actor = call.actor()?;
    let id: RequestId = call.id("id")?;
    let seen = call.app().to_answer(actor, id).await?;
    let asked = &seen.view.request.asked;
    let pending = seen.view.request.is_pending();
    let step_up = match &seen.answering {
        Answering::Counts(freshness) | Answering::Confirms(freshness) => StepUp::of(freshness),
        Answering::CountsForNothing => StepUp::NotAsked,
    };
    let forms = match seen.answering {
        Answering::Counts(_) => Forms::Answer {
            digest: asked.digest().to_string(),
            shorter: shorter(asked.duration),
            narrower: seen.narrower.iter().map(|(n, gives)| (n.to_string(), gives.clone())).collect(),
        },
        Answering::Confirms(_) => Forms::Confirm { digest: asked.digest().to_string() },
        Answering::CountsForNothing if pending && seen.view.request.is_party(actor.person) => Forms::Withdraw,
        Answering::CountsForNothing => Forms::Nothing,
    };
    let labels = seen.labels.as_ref().map(words::labels);
    shell::page(&Page {
        shell,
        id: id.to_string(),
        requester: seen.view.requester.to_string(),
        owner: seen.view.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        resource: seen.view.resource.to_string(),
        role: asked.role.to_string(),
        gives: seen.view.gives.clone(),
        labels: labels.unwrap_or_default(),
        lasts: span(asked.duration.secs()),
        start: match asked.start {
            Start::AtOnce => "at once".to_owned(),
            Start::At { time } => words::moment(time).words,
        },
        purpose: asked.purpose.to_string(),
        ticket: asked.ticket.as_ref().map(ToString::to_string).unwrap_or_default(),
        reason: seen.view.reason.clone().unwrap_or_default(),
        statement: one_statement(seen.view.statement.as_ref()),
        state: state(&seen.view.request.state).to_owned(),
        missing: if pending { seen.view.missing.to_string() } else { String::new() },
        made: words::moment(seen.view.request.made),
        before: seen.before.iter().map(earlier).collect(),
        forms,
        step_up,
    })
}

fn one_statement(view: Option<&StatementView>) -> OneStatement {
    let Some(view) = view else { return OneStatement::No };
    let number = |n: &Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let estimate = match &view.estimate {
        None => "nobody has looked: daypass look".to_owned(),
        Some(Estimate::Planned { rows, cost, plan }) => {
            format!("rows {}, cost {}\n{}", number(rows), number(cost), shown(plan))
        }
        Some(Estimate::NotPlanned { why }) => shown(why),
    };
    OneStatement::Yes { text: view.text.as_deref().map_or_else(|| "(erased)".to_owned(), shown), estimate }
}

/// Line by line, with what would reorder or hide text escaped: what is approved is what is read.
fn shown(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(|part| Shown(part).to_string()).collect::<Vec<_>>().join("\t");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn shorter(asked: Span) -> Vec<(i64, String)> {
    let less = SHORTER.into_iter().map(|m| m * 60).filter(|s| *s < asked.secs());
    less.map(|s| (s, span(s))).collect()
}

fn earlier(before: &Before) -> Earlier {
    Earlier {
        what: format!("{} on {}", before.role, before.resource),
        made: words::moment(before.made),
        state: state(&before.state),
    }
}

fn state(state: &RequestState) -> &'static str {
    match state {
        RequestState::Pending { .. } => "waiting",
        RequestState::Granted { .. } => "granted",
        RequestState::Denied { .. } => "denied",
        RequestState::Forbidden { .. } => "forbidden by policy",
        RequestState::Withdrawn { .. } => "taken back",
        RequestState::Expired { .. } => "not answered in time",
    }
}

#[derive(Deserialize)]
struct Yes {
    digest: String,
    #[serde(default)]
    seconds: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

async fn approve(call: Call, Form(yes): Form<Yes>) -> Result<Raw> {
    let id: RequestId = call.id("id")?;
    let seen = Seen::Digest(digest("digest", &yes.digest)?);
    let duration = match yes.seconds.as_str() {
        "" => None,
        text => {
            let bad = |_| Fault::invalid("seconds", "the time is no number of seconds", "choose how long");
            Some(Span::from_secs(text.parse::<u32>().map_err(bad)?))
        }
    };
    let role = Some(yes.role.as_str()).filter(|text| !text.is_empty());
    let less = Less { duration, role: role.map(|text| name("role", text)).transpose()? };
    let actor = step_up::shown(&call, &yes.code, &yes.passkey).await?;
    let answered = call.app().approve(&actor, id, seen, less).await?;
    Ok(redirect(match answered.outcome {
        Outcome::Granted(grant) => match grant.state {
            GrantState::Scheduled { .. } => "/inbox?done=scheduled",
            GrantState::Active { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => "/inbox?done=approved",
        },
        Outcome::Pending { .. } | Outcome::Refused { .. } => "/inbox?done=counted",
    }))
}

#[derive(Deserialize)]
struct Mine {
    digest: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passkey: String,
}

async fn confirm(call: Call, Form(mine): Form<Mine>) -> Result<Raw> {
    let id: RequestId = call.id("id")?;
    let seen = Seen::Digest(digest("digest", &mine.digest)?);
    let actor = step_up::shown(&call, &mine.code, &mine.passkey).await?;
    let answered = call.app().confirm(&actor, id, seen).await?;
    Ok(redirect(match answered.outcome {
        Outcome::Granted(_) => "/inbox?done=confirmed",
        Outcome::Pending { .. } | Outcome::Refused { .. } => "/inbox?done=counted",
    }))
}

#[derive(Deserialize)]
struct No {
    #[serde(default)]
    note: String,
}

async fn deny(call: Call, Form(no): Form<No>) -> Result<Raw> {
    call.app().deny(call.actor()?, call.id("id")?, no.note.trim()).await?;
    Ok(redirect("/inbox?done=denied"))
}

async fn withdraw(call: Call, _: Form<NoFields>) -> Result<Raw> {
    call.app().withdraw(call.actor()?, call.id("id")?).await?;
    Ok(redirect("/?done=withdrawn"))
}
