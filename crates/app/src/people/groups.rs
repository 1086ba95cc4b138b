//! Groups: an empty one is made at once, leaving one takes away and is done at once, joining one is a change. // I12

use daypass_domain::{
    GroupId, Name,
    principal::{Actor, Group},
};
use daypass_ports::rows::key;

use crate::{
    App, Problem, Result,
    changes::{GROUP, Hand, Prepared, Proposal, Proposed},
    changes::{Handed, Outcome, leaving_may_give},
    entry::{administration, event},
    retry_stale,
};

/// A group, with its members by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: Name,
    /// Who is in it.
    pub members: Vec<Name>,
}

impl App {
    /// Makes an empty group. No decision can tell it from one that doesn't exist, so it is done at once.
    ///
    /// # Errors
    /// When policy doesn't permit it, or there is one of that name.
    pub async fn create_group(&self, actor: &Actor, name: &Name) -> Result<GroupId> {
        retry_stale!(self.try_create_group(actor, name).await)
    }

    async fn try_create_group(&self, actor: &Actor, name: &Name) -> Result<GroupId> {
        let settings = self.settings_and_policy().await?;
        let decision = self.may_administer(actor, GROUP).await?;
        if !self.store_ref().find::<Group>(key::NAME, name.as_str()).await?.is_empty() {
            return Err(Problem::conflict("name_taken", format!("there is a group `{name}` already"), ""));
        }
        let group = Group {
            id: GroupId::new(self.now(), self.id_bytes()),
            name: name.clone(),
            members: std::collections::BTreeSet::new(),
        };
        let mut prepared = Prepared::default();
        prepared.commit.put(&group);
        let ids = vec![
            ("principal", actor.principal.to_string()),
            ("subject", GROUP.to_owned()),
            ("group", group.id.to_string()),
        ];
        let parts =
            vec![self.operational_part(&format!("make the empty group `{name}`")), self.decision_part(&decision)];
        let entry = administration(event::CHANGE_COMMITTED, ids, settings.value.region.clone(), parts);
        self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(group.id)
    }

    /// Takes somebody out of a group: at once, unless a policy holds the group against its members, in which case leaving
    /// may give and is a change.
    ///
    /// # Errors
    /// When policy doesn't permit it, or it would leave nobody to administer.
    pub async fn remove_member(&self, actor: &Actor, group: &Name, member: &Name) -> Result<Proposed> {
        self.leave(actor, group, Proposal::RemoveMember { group: group.clone(), member: member.clone() }).await
    }

    /// Deletes a group: at once, unless a policy holds it against its members.
    ///
    /// # Errors
    /// When policy doesn't permit it, it is `administrators`, or it answers for a resource.
    pub async fn delete_group(&self, actor: &Actor, group: &Name) -> Result<Proposed> {
        self.leave(actor, group, Proposal::DeleteGroup { group: group.clone() }).await
    }

    async fn leave(&self, actor: &Actor, group: &Name, proposal: Proposal) -> Result<Proposed> {
        retry_stale!(self.try_leave(actor, group, &proposal).await)
    }

    async fn try_leave(&self, actor: &Actor, group: &Name, proposal: &Proposal) -> Result<Proposed> {
        let settings = self.settings_and_policy().await?;
        if leaving_may_give(self.policy().files(), group) {
            return self.try_propose(actor, proposal).await;
        }
        let decision = self.may_administer(actor, GROUP).await?;
        let doers = crate::changes::Doers { proposer: actor.principal, actor };
        let prepared = self.prepare(proposal, doers, Hand::Alone).await?;
        let plan = prepared.words.clone();
        if plan.is_empty() {
            return Ok(Proposed { outcome: Outcome::NothingToDo, plan, handed: Handed::Nothing });
        }
        let mut ids = vec![("principal", actor.principal.to_string()), ("subject", GROUP.to_owned())];
        ids.extend(prepared.ids.iter().cloned());
        let parts = vec![self.operational_part(&plan), self.decision_part(&decision)];
        let entry = administration(event::CHANGE_COMMITTED, ids, settings.value.region.clone(), parts);
        let handed = self.carry_out(&settings, prepared, entry, |_| {}).await?;
        Ok(Proposed { outcome: Outcome::Done, plan, handed })
    }

    /// All groups: for whoever may administer them. Everybody else sees those that they are in, without the others in
    /// them.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn groups(&self, actor: &Actor) -> Result<Vec<GroupView>> {
        let everything = self.may_administer(actor, GROUP).await.is_ok();
        let mut views = Vec::new();
        for group in self.store_ref().all::<Group>().await? {
            let group = group.value;
            if !everything && !group.members.contains(&actor.principal) {
                continue;
            }
            let mut members = Vec::new();
            for member in group.members.iter().filter(|m| everything || **m == actor.principal) {
                members.push(self.principal(*member).await?.value.name);
            }
            members.sort();
            views.push(GroupView { id: group.id, name: group.name, members });
        }
        views.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(views)
    }
}
