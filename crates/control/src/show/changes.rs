//! Changes to what decisions read.

use daypass_api::{
    ChangeId, KitId, SecretText,
    changes::{Change, ChangeDetail, ChangeState, Handed, Outcome, Proposed, Standing},
};
use daypass_app::{
    App,
    changes::{self, ChangeView},
};
use daypass_domain::change;

use super::time;
use crate::fault::Result;

pub(crate) fn proposed(proposed: changes::Proposed) -> Proposed {
    let handed = match proposed.handed {
        changes::Handed::Nothing => None,
        changes::Handed::Invitation(code) => {
            Some(Handed::Invitation { code: SecretText::new(code.expose().to_owned()) })
        }
        changes::Handed::InvitationHalf(half) => {
            Some(Handed::InvitationHalf { half: SecretText::new(half.expose().to_owned()) })
        }
        changes::Handed::Kit(sealed) => {
            Some(Handed::Kit { kit: KitId::of(sealed.kit), files: super::emergency::files(&sealed) })
        }
        changes::Handed::Token(token) => Some(Handed::Token { token: SecretText::new(token.expose().to_owned()) }),
    };
    Proposed { outcome: outcome(proposed.outcome), plan: proposed.plan, warnings: Vec::new(), handed }
}

pub(crate) fn outcome(outcome: changes::Outcome) -> Outcome {
    match outcome {
        changes::Outcome::NothingToDo => Outcome::NothingToDo,
        changes::Outcome::Done => Outcome::Done,
        changes::Outcome::Pending { change, expires } => {
            Outcome::Pending { change: ChangeId::of(change), expires: time(expires) }
        }
    }
}

pub(crate) async fn change(app: &App, change: change::Change) -> Result<Change> {
    let state = match &change.state {
        change::ChangeState::Pending { expires } => ChangeState::Pending { expires: time(*expires) },
        change::ChangeState::Committed { approver, at } => {
            ChangeState::Committed { approver: app.name_of(*approver).await?.to_string(), at: time(*at) }
        }
        change::ChangeState::Rejected { by, at } => {
            ChangeState::Rejected { by: app.name_of(*by).await?.to_string(), at: time(*at) }
        }
        change::ChangeState::Expired { at } => ChangeState::Expired { at: time(*at) },
    };
    Ok(Change {
        id: ChangeId::of(change.id),
        subject: change.subject,
        proposer: app.name_of(change.proposer).await?.to_string(),
        digest: change.digest.to_string(),
        made: time(change.made),
        state,
    })
}

pub(crate) async fn detail(app: &App, view: ChangeView) -> Result<ChangeDetail> {
    Ok(ChangeDetail {
        change: change(app, view.change).await?,
        // A proposal is plain data, which always has a JSON form.
        proposal: serde_json::to_value(&view.proposal).unwrap_or_default(),
        plan: view.plan,
        standing: match view.standing {
            changes::Standing::Fine => Standing::Fine,
            changes::Standing::Outdated(why) => Standing::Outdated { why },
            changes::Standing::Over => Standing::Over,
        },
    })
}
