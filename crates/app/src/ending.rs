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
    time::Duration,
};

use daypass_domain::{
    GrantId, PrincipalId, Span,
    end::{EndCause, EndConfirmation, EndProgress},
    grant::{Grant, GrantEvent, GrantState, MadeLogin},
    resource::Target,
};
use daypass_ports::{
    record::{Commit, Committed, Part, Read},
    rows::key,
    targets::{Administration, Ending, LoginName, Presence, Residue, TargetError},
};
use serde::Serialize;
use tokio::{task::JoinSet, time::Instant};

pub(crate) use crate::taken::Taken;
use crate::{
    App, Problem, Result,
    entry::{access, event},
    retry_stale,
    taken::CutAtTarget,
};

/// How long after a failed try at a target the next is made: doubled each time, up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(300);
/// How long the finishing sleeps when nothing wakes it.
const IDLE: Duration = Duration::from_secs(5);
/// How many endings go to a target together.
const BATCH: usize = 200;

impl App {
    /// Ends grants: at once for every gateway and at the target; the answer waits for the entry alone. Grants that have
    /// ended already are left as they are.
    ///
    /// # Errors
    /// When the entry can't be made durable. The grants are cut all the same, and the entry follows when it can.
    pub(crate) async fn end_grants(&self, grants: &[GrantId], cause: EndCause) -> Result<Option<Committed>> {
        self.end_grants_because(grants, cause, Vec::new()).await
    }

    /// The same, with what somebody said about it.
    pub(crate) async fn end_grants_because(
        &self,
        grants: &[GrantId],
        cause: EndCause,
        said: Vec<Part>,
    ) -> Result<Option<Committed>> {
        if grants.is_empty() {
            return Ok(None);
        }
        for grant in grants {
            self.taken.end(*grant, cause.clone()); // I1: what takes away never waits
        }
        let recorded = retry_stale!(self.record_ends(grants, &cause, &said).await);
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

    async fn record_ends(&self, grants: &[GrantId], cause: &EndCause, said: &[Part]) -> Result<Option<Committed>> {
        let mut commit = Commit::default();
        self.plan_ends(grants, cause, said, &mut commit).await?;
        if commit.writes.is_empty() {
            self.taken.durable(grants, &[]);
            return Ok(None);
        }
        let intent = self.commit(commit, ()).await?;
        self.taken.durable(grants, &[]);
        Ok(Some(intent.committed().clone()))
    }

    /// Adds the ends of grants to a commit that does more. The caller has cut them (or cuts them right after), and
    /// calls [`Taken::durable`].
    pub(crate) async fn plan_ends(
        &self,
        grants: &[GrantId],
        cause: &EndCause,
        said: &[Part],
        commit: &mut Commit,
    ) -> Result<()> {
        let now = self.now();
        let mut said = said.to_vec();
        for id in grants {
            let Some(read) = self.store_ref().get::<Grant>(&id.to_string()).await? else { continue };
            // A refusal says that it has ended already (or that its time isn't up after all, when it was extended).
            let Ok(next) = read.value.clone().apply(GrantEvent::End(cause.clone()), now) else { continue };
            commit.replace(&read, &next);
            let mut parts = vec![self.operational_part(cause)];
            parts.append(&mut said);
            let mut ids = grant_ids(&next);
            ids.push(("cause", cause.word().to_owned()));
            let region = self.region_of(&next).await?;
            commit.entry(access(event::GRANT_ENDED, ids.clone(), region.clone(), parts));
            if let GrantState::Ended { confirmation: EndConfirmation::NothingMade, .. } = &next.state {
                let parts = vec![self.operational_part(&EndConfirmation::NothingMade)];
                ids.push(("outcome", "nothing_made".to_owned()));
                commit.entry(access(event::END_CONFIRMED, ids, region, parts));
            }
            commit.ended.push((*id, cause.clone()));
        }
        Ok(())
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

    /// Cuts what is taken, at its target, as soon as it is taken; ends when `stop` does.
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
        let mut by_target: BTreeMap<String, Vec<(GrantId, MadeLogin)>> = BTreeMap::new();
        for id in grants {
            let read = self.store_ref().get::<Grant>(&id.to_string()).await;
            let Ok(Some(read)) = read else { continue };
            if let Some(login) = login_of(&read.value) {
                by_target.entry(target_key(&login.target)).or_default().push((*id, login));
            }
        }
        for group in by_target.into_values() {
            if let Err(problem) = self.cut_group(&group).await {
                tracing::warn!(%problem, "a cut at a target failed; it is tried again until it is known");
            }
        }
        self.taken.finish.notify_one();
    }

    async fn cut_group(&self, group: &[(GrantId, MadeLogin)]) -> Result<()> {
        let Some((first, login)) = group.first() else { return Ok(()) };
        let at = self.administration_for(*first, login).await?;
        let mut grants = Vec::new();
        let mut logins = Vec::new();
        for (grant, login) in group {
            grants.push(*grant);
            logins.push(login_name(login)?);
        }
        for (grant, report) in grants.into_iter().zip(self.targets.cut(&at, &logins).await) {
            match report {
                Ok(report) => self.note_cut(grant, report.backends_ended),
                Err(error) => tracing::warn!(%grant, %error, "not cut at the target yet"),
            }
        }
        Ok(())
    }

    fn note_cut(&self, grant: GrantId, backends: u32) {
        self.taken.cut_at_target(grant, CutAtTarget { at: self.now(), backends });
    }

    /// Sees every ending to its end at the target, for ever: wakes when something was taken, and tries again what
    /// isn't known.
    pub async fn run_endings(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        loop {
            let wait = match self.finish_endings(&backoff.resting()).await {
                Ok(outcomes) => backoff.learn(outcomes),
                Err(problem) => {
                    tracing::warn!(%problem, "endings can't be finished now");
                    RETRY_FIRST
                }
            };
            tokio::select! {
                () = self.taken.finish.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One round: records what was cut and not recorded, then drives every ending as far as its target lets it, but for
    /// targets that rest.
    ///
    /// # Errors
    /// When the store doesn't answer. What targets don't answer is in the outcome, by target.
    pub async fn finish_endings(self: &Arc<Self>, resting: &BTreeSet<String>) -> Result<BTreeMap<String, Finished>> {
        let (unrecorded, _) = self.taken.pending();
        for (grant, cause) in unrecorded {
            // Whoever took it may be recording it right now: then one of the two finds it ended, and leaves it.
            retry_stale!(self.record_ends(&[grant], &cause, &[]).await)?;
        }
        let ending = self.store_ref().find::<Grant>(key::STATE, "ending").await?;
        let mut by_target: BTreeMap<String, Vec<Read<Grant>>> = BTreeMap::new();
        for read in ending {
            let Some(target) = login_of(&read.value).map(|l| target_key(&l.target)) else { continue };
            if !resting.contains(&target) {
                by_target.entry(target).or_default().push(read);
            }
        }
        let mut running = JoinSet::new();
        for (target, grants) in by_target {
            let app = Arc::clone(self);
            running.spawn(async move { (target, app.finish_target(&grants).await) });
        }
        Ok(running.join_all().await.into_iter().collect())
    }

    async fn finish_target(&self, grants: &[Read<Grant>]) -> Finished {
        let mut outcome = Finished::All;
        for batch in grants.chunks(BATCH) {
            match self.finish_batch(batch).await {
                Ok(Finished::All) => {}
                Ok(Finished::SomeUnknown) => outcome = Finished::SomeUnknown,
                Err(problem) => {
                    tracing::warn!(%problem, "an ending isn't known yet");
                    outcome = Finished::SomeUnknown;
                }
            }
        }
        outcome
    }

    async fn finish_batch(&self, grants: &[Read<Grant>]) -> Result<Finished> {
        let mut endings = Vec::new();
        for read in grants {
            let Some(login) = login_of(&read.value) else { continue };
            endings.push(Ending { grant: read.value.id, login: login_name(&login)?, owns: login.owns.clone() });
        }
        let Some((grant, login)) = grants.first().and_then(|g| Some((g.value.id, login_of(&g.value)?))) else {
            return Ok(Finished::All);
        };
        let at = match self.administration_for(grant, &login).await {
            Ok(at) => at,
            Err(problem) => {
                for read in grants {
                    self.note_unknown(read.value.id, &problem.to_string()).await?;
                }
                return Ok(Finished::SomeUnknown);
            }
        };
        let mut outcome = Finished::All;
        let mut listed = Vec::new();
        for (read, residue) in grants.iter().zip(self.targets.list(&at, &endings).await) {
            match residue {
                Ok(residue) => {
                    self.note_cut(read.value.id, 0);
                    if let Some(residue) = self.record_list(read.value.id, residue).await? {
                        listed.push(residue);
                    }
                }
                Err(error) => {
                    outcome = Finished::SomeUnknown;
                    self.note_unknown(read.value.id, &error.to_string()).await?;
                }
            }
        }
        // I5: every list is durable before its drop.
        for (residue, removed) in listed.iter().zip(self.targets.remove(&at, &listed).await) {
            match removed {
                Ok(_) => self.confirm_end(residue.ending.grant).await?,
                Err(error) => {
                    outcome = Finished::SomeUnknown;
                    self.note_unknown(residue.ending.grant, &error.to_string()).await?;
                }
            }
        }
        Ok(outcome)
    }

    /// Makes the residue list durable; answers it when the drop may go on, and nothing when the login was found gone
    /// with its list durable already: then the end is confirmed here.
    async fn record_list(&self, grant: GrantId, residue: Residue) -> Result<Option<Residue>> {
        retry_stale!(self.try_record_list(grant, &residue).await).map(|go_on| go_on.then_some(residue))
    }

    async fn try_record_list(&self, grant: GrantId, residue: &Residue) -> Result<bool> {
        let Some(read) = self.store_ref().get::<Grant>(&grant.to_string()).await? else { return Ok(false) };
        match (&read.value.state, residue.presence) {
            (GrantState::Ending { progress: EndProgress::Listed { .. }, .. }, Presence::Gone) => {
                self.confirm_end(grant).await?;
                return Ok(false);
            }
            (GrantState::Ending { .. }, Presence::There | Presence::Gone) => {}
            (GrantState::Scheduled { .. } | GrantState::Active { .. } | GrantState::Ended { .. }, _) => {
                return Ok(false);
            }
        }
        let part = self.operational_part(residue);
        let found = match (residue.items.len(), residue.kept.len()) {
            (0, 0) => EndConfirmation::Clean,
            (0, kept) => EndConfirmation::Kept { objects: count(kept), list: part.id },
            (items, _) => EndConfirmation::Residue { items: count(items), list: part.id },
        };
        let next = read.value.clone().apply(GrantEvent::Listed(found), self.now())?;
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        commit.entry(access(event::END_LISTED, grant_ids(&next), self.region_of(&next).await?, vec![part]));
        self.commit(commit, ()).await?;
        Ok(true)
    }

    async fn confirm_end(&self, grant: GrantId) -> Result<()> {
        retry_stale!(self.try_confirm_end(grant).await)
    }

    async fn try_confirm_end(&self, grant: GrantId) -> Result<()> {
        let Some(read) = self.store_ref().get::<Grant>(&grant.to_string()).await? else { return Ok(()) };
        let (ended, found) = match &read.value.state {
            GrantState::Ending { at, progress: EndProgress::Listed { found }, .. } => (*at, found.clone()),
            GrantState::Ending { progress: EndProgress::Cutting | EndProgress::Unknown { .. }, .. }
            | GrantState::Scheduled { .. }
            | GrantState::Active { .. }
            | GrantState::Ended { .. } => return Ok(()),
        };
        let now = self.now();
        let next = read.value.clone().apply(GrantEvent::Confirm, now)?;
        let cut = self.taken.when_cut(grant);
        let confirmation = Confirmed {
            confirmation: &found,
            ended_us: ended.micros(),
            cut_us: cut.map(|c| c.at.micros()),
            backends_ended: cut.map(|c| c.backends),
        };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let mut ids = grant_ids(&next);
        ids.push(("outcome", outcome_word(&found).to_owned()));
        let parts = vec![self.operational_part(&confirmation)];
        commit.entry(access(event::END_CONFIRMED, ids, self.region_of(&next).await?, parts));
        self.commit(commit, ()).await?;
        self.made.forget(grant);
        Ok(())
    }

    /// The end isn't known: that is recorded each time that it was tried.
    async fn note_unknown(&self, grant: GrantId, why: &str) -> Result<()> {
        tracing::warn!(%grant, why, "the end at the target isn't known yet");
        retry_stale!(self.try_note_unknown(grant, why).await)
    }

    async fn try_note_unknown(&self, grant: GrantId, why: &str) -> Result<()> {
        let Some(read) = self.store_ref().get::<Grant>(&grant.to_string()).await? else { return Ok(()) };
        let Ok(next) = read.value.clone().apply(GrantEvent::TargetUnknown, self.now()) else { return Ok(()) };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let parts = vec![self.operational_part(&Unknown { why })];
        commit.entry(access(event::END_UNKNOWN, grant_ids(&next), self.region_of(&next).await?, parts));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// How to reach a login's target as its administrator, as things were when the login was made.
    pub(crate) async fn administration_for(&self, grant: GrantId, login: &MadeLogin) -> Result<Administration> {
        let read = self.store_ref().get::<Grant>(&grant.to_string()).await?;
        let resource = read.ok_or_else(|| Problem::not_found("grant", grant))?.value.resource;
        self.administration(resource, &login.target).await
    }

    /// How to reach a target as its administrator.
    pub(crate) async fn administration(
        &self,
        resource: daypass_domain::ResourceId,
        target: &Target,
    ) -> Result<Administration> {
        let Target::Postgres(postgres) = target;
        let password = self.credentials.credential(&postgres.credential).await?;
        let installation = self.settings().await?.value.installation;
        Ok(Administration { resource, target: postgres.clone(), password, installation })
    }

    /// The region that a grant's payloads belong in: its resource's; the installation's when that was removed. // I10
    pub(crate) async fn region_of(&self, grant: &Grant) -> Result<daypass_domain::Name> {
        let resource =
            self.store_ref().get::<daypass_domain::resource::Resource>(&grant.resource.to_string()).await?;
        match resource {
            Some(read) => Ok(read.value.region),
            None => self.region().await,
        }
    }
}

/// Which targets are left in peace for a while, because they didn't answer.
#[derive(Default)]
struct Backoff {
    targets: BTreeMap<String, (Instant, Duration)>,
}

impl Backoff {
    fn resting(&self) -> BTreeSet<String> {
        let now = Instant::now();
        self.targets.iter().filter(|(_, (until, _))| *until > now).map(|(target, _)| target.clone()).collect()
    }

    /// Learns how a round went; answers how long to sleep.
    fn learn(&mut self, outcomes: BTreeMap<String, Finished>) -> Duration {
        let now = Instant::now();
        for (target, outcome) in outcomes {
            match outcome {
                Finished::All => drop(self.targets.remove(&target)),
                Finished::SomeUnknown => {
                    let delay = self.targets.get(&target).map_or(RETRY_FIRST, |(_, d)| (*d * 2).min(RETRY_LAST));
                    self.targets.insert(target, (now + delay, delay));
                }
            }
        }
        let next = self.targets.values().map(|(until, _)| until.saturating_duration_since(now)).min();
        next.unwrap_or(IDLE).min(IDLE).max(Duration::from_millis(50))
    }
}

/// How a round of finishing went at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Everything there is known to have ended.
    All,
    /// Something isn't known yet.
    SomeUnknown,
}

#[derive(Serialize)]
struct Confirmed<'a> {
    confirmation: &'a EndConfirmation,
    ended_us: i64,
    cut_us: Option<i64>,
    backends_ended: Option<u32>,
}

#[derive(Serialize)]
struct Unknown<'a> {
    why: &'a str,
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
    vec![
        ("grant", grant.id.to_string()),
        ("request", grant.request.to_string()),
        ("principal", grant.holder.to_string()),
        ("resource", grant.resource.to_string()),
    ]
}

fn login_of(grant: &Grant) -> Option<MadeLogin> {
    match &grant.state {
        GrantState::Active { login: daypass_domain::grant::Login::Begun(made), .. } => Some((**made).clone()),
        GrantState::Ending { login, .. } => Some((**login).clone()),
        GrantState::Active { login: daypass_domain::grant::Login::NotMade, .. }
        | GrantState::Scheduled { .. }
        | GrantState::Ended { .. } => None,
    }
}

fn login_name(login: &MadeLogin) -> Result<LoginName> {
    login.name.parse().map_err(|e: daypass_ports::targets::BadLoginName| Problem::unavailable(e.to_string()))
}

/// What tells two targets apart for batching: where, and as whom.
fn target_key(target: &Target) -> String {
    let Target::Postgres(postgres) = target;
    format!("{} {}", postgres.address, postgres.administrator)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The logins of a target's grants, live or ending, by grant: what the reaper must know.
pub(crate) fn logins_by_grant<'a>(grants: impl Iterator<Item = &'a Grant>) -> BTreeMap<GrantId, MadeLogin> {
    grants.filter_map(|g| Some((g.id, login_of(g)?))).collect()
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

/// A target's own error, where it is wanted.
pub(crate) fn target_problem(error: &TargetError) -> String {
    error.to_string()
}
