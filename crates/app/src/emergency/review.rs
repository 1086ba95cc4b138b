//! What follows a use: a review by somebody who holds no half, and reminders until it is done; and taking a kit away.

use daypass_domain::{
    KitId, PrincipalId,
    kit::{Alarm, Kit, KitEvent},
    notice::{KnownTo, News},
    principal::{Actor, Kind, Via},
};
use daypass_ports::record::{Commit, Part, Read};
use serde::{Deserialize, Serialize};

use super::ids_of;
use crate::{
    App, Problem, Result,
    changes::EMERGENCY,
    entry::{access, administration, event},
    retry_stale,
};

/// The longest words of a review, in characters.
const WORDS_MOST: usize = 2_000;

/// What a reviewer found, as it is kept under their own key. // I9
#[derive(Serialize, Deserialize)]
pub(super) struct Found {
    pub words: String,
}

impl App {
    /// Closes the review of a use, with words. It takes a person who holds no half of the kit.
    ///
    /// # Errors
    /// When policy doesn't permit it, they hold a half, it wasn't used, or there are no words.
    pub async fn review_kit(&self, actor: &Actor, kit: KitId, words: &str) -> Result<Kit> {
        match actor.via {
            Via::SignIn { .. } => {}
            Via::Token { .. } => return Err(takes_a_person()),
        }
        if self.principal(actor.principal).await?.value.kind != Kind::User {
            return Err(takes_a_person());
        }
        let words = words.trim();
        if words.is_empty() || words.chars().count() > WORDS_MOST {
            return Err(Problem::invalid(
                "review_words",
                format!("a review says what happened, in 1 to {WORDS_MOST} characters"),
                "say who used the kit, why, what they did, and whether that was right",
            ));
        }
        retry_stale!(self.try_review_kit(actor, kit, words).await)
    }

    async fn try_review_kit(&self, actor: &Actor, kit: KitId, words: &str) -> Result<Kit> {
        let decision = self.may_administer(actor, EMERGENCY).await?;
        let read = self.kit(kit).await?;
        let part = self.subject_part(actor.principal, &Found { words: words.to_owned() });
        let event = KitEvent::Review { by: actor.principal, person: actor.person, words: part.id };
        let next = read.value.clone().apply(event, self.now())?;
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let mut ids = ids_of(&next);
        ids.push(("principal", actor.principal.to_string()));
        let parts = vec![part, self.decision_part(&decision)];
        commit.entry(administration(event::KIT_REVIEWED, ids, next.region.clone(), parts));
        Ok(self.commit(commit, next).await?.into_effect())
    }

    /// Takes a kit away: its login is ended and dropped, and its sessions with it. It takes no second
    /// administrator. Unlike the end of a grant it waits for its entry: a target must not lose a login that the rows still have.
    ///
    /// # Errors
    /// When policy doesn't permit it, or it is gone already.
    pub async fn remove_kit(&self, actor: &Actor, kit: KitId) -> Result<Kit> {
        let removed = retry_stale!(self.try_remove_kit(actor, kit).await)?;
        self.kits.wake.notify_one();
        Ok(removed)
    }

    async fn try_remove_kit(&self, actor: &Actor, kit: KitId) -> Result<Kit> {
        let decision = self.may_administer(actor, EMERGENCY).await?;
        let read = self.kit(kit).await?;
        let mut commit = Commit::default();
        let parts = vec![self.decision_part(&decision)];
        let next = self.removal(&read, Some(actor.principal), parts, &mut commit)?;
        Ok(self.commit(commit, next).await?.into_effect())
    }

    /// Adds the removal of a kit to a commit.
    pub(super) fn removal(
        &self,
        read: &Read<Kit>,
        by: Option<PrincipalId>,
        parts: Vec<Part>,
        commit: &mut Commit,
    ) -> Result<Kit> {
        let next = read.value.clone().apply(KitEvent::Remove, self.now())?;
        commit.replace(read, &next);
        let mut ids = ids_of(&next);
        ids.extend(by.map(|who| ("principal", who.to_string())));
        commit.entry(access(event::KIT_REMOVED, ids, next.region.clone(), parts));
        Ok(next)
    }

    /// Reminds of a use that still waits for its rotation or its review.
    pub(crate) async fn remind_of_kit(&self, kit: KitId) -> Result<()> {
        let read = self.kit(kit).await?;
        let Alarm::Raised { first, .. } = read.value.alarm else { return Ok(()) };
        let Ok(next) = read.value.clone().apply(KitEvent::Remind, self.now()) else { return Ok(()) };
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        let news = News::EmergencyOpen { kit, resource: next.resource, since: first };
        self.occasion(&mut commit, news, KnownTo::Nobody);
        commit.entry(administration(event::KIT_OPEN, ids_of(&next), next.region.clone(), Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }
}

fn takes_a_person() -> Problem {
    Problem::not_allowed(
        "review_takes_a_person",
        "the use of an emergency kit is reviewed by a person",
        "sign in with `daypass login`, and review it yourself",
    )
}
