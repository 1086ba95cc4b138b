//! Judging again: whenever a fact changed, says that it will, or may have (I2). Only flips are entries.

use daypass_domain::{
    GrantId, Time,
    end::{EndCause, HeldFact},
    grant::{Grant, GrantState},
    request::{Request, RequestState},
    resource::Resource,
    statement::Opens,
};
use daypass_policy::{Decision, Directory, Input, PolicySet};
use daypass_ports::{record::Read, rows::key};

use crate::{App, Result, approve::counts_under, facts::lasting, taken::End};

/// A live grant, and what would become of it.
pub(crate) struct Judged {
    pub grant: Read<Grant>,
    pub outcome: Still,
}

/// Whether a live grant is still permitted.
pub(crate) enum Still {
    Permitted,
    /// With the decision that says so; none when the facts couldn't even be gathered (its role is gone, say).
    NotPermitted(Option<Box<Decision>>),
}

impl App {
    /// Judges every live grant again, and ends what isn't permitted any more.
    ///
    /// # Errors
    /// When the store doesn't answer, or the ends can't be recorded; they are cut all the same.
    pub async fn rejudge_all(&self) -> Result<()> {
        let live: Vec<GrantId> = self.live_grants().await?.into_iter().map(|g| g.value.id).collect();
        self.rejudge(&live, EndCause::FactGone { fact: HeldFact::Judged }).await
    }

    /// Judges these grants again, and ends what isn't permitted any more, for `cause`.
    pub(crate) async fn rejudge(&self, grants: &[GrantId], cause: EndCause) -> Result<()> {
        let policy = self.policy();
        let judged = self.judge_live(&policy, Some(grants)).await?;
        self.end_grants(self.flipped(judged, &cause)).await.map(drop)
    }

    /// The ends of those that aren't permitted any more, each with the decision that says so.
    pub(crate) fn flipped(&self, judged: Vec<Judged>, cause: &EndCause) -> Vec<End> {
        let end = |judged: Judged| match judged.outcome {
            Still::Permitted => None,
            Still::NotPermitted(decision) => {
                let said = decision.map(|d| self.decision_part(&d)).into_iter().collect();
                Some(End { grant: judged.grant.value.id, cause: cause.clone(), said })
            }
        };
        judged.into_iter().filter_map(end).collect()
    }

    /// What `policy` says of the live grants: of these, or of all.
    pub(crate) async fn judge_live(&self, policy: &PolicySet, only: Option<&[GrantId]>) -> Result<Vec<Judged>> {
        let now = self.now();
        let directory = self.directory().await?;
        let mut judged = Vec::new();
        for grant in self.live_grants().await? {
            if only.is_some_and(|ids| !ids.contains(&grant.value.id)) {
                continue;
            }
            let outcome = self.judge_grant(policy, &directory, &grant.value, now).await?;
            judged.push(Judged { grant, outcome });
        }
        Ok(judged)
    }

    async fn judge_grant(&self, policy: &PolicySet, directory: &Directory, grant: &Grant, now: Time) -> Result<Still> {
        let request = self.store_ref().get::<Request>(&grant.request.to_string()).await?;
        let resource = self.store_ref().get::<Resource>(&grant.resource.to_string()).await?;
        let (Some(request), Some(resource)) = (request, resource) else { return Ok(Still::NotPermitted(None)) };
        let same_role =
            resource.value.roles.get(&grant.role).map(|r| r.digest(&resource.value)) == Some(grant.role_digest);
        match grant.opens {
            Opens::Look { .. } => {
                // It rests on its approver's say in a request that is still open, and on nothing that was permitted.
                let counts = counts_under(policy, directory, &resource.value, &request.value, grant.holder, now);
                let pending = matches!(request.value.state, RequestState::Pending { .. });
                let still = same_role && pending && counts.unwrap_or(false);
                return Ok(if still { Still::Permitted } else { Still::NotPermitted(None) });
            }
            Opens::Sessions | Opens::Statement { .. } => {}
        }
        let Ok(input) = input_of(grant, &request.value, &resource.value, directory, now) else {
            return Ok(Still::NotPermitted(None));
        };
        let decision = Decision::make(daypass_domain::DecisionId::new(now, self.id_bytes()), policy, input);
        if same_role && decision.verdict.is_permitted() {
            return Ok(Still::Permitted);
        }
        Ok(Still::NotPermitted(Some(Box::new(decision))))
    }

    /// The grants that are scheduled or active.
    pub(crate) async fn live_grants(&self) -> Result<Vec<Read<Grant>>> {
        let mut live = self.store_ref().find::<Grant>(key::STATE, "active").await?;
        live.extend(self.store_ref().find::<Grant>(key::STATE, "scheduled").await?);
        live.retain(|g| !self.taken.is_ended(g.value.id));
        Ok(live)
    }
}

/// What a live grant is judged on: its request, on the facts of now, for as long as the grant lasts in all, from its start to
/// its deadline: what an extension made of it counts too.
pub(crate) fn input_of(
    grant: &Grant,
    request: &Request,
    resource: &Resource,
    directory: &Directory,
    now: Time,
) -> Result<Input> {
    let input = Input::for_request(request, resource, directory, now)?;
    Ok(match grant.state {
        GrantState::Active { since, deadline, .. } => lasting(input, deadline.since(since)),
        GrantState::Scheduled { duration, .. } => lasting(input, duration),
        GrantState::Ending { .. } | GrantState::Ended { .. } => input,
    })
}
