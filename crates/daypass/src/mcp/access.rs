//! Looking, asking, waiting, giving back.

use std::time::{Duration, Instant};

use daypass_api::{
    grants::{Grant, GrantState},
    policy::{Answer as Verdict, Explanation},
    requests::{NewRequest, Outcome, Purpose, Request, RequestState, WhichRequests},
    resources::Resource,
    statements::Opens,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    agent::{Agent, Known},
    answer::{Answer, How},
};
use crate::{
    client::calls::{self, Whose},
    failure::{Exit, Failure},
    verbs::words,
};

/// The longest wait in one call: shorter than what clients have patience for.
pub const WAIT_MOST_S: u32 = 50;
const WAIT_S: u32 = 45;
/// For how long may be asked at most, in minutes; policy has its own mind.
pub const MINUTES_MOST: u32 = 480;
const MINUTES: u32 = 30;
/// How many roles are judged for one look, and how many at once.
const OFFERS_MOST: usize = 40;
const OFFERS_AT_ONCE: usize = 4;
/// How many grants and requests are listed.
const LISTED_MOST: usize = 50;

/// Arguments of `list_access`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Arguments of `request_access`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asks {
    resource: String,
    role: String,
    reason: String,
    #[serde(default)]
    minutes: Option<u32>,
    #[serde(default)]
    ticket: Option<String>,
    #[serde(default)]
    purpose: Purpose,
}

/// Arguments of `wait_for_grant`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waits {
    request: String,
    #[serde(default)]
    seconds: Option<u32>,
}

/// Arguments of `release_access`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gives {
    id: String,
}

/// Where a request stands, as the model is told.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    outcome: &'static str,
    request: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    who: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    next: String,
}

#[derive(Serialize)]
struct Listed {
    workload: String,
    owner: String,
    grants: Vec<Held>,
    waiting: Vec<Waiting>,
    can_ask: Vec<Offered>,
    not_judged: usize,
}

#[derive(Serialize)]
struct Held {
    grant: String,
    resource: String,
    role: String,
    until: String,
    opens: &'static str,
}

#[derive(Serialize)]
struct Waiting {
    request: String,
    resource: String,
    role: String,
    needs: String,
}

#[derive(Serialize)]
struct Offered {
    resource: String,
    role: String,
    gives: String,
    answer: &'static str,
    says: String,
}

/// What `list_access` gives.
pub fn listed_schema() -> Value {
    let list = |names: &[&str]| {
        let properties: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        let item =
            json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false });
        json!({ "type": "array", "items": item })
    };
    json!({
        "type": "object",
        "properties": {
            "workload": { "type": "string" }, "owner": { "type": "string" },
            "grants": list(&["grant", "resource", "role", "until", "opens"]),
            "waiting": list(&["request", "resource", "role", "needs"]),
            "can_ask": list(&["resource", "role", "gives", "answer", "says"]),
            "not_judged": { "type": "integer" },
        },
        "required": ["workload", "owner", "grants", "waiting", "can_ask", "not_judged"],
        "additionalProperties": false,
    })
}

/// What `release_access` gives.
pub fn released_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "id": { "type": "string" }, "state": { "type": "string" } },
        "required": ["id", "state"],
        "additionalProperties": false,
    })
}

/// What it holds, waits for, and may ask for.
pub async fn list(agent: &Agent) -> Result<Answer, Failure> {
    let listed = agent.with(look).await?;
    let mut lines = vec![format!("You are the workload {}, of {}.", listed.workload, listed.owner)];
    for held in &listed.grants {
        lines.push(format!("Held: {}/{} until {} ({}).", held.resource, held.role, held.until, held.grant));
    }
    for waiting in &listed.waiting {
        lines
            .push(format!("Waits: {}/{} for {} ({}).", waiting.resource, waiting.role, waiting.needs, waiting.request));
    }
    for offered in &listed.can_ask {
        lines.push(format!("To ask for: {}/{} ({}): {}.", offered.resource, offered.role, offered.gives, offered.says));
    }
    Ok(Answer::new(lines.join("\n"), &listed, How::Well))
}

async fn look(known: Known) -> Result<Listed, Failure> {
    let Known { api, name, owner, .. } = known;
    let grants = calls::grants(&api, Whose::Mine).await?;
    let requests = calls::requests(&api, WhichRequests::Mine).await?;
    let roles: Vec<(String, String, String)> = calls::resources(&api).await?.into_iter().flat_map(roles).collect();
    let not_judged = roles.len().saturating_sub(OFFERS_MOST);
    let judged = stream::iter(roles.into_iter().take(OFFERS_MOST)).map(|(resource, role, gives)| {
        let api = api.clone();
        async move {
            let would = body(&resource, &role, "to be seen", MINUTES, None, Purpose::default());
            let explained = calls::explain(&api, &would).await?;
            let (answer, says) = prospect(&explained);
            Ok::<_, Failure>(Offered { resource, role, gives, answer, says })
        }
    });
    let can_ask = judged.buffered(OFFERS_AT_ONCE).try_collect().await?;
    let waiting = requests.into_iter().filter(|r| matches!(r.state, RequestState::Pending { .. })).take(LISTED_MOST);
    Ok(Listed {
        workload: name,
        owner,
        grants: grants.iter().filter_map(held).take(LISTED_MOST).collect(),
        waiting: waiting
            .map(|r| Waiting {
                needs: words::ways(&r.missing),
                request: r.id.to_string(),
                resource: r.resource,
                role: r.role,
            })
            .collect(),
        can_ask,
        not_judged,
    })
}

fn roles(resource: Resource) -> impl Iterator<Item = (String, String, String)> {
    let name = resource.name;
    resource.roles.into_iter().map(move |role| (name.clone(), role.name, role.description))
}

fn held(grant: &Grant) -> Option<Held> {
    let until = match grant.state {
        GrantState::Active { deadline, .. } => words::until(deadline),
        GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => return None,
    };
    Some(Held {
        grant: grant.id.to_string(),
        resource: grant.resource.clone(),
        role: grant.role.clone(),
        until,
        opens: match grant.opens {
            Opens::Sessions => "statements, as many as needed",
            Opens::Statement { .. } | Opens::Look { .. } => "one statement",
        },
    })
}

fn prospect(explained: &Explanation) -> (&'static str, String) {
    match &explained.answer {
        Verdict::Granted { .. } => ("at_once", "granted at once, with a reason".to_owned()),
        Verdict::Needs { missing } => ("needs", format!("with a reason it still needs {}", words::ways(missing))),
        Verdict::Refused { .. } => ("refused", "policy says no".to_owned()),
    }
}

/// What is asked.
pub fn body(
    resource: &str,
    role: &str,
    reason: &str,
    minutes: u32,
    ticket: Option<String>,
    purpose: Purpose,
) -> NewRequest {
    NewRequest {
        resource: resource.to_owned(),
        role: role.to_owned(),
        duration_s: minutes.saturating_mul(60),
        start: None,
        purpose,
        ticket,
        reason: Some(reason.to_owned()),
        beneficiary: None,
        statement: None,
    }
}

/// Asks for sessions.
pub async fn request(agent: &Agent, asks: Asks) -> Result<Answer, Failure> {
    let minutes = asks.minutes.unwrap_or(MINUTES);
    if !(1..=MINUTES_MOST).contains(&minutes) {
        return Err(Failure::new(Exit::Usage, format!("`minutes` is 1 to {MINUTES_MOST}"), "ask for less"));
    }
    let body = body(&asks.resource, &asks.role, &asks.reason, minutes, asks.ticket, asks.purpose);
    ask(agent, &body).await.map(|(standing, _)| standing.answer())
}

/// Asks, and notes what was got.
pub async fn ask(agent: &Agent, body: &NewRequest) -> Result<(Standing, Option<Grant>), Failure> {
    let answered = agent.with(|known| async move { calls::request(&known.api, body).await }).await?;
    let request = answered.request.id.to_string();
    Ok(match answered.outcome {
        Outcome::Granted { grant } => {
            agent.granted(&request, &grant.id.to_string());
            (Standing::granted(request, &grant), Some(*grant))
        }
        Outcome::Pending { missing } => {
            agent.asked(&request);
            let waits = Request { missing, ..answered.request };
            (Standing::pending(&waits), None)
        }
        Outcome::Refused { why, missing } => {
            let next = match words::ways(&missing).as_str() {
                "" => {
                    "Nothing that you could add would change that: don't ask for it again, and tell whom you work for"
                        .to_owned()
                }
                ways => format!("Ask again with {ways}"),
            };
            let standing = Standing { outcome: "refused", why: Some(why), next, ..Standing::of(request) };
            (standing, None)
        }
    })
}

/// Waits until a request is answered.
pub async fn wait(agent: &Agent, waits: Waits) -> Result<Answer, Failure> {
    let seconds = waits.seconds.unwrap_or(WAIT_S);
    if !(1..=WAIT_MOST_S).contains(&seconds) {
        return Err(Failure::new(Exit::Usage, format!("`seconds` is 1 to {WAIT_MOST_S}"), "wait again afterwards"));
    }
    let until = Instant::now() + Duration::from_secs(seconds.into());
    let id = &waits.request;
    loop {
        let left = until.saturating_duration_since(Instant::now()).as_secs().min(20);
        let left_s = u32::try_from(left).unwrap_or(20);
        let request = agent.with(|known| async move { calls::request_waiting(&known.api, id, left_s).await }).await?;
        let pending = matches!(request.state, RequestState::Pending { .. });
        if !pending || left == 0 {
            return Ok(stands(agent, &request).await?.0.answer());
        }
    }
}

/// Where a request stands, with its grant where that is live.
pub async fn stands(agent: &Agent, request: &Request) -> Result<(Standing, Option<Grant>), Failure> {
    let id = request.id.to_string();
    let refused = |why: String| {
        let next = "Don't ask for the same again. Tell whom you work for".to_owned();
        (Standing { outcome: "refused", why: Some(why), next, ..Standing::of(id.clone()) }, None)
    };
    Ok(match &request.state {
        RequestState::Pending { .. } => (Standing::pending(request), None),
        RequestState::Granted { grant, .. } => {
            let grant = grant.as_str();
            let grant = agent.with(|known| async move { calls::grant(&known.api, grant).await }).await?;
            match grant.state {
                GrantState::Active { .. } | GrantState::Scheduled { .. } => {
                    agent.granted(&id, &grant.id.to_string());
                    (Standing::granted(id, &grant), Some(grant))
                }
                GrantState::Ending { .. } | GrantState::Ended { .. } => {
                    agent.gave_back(&id);
                    refused(format!("it was granted, and is over: {}", words::grant_state(&grant.state)))
                }
            }
        }
        RequestState::Denied { .. }
        | RequestState::Forbidden { .. }
        | RequestState::Withdrawn { .. }
        | RequestState::Expired { .. } => {
            agent.gave_back(&id);
            refused(words::request_state(&request.state))
        }
    })
}

/// Gives a grant back, or takes a request back.
pub async fn release(agent: &Agent, gives: Gives) -> Result<Answer, Failure> {
    let id = gives.id.as_str();
    let state = if id.starts_with("request_") {
        let request = agent.with(|known| async move { calls::withdraw(&known.api, id).await }).await?;
        words::request_state(&request.state)
    } else if id.starts_with("grant_") {
        let receipt = agent.with(|known| async move { calls::release(&known.api, id).await }).await?;
        receipt.targets.iter().map(|target| words::grant_state(&target.state)).collect::<Vec<_>>().join("; ")
    } else {
        return Err(Failure::new(Exit::Usage, "an id begins with grant_ or request_", "see list_access"));
    };
    agent.gave_back(id);
    Ok(Answer::new(format!("{id} is {state}."), &json!({ "id": id, "state": state }), How::Well))
}

impl Standing {
    fn of(request: String) -> Self {
        Self {
            outcome: "pending",
            request,
            grant: None,
            until: None,
            needs: None,
            who: Vec::new(),
            why: None,
            next: String::new(),
        }
    }

    fn granted(request: String, grant: &Grant) -> Self {
        let until = match grant.state {
            GrantState::Active { deadline, .. } => Some(words::until(deadline)),
            GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => None,
        };
        let next = match grant.opens {
            Opens::Sessions => format!(
                "Run statements with run_statement on {}/{}. Programs on this machine connect with `daypass run`. Release it \
                 when you are done",
                grant.resource, grant.role
            ),
            Opens::Statement { .. } | Opens::Look { .. } => format!("Run it: run_statement with the request {request}"),
        };
        Self { outcome: "granted", grant: Some(grant.id.to_string()), until, next, ..Self::of(request) }
    }

    fn pending(request: &Request) -> Self {
        let next =
            "People decide, and you can't. Tell whom you work for what it waits for; then wait_for_grant. Don't ask \
                    for the same twice"
                .to_owned();
        let needs = Some(words::ways(&request.missing));
        Self { needs, who: words::whose_word(&request.missing), next, ..Self::of(request.id.to_string()) }
    }

    /// As an answer of its own.
    pub fn answer(self) -> Answer {
        let (words, how) = match (self.outcome, &self.needs, &self.why) {
            ("granted", _, _) => (format!("Granted. {}.", self.next), How::Well),
            ("pending", Some(needs), _) => {
                (format!("{} waits. It needs {needs}. {}.", self.request, self.next), How::Well)
            }
            (_, _, why) => (format!("Refused: {}. {}.", why.clone().unwrap_or_default(), self.next), How::Badly),
        };
        Answer::new(words, &self, how)
    }
}
