//! What a proposal would do, planned on the state of this moment; and doing it.

use std::collections::BTreeSet;

use daypass_domain::{
    GrantId, PrincipalId,
    end::{EndCause, HeldFact},
    principal::{ADMINISTRATORS, Group, Kind, Principal},
    trust::Trust,
};
use daypass_policy::PolicySet;
use daypass_ports::{
    record::{Commit, Entry, Part, Read, Scope},
    rows::{Factors, FourEyes, Link, Settings, key},
};

use super::{Base, Doers, Handed, Kept, Proposal};
use crate::{
    App, Result,
    entry::{administration, event},
};

/// What a proposal would do.
#[derive(Default)]
pub(crate) struct Prepared {
    /// The rows, and what they rely on.
    pub commit: Commit,
    /// The same for people: one line each. Empty when everything is so already.
    pub words: Vec<String>,
    /// Ids for the entry.
    pub ids: Vec<(&'static str, String)>,
    /// Beyond the plan, for the entry.
    pub parts: Vec<Part>,
    /// Whose key seals what is said of it. // I9
    pub about: Scope,
    /// The policy set that becomes active.
    pub policy: Option<PolicySet>,
    pub base: Base,
    pub handed: Handed,
    /// What to keep of `handed` when the change waits.
    pub kept: Kept,
    pub turn: Turn,
}

/// What a change makes of the number of administrators.
#[derive(Debug, Clone, Default)]
pub(crate) enum Turn {
    #[default]
    Nothing,
    /// These are their members then.
    Members(BTreeSet<PrincipalId>),
    /// This one is active then.
    Enabled(PrincipalId),
    /// This one can sign in then.
    TookUp(PrincipalId),
}

/// In which of the two hands a change is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hand<'a> {
    /// It will be done at once, by one person.
    Alone,
    /// It is proposed, and somebody else will do it.
    First,
    /// It was proposed, with this kept, and is done now.
    Second(&'a Kept),
}

impl App {
    /// Plans a proposal on the state as it is now.
    pub(crate) async fn prepare(&self, proposal: &Proposal, doers: Doers<'_>, hand: Hand<'_>) -> Result<Prepared> {
        match proposal {
            Proposal::CreateUser { name } => self.plan_create_user(name, hand).await,
            Proposal::Invite { name, groups } => self.plan_invite(name, groups, doers, hand).await,
            Proposal::CreateWorkload { name, owner } => self.plan_create_workload(name, owner).await,
            Proposal::Enable { principal } => self.plan_enable(principal).await,
            Proposal::InviteAgain { user } => self.plan_invite_again(user, hand).await,
            Proposal::ResetSecondFactor { user } => self.plan_reset_second_factor(user).await,
            Proposal::SetMail { user, mail } => self.plan_set_mail(user, mail).await,
            Proposal::RemoveMail { user } => self.plan_remove_mail(user).await,
            Proposal::AddMember { group, member } => self.plan_add_member(group, member).await,
            Proposal::RemoveMember { group, member } => self.plan_remove_member(group, member).await,
            Proposal::DeleteGroup { group } => self.plan_delete_group(group).await,
            Proposal::MakeToken { workload, scopes, lasts } => {
                self.plan_token_for(workload, scopes, *lasts, hand).await
            }
            Proposal::DeclareDirectory { name, connector, groups } => {
                self.plan_declare_directory(name, connector, groups).await
            }
            Proposal::Resources { file, text } => self.plan_resource_rows(file, text).await,
            Proposal::MakeKit { resource, roles, holders } => self.plan_make_kit(resource, roles, holders, hand).await,
            Proposal::RotateKit { kit, holders } => self.plan_rotate_kit(*kit, holders, hand).await,
            Proposal::Trust { file, text } => self.plan_trust(file, text).await,
            Proposal::DeclareTransmitter { name, transmitter, bearer } => {
                self.plan_declare_transmitter(name, transmitter, *bearer, hand).await
            }
            Proposal::RemoveTransmitter { name } => self.plan_remove_transmitter(name).await,
            Proposal::Policy { files } => self.plan_policy_switch(files, doers).await,
        }
    }

    /// Does what was prepared, in one commit with `also`, and then what follows from it.
    ///
    /// Every change moves the settings row: so two changes never interleave (which also keeps names unique), and
    /// whatever was judged on the facts before this change is judged again. // I2
    pub(crate) async fn carry_out(
        &self,
        settings: &Read<Settings>,
        prepared: Prepared,
        entry: Entry,
        also: impl FnOnce(&mut Commit),
    ) -> Result<Handed> {
        let Prepared { mut commit, policy, handed, turn, .. } = prepared;
        let ended = commit.ended.clone();
        let now = self.now();
        let mut next = settings.value.clone();
        if let Some(policy) = &policy {
            next.policy = policy.digest();
            next.policy_since = now;
        }
        next.four_eyes = self.four_eyes_after(&settings.value, &turn).await?;
        commit.replace(settings, &next);
        also(&mut commit);
        // First in the commit stand the ends, so that the entry of the change follows what it did.
        commit.entry(entry);
        if next.four_eyes != settings.value.four_eyes {
            commit.entry(administration(event::FOUR_EYES, Vec::new(), next.region.clone(), Vec::new()));
        }
        let intent = self.commit(commit, handed).await?;
        let cause = match &policy {
            Some(set) => EndCause::PolicyChanged { policy: set.digest() },
            None => EndCause::FactGone { fact: HeldFact::Judged },
        };
        if let Some(policy) = policy {
            self.set_policy(policy);
        }
        self.has_ended(ended);
        self.kits.wake.notify_one();
        self.facts_changed(cause).await;
        Ok(intent.into_effect())
    }

    /// Judges again after a change that is durable. What fails here is done again by the next judging, which time brings:
    /// the change itself isn't undone for it.
    async fn facts_changed(&self, cause: EndCause) {
        let judged = async {
            let live: Vec<GrantId> = self.live_grants().await?.into_iter().map(|g| g.value.id).collect();
            self.rejudge(&live, cause).await
        };
        if let Err(problem) = judged.await {
            tracing::warn!(%problem, "live grants weren't all judged again after a change; they are at the next judging");
        }
    }

    /// Four eyes, once two different people who can sign in are administrators; never back. // I12
    async fn four_eyes_after(&self, settings: &Settings, turn: &Turn) -> Result<FourEyes> {
        let members = match (settings.four_eyes, turn) {
            (FourEyes::Since { .. }, _) | (FourEyes::NotYet, Turn::Nothing) => return Ok(settings.four_eyes),
            (FourEyes::NotYet, Turn::Members(members)) => members.clone(),
            (FourEyes::NotYet, Turn::Enabled(_) | Turn::TookUp(_)) => self.administrators().await?.value.members,
        };
        let mut people = 0;
        for member in members {
            if self.could_act(member, turn).await? {
                people += 1;
            }
        }
        Ok(if people >= 2 { FourEyes::Since { at: self.now() } } else { FourEyes::NotYet })
    }

    /// Whether a principal is a user who can sign in: one who was only invited can't approve anything yet.
    async fn could_act(&self, id: PrincipalId, turn: &Turn) -> Result<bool> {
        let (enabled, took_up) = match turn {
            Turn::Nothing | Turn::Members(_) => (None, None),
            Turn::Enabled(who) => (Some(*who), None),
            Turn::TookUp(who) => (None, Some(*who)),
        };
        let Some(principal) = self.store_ref().get::<Principal>(&id.to_string()).await? else { return Ok(false) };
        let active = principal.value.is_active() || enabled == Some(id);
        if principal.value.kind != Kind::User || !active {
            return Ok(false);
        }
        let trust = self.trust(&mut Commit::default()).await?;
        Ok(took_up == Some(id) || self.has_a_way_in(id, &trust).await?)
    }

    /// Whether a user who is active can sign in where this is trusted: by a password, or by a provider that knows them.
    async fn has_a_way_in(&self, id: PrincipalId, trust: &Trust) -> Result<bool> {
        let factors = self.store_ref().get::<Factors>(&id.to_string()).await?;
        if factors.is_some_and(|f| f.value.password.is_some()) {
            return Ok(true);
        }
        let links = self.store_ref().find::<Link>(key::LINKED, &id.to_string()).await?;
        Ok(links.iter().any(|link| trust.signs_in_by(link.value.issuer)))
    }

    /// Whether a principal is a user who could sign in if this were trusted.
    pub(crate) async fn could_sign_in(&self, id: PrincipalId, trust: &Trust) -> Result<bool> {
        let Some(principal) = self.store_ref().get::<Principal>(&id.to_string()).await? else { return Ok(false) };
        let active = principal.value.kind == Kind::User && principal.value.is_active();
        Ok(active && self.has_a_way_in(id, trust).await?)
    }

    /// Whether somebody would be left who administers, without this one.
    pub(crate) async fn others_administer(&self, administrators: &Group, without: PrincipalId) -> Result<bool> {
        for member in administrators.members.iter().filter(|m| **m != without) {
            if self.could_act(*member, &Turn::Nothing).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a group is the one that administers.
pub(crate) fn is_administrators(group: &Group) -> bool {
    group.name.as_str() == ADMINISTRATORS
}
