//! Seeing to it that a kit's login is at its target, or gone from it, until it is (I5).

use std::{sync::Arc, time::Duration};

use daypass_domain::{
    KitId,
    end::{EndConfirmation, EndProgress},
    kit::{AtTarget, Kit, KitEvent},
};
use daypass_ports::{
    kits::{KitMade, KitSpec, Seen},
    record::{Commit, Read},
    rows::key,
    targets::{BadLoginName, LoginName, Presence, Residue},
};
use serde::Serialize;
use tokio::{task::JoinSet, time::Instant};

use super::{Trouble, ids_of};
use crate::{
    App, Problem, Result,
    ending::{of_no_grant, outcome_word},
    entry::{access, event},
    retry_stale,
};

/// How long after a failed try the next is made: doubled each time, up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(300);
/// How long it sleeps when nothing wakes it.
const IDLE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Unknown<'a> {
    why: &'a str,
}

impl App {
    /// Drives every kit as far as its target lets it, for ever.
    pub async fn run_kits(self: Arc<Self>) {
        loop {
            if let Err(problem) = self.finish_kits().await {
                tracing::warn!(%problem, "emergency kits can't be looked at; it is tried again");
            }
            tokio::select! {
                () = self.kits.wake.notified() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
        }
    }

    /// One round. What targets don't answer is logged, and tried again.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn finish_kits(self: &Arc<Self>) -> Result<()> {
        let mut open = self.store_ref().find::<Kit>(key::STATE, "making").await?;
        open.extend(self.store_ref().find::<Kit>(key::STATE, "removing").await?);
        let mut running = JoinSet::new();
        for read in open {
            let rests = self.kits.troubles().get(&read.value.id).is_some_and(|trouble| Instant::now() < trouble.until);
            if !rests {
                let app = Arc::clone(self);
                running.spawn(async move { app.finish_kit(read).await });
            }
        }
        running.join_all().await;
        Ok(())
    }

    async fn finish_kit(&self, read: Read<Kit>) {
        let kit = read.value.id;
        let done = match &read.value.at_target {
            AtTarget::Making { verifier, before: _ } => self.make_kit_login(&read.value, verifier).await,
            AtTarget::Removing { progress, .. } => self.remove_login(&read.value, progress).await,
            AtTarget::Ready { .. } | AtTarget::Gone { .. } => Ok(()),
        };
        match done {
            Ok(()) => drop(self.kits.troubles().remove(&kit)),
            Err(problem) => {
                tracing::warn!(%kit, %problem, "an emergency kit's login isn't as it should be; it is tried again");
                self.learn(kit, problem.to_string());
            }
        }
    }

    fn learn(&self, kit: KitId, why: String) {
        let mut troubles = self.kits.troubles();
        let times = troubles.get(&kit).map_or(0, |trouble| trouble.times);
        let delay = RETRY_FIRST.saturating_mul(1 << times.min(9)).min(RETRY_LAST);
        troubles.insert(kit, Trouble { why, times: times.saturating_add(1), until: Instant::now() + delay });
    }

    async fn make_kit_login(&self, kit: &Kit, verifier: &str) -> Result<()> {
        let at = self.administration(kit.resource, &kit.target).await?;
        let spec = KitSpec {
            kit: kit.id,
            login: login_of(kit)?,
            verifier: verifier.to_owned(),
            member_of: kit.sealed.member_of.clone(),
        };
        let made = self.targets.make_kit(&at, &spec).await?;
        // What was left since the last count is of a use that nobody saw: told, before it is what is known.
        self.note_seen(kit.id, &Seen::Traces { found: made.traces }).await?;
        retry_stale!(self.note_made(kit.id, verifier, made).await)
    }

    async fn note_made(&self, kit: KitId, verifier: &str, made: KitMade) -> Result<()> {
        let read = self.kit(kit).await?;
        // It may have been sealed anew, or taken away, meanwhile: then there is more to do, and that is done next.
        if !matches!(&read.value.at_target, AtTarget::Making { verifier: wanted, .. } if wanted == verifier) {
            self.kits.wake.notify_one();
            return Ok(());
        }
        let next = read.value.clone().apply(KitEvent::Made { clock: made.clock, traces: made.traces }, self.now())?;
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        commit.entry(access(event::KIT_SEALED, ids_of(&next), next.region.clone(), Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    async fn remove_login(&self, kit: &Kit, progress: &EndProgress) -> Result<()> {
        let done = self.try_remove_login(kit).await;
        if let (Err(problem), EndProgress::Cutting | EndProgress::Unknown { .. }) = (&done, progress) {
            retry_stale!(self.note_unknown_kit(kit.id, &problem.to_string()).await)?;
        }
        done
    }

    async fn try_remove_login(&self, kit: &Kit) -> Result<()> {
        let at = self.administration(kit.resource, &kit.target).await?;
        for residue in self.targets.list(&at, &[of_no_grant(login_of(kit)?)]).await {
            let residue = residue?;
            if !retry_stale!(self.note_listed(kit.id, &residue).await)? {
                continue;
            }
            // I5: the list is durable before the drop.
            for removed in self.targets.remove(&at, std::slice::from_ref(&residue)).await {
                removed?;
            }
        }
        retry_stale!(self.note_gone(kit.id).await)
    }

    /// Makes the list durable; answers whether there is anything left to drop.
    async fn note_listed(&self, kit: KitId, residue: &Residue) -> Result<bool> {
        let read = self.kit(kit).await?;
        match (&read.value.at_target, residue.presence) {
            (AtTarget::Removing { progress: EndProgress::Listed { .. }, .. }, Presence::Gone) => return Ok(false),
            (AtTarget::Removing { .. }, Presence::There | Presence::Gone) => {}
            (AtTarget::Making { .. } | AtTarget::Ready { .. } | AtTarget::Gone { .. }, _) => return Ok(false),
        }
        let part = self.operational_part(residue);
        let found = match residue.items.len() {
            0 => EndConfirmation::Clean,
            items => EndConfirmation::Residue { items: u32::try_from(items).unwrap_or(u32::MAX), list: part.id },
        };
        let next = read.value.clone().apply(KitEvent::Listed(found), self.now())?;
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        commit.entry(access(event::KIT_LISTED, ids_of(&next), next.region.clone(), vec![part]));
        self.commit(commit, ()).await?;
        Ok(residue.presence == Presence::There)
    }

    async fn note_gone(&self, kit: KitId) -> Result<()> {
        let read = self.kit(kit).await?;
        let next = read.value.clone().apply(KitEvent::Confirm, self.now())?;
        let mut ids = ids_of(&next);
        if let AtTarget::Gone { confirmation, .. } = &next.at_target {
            ids.push(("outcome", outcome_word(confirmation).to_owned()));
        }
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        commit.entry(access(event::KIT_GONE, ids, next.region.clone(), Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    async fn note_unknown_kit(&self, kit: KitId, why: &str) -> Result<()> {
        let read = self.kit(kit).await?;
        let Ok(next) = read.value.clone().apply(KitEvent::TargetUnknown, self.now()) else { return Ok(()) };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let part = self.operational_part(&Unknown { why });
        commit.entry(access(event::KIT_UNKNOWN, ids_of(&next), next.region.clone(), vec![part]));
        self.commit(commit, ()).await?;
        Ok(())
    }
}

pub(super) fn login_of(kit: &Kit) -> Result<LoginName> {
    kit.login.parse().map_err(|e: BadLoginName| Problem::unavailable(e.to_string()))
}
