//! Holding a grant: activating, extending, giving back, taking away.

use std::collections::BTreeSet;

use daypass_domain::{
    GrantId, Name, Span, Time,
    end::EndCause,
    grant::{Grant, GrantEvent, GrantState},
    principal::Actor,
    request::Request,
};
use daypass_policy::{Act, Input, Thing};
use daypass_ports::{
    record::{Commit, Read, Revision},
    rows::key,
};
use serde::Serialize;

use crate::{
    App, Problem, ProblemKind, Result,
    authority::NodeReceipt,
    ending::{RECEIPT_WAIT, grant_ids, unconfirmed},
    entry::{access, decision, event},
    facts::lasting,
    retry_stale,
    taken::{CutAtTarget, End},
};

/// What is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoke {
    /// One grant.
    Grant(GrantId),
    /// Whatever a principal holds, by name.
    Principal(String),
    /// Whatever is held on a resource, by name.
    Resource(String),
    /// Whatever is held of one role.
    Role {
        /// The resource's name.
        resource: String,
        /// The role's.
        role: String,
    },
    /// Whatever is held.
    Everything,
}

/// What a revocation brought about, for the one who revoked. // I3
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// The grants that ended by it.
    pub grants: Vec<GrantId>,
    /// When it was ordered.
    pub ordered: Time,
    /// When its entries were durable.
    pub recorded: Time,
    /// The entries.
    pub entries: Vec<u64>,
    /// Which nodes cut their sessions, and when; for the others, the latest instant at which their leases run out.
    pub nodes: Vec<NodeReceipt>,
    /// What is known at the targets, by grant.
    pub targets: Vec<TargetReceipt>,
}

/// What is known of one grant's end at its target when the receipt was written.
#[derive(Debug, Clone, Serialize)]
pub struct TargetReceipt {
    /// The grant.
    pub grant: GrantId,
    /// When no backend of it was left, if that was seen.
    pub cut: Option<CutAtTarget>,
    /// The grant as it stands: `ended` with its confirmation, or `ending` and tried again.
    pub state: GrantState,
}

impl App {
    /// Gives a grant back. Its holder may, and the owner of a workload that holds it.
    ///
    /// # Errors
    /// When there is no such grant of theirs.
    pub async fn release(&self, actor: &Actor, id: GrantId) -> Result<Receipt> {
        let read = self.grant_row(id).await?;
        if read.value.person != actor.person {
            return Err(Problem::not_found("grant", id));
        }
        must_live(&read.value)?;
        let ordered = self.now();
        let committed = self.end_grants(End::all(&[id], &EndCause::Released { by: actor.principal })).await?;
        self.receipt(vec![id], ordered, committed).await
    }

    /// Takes access away. Whoever policy lets revoke there may, and every holder their own.
    ///
    /// # Errors
    /// When policy doesn't let them, or there is nothing to revoke.
    pub async fn revoke(&self, actor: &Actor, what: &Revoke, reason: &str) -> Result<Receipt> {
        let ordered = self.now();
        let grants = self.to_revoke(what).await?;
        self.may_revoke_all(actor, &grants).await?;
        if grants.is_empty() {
            return Err(Problem::conflict(
                "nothing_to_revoke",
                "nothing of that is live, so there is nothing to revoke",
                "see what is with `daypass grants`",
            ));
        }
        let ids: Vec<GrantId> = grants.iter().map(|g| g.value.id).collect();
        let part = self.subject_part(actor.principal, &reason);
        let cause = EndCause::Revoked { by: actor.principal, reason: part.id };
        let mut ends = End::all(&ids, &cause);
        // The reason stands once, in the first entry: every cause names where.
        if let Some(first) = ends.first_mut() {
            first.said.push(part);
        }
        let committed = self.end_grants(ends).await?;
        self.receipt(ids, ordered, committed).await
    }

    async fn to_revoke(&self, what: &Revoke) -> Result<Vec<Read<Grant>>> {
        let live = self.live_grants().await?;
        let keep: Box<dyn Fn(&Grant) -> bool + Send> = match what {
            Revoke::Grant(id) => {
                let read = self.grant_row(*id).await?;
                must_live(&read.value)?;
                let id = *id;
                Box::new(move |g| g.id == id)
            }
            Revoke::Principal(name) => {
                let principal = self.principal_named(name).await?.value.id;
                Box::new(move |g| g.holder == principal || g.person.id() == principal)
            }
            Revoke::Resource(name) => {
                let resource = self.resource_named(name).await?.value.id;
                Box::new(move |g| g.resource == resource)
            }
            Revoke::Role { resource, role } => {
                let resource = self.resource_named(resource).await?.value.id;
                let role: Name = crate::facts::name(role)?;
                Box::new(move |g| g.resource == resource && g.role == role)
            }
            Revoke::Everything => Box::new(|_| true),
        };
        Ok(live.into_iter().filter(|g| keep(&g.value)).collect())
    }

    /// Judged once for each role of each resource: that is all that policy reads of a grant here.
    async fn may_revoke_all(&self, actor: &Actor, grants: &[Read<Grant>]) -> Result<()> {
        let mut judged = BTreeSet::new();
        for Read { value: grant, .. } in grants {
            if grant.person == actor.person || judged.insert((grant.resource, &grant.role)) {
                self.may_revoke(actor, grant).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn may_revoke(&self, actor: &Actor, grant: &Grant) -> Result<()> {
        if grant.person == actor.person {
            return Ok(());
        }
        let resource = self.facts(grant.resource).await?.resource.value;
        let act = Act::Revoke {
            resource: Thing::of(&resource),
            role: grant.role.clone(),
            second_factor_age_s: self.second_factor_age_s(actor),
        };
        self.must_be_permitted(actor, act).await.map(drop)
    }

    /// Waits a little for gateways and targets, then says what is known. // I3
    pub(crate) async fn receipt(
        &self,
        grants: Vec<GrantId>,
        ordered: Time,
        committed: Option<daypass_ports::record::Committed>,
    ) -> Result<Receipt> {
        let (recorded, entries, revision) = match committed {
            Some(c) => (c.at, c.entries, c.revision),
            None => (self.now(), Vec::new(), Revision::default()),
        };
        let until = tokio::time::Instant::now() + RECEIPT_WAIT.to_std();
        let mut moved = self.store_ref().watch();
        let targets = loop {
            let mut rows = Vec::new();
            for id in &grants {
                rows.push(self.grant_row(*id).await?);
            }
            let open = unconfirmed(&rows);
            if (open.is_empty() && self.nodes.all_confirmed(revision)) || tokio::time::Instant::now() >= until {
                break rows;
            }
            let tick = tokio::time::sleep(std::time::Duration::from_millis(20));
            tokio::select! {
                _ = moved.changed() => {}
                () = tick => {}
            }
        };
        let targets = targets.into_iter().map(|g| TargetReceipt {
            grant: g.value.id,
            cut: self.taken.when_cut(g.value.id),
            state: g.value.state,
        });
        let nodes = self.nodes.receipts(revision, recorded);
        Ok(Receipt { grants, ordered, recorded, entries, nodes, targets: targets.collect() })
    }

    /// Moves a grant's deadline: judged again, by the same rules, as if it had been asked for that long from its start.
    ///
    /// # Errors
    /// When there is no such grant of theirs, it isn't active, or policy doesn't permit it.
    pub async fn extend(&self, actor: &Actor, id: GrantId, by: Span) -> Result<Grant> {
        self.clock_is_sound()?;
        retry_stale!(self.try_extend(actor, id, by).await)
    }

    async fn try_extend(&self, actor: &Actor, id: GrantId, by: Span) -> Result<Grant> {
        let now = self.now();
        let read = self.grant_row(id).await?;
        if read.value.person != actor.person {
            return Err(Problem::not_found("grant", id));
        }
        must_live(&read.value)?;
        let GrantState::Active { since, deadline, .. } = read.value.state.clone() else {
            return Err(Problem::conflict("not_active", "only an active grant can be extended", ""));
        };
        let later = deadline + by;
        let facts = self.facts(read.value.resource).await?;
        let request = self.request_row(read.value.request).await?;
        let input = Input::for_request(&request.value, &facts.resource.value, &facts.directory, now)?;
        let judged = self.decide(lasting(input, later.since(since)));
        let region = facts.resource.value.region.clone();
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(&request);
        if !judged.verdict.is_permitted() {
            let missing = self.missing(&judged, &facts);
            commit.entry(decision(event::REFUSED, grant_ids(&read.value), region, vec![self.decision_part(&judged)]));
            self.commit(commit, ()).await?;
            let next = format!("missing: {missing}. Or ask for a new grant when this one ends");
            return Err(Problem::new(
                ProblemKind::NotAllowed,
                "extension_refused",
                format!("policy doesn't permit it for {} in all: {}", later.since(since), judged.verdict),
                next,
            ));
        }
        let next = read.value.clone().apply(GrantEvent::Extend { deadline: later }, now)?;
        commit.replace(&read, &next);
        self.tell_before_end(&next, &mut commit);
        let parts = vec![self.decision_part(&judged)];
        commit.entry(access(event::GRANT_EXTENDED, grant_ids(&next), region, parts));
        self.commit(commit, ()).await?;
        // The login's backstop at the target moves when somebody next connects.
        self.made.forget(id);
        Ok(next)
    }

    /// Lets a scheduled grant begin, when policy still permits it; otherwise it ends before it began.
    pub(crate) async fn activate(&self, id: GrantId) -> Result<()> {
        retry_stale!(self.try_activate(id).await)
    }

    async fn try_activate(&self, id: GrantId) -> Result<()> {
        let now = self.now();
        let read = self.grant_row(id).await?;
        let facts = self.facts(read.value.resource).await?;
        let request: Read<Request> = self.request_row(read.value.request).await?;
        let judged = self.judge(&request.value, &facts, now)?;
        if !judged.verdict.is_permitted() {
            let cause = EndCause::FactGone { fact: daypass_domain::end::HeldFact::Judged };
            self.end_grants(vec![End { grant: id, cause, said: vec![self.decision_part(&judged)] }]).await?;
            return Ok(());
        }
        let Ok(next) = read.value.clone().apply(GrantEvent::Activate, now) else { return Ok(()) };
        let mut commit = Commit::default();
        facts.expect(&mut commit);
        commit.expect(&request);
        commit.replace(&read, &next);
        self.tell_before_end(&next, &mut commit);
        let parts = vec![self.decision_part(&judged)];
        commit.entry(access(event::GRANT_ACTIVATED, grant_ids(&next), facts.resource.value.region, parts));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// After a restore: nothing that was live in the copy is live now. Answers how many grants that ended.
    ///
    /// # Errors
    /// When it can't be recorded.
    pub async fn restored(&self) -> Result<usize> {
        self.close_orphans().await?;
        let live: Vec<GrantId> = self.live_grants().await?.into_iter().map(|g| g.value.id).collect();
        let mut commit = Commit::default();
        let ids = vec![("grants", live.len().to_string())];
        commit.entry(crate::entry::administration(event::RESTORED, ids, self.region().await?, Vec::new()));
        self.plan_ends(&End::all(&live, &EndCause::Restored), &mut commit).await?;
        self.commit(commit, ()).await?;
        Ok(live.len())
    }

    /// The grant of that id.
    pub(crate) async fn grant_row(&self, id: GrantId) -> Result<Read<Grant>> {
        let read = self.store_ref().get::<Grant>(&id.to_string()).await?;
        read.ok_or_else(|| Problem::not_found("grant", id))
    }

    /// The live grants of a principal.
    pub(crate) async fn held_by(&self, principal: daypass_domain::PrincipalId) -> Result<Vec<Read<Grant>>> {
        let mut held = self.store_ref().find::<Grant>(key::LIVE_HOLDER, &principal.to_string()).await?;
        held.retain(|g| !self.taken.is_ended(g.value.id));
        Ok(held)
    }
}

fn must_live(grant: &Grant) -> Result<()> {
    match grant.state {
        GrantState::Scheduled { .. } | GrantState::Active { .. } => Ok(()),
        GrantState::Ending { .. } | GrantState::Ended { .. } => Err(Problem::conflict(
            "ended_already",
            format!("{} has ended already", grant.id),
            "see how with `daypass show`",
        )),
    }
}
