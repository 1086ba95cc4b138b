//! Ending access: cut at once, record, then see to the end at the target (I1, I5).
//!
//! ```text
//! end_grants ──► Taken (gateways cut, doors close)      never waits
//!            ├─► cut worker: NOLOGIN, terminate, scan    never waits
//!            └─► commit: grant ended (the receipt waits for this)
//! finish     ──► cut, list ─► commit: list ─► remove ─► commit: confirmed     until it is known
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use daypass_domain::{
    GrantId, PrincipalId, ResourceId, Span, Time,
    end::{EndCause, EndConfirmation},
    grant::{Grant, GrantEvent, GrantState, MadeLogin},
    resource::{Ownership, Target},
};
use daypass_ports::{
    record::{Commit, Committed, Read},
    rows::key,
    targets::{Administration, Ending, LoginName},
};

pub(crate) use crate::taken::Taken;
use crate::{
    App, Problem, Result,
    entry::{access, event},
    retry_stale,
    taken::{CutAtTarget, End},
};

/// How many endings go to a target together.
pub(crate) const BATCH: usize = 200;

impl App {
    /// Ends grants: at once for every gateway and at the target; the answer waits for the entries alone, which become
    /// durable together. Grants that have ended already are left as they are.
    ///
    /// # Errors
    /// When the entries can't be made durable. The grants are cut all the same, and the entries follow when they can.
    pub(crate) async fn end_grants(&self, ends: Vec<End>) -> Result<Option<Committed>> {
        if ends.is_empty() {
            return Ok(None);
        }
        let grants: Vec<GrantId> = ends.iter().map(|end| end.grant).collect();
        self.taken.end(ends, self.now()); // I1: what takes away never waits
        let recorded = retry_stale!(self.record_ends(&grants).await);
        self.taken.finish.notify_one();
        recorded.map_err(|problem| {
            Problem::new(
                problem.kind,
                "cut_not_recorded",
                format!("the access is cut, and its end isn't recorded yet: {}", problem.what),
                "nothing more needs doing to end it; the entry and the confirmation follow when the ledger can be written",
            )
        })
    }

    /// Makes the ends of these grants durable, as they were taken; whoever else does so too finds nothing left to do.
    pub(crate) async fn record_ends(&self, grants: &[GrantId]) -> Result<Option<Committed>> {
        let mut commit = Commit::default();
        self.plan_ends(&self.taken.unrecorded(grants), &mut commit).await?;
        if commit.writes.is_empty() {
            self.taken.durable(grants, &[]);
            return Ok(None);
        }
        let intent = self.commit(commit, ()).await?;
        self.taken.durable(grants, &[]);
        Ok(Some(intent.committed().clone()))
    }

    /// Adds the ends of grants to a commit, which lists them. Whoever commits more with it calls [`App::has_ended`].
    pub(crate) async fn plan_ends(&self, ends: &[End], commit: &mut Commit) -> Result<()> {
        let now = self.now();
        for End { grant, cause, said } in ends {
            let Some(read) = self.store_ref().get::<Grant>(&grant.to_string()).await? else { continue };
            // A refusal says that it has ended already (or that its time isn't up after all, when it was extended).
            let Ok(next) = read.value.clone().apply(GrantEvent::End(cause.clone()), now) else { continue };
            commit.replace(&read, &next);
            self.tell_of_end(&next, cause, commit);
            let parts = std::iter::once(self.operational_part(cause)).chain(said.iter().cloned()).collect();
            let mut ids = grant_ids(&next);
            ids.push(("cause", cause.word().to_owned()));
            let region = self.region_of(&next).await?;
            commit.entry(access(event::GRANT_ENDED, ids.clone(), region.clone(), parts));
            if let GrantState::Ended { confirmation: EndConfirmation::NothingMade, .. } = &next.state {
                let parts = vec![self.operational_part(&EndConfirmation::NothingMade)];
                ids.push(("outcome", "nothing_made".to_owned()));
                commit.entry(access(event::END_CONFIRMED, ids, region, parts));
            }
            commit.ended.push((*grant, cause.clone()));
        }
        Ok(())
    }

    /// Cuts what a larger commit has ended: it is durable already.
    pub(crate) fn has_ended(&self, ended: Vec<(GrantId, EndCause)>) {
        let grants: Vec<GrantId> = ended.iter().map(|(grant, _)| *grant).collect();
        let ends = ended.into_iter().map(|(grant, cause)| End { grant, cause, said: Vec::new() }).collect();
        self.taken.end(ends, self.now());
        self.taken.durable(&grants, &[]);
        self.taken.finish.notify_one();
    }

    /// Ends whatever a principal holds, and whatever the workloads hold that it owns.
    pub(crate) async fn live_grants_of(&self, principals: &[PrincipalId]) -> Result<Vec<GrantId>> {
        let mut grants = Vec::new();
        for principal in principals {
            let found = self.store_ref().find::<Grant>(key::LIVE_HOLDER, &principal.to_string()).await?;
            grants.extend(found.into_iter().map(|g| g.value.id));
        }
        Ok(grants)
    }

    /// Cuts what is taken, at its target, as soon as it is taken, for ever.
    pub async fn run_cuts(self: Arc<Self>) {
        let Some(mut queue) = self.taken.cuts() else { return };
        while let Some(first) = queue.recv().await {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(more) = queue.try_recv()
            {
                batch.push(more);
            }
            // On a task of its own: a target that doesn't answer must not delay the next cut.
            let app = Arc::clone(&self);
            tokio::spawn(async move { app.cut_now(&batch).await });
        }
    }

    async fn cut_now(&self, grants: &[GrantId]) {
        let mut by_target: BTreeMap<String, (ResourceId, Vec<(Grant, MadeLogin)>)> = BTreeMap::new();
        for id in grants {
            let read = self.store_ref().get::<Grant>(&id.to_string()).await;
            let Ok(Some(read)) = read else { continue };
            if let Some(login) = login_of(&read.value) {
                let resource = read.value.resource;
                let new = || (resource, Vec::new());
                by_target.entry(target_key(&login.target)).or_insert_with(new).1.push((read.value, login));
            }
            // Its login opens nothing from here on: should the grant have been extended at the last moment after all, the
            // next connection makes it anew.
            self.made.forget(*id);
        }
        for (resource, group) in by_target.into_values() {
            if let Err(problem) = self.cut_group(resource, &group).await {
                tracing::warn!(%problem, "a cut at a target failed; it is tried again until it is known");
            }
        }
        self.taken.finish.notify_one();
    }

    async fn cut_group(&self, resource: ResourceId, group: &[(Grant, MadeLogin)]) -> Result<()> {
        let Some((_, login)) = group.first() else { return Ok(()) };
        let at = self.administration(resource, &login.target).await?;
        let logins = group.iter().map(|(_, login)| login_name(login)).collect::<Result<Vec<_>>>()?;
        for ((grant, _), report) in group.iter().zip(self.targets.cut(&at, &logins).await) {
            match report {
                Ok(report) => self.note_cut(grant, report.backends_ended),
                Err(error) => tracing::warn!(grant = %grant.id, %error, "not cut at the target yet"),
            }
        }
        Ok(())
    }

    pub(crate) fn note_cut(&self, grant: &Grant, backends: u32) {
        let at = self.now();
        if self.taken.cut_at_target(grant.id, CutAtTarget { at, backends }) {
            self.cut_at_target(grant, at);
        }
    }

    /// How to reach a target as its administrator.
    pub(crate) async fn administration(&self, resource: ResourceId, target: &Target) -> Result<Administration> {
        let Target::Postgres(postgres) = target;
        let password = self.credentials.credential(&postgres.credential).await?;
        let installation = self.settings().await?.value.installation;
        Ok(Administration { resource, target: postgres.clone(), password, installation })
    }

    /// The region that a grant's payloads belong in: its resource's; the installation's when that was removed. // I10
    pub(crate) async fn region_of(&self, grant: &Grant) -> Result<daypass_domain::Name> {
        let resource = self.store_ref().get::<daypass_domain::resource::Resource>(&grant.resource.to_string()).await?;
        match resource {
            Some(read) => Ok(read.value.region),
            None => self.region().await,
        }
    }
}

/// The ending of a login that no grant of ours is known for: nothing was declared, so whatever it owns is residue.
pub(crate) fn of_no_grant(login: LoginName) -> Ending {
    Ending { grant: GrantId::new(Time::from_micros(0), [0; 10]), login, owns: Ownership::Quarantine }
}

/// One word for headers and tables.
#[must_use]
pub fn outcome_word(confirmation: &EndConfirmation) -> &'static str {
    match confirmation {
        EndConfirmation::NothingMade => "nothing_made",
        EndConfirmation::Clean => "clean",
        EndConfirmation::Kept { .. } => "kept",
        EndConfirmation::Residue { .. } => "residue",
    }
}

/// The ids that every entry about a grant carries.
pub(crate) fn grant_ids(grant: &Grant) -> Vec<(&'static str, String)> {
    [
        ("grant", grant.id.to_string()),
        ("request", grant.request.to_string()),
        ("principal", grant.holder.to_string()),
        ("resource", grant.resource.to_string()),
    ]
    .into_iter()
    .chain(crate::entry::owner_id(grant.holder, grant.person))
    .collect()
}

pub(crate) fn login_of(grant: &Grant) -> Option<MadeLogin> {
    match &grant.state {
        GrantState::Active { login: daypass_domain::grant::Login::Begun(made), .. } => Some((**made).clone()),
        GrantState::Ending { login, .. } => Some((**login).clone()),
        GrantState::Active { login: daypass_domain::grant::Login::NotMade, .. }
        | GrantState::Scheduled { .. }
        | GrantState::Ended { .. } => None,
    }
}

pub(crate) fn login_name(login: &MadeLogin) -> Result<LoginName> {
    login.name.parse().map_err(|e: daypass_ports::targets::BadLoginName| Problem::unavailable(e.to_string()))
}

/// What tells two targets apart for batching: where, and as whom.
pub(crate) fn target_key(target: &Target) -> String {
    let Target::Postgres(postgres) = target;
    format!("{} {}", postgres.address, postgres.administrator)
}

/// How long a revocation waits for nodes and targets before its receipt says what is still open.
pub const RECEIPT_WAIT: Span = Span::from_secs(5);

/// Grants whose end isn't confirmed yet.
pub(crate) fn unconfirmed(grants: &[Read<Grant>]) -> BTreeSet<GrantId> {
    let open = |g: &&Read<Grant>| match g.value.state {
        GrantState::Scheduled { .. } | GrantState::Active { .. } | GrantState::Ending { .. } => true,
        GrantState::Ended { .. } => false,
    };
    grants.iter().filter(open).map(|g| g.value.id).collect()
}
