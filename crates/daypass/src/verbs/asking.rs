//! Asking for access, and looking at what one asked.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use daypass_api::{
    Timestamp,
    requests::{Answered, NewRequest, Outcome, Purpose, Request, RequestState, WhichRequests},
    statements::{Estimate, Opens, Statement},
};
use daypass_domain::Span;

use super::{
    Context,
    output::{self, Rows, Waiting},
    words,
};
use crate::{
    client::calls,
    failure::{Exit, Failure},
};

/// What a purpose is called on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PurposeArg {
    /// Running what runs
    Operations,
    /// Something is broken
    Incident,
    /// A planned change
    Change,
    /// Helping a customer, patient or user
    Support,
    /// Treatment of a patient
    Treatment,
    /// Payment
    Payment,
    /// An audit or a legal duty
    Compliance,
    /// Reports and analyses
    Analytics,
}

impl From<PurposeArg> for Purpose {
    fn from(arg: PurposeArg) -> Self {
        match arg {
            PurposeArg::Operations => Self::Operations,
            PurposeArg::Incident => Self::Incident,
            PurposeArg::Change => Self::Change,
            PurposeArg::Support => Self::Support,
            PurposeArg::Treatment => Self::Treatment,
            PurposeArg::Payment => Self::Payment,
            PurposeArg::Compliance => Self::Compliance,
            PurposeArg::Analytics => Self::Analytics,
        }
    }
}

/// What is asked besides the resource and the role.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// For how long, from the start: 45s, 30m, 2h, 1h30m
    #[arg(long = "for", value_name = "TIME", default_value = "30m")]
    pub duration: Span,
    /// Why, in your words
    #[arg(long)]
    pub reason: Option<String>,
    /// What for
    #[arg(long, value_enum, default_value = "operations")]
    pub purpose: PurposeArg,
    /// The ticket that it belongs to, like OPS-1234
    #[arg(long)]
    pub ticket: Option<String>,
    /// From when, like 2026-11-24T18:00:00Z or "in 2h"; at once when absent
    #[arg(long, value_name = "WHEN")]
    pub start: Option<String>,
    /// Who shall hold it, when not you
    #[arg(long, value_name = "NAME")]
    pub beneficiary: Option<String>,
}

/// Arguments of `request` and `explain`.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// On what
    pub resource: String,
    /// Which of its roles
    #[arg(long)]
    pub role: String,
    #[command(flatten)]
    pub why: WhyArgs,
    /// Wait until it is answered
    #[arg(long)]
    pub wait: bool,
}

impl WhyArgs {
    /// The body of a request.
    pub fn body(&self, resource: &str, role: &str) -> Result<NewRequest, Failure> {
        let start = self.start.as_deref().map(|text| when(text, words::now())).transpose()?;
        let duration_s = u32::try_from(self.duration.secs()).map_err(Failure::setting)?;
        Ok(NewRequest {
            resource: resource.to_owned(),
            role: role.to_owned(),
            duration_s,
            start,
            purpose: self.purpose.into(),
            ticket: self.ticket.clone(),
            reason: self.reason.clone(),
            beneficiary: self.beneficiary.clone(),
            statement: None,
        })
    }
}

/// A point in time: RFC 3339, or how far it is from now.
fn when(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    match text.trim().strip_prefix("in ") {
        None => text.trim().parse().map_err(Failure::setting),
        Some(ahead) => {
            let ahead: Span = ahead.parse().map_err(Failure::setting)?;
            Ok(Timestamp::from_micros(now.micros().saturating_add(ahead.micros())))
        }
    }
}

/// Asks for a role.
pub async fn request(context: &Context, args: RequestArgs) -> Result<(), Failure> {
    let api = context.api()?;
    let answered = calls::request(&api, &args.why.body(&args.resource, &args.role)?).await?;
    if args.wait && matches!(answered.outcome, Outcome::Pending { .. }) {
        let request = wait_until_answered(context, &answered.request).await?;
        context.format.show(&request, shown)?;
        return match request.state {
            RequestState::Granted { .. } => Ok(()),
            RequestState::Pending { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => Err(said_no("the request wasn't granted")),
        };
    }
    context.format.show(&answered, answered_words)?;
    outcome_exit(&answered.outcome)
}

/// A refusal is an answer with an exit code of its own, so that scripts can tell.
pub fn outcome_exit(outcome: &Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::Granted { .. } => Ok(()),
        Outcome::Pending { .. } => {
            Err(Failure::new(Exit::Pending, "it isn't granted yet", "wait for it with --wait next time"))
        }
        Outcome::Refused { .. } => Err(said_no("the request was refused")),
    }
}

fn said_no(what: &str) -> Failure {
    Failure::new(Exit::Refused, what, "")
}

/// What came of a request, for people.
pub fn answered_words(answered: &Answered) -> String {
    let request = &answered.request;
    match &answered.outcome {
        Outcome::Granted { grant } => {
            let next = match grant.opens {
                Opens::Sessions => format!("Connect with: daypass connect {}", request.resource),
                Opens::Statement { .. } | Opens::Look { .. } => {
                    format!("Its holder runs it with: daypass exec --request {}", request.id)
                }
            };
            format!("Granted: {}, {}.\n{next}", grant.id, words::grant_state(&grant.state))
        }
        Outcome::Pending { missing } => format!(
            "Pending: {}\nIt needs {}.{}\nGranted the moment that is there; a client that connects meanwhile is held at \
             the door.",
            request.id,
            words::ways(missing),
            words::who_could(missing),
        ),
        Outcome::Refused { why, missing } if missing.is_empty() => format!("Refused: {why}."),
        Outcome::Refused { why, missing } => format!("Refused: {why}.\nAsk again with {}.", words::ways(missing)),
    }
}

/// Waits for a request to be answered, with a spinner.
pub async fn wait_until_answered(context: &Context, request: &Request) -> Result<Request, Failure> {
    let api = context.api()?;
    let spinner = Waiting::for_(&format!("waiting for {}", words::ways(&request.missing)));
    let until = Instant::now() + Duration::from_secs(24 * 3600);
    loop {
        let now = calls::request_waiting(&api, &request.id.to_string(), 25).await?;
        match now.state {
            RequestState::Pending { .. } if Instant::now() < until => {
                spinner.says(&format!("waiting for {}", words::ways(&now.missing)));
            }
            RequestState::Pending { .. }
            | RequestState::Granted { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => return Ok(now),
        }
    }
}

/// Judges what one would ask, without asking.
pub async fn explain(context: &Context, args: RequestArgs) -> Result<(), Failure> {
    let explanation = calls::explain(&context.api()?, &args.why.body(&args.resource, &args.role)?).await?;
    context.format.show(&explanation, |e| e.lines.iter().map(|l| crate::say::shown(l)).collect::<Vec<_>>().join("\n"))
}

/// Arguments of `requests`.
#[derive(Debug, Clone, Args)]
pub struct RequestsArgs {
    /// Those that wait for your answer, not your own
    #[arg(long)]
    pub to_answer: bool,
}

/// Lists requests.
pub async fn requests(context: &Context, which: WhichRequests) -> Result<(), Failure> {
    let requests = calls::requests(&context.api()?, which).await?;
    context.format.show(&requests, |requests| {
        let empty = match which {
            WhichRequests::Mine => "You haven't asked for anything.",
            WhichRequests::ToAnswer => "Nothing waits for your answer.",
        };
        let mut rows = Rows::new(&["id", "who", "resource", "role", "for", "reason", "state"], empty);
        for r in requests {
            let reason = r.reason.clone().unwrap_or_default();
            let state = words::request_state(&r.state);
            let length = match &r.statement {
                None => words::span(r.duration_s),
                Some(_) => format!("{}, one statement", words::span(r.duration_s)),
            };
            let own = r.requester == r.beneficiary;
            let who = words::who(&r.requester, r.owner.as_deref().filter(|_| own));
            rows.row([&r.id.to_string(), &who, &r.resource, &r.role, &length, &reason, &state]);
        }
        rows.text()
    })
}

/// One request, for people.
pub fn shown(r: &Request) -> String {
    let approvals: Vec<&str> = r.approvals.iter().map(|a| a.approver.as_str()).collect();
    let mut pairs = vec![
        ("request", r.id.to_string()),
        ("by", r.requester.clone()),
        ("for", words::who(&r.beneficiary, r.owner.as_deref())),
        ("on", format!("{}/{}: {}", r.resource, r.role, r.gives)),
        ("how long", words::span(r.duration_s)),
        ("purpose", words::purpose(r.purpose).to_owned()),
        ("reason", r.reason.clone().unwrap_or_else(|| "none given, or erased".to_owned())),
        ("ticket", r.ticket.clone().unwrap_or_default()),
        ("approved by", approvals.join(", ")),
        ("confirmed by", r.confirmation.as_ref().map(|c| c.by.clone()).unwrap_or_default()),
        ("state", words::request_state(&r.state)),
    ];
    if !r.missing.is_empty() {
        pairs.push(("needs", words::ways(&r.missing)));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    let mut text = output::fields(&pairs);
    if let Some(statement) = &r.statement {
        text.push_str(&statement_words(statement, &r.digest));
    }
    text
}

/// The statement of a request and what the target said of it, below its fields.
fn statement_words(statement: &Statement, digest: &str) -> String {
    let sql = statement.text.as_deref().unwrap_or("(erased)");
    let estimate = match &statement.estimate {
        None => "  nobody has looked: daypass look".to_owned(),
        Some(Estimate::Planned { rows, cost, plan }) => {
            let number = |n: &Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
            format!("  rows {}, cost {}\n{}", number(rows), number(cost), indented(plan))
        }
        Some(Estimate::NotPlanned { why }) => indented(why),
    };
    format!(
        "\n\nExactly this is run, once:\n{}\n\nThe target's estimate:\n{estimate}\n\ndigest  {digest}",
        indented(sql)
    )
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Takes one's request back.
pub async fn withdraw(context: &Context, id: &str) -> Result<(), Failure> {
    let request = calls::withdraw(&context.api()?, id).await?;
    context.format.show(&request, |r| format!("{} is {}.", r.id, words::request_state(&r.state)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_time_or_how_far_it_is() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        assert_eq!(when("in 1h30m", now).unwrap().secs_since(now), 5_400);
        assert_eq!(when("2023-11-14T23:13:20Z", now).unwrap().secs_since(now), 3_600);
        for bad in ["tomorrow", "in", "in a while", "2023-11-14"] {
            assert_eq!(when(bad, now).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
