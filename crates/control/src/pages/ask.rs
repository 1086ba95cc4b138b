//! Asking, with the verdict before it is sent: said while it is filled in, or by a button where there is no JavaScript.

use askama::Template;
use daypass_app::{
    entry::event,
    request::{Asking, Outcome},
};
use daypass_domain::{
    Span,
    request::{Purpose, Start, TicketRef},
};
use serde::Deserialize;

use super::{
    shell::{self, Here, Shell, Who, redirect},
    words::{self, Said},
};
use crate::{
    body::{Form, Raw},
    call::Call,
    fault::{Fault, Result},
    route::{Access::Browser, Route},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/ask", Browser, "The form to ask", show),
        Route::post("/ask", Browser, "Ask, as a form", make).writes(&[
            event::REQUESTED,
            event::GRANT_ACTIVATED,
            event::GRANT_SCHEDULED,
        ]),
        Route::post("/ask/check", Browser, "The form again, with the verdict", check).only_looks(),
        Route::post("/ask/verdict", Browser, "The verdict alone", verdict).only_looks(),
    ]
}

#[derive(Template)]
#[template(path = "ask.html")]
struct Page {
    shell: Shell,
    roles: Vec<Choice>,
    times: Vec<Choice>,
    purposes: Vec<Choice>,
    given: Given,
    said: Said,
}

#[derive(Template)]
#[template(path = "verdict.html")]
struct Verdict {
    said: Said,
}

struct Choice {
    value: String,
    words: String,
}

/// What the form says.
#[derive(Default, Deserialize)]
struct Given {
    /// `resource/role`.
    #[serde(default)]
    what: String,
    #[serde(default)]
    minutes: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    reason: String,
}

const TIMES: [i64; 7] = [15, 30, 60, 120, 240, 480, 1440];
const PURPOSES: [Purpose; 8] = [
    Purpose::Operations,
    Purpose::Incident,
    Purpose::Change,
    Purpose::Support,
    Purpose::Treatment,
    Purpose::Payment,
    Purpose::Compliance,
    Purpose::Analytics,
];

impl Given {
    fn asking(&self) -> Result<Asking> {
        let (resource, role) = self
            .what
            .split_once('/')
            .ok_or_else(|| Fault::invalid("what", "nothing is chosen yet", "choose what you need"))?;
        let minutes: u32 = self
            .minutes
            .parse()
            .map_err(|_| Fault::invalid("minutes", "the time is no number of minutes", "choose how long"))?;
        let purpose = PURPOSES.into_iter().find(|p| p.to_string() == self.purpose).unwrap_or(Purpose::Operations);
        let ticket = Some(self.ticket.trim()).filter(|text| !text.is_empty());
        let ticket = ticket.map(|text| TicketRef::try_from(text.to_owned())).transpose();
        Ok(Asking {
            resource: resource.to_owned(),
            role: role.to_owned(),
            duration: Span::from_mins(minutes.min(60 * 24 * 31)),
            start: Start::AtOnce,
            purpose,
            ticket: ticket.map_err(|e| Fault::invalid("ticket", e.to_string(), ""))?,
            reason: self.reason.clone(),
            beneficiary: None,
            statement: None,
        })
    }
}

async fn show(call: Call) -> Result<Raw> {
    // What the address says beyond these isn't ours to mind; a reason never stands in one.
    let given: Given = serde_urlencoded::from_str(call.uri.query().unwrap_or_default()).unwrap_or_default();
    let minutes = if given.minutes.is_empty() { "30".to_owned() } else { given.minutes };
    form(&call, Given { minutes, ..given }, None).await
}

async fn form(call: &Call, given: Given, said: Option<Said>) -> Result<Raw> {
    let shell = Shell::of(call, Here::Ask, "Ask for access").await?;
    let mut roles = Vec::new();
    for resource in call.app().resources().await? {
        for (name, role) in &resource.roles {
            let value = format!("{}/{name}", resource.name);
            roles.push(Choice { words: format!("{} · {name}: {}", resource.name, role.description), value });
        }
    }
    let times = TIMES.map(|m| Choice { value: m.to_string(), words: daypass_api::words::span(m * 60) });
    let purposes = PURPOSES.map(|p| Choice { value: p.to_string(), words: p.to_string() });
    let said = match said {
        Some(said) => said,
        None => judged(call, &given).await,
    };
    shell::page(&Page { shell, roles, times: times.into(), purposes: purposes.into(), given, said })
}

/// What would be answered. What keeps it from being judged is said the same way.
async fn judged(call: &Call, given: &Given) -> Said {
    let judged = async {
        let explanation = call.app().explain(call.actor()?, &given.asking()?).await?;
        Ok::<_, Fault>(words::said(&explanation.answer))
    };
    judged.await.unwrap_or_else(|fault| {
        let problem = fault.problem();
        Said { tone: "open", line: problem.detail.clone(), more: problem.next.iter().cloned().collect() }
    })
}

async fn check(call: Call, Form(given): Form<Given>) -> Result<Raw> {
    form(&call, given, None).await
}

async fn verdict(call: Call, Form(given): Form<Given>) -> Result<Raw> {
    shell::page(&Verdict { said: judged(&call, &given).await })
}

async fn make(call: Call, Form(given): Form<Given>) -> Result<Raw> {
    let answered = call.app().request(call.actor()?, given.asking()?).await?;
    match answered.outcome {
        Outcome::Granted(_) => Ok(redirect("/?done=granted")),
        Outcome::Pending { .. } => Ok(redirect(&format!("/requests/{}?done=asked", answered.request.id))),
        Outcome::Refused { why, missing } => {
            let more = if missing.ways.is_empty() { Vec::new() } else { vec![format!("It would take {missing}")] };
            form(&call, given, Some(Said { tone: "no", line: format!("Refused: {why}"), more })).await
        }
    }
}
