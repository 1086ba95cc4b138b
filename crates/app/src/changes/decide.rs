//! Proposing, approving, turning down, looking.

use daypass_domain::{
    ChangeId, Digest, Name, PayloadId, PrincipalId, Time,
    change::{Change, ChangeEvent, ChangeState},
    principal::{Actor, Kind, Principal, Via},
};
use daypass_policy::{Act, Decision, Input};
use daypass_ports::{
    record::{Commit, Part, Read},
    rows::{FourEyes, Settings, key},
};
use serde::Serialize;

use super::{CHANGE_LASTS, Content, Doers, Handed, Outcome, PENDING_MOST, Prepared, Proposal, Proposed, prepare::Hand};
use crate::{
    App, Problem, Result,
    entry::{administration, event},
    retry_stale,
    signin::Giving,
};

/// A change, as administrators see it.
#[derive(Debug, Clone)]
pub struct ChangeView {
    /// The change.
    pub change: Change,
    /// Who proposed it.
    pub proposer: Name,
    /// What was proposed.
    pub proposal: Proposal,
    /// What would be done now: one line each. Empty once it is over.
    pub plan: Vec<String>,
    /// Whether it can be done.
    pub standing: Standing,
}

/// Whether a pending change can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Fine,
    /// It can't any more, and why.
    Outdated(String),
    /// It is over.
    Over,
}

/// What an entry about a change says.
#[derive(Serialize)]
struct Said<'a> {
    proposal: &'a Proposal,
    plan: &'a [String],
}

impl App {
    /// Proposes a change to what decisions read: done at once while there is no second administrator, pending from then
    /// on. // I12
    ///
    /// # Errors
    /// When policy doesn't permit it, or it can't be done on the state as it is.
    pub async fn propose(&self, actor: &Actor, proposal: Proposal) -> Result<Proposed> {
        retry_stale!(self.try_propose(actor, &proposal).await)
    }

    /// Says what a proposal would do, and does nothing.
    ///
    /// # Errors
    /// As [`App::propose`].
    pub async fn preview(&self, actor: &Actor, proposal: &Proposal) -> Result<Vec<String>> {
        self.may_administer(actor, proposal.subject()).await?;
        let doers = Doers { proposer: actor.principal, actor };
        Ok(self.prepare(proposal, doers, Hand::First).await?.words)
    }

    pub(crate) async fn try_propose(&self, actor: &Actor, proposal: &Proposal) -> Result<Proposed> {
        let settings = self.settings_and_policy().await?;
        let decision = self.may_administer(actor, proposal.subject()).await?;
        let doers = Doers { proposer: actor.principal, actor };
        let hand = match settings.value.four_eyes {
            FourEyes::NotYet => Hand::Alone,
            FourEyes::Since { .. } => Hand::First,
        };
        let prepared = self.prepare(proposal, doers, hand).await?;
        let plan = prepared.words.clone();
        if plan.is_empty() {
            return Ok(Proposed { outcome: Outcome::NothingToDo, plan, handed: Handed::Nothing });
        }
        match settings.value.four_eyes {
            FourEyes::NotYet => {
                let handed = self.do_at_once(actor, proposal, &settings, decision, prepared).await?;
                Ok(Proposed { outcome: Outcome::Done, plan, handed })
            }
            FourEyes::Since { .. } => self.keep_for_another(actor, proposal, &settings, decision, prepared).await,
        }
    }

    async fn do_at_once(
        &self,
        actor: &Actor,
        proposal: &Proposal,
        settings: &Read<Settings>,
        decision: Decision,
        prepared: Prepared,
    ) -> Result<Handed> {
        let mut ids = vec![("principal", actor.principal.to_string()), ("subject", proposal.subject().to_owned())];
        ids.extend(prepared.ids.iter().cloned());
        let mut parts = vec![
            self.part(prepared.about.clone(), &Said { proposal, plan: &prepared.words }),
            self.decision_part(&decision),
        ];
        parts.extend(prepared.parts.iter().cloned());
        let entry = administration(event::CHANGE_COMMITTED, ids, settings.value.region.clone(), parts);
        self.carry_out(settings, prepared, entry, |_| {}).await
    }

    async fn keep_for_another(
        &self,
        actor: &Actor,
        proposal: &Proposal,
        settings: &Read<Settings>,
        decision: Decision,
        prepared: Prepared,
    ) -> Result<Proposed> {
        let now = self.now();
        self.must_not_flood(actor).await?;
        let content = Content {
            proposal: proposal.clone(),
            second_factor_age_s: self.second_factor_age_s(actor),
            base: prepared.base.clone(),
            kept: prepared.kept.clone(),
        };
        let part = self.part(prepared.about.clone(), &content);
        let expires = now + CHANGE_LASTS;
        let change = Change {
            id: ChangeId::new(now, self.id_bytes()),
            proposer: actor.principal,
            proposer_person: actor.person,
            subject: proposal.subject().to_owned(),
            digest: digest_of(&content),
            content: part.id,
            made: now,
            state: ChangeState::Pending { expires },
        };
        let mut commit = Commit::default();
        commit.expect(settings);
        commit.put(&change);
        self.tell_of_change(&change, &mut commit);
        let plan = self.part(prepared.about.clone(), &Said { proposal, plan: &prepared.words });
        let parts = vec![part, plan, self.decision_part(&decision)];
        commit.entry(administration(
            event::CHANGE_PROPOSED,
            ids_of(&change, actor),
            settings.value.region.clone(),
            parts,
        ));
        let outcome = Outcome::Pending { change: change.id, expires };
        let proposed = Proposed { outcome, plan: prepared.words, handed: prepared.handed };
        Ok(self.commit(commit, proposed).await?.into_effect())
    }

    async fn must_not_flood(&self, actor: &Actor) -> Result<()> {
        let waiting = self.store_ref().find::<Change>(key::STATE, "pending").await?;
        if waiting.iter().filter(|c| c.value.proposer_person == actor.person).count() < PENDING_MOST {
            return Ok(());
        }
        Err(Problem::conflict(
            "too_many_changes",
            format!("{PENDING_MOST} changes that you proposed wait already"),
            "take some back with `daypass reject`, or ask another administrator to look at `daypass changes`",
        ))
    }

    /// Approves another administrator's change, and does it. // I12
    ///
    /// # Errors
    /// When it is over, one's own, can't be done on the state as it is now, or who proposed it or who approves isn't
    /// permitted.
    pub async fn approve_change(&self, actor: &Actor, id: ChangeId) -> Result<Proposed> {
        self.must_be_fresh(actor, Giving::Approval).await?;
        retry_stale!(self.try_approve_change(actor, id).await)
    }

    async fn try_approve_change(&self, actor: &Actor, id: ChangeId) -> Result<Proposed> {
        let settings = self.settings_and_policy().await?;
        let change = self.change(id).await?;
        self.may_approve_changes(actor).await?;
        let decision = self.may_administer(actor, &change.value.subject).await?;
        if change.value.proposer_person == actor.person && matches!(change.value.state, ChangeState::Pending { .. }) {
            // I12. As with one's own request: that it isn't theirs to approve, not that the state is wrong.
            return Err(Problem::not_allowed(
                "own_change",
                "another administrator must approve what you proposed",
                "take it back with `daypass reject`, or ask another administrator to look at `daypass changes`",
            ));
        }
        let content = self.content_of(&change.value).await?;
        let event = ChangeEvent::Approve { by: actor.principal, person: actor.person, digest: digest_of(&content) };
        let done = change.value.clone().apply(event, self.now())?;
        self.proposer_still_may(&change.value, &content).await?;
        let doers = Doers { proposer: change.value.proposer, actor };
        let prepared = self.prepare(&content.proposal, doers, Hand::Second(&content.kept)).await?;
        if prepared.base != content.base {
            return Err(moved(&change.value));
        }
        let plan = prepared.words.clone();
        if plan.is_empty() {
            return Err(Problem::conflict(
                "nothing_to_do",
                format!("everything that {id} would do is so already"),
                format!("turn it down with `daypass reject {id}`"),
            ));
        }
        let mut ids = ids_of(&done, actor);
        ids.extend(prepared.ids.iter().cloned());
        let said = self.part(prepared.about.clone(), &Said { proposal: &content.proposal, plan: &plan });
        let mut parts: Vec<Part> = vec![said, self.decision_part(&decision)];
        parts.extend(prepared.parts.iter().cloned());
        let entry = administration(event::CHANGE_COMMITTED, ids, settings.value.region.clone(), parts);
        let handed = self.carry_out(&settings, prepared, entry, |commit| commit.replace(&change, &done)).await?;
        Ok(Proposed { outcome: Outcome::Done, plan, handed })
    }

    /// Turns a change down, or takes one's own back.
    ///
    /// # Errors
    /// When it is over, or who asks may not administer (and didn't propose it).
    pub async fn reject_change(&self, actor: &Actor, id: ChangeId) -> Result<()> {
        retry_stale!(self.try_reject_change(actor, id).await)
    }

    async fn try_reject_change(&self, actor: &Actor, id: ChangeId) -> Result<()> {
        let change = self.change(id).await?;
        let mut parts = Vec::new();
        if change.value.proposer_person != actor.person {
            parts.push(self.decision_part(&self.may_administer(actor, &change.value.subject).await?));
        }
        let next = change.value.clone().apply(ChangeEvent::Reject { by: actor.principal }, self.now())?;
        let mut commit = Commit::default();
        commit.replace(&change, &next);
        commit.entry(administration(event::CHANGE_ENDED, ids_of(&next, actor), self.region().await?, parts));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// The changes that wait, oldest first; with the others too, when they are wanted, newest last.
    ///
    /// # Errors
    /// When who asks may not administer.
    pub async fn changes_list(&self, actor: &Actor, which: Which) -> Result<Vec<Change>> {
        self.may_look(actor).await?;
        let found = match which {
            Which::Pending => self.store_ref().find::<Change>(key::STATE, "pending").await?,
            Which::All => self.store_ref().all::<Change>().await?,
        };
        Ok(found.into_iter().map(|c| c.value).collect())
    }

    /// One change: exactly what would be done now, and whether it can be.
    ///
    /// # Errors
    /// When who asks may not administer, or there is no such change.
    pub async fn show_change(&self, actor: &Actor, id: ChangeId) -> Result<ChangeView> {
        self.may_look(actor).await?;
        let change = self.change(id).await?.value;
        let content = self.content_of(&change).await?;
        let proposer = self.principal(change.proposer).await?.value.name;
        let (plan, standing) = match change.state {
            ChangeState::Pending { .. } => {
                let doers = Doers { proposer: change.proposer, actor };
                match self.prepare(&content.proposal, doers, Hand::Second(&content.kept)).await {
                    Ok(p) if p.base == content.base => (p.words, Standing::Fine),
                    Ok(_) => (Vec::new(), Standing::Outdated(moved(&change).what)),
                    Err(problem) => (Vec::new(), Standing::Outdated(problem.what)),
                }
            }
            ChangeState::Committed { .. } | ChangeState::Rejected { .. } | ChangeState::Expired { .. } => {
                (Vec::new(), Standing::Over)
            }
        };
        Ok(ChangeView { change, proposer, proposal: content.proposal, plan, standing })
    }

    async fn change(&self, id: ChangeId) -> Result<Read<Change>> {
        let found = self.store_ref().get::<Change>(&id.to_string()).await?;
        found.ok_or_else(|| Problem::not_found("change", id))
    }

    /// The content, as it was when it was proposed: the row carries its digest, and the row carries our MAC.
    async fn content_of(&self, change: &Change) -> Result<Content> {
        let lost = |why: String| {
            Problem::conflict(
                "content_lost",
                format!("what {} would do can't be read: {why}", change.id),
                format!("turn it down with `daypass reject {}`, and propose it again", change.id),
            )
        };
        let payload = self.payload_of(change.content).await?.ok_or_else(|| lost("it was erased".into()))?;
        let content: Content = serde_json::from_value(payload).map_err(|e| lost(e.to_string()))?;
        if digest_of(&content) != change.digest {
            return Err(lost("it isn't what was proposed".into()));
        }
        Ok(content)
    }

    async fn payload_of(&self, id: PayloadId) -> Result<Option<serde_json::Value>> {
        Ok(self.store_ref().payload(id).await?)
    }

    /// Judges administering, on this actor's second factor.
    pub(crate) async fn may_administer(&self, actor: &Actor, subject: &str) -> Result<Decision> {
        let second_factor_age_s = self.second_factor_age_s(actor);
        self.must_be_permitted(actor, Act::Administer { subject: subject.to_owned(), second_factor_age_s }).await
    }

    /// Whether somebody may look at what was proposed.
    pub async fn sees_changes(&self, actor: &Actor) -> bool {
        self.may_look(actor).await.is_ok()
    }

    /// Looking at what was proposed is for those who could propose: of any subject.
    async fn may_look(&self, actor: &Actor) -> Result<()> {
        let mut refused = None;
        for subject in [
            super::PRINCIPAL,
            super::GROUP,
            super::TOKEN,
            super::DIRECTORY,
            super::RESOURCE,
            super::EMERGENCY,
            super::TRUST,
            super::SIGNALS,
            super::POLICY,
        ] {
            match self.may_administer(actor, subject).await {
                Ok(_) => return Ok(()),
                Err(problem) => refused = Some(problem),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// A person, signed in, and an administrator: a delegate of policy may propose, and never be the second person. // I8
    async fn may_approve_changes(&self, actor: &Actor) -> Result<()> {
        match actor.via {
            Via::SignIn { .. } => {}
            Via::Token { .. } => {
                return Err(Problem::not_allowed(
                    "tokens_never_approve",
                    "a token never approves: that takes a person",
                    "sign in with `daypass login`, and approve yourself",
                ));
            }
        }
        let principal: Principal = self.principal(actor.principal).await?.value;
        let administers = self.administrators().await?.value.members.contains(&principal.id);
        if principal.kind != Kind::User || !principal.is_active() || !administers {
            return Err(Problem::not_allowed(
                "needs_administrator",
                "changes are approved by administrators only",
                "ask another administrator to look at `daypass changes`",
            ));
        }
        Ok(())
    }

    /// Who proposed it must still be permitted to: an account that was disabled since (because it was stolen, say) has no
    /// part in what is done now.
    async fn proposer_still_may(&self, change: &Change, content: &Content) -> Result<()> {
        let refused = |why: String| {
            Problem::conflict(
                "proposer_may_not",
                format!("who proposed {} may not any more: {why}", change.id),
                format!("turn it down with `daypass reject {}`; whoever wants it proposes it again", change.id),
            )
        };
        let directory = self.directory().await?;
        let party = directory.party(change.proposer).ok_or_else(|| refused("the account is unknown".into()))?;
        for subject in content.proposal.subjects() {
            let second_factor_age_s = content.second_factor_age_s;
            let act = Act::Administer { subject: subject.to_owned(), second_factor_age_s };
            let decision = self.decide(Input { at: self.now(), principal: party.clone(), act });
            if !decision.verdict.is_permitted() {
                return Err(refused(decision.verdict.to_string()));
            }
        }
        Ok(())
    }
}

/// Which changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that wait.
    Pending,
    /// All there ever were.
    All,
}

fn digest_of(content: &Content) -> Digest {
    Digest::of_value("change", content)
}

fn ids_of(change: &Change, actor: &Actor) -> Vec<(&'static str, String)> {
    let mut ids = vec![
        ("change", change.id.to_string()),
        ("principal", actor.principal.to_string()),
        ("subject", change.subject.clone()),
    ];
    let proposer: PrincipalId = change.proposer;
    if proposer != actor.principal {
        ids.push(("proposer", proposer.to_string()));
    }
    ids.push(("outcome", change.state.word().to_owned()));
    ids
}

fn moved(change: &Change) -> Problem {
    let made: Time = change.made;
    Problem::conflict(
        "base_moved",
        format!(
            "{} was planned on a state (of {made}) that has changed since, so it may not do what it said",
            change.id
        ),
        format!("turn it down with `daypass reject {}`, and propose it again", change.id),
    )
}
