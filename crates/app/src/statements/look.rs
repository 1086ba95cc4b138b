//! A look: whoever may approve a statement has the target estimate it, in a transaction that reads only.
//!
//! It is made by an approver, never at the asking: to plan a statement is to have the target do something in the role's
//! name, and nobody has approved that before. It has a grant, a permit, a login, a session, a recording and entries of
//! its own, and opens no door.

use daypass_domain::{
    GrantId, RequestId, Span,
    grant::{Grant, GrantState, Login},
    principal::Actor,
    request::RequestState,
    statement::{Opens, Run, Wants},
};
use daypass_ports::record::Commit;

use crate::{
    App, Problem, Result,
    approve::person_only,
    ask::RequestView,
    ending::grant_ids,
    entry::{access, event},
    retry_stale,
};

/// How long a look may take in all.
const LOOK_FOR: Span = Span::from_mins(1);

impl App {
    /// Has the target estimate the statement of a pending request. Whoever may approve it may.
    ///
    /// # Errors
    /// When their approval counts for nothing, the request isn't pending or isn't for a statement, or the target can't be
    /// reached. That the target gives no estimate is an answer, not an error.
    pub async fn look(&self, actor: &Actor, id: RequestId) -> Result<RequestView> {
        self.clock_is_sound()?;
        person_only(actor)?;
        let grant = retry_stale!(self.try_look(actor, id).await)?;
        let done = self.through_a_gateway(grant).await;
        if done.is_err() {
            // It wasn't begun, so nothing else ends it.
            let cause = daypass_domain::end::EndCause::StatementOver;
            self.end_grants(crate::taken::End::all(&[grant], &cause)).await?;
        }
        done?;
        self.request_shown(actor, id).await
    }

    async fn try_look(&self, actor: &Actor, id: RequestId) -> Result<GrantId> {
        let now = self.now();
        let read = self.request_row(id).await?;
        self.must_count(actor, &read.value).await?;
        let request = &read.value;
        match (&request.asked.wants, &request.state) {
            (Wants::Sessions, _) => return Err(super::for_sessions()),
            (Wants::Statement { .. }, RequestState::Pending { .. }) => {}
            (
                Wants::Statement { .. },
                RequestState::Granted { .. }
                | RequestState::Denied { .. }
                | RequestState::Forbidden { .. }
                | RequestState::Withdrawn { .. }
                | RequestState::Expired { .. },
            ) => return Err(Problem::conflict("not_pending", format!("{id} isn't pending any more"), "")),
        }
        let under_way = self.live_grants().await?.into_iter().any(|g| g.value.request == id);
        if under_way {
            return Err(Problem::conflict("looking_already", "somebody is looking at it now", "wait a moment"));
        }
        let facts = self.facts(request.asked.resource).await?;
        let (_, role) = request.narrowed();
        let definition = facts.resource.value.roles.get(&role);
        let definition = definition.ok_or_else(|| Problem::not_found("role", &role))?;
        let grant = Grant {
            id: GrantId::new(now, self.id_bytes()),
            request: id,
            holder: actor.principal,
            person: actor.person,
            resource: request.asked.resource,
            role_digest: definition.digest(&facts.resource.value),
            role,
            opens: Opens::Look { run: Run::NotBegun },
            state: GrantState::Active { since: now, deadline: now + LOOK_FOR, login: Login::NotMade },
        };
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(&read);
        commit.put(&grant);
        let parts = vec![self.operational_part(&grant)];
        commit.entry(access(event::LOOK_GIVEN, grant_ids(&grant), facts.resource.value.region.clone(), parts));
        self.commit(commit, ()).await?;
        Ok(grant.id)
    }
}
