//! Answering what others ask: requests, and changes to what decisions read.

use clap::Args;
use daypass_api::{
    changes::ApproveChange,
    requests::{Approve, Deny},
    signin::Code,
};
use daypass_domain::Span;

use super::{Context, asking, changes, words};
use crate::{client::calls, failure::Failure};

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
}

/// Says yes.
pub async fn approve(context: &Context, args: ApproveArgs) -> Result<(), Failure> {
    let api = context.api()?;
    if let Some(code) = args.code {
        calls::second_factor(&api, &Code { code }).await?;
    }
    if args.id.starts_with("change_") {
        // What is approved is what was looked at: its digest goes along.
        let detail = calls::change(&api, &args.id).await?;
        let body = ApproveChange { digest: Some(detail.change.digest) };
        let proposed = calls::approve_change(&api, &args.id, &body).await?;
        return changes::finish(context, &proposed);
    }
    let duration_s = args.duration.map(|d| u32::try_from(d.secs())).transpose().map_err(Failure::setting)?;
    let body = Approve { duration_s, role: args.role, digest: None };
    let answered = calls::approve(&api, &args.id, &body).await?;
    context.format.show(&answered, asking::answered_words)
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
