//! Seeing an ending to its end at the target, until it is known (I5).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use daypass_domain::{
    GrantId,
    end::{EndConfirmation, EndProgress},
    grant::{Grant, GrantEvent, GrantState},
};
use daypass_ports::{
    record::{Commit, Read},
    rows::key,
    targets::{Ending, Presence, Residue},
};
use serde::Serialize;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    App, Result,
    ending::{BATCH, grant_ids, login_name, login_of, outcome_word, target_key},
    entry::{access, event},
    retry_stale,
};

/// How long after a failed try at a target the next is made: doubled each time, up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(300);
/// How long the finishing sleeps when nothing wakes it.
const IDLE: Duration = Duration::from_secs(5);

impl App {
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
        self.record_taken().await?;
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

    /// Records what was cut and couldn't be recorded. Whoever took it may be at it right now: then one of the two finds
    /// nothing left to do.
    async fn record_taken(&self) -> Result<()> {
        let (ended, _) = self.taken.pending();
        let grants: Vec<GrantId> = ended.into_iter().map(|(grant, _)| grant).collect();
        if !grants.is_empty() {
            retry_stale!(self.record_ends(&grants).await)?;
        }
        for (session, entry) in self.taken.unrecorded_kills() {
            self.record_kill(session, entry).await?;
        }
        Ok(())
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
        let (mut endings, mut ended) = (Vec::new(), Vec::new());
        let mut target = None;
        for read in grants {
            let Some(login) = login_of(&read.value) else { continue };
            ended.push(&read.value);
            endings.push(Ending { grant: read.value.id, login: login_name(&login)?, owns: login.owns.clone() });
            target = target.or(Some((read.value.resource, login.target)));
        }
        let Some((resource, target)) = target else { return Ok(Finished::All) };
        let at = match self.administration(resource, &target).await {
            Ok(at) => at,
            Err(problem) => {
                for ending in &endings {
                    self.note_unknown(ending.grant, &problem.to_string()).await?;
                }
                return Ok(Finished::SomeUnknown);
            }
        };
        let mut outcome = Finished::All;
        let mut listed = Vec::new();
        for ((ending, grant), residue) in endings.iter().zip(&ended).zip(self.targets.list(&at, &endings).await) {
            match residue {
                Ok(residue) => {
                    self.note_cut(grant, 0);
                    if let Some(residue) = self.record_list(ending.grant, residue).await? {
                        listed.push(residue);
                    }
                }
                Err(error) => {
                    outcome = Finished::SomeUnknown;
                    self.note_unknown(ending.grant, &error.to_string()).await?;
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

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
