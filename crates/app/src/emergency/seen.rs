//! A kit is seen in use: written down, and everybody who administers is told. Its sessions aren't ended: this is the
//! emergency. How they are seen: [`crate::reap`].

use std::collections::BTreeSet;

use daypass_domain::{
    KitId,
    kit::{Alarm, AtTarget, Kit, KitEvent, Review, Rotation},
    notice::{KnownTo, News},
    resource::Target,
};
use daypass_ports::{
    kits::{KitLogins, Seen, Sighting},
    record::{Commit, Read},
    rows::key,
};

use super::{finish::login_of, ids_of};
use crate::{
    App, Result,
    ending::target_key,
    entry::{access, event},
    retry_stale,
};

impl App {
    /// The kits that stand.
    pub(crate) async fn standing_kits(&self) -> Result<Vec<Read<Kit>>> {
        let mut kits = self.store_ref().find::<Kit>(key::STATE, "ready").await?;
        kits.extend(self.store_ref().find::<Kit>(key::STATE, "making").await?);
        Ok(kits)
    }

    /// The kits whose login may be at a target: those that stand, and those that are being taken away.
    pub(crate) async fn kits_at_work(&self) -> Result<Vec<KitId>> {
        let mut kits = self.standing_kits().await?;
        kits.extend(self.store_ref().find::<Kit>(key::STATE, "removing").await?);
        Ok(kits.into_iter().map(|kit| kit.value.id).collect())
    }

    /// The logins of those that stand at a target.
    pub(crate) async fn kit_logins(&self, target: &Target) -> Result<KitLogins> {
        let here = target_key(target);
        let mut logins = KitLogins::new();
        for Read { value: kit, .. } in self.standing_kits().await? {
            if target_key(&kit.target) == here {
                let replaced = match kit.at_target {
                    AtTarget::Ready { clock, .. } => Some(clock),
                    AtTarget::Making { .. } | AtTarget::Removing { .. } | AtTarget::Gone { .. } => None,
                };
                logins.insert(login_of(&kit)?, replaced);
            }
        }
        Ok(logins)
    }

    /// Writes down what was seen of kits at a target: each session once, and traces that weren't there before.
    pub(crate) async fn record_sightings(&self, target: &Target, sightings: &[Sighting]) -> Result<()> {
        // As it is wherever there is no kit: where there is one, its traces are counted.
        if sightings.is_empty() {
            return Ok(());
        }
        let here = target_key(target);
        let kits = self.standing_kits().await?;
        let here: Vec<&Kit> = kits.iter().map(|kit| &kit.value).filter(|kit| target_key(&kit.target) == here).collect();
        let mut present: BTreeSet<(KitId, String)> = BTreeSet::new();
        for sighting in sightings {
            let Some(kit) = here.iter().find(|kit| sighting.login.is_of_kit(kit.id)) else { continue };
            match &sighting.seen {
                Seen::Session { key, .. } => {
                    let session = (kit.id, key.clone());
                    if !self.kits.written_down().contains(&session) {
                        self.note_seen(kit.id, &sighting.seen).await?;
                        self.kits.written_down().insert(session.clone());
                    }
                    present.insert(session);
                }
                Seen::Traces { found } if found.after(kit.traces) != kit.traces => {
                    self.note_seen(kit.id, &sighting.seen).await?;
                }
                Seen::Traces { .. } => {}
            }
        }
        let ids: BTreeSet<KitId> = here.iter().map(|kit| kit.id).collect();
        self.kits.written_down().retain(|session| !ids.contains(&session.0) || present.contains(session));
        Ok(())
    }

    /// Writes down one thing that was seen, and tells whoever wasn't told.
    pub(super) async fn note_seen(&self, kit: KitId, seen: &Seen) -> Result<()> {
        retry_stale!(self.try_note_seen(kit, seen).await)
    }

    async fn try_note_seen(&self, kit: KitId, seen: &Seen) -> Result<()> {
        let read = self.kit(kit).await?;
        let (event, outcome) = match seen {
            Seen::Session { .. } => (KitEvent::Seen, "session"),
            Seen::Traces { found } => (KitEvent::Traced(*found), "traces"),
        };
        // A refusal says that it is being removed: then its sessions are ended, and that is written down.
        let Ok(next) = read.value.clone().apply(event, self.now()) else { return Ok(()) };
        if next == read.value {
            return Ok(());
        }
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        if next.alarm == read.value.alarm {
            // Only a count: of a use that is known, or less than before.
            self.store_ref().append(commit).await?;
            return Ok(());
        }
        let mut ids = ids_of(&next);
        ids.push(("outcome", outcome.to_owned()));
        commit.entry(access(event::KIT_USED, ids, next.region.clone(), vec![self.operational_part(seen)]));
        let news = News::EmergencyUsed { kit, resource: next.resource, at: self.now() };
        match read.value.alarm {
            // Everybody was told of it, and nothing was done about it yet.
            Alarm::Raised { rotation: Rotation::Wanted, review: Review::Wanted, .. } => {}
            Alarm::Quiet | Alarm::Raised { .. } => self.occasion(&mut commit, news, KnownTo::Nobody),
        }
        tracing::error!(%kit, outcome, "an emergency kit was used: rotate it, and have its use reviewed");
        self.commit(commit, ()).await?;
        Ok(())
    }
}
