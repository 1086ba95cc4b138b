//! What is held: looking, extending, giving back, taking away.

use std::time::{Duration, Instant};

use clap::Args;
use daypass_api::{
    GrantId,
    grants::{Extend, Grant, GrantState, NodeReceipt, Receipt, Revoke, RevokeWhat},
};
use daypass_domain::Span;

use super::{
    Context,
    output::{self, Rows, Waiting},
    words,
};
use crate::{
    client::calls::{self, Whose},
    failure::Failure,
};

/// Lists grants.
pub async fn list(context: &Context, whose: Whose) -> Result<(), Failure> {
    let grants = calls::grants(&context.api()?, whose).await?;
    context.format.show(&grants, |grants| {
        let mut rows = Rows::new(&["id", "holder", "resource", "role", "state"], "No grants.");
        for grant in grants {
            let state = format!("{}{}", words::opens(&grant.opens), words::grant_state(&grant.state));
            let holder = words::who(&grant.holder, grant.owner.as_deref());
            rows.row([&grant.id.to_string(), &holder, &grant.resource, &grant.role, &state]);
        }
        rows.text()
    })
}

/// One grant, for people.
pub fn shown(grant: &Grant) -> String {
    output::fields(&[
        ("grant", grant.id.to_string()),
        ("holder", words::who(&grant.holder, grant.owner.as_deref())),
        ("on", format!("{}/{}", grant.resource, grant.role)),
        ("request", grant.request.to_string()),
        ("state", format!("{}{}", words::opens(&grant.opens), words::grant_state(&grant.state))),
    ])
}

/// Arguments of `extend`.
#[derive(Debug, Clone, Args)]
pub struct ExtendArgs {
    /// The grant's id
    pub id: String,
    /// By how much: judged again, as if it had been asked for that long
    #[arg(long, value_name = "TIME")]
    pub by: Span,
}

/// Moves a grant's deadline.
pub async fn extend(context: &Context, args: ExtendArgs) -> Result<(), Failure> {
    let by_s = u32::try_from(args.by.secs()).map_err(Failure::setting)?;
    let grant = calls::extend(&context.api()?, &args.id, &Extend { by_s }).await?;
    context.format.show(&grant, |grant| format!("{} is {}.", grant.id, words::grant_state(&grant.state)))
}

/// Gives a grant back.
pub async fn release(context: &Context, id: &str) -> Result<(), Failure> {
    let receipt = calls::release(&context.api()?, id).await?;
    finish(context, receipt).await
}

/// Arguments of `revoke`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["id", "user", "resource", "everything"]))]
pub struct RevokeArgs {
    /// One grant's id
    pub id: Option<String>,
    /// Whatever this user or workload holds
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Whatever is held on this resource
    #[arg(long, value_name = "NAME")]
    pub resource: Option<String>,
    /// Only of this role of the resource
    #[arg(long, value_name = "NAME", requires = "resource")]
    pub role: Option<String>,
    /// Whatever is held, by anybody
    #[arg(long)]
    pub everything: bool,
    /// Why
    #[arg(long)]
    pub reason: String,
}

/// Takes access away.
pub async fn revoke(context: &Context, args: RevokeArgs) -> Result<(), Failure> {
    let what = match (args.id, args.user, args.resource, args.role) {
        (Some(id), ..) => RevokeWhat::Grant { grant: GrantId(id) },
        (None, Some(principal), ..) => RevokeWhat::Principal { principal },
        (None, None, Some(resource), Some(role)) => RevokeWhat::Role { resource, role },
        (None, None, Some(resource), None) => RevokeWhat::Resource { resource },
        (None, None, None, _) => RevokeWhat::Everything,
    };
    let receipt = calls::revoke(&context.api()?, &Revoke { what, reason: args.reason }).await?;
    finish(context, receipt).await
}

/// How long a revocation is followed until its ends are confirmed at the targets.
const FOLLOWED: Duration = Duration::from_secs(10);

/// Shows the receipt, once the ends are confirmed or it has been waited long enough.
async fn finish(context: &Context, mut receipt: Receipt) -> Result<(), Failure> {
    let api = context.api()?;
    let until = Instant::now() + FOLLOWED;
    let spinner = Waiting::for_("it is cut; waiting for the confirmation of the end at the target");
    for target in &mut receipt.targets {
        while !confirmed(&target.state) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
            target.state = calls::grant(&api, &target.grant.to_string()).await?.state;
        }
    }
    drop(spinner);
    context.format.show(&receipt, receipt_words)
}

/// Whether a grant's end is confirmed.
pub fn confirmed(state: &GrantState) -> bool {
    match state {
        GrantState::Ended { .. } => true,
        GrantState::Scheduled { .. } | GrantState::Active { .. } | GrantState::Ending { .. } => false,
    }
}

fn receipt_words(receipt: &Receipt) -> String {
    let after = |at: daypass_api::Timestamp| {
        let us = at.micros() - receipt.ordered.micros();
        format!("{}.{} ms", us / 1000, us.rem_euclid(1000) / 100)
    };
    let mut lines = vec![format!(
        "{} ended, recorded after {} in the ledger as {}.",
        words::count(receipt.grants.len(), "grant", "grants"),
        after(receipt.recorded),
        receipt.entries.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    )];
    for node in &receipt.nodes {
        lines.push(match node {
            NodeReceipt::Confirmed { node, at } => format!("  gateway {node}: every session cut after {}", after(*at)),
            NodeReceipt::LeaseUntil { node, latest } => {
                format!("  gateway {node}: hasn't answered; nothing passes after {}", words::time(*latest))
            }
        });
    }
    for target in &receipt.targets {
        let cut = target.cut.as_ref().map(|cut| {
            let backends = words::count(cut.backends as usize, "backend", "backends");
            format!("{backends} ended, none left after {}; ", after(cut.at))
        });
        lines.push(format!("  {}: {}{}", target.grant, cut.unwrap_or_default(), words::grant_state(&target.state)));
    }
    lines.join("\n")
}
