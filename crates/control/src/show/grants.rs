//! Grants, their ends, and receipts.

use daypass_api::{
    GrantId, PayloadId, RequestId,
    grants::{
        CutAtTarget, EndCause, EndConfirmation, EndProgress, Grant, GrantState, NodeReceipt, Receipt, TargetReceipt,
    },
};
use daypass_app::{App, ask::GrantView, authority, grants};
use daypass_domain::{end, grant};

use super::{statements, time};
use crate::fault::Result;

/// A grant whose names aren't known yet.
pub(crate) async fn bare(app: &App, grant: grant::Grant) -> Result<Grant> {
    let holder = app.name_of(grant.holder).await?;
    let owner = app.owner_name(grant.holder, grant.person).await?;
    let resource = app.resource_name(grant.resource).await?;
    view(app, GrantView { grant, holder, owner, resource }).await
}

pub(crate) async fn view(app: &App, view: GrantView) -> Result<Grant> {
    let GrantView { grant, holder, owner, resource } = view;
    Ok(Grant {
        id: GrantId::of(grant.id),
        request: RequestId::of(grant.request),
        holder: holder.to_string(),
        owner: owner.map(|name| name.to_string()),
        resource: resource.to_string(),
        role: grant.role.to_string(),
        opens: statements::opens(grant.opens),
        state: state(app, grant.state).await?,
    })
}

async fn state(app: &App, state: grant::GrantState) -> Result<GrantState> {
    Ok(match state {
        grant::GrantState::Scheduled { start, duration } => {
            GrantState::Scheduled { start: time(start), duration_s: duration.secs() }
        }
        grant::GrantState::Active { since, deadline, login: _ } => {
            GrantState::Active { since: time(since), deadline: time(deadline) }
        }
        grant::GrantState::Ending { since: _, at, cause: why, login: _, progress: how } => {
            GrantState::Ending { at: time(at), cause: cause(app, &why).await?, progress: progress(&how) }
        }
        grant::GrantState::Ended { at, cause: why, confirmed, confirmation: what } => GrantState::Ended {
            at: time(at),
            cause: cause(app, &why).await?,
            confirmed: time(confirmed),
            confirmation: confirmation(&what),
        },
    })
}

async fn cause(app: &App, cause: &end::EndCause) -> Result<EndCause> {
    Ok(match cause {
        end::EndCause::Deadline => EndCause::Deadline,
        end::EndCause::Released { by } => EndCause::Released { by: app.name_of(*by).await?.to_string() },
        end::EndCause::Revoked { by, reason } => {
            EndCause::Revoked { by: app.name_of(*by).await?.to_string(), reason: PayloadId::of(reason) }
        }
        end::EndCause::Disabled { principal } => {
            EndCause::Disabled { principal: app.name_of(*principal).await?.to_string() }
        }
        end::EndCause::Signalled { transmitter } => EndCause::Signalled { transmitter: transmitter.to_string() },
        end::EndCause::FactGone { fact: end::HeldFact::Approval { request } } => {
            EndCause::ApprovalGone { request: RequestId::of(request) }
        }
        end::EndCause::FactGone { fact: end::HeldFact::Judged } => EndCause::FactGone,
        end::EndCause::PolicyChanged { policy } => EndCause::PolicyChanged { policy: policy.to_string() },
        end::EndCause::RoleChanged => EndCause::RoleChanged,
        end::EndCause::StatementOver => EndCause::StatementOver,
        end::EndCause::Restored => EndCause::Restored,
    })
}

fn progress(progress: &end::EndProgress) -> EndProgress {
    match progress {
        end::EndProgress::Cutting => EndProgress::Cutting,
        end::EndProgress::Listed { found } => EndProgress::Listed { found: confirmation(found) },
        end::EndProgress::Unknown { tried, times } => EndProgress::Unknown { tried: time(*tried), times: *times },
    }
}

fn confirmation(confirmation: &end::EndConfirmation) -> EndConfirmation {
    match confirmation {
        end::EndConfirmation::NothingMade => EndConfirmation::NothingMade,
        end::EndConfirmation::Clean => EndConfirmation::Clean,
        end::EndConfirmation::Kept { objects, list } => {
            EndConfirmation::Kept { objects: *objects, list: PayloadId::of(list) }
        }
        end::EndConfirmation::Residue { items, list } => {
            EndConfirmation::Residue { items: *items, list: PayloadId::of(list) }
        }
    }
}

pub(crate) async fn receipt(app: &App, receipt: grants::Receipt) -> Result<Receipt> {
    let mut targets = Vec::with_capacity(receipt.targets.len());
    for target in receipt.targets {
        let cut = target.cut.map(|c| CutAtTarget { at: time(c.at), backends: c.backends });
        targets.push(TargetReceipt { grant: GrantId::of(target.grant), cut, state: state(app, target.state).await? });
    }
    let node = |node: authority::NodeReceipt| match node {
        authority::NodeReceipt::Confirmed { node, at } => NodeReceipt::Confirmed { node, at: time(at) },
        authority::NodeReceipt::Latest { node, at } => NodeReceipt::LeaseUntil { node, latest: time(at) },
    };
    Ok(Receipt {
        grants: receipt.grants.iter().map(GrantId::of).collect(),
        ordered: time(receipt.ordered),
        recorded: time(receipt.recorded),
        entries: receipt.entries,
        nodes: receipt.nodes.into_iter().map(node).collect(),
        targets,
    })
}
