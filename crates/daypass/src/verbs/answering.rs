//! Answering what others ask: requests, and changes to what decisions read.

use clap::Args;
use daypass_api::{
    Problem,
    changes::ApproveChange,
    requests::{Approve, Confirm, Deny},
};
use daypass_domain::Span;

use super::{Context, asking, changes, factors, secrets, words};
use crate::{
    client::{
        calls,
        http::{refused, shown_lines},
    },
    failure::{Exit, Failure},
    say,
};

/// Arguments of `approve`.
#[derive(Debug, Clone, Args)]
pub struct ApproveArgs {
    /// A request's or a change's id
    pub id: String,
    /// For less time than was asked
    #[arg(long = "for", value_name = "TIME")]
    pub duration: Option<Span>,
    /// A role declared narrower, instead of the one asked for
    #[arg(long)]
    pub role: Option<String>,
    /// What your authenticator shows now, where you have a second factor
    #[arg(long)]
    pub code: Option<String>,
    /// What you looked at, as `show` says it: a request for one statement isn't approved unseen
    #[arg(long)]
    pub digest: Option<String>,
}

/// Says yes.
pub async fn approve(context: &Context, args: ApproveArgs) -> Result<(), Failure> {
    let api = context.api()?;
    if let Some(code) = args.code {
        factors::show(context, &api, code).await?;
    }
    if args.id.starts_with("change_") {
        // What is approved is what was looked at: its digest goes along.
        let detail = calls::change(&api, &args.id).await?;
        let body = ApproveChange { digest: Some(detail.change.digest) };
        let proposed = calls::approve_change(&api, &args.id, &body).await?;
        return changes::finish(context, &proposed);
    }
    let duration_s = args.duration.map(|d| u32::try_from(d.secs())).transpose().map_err(Failure::setting)?;
    let digest = seen(context, &args.id, args.digest, Answer::Approve).await?;
    let body = Approve { duration_s, role: args.role, digest };
    let answered = match calls::approve(&api, &args.id, &body).await? {
        Ok(answered) => answered,
        Err(problem) => return Err(with_page(context, &args.id, &problem)),
    };
    context.format.show(&answered, asking::answered_words)
}

/// Arguments of `confirm`.
#[derive(Debug, Clone, Args)]
pub struct ConfirmArgs {
    /// The request's id
    pub id: String,
    /// What your authenticator shows now, where you have a second factor
    #[arg(long)]
    pub code: Option<String>,
    /// What you looked at, as `show` says it: a request for one statement isn't confirmed unseen
    #[arg(long)]
    pub digest: Option<String>,
}

/// Stands by what one's own workload asks: no approval.
pub async fn confirm(context: &Context, args: ConfirmArgs) -> Result<(), Failure> {
    let api = context.api()?;
    if let Some(code) = args.code {
        factors::show(context, &api, code).await?;
    }
    let digest = seen(context, &args.id, args.digest, Answer::Confirm).await?;
    let answered = match calls::confirm(&api, &args.id, &Confirm { digest }).await? {
        Ok(answered) => answered,
        Err(problem) => return Err(with_page(context, &args.id, &problem)),
    };
    context.format.show(&answered, asking::answered_words)
}

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Approve,
    Confirm,
}

impl Answer {
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Approve => ("Approve exactly this? [y/N] ", "nothing was approved", "approve"),
            Self::Confirm => ("Confirm exactly this? [y/N] ", "nothing was confirmed", "confirm"),
        }
    }
}

/// A request for one statement is answered by who has seen that: who names it, or agrees to it shown here, at a terminal.
async fn seen(context: &Context, id: &str, named: Option<String>, answer: Answer) -> Result<Option<String>, Failure> {
    if named.is_some() {
        return Ok(named);
    }
    let request = calls::request_shown(&context.api()?, id).await?;
    if request.statement.is_none() {
        return Ok(None);
    }
    say::note(&shown_lines(&asking::shown(&request)));
    let (question, nothing, verb) = answer.words();
    match secrets::asked(question).as_deref() {
        Some("y" | "Y" | "yes") => Ok(Some(request.digest)),
        Some(_) | None => Err(Failure::new(
            Exit::Usage,
            nothing,
            format!(
                "where there is no terminal, look at it, and name what you saw: daypass {verb} {id} --digest DIGEST"
            ),
        )),
    }
}

/// Where a passkey can be shown, when that is what it takes: on the request's page.
fn with_page(context: &Context, id: &str, problem: &Problem) -> Failure {
    let failure = refused(problem);
    match (problem.code.as_str(), context.profile.server()) {
        ("second_factor_needed", Ok(server)) => {
            let page = format!("{}/requests/{id}", server.url.trim_end_matches('/'));
            let next = format!("{}; or answer with your passkey at {page}", failure.next);
            Failure { next, ..failure }
        }
        (_, Ok(_) | Err(_)) => failure,
    }
}

/// Arguments of `deny`.
#[derive(Debug, Clone, Args)]
pub struct DenyArgs {
    /// The request's id
    pub id: String,
    /// Why, for the one who asked
    #[arg(long, default_value = "")]
    pub note: String,
}

/// Says no to a request.
pub async fn deny(context: &Context, args: DenyArgs) -> Result<(), Failure> {
    let request = calls::deny(&context.api()?, &args.id, &Deny { note: args.note }).await?;
    context.format.show(&request, |r| format!("{} is {}.", r.id, words::request_state(&r.state)))
}

/// Takes one's approval back.
pub async fn withdraw_approval(context: &Context, id: &str) -> Result<(), Failure> {
    let request = calls::withdraw_approval(&context.api()?, id).await?;
    context.format.show(&request, |r| {
        format!("Your approval of {} is taken back; it is {}.", r.id, words::request_state(&r.state))
    })
}
