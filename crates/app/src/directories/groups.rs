//! Groups, as directories say them; and the groups of ours that they fill.

use std::collections::BTreeSet;

use daypass_domain::{
    GroupId, Name, PrincipalId,
    principal::{Actor, Group},
};
use daypass_ports::{
    directories::{Directory, DirectoryGroup, DirectoryUser},
    record::Read,
    rows::{Settings, key},
};
use daypass_scim::Group as Said;

use super::{Anew, GroupView, SaidOfGroup, names::filled_by};
use crate::{
    App, Problem, Result,
    changes::{Prepared, is_administrators, leaving_may_give},
    entry::{administration, event},
    retry_stale,
};

/// Who fills a group of ours, before and after.
pub(crate) struct Filling<'a> {
    pub before: BTreeSet<PrincipalId>,
    pub after: BTreeSet<PrincipalId>,
    pub group: &'a Name,
}

impl Anew<Said> {
    fn of(&self, before: Said) -> Result<Said> {
        match self {
            Self::Whole(group) => Ok(group.clone()),
            Self::Patch(patch) => Ok(patch.of_group(before)?),
        }
    }
}

impl App {
    /// The groups of the actor's directory, in the order of their ids.
    ///
    /// # Errors
    /// When the actor speaks for no directory.
    pub async fn directory_groups(&self, actor: &Actor) -> Result<Vec<GroupView>> {
        let directory = self.speaking(actor).await?.value;
        let rows = self.groups_of(&directory).await?;
        let mut groups = rows.iter().map(|row| self.group_view(&row.value)).collect::<Result<Vec<_>>>()?;
        groups.sort_by_key(|group| group.id);
        Ok(groups)
    }

    /// One group of the actor's directory.
    ///
    /// # Errors
    /// When the actor speaks for no directory, or it has no such group.
    pub async fn directory_group(&self, actor: &Actor, id: &str) -> Result<GroupView> {
        let directory = self.speaking(actor).await?.value;
        self.group_view(&self.known_group(&directory, id).await?.value)
    }

    /// A new group of the directory. Its members are in ours where the declaration says so, and nowhere else. // I12
    ///
    /// # Errors
    /// When the actor speaks for no directory, that has such a group already, or a member is no user of it.
    pub async fn make_directory_group(&self, actor: &Actor, said: &Said) -> Result<GroupView> {
        retry_stale!(self.try_make_directory_group(actor, said).await)
    }

    async fn try_make_directory_group(&self, actor: &Actor, said: &Said) -> Result<GroupView> {
        let settings = self.settings().await?;
        let directory = self.speaking(actor).await?;
        let now = self.now();
        let id = GroupId::new(now, self.id_bytes());
        let row = self.group_row(&directory.value, id, said).await?;
        let mut prepared = Prepared::default();
        prepared.commit.expect(&directory);
        prepared.commit.put(&row);
        let filling = Filling { before: BTreeSet::new(), after: row.members.clone(), group: &row.fills };
        self.fill(&directory.value, &[filling], &mut prepared).await?;
        self.enter_group(actor, &settings, &row, prepared, "made").await?;
        self.group_view(&row)
    }

    /// What the directory says anew of a group.
    ///
    /// # Errors
    /// When the directory has no such group, a member is no user of it, or leaving the group may give.
    pub async fn change_directory_group(&self, actor: &Actor, id: &str, anew: &Anew<Said>) -> Result<GroupView> {
        retry_stale!(self.try_change_directory_group(actor, id, anew).await)
    }

    async fn try_change_directory_group(&self, actor: &Actor, id: &str, anew: &Anew<Said>) -> Result<GroupView> {
        let settings = self.settings().await?;
        let directory = self.speaking(actor).await?;
        let known = self.known_group(&directory.value, id).await?;
        let before = self.group_view(&known.value)?;
        let next = anew.of(before.said.clone())?;
        if next == before.said {
            return Ok(before);
        }
        let row = self.group_row(&directory.value, known.value.id, &next).await?;
        let row = DirectoryGroup { made: known.value.made, ..row };
        let mut prepared = Prepared::default();
        prepared.commit.expect(&directory);
        prepared.commit.replace(&known, &row);
        let (was, is) = (known.value.members.clone(), row.members.clone());
        let fillings = if known.value.fills == row.fills {
            vec![Filling { before: was, after: is, group: &row.fills }]
        } else {
            let nobody = BTreeSet::new;
            vec![
                Filling { before: was, after: nobody(), group: &known.value.fills },
                Filling { before: nobody(), after: is, group: &row.fills },
            ]
        };
        self.fill(&directory.value, &fillings, &mut prepared).await?;
        self.enter_group(actor, &settings, &row, prepared, "changed").await?;
        self.group_view(&row)
    }

    /// The directory has the group no longer: whoever it put into ours leaves that.
    ///
    /// # Errors
    /// When the directory has no such group, or leaving it may give.
    pub async fn drop_directory_group(&self, actor: &Actor, id: &str) -> Result<()> {
        retry_stale!(self.try_drop_directory_group(actor, id).await)
    }

    async fn try_drop_directory_group(&self, actor: &Actor, id: &str) -> Result<()> {
        let settings = self.settings().await?;
        let directory = self.speaking(actor).await?;
        let known = self.known_group(&directory.value, id).await?;
        let mut prepared = Prepared::default();
        prepared.commit.expect(&directory);
        prepared.commit.delete(&known);
        let group = &known.value.fills;
        let filling = Filling { before: known.value.members.clone(), after: BTreeSet::new(), group };
        self.fill(&directory.value, &[filling], &mut prepared).await?;
        self.enter_group(actor, &settings, &known.value, prepared, "removed").await
    }

    async fn group_row(&self, directory: &Directory, id: GroupId, said: &Said) -> Result<DirectoryGroup> {
        let fills = filled_by(&said.display_name)?;
        let others = self.groups_of(directory).await?;
        if others.iter().any(|other| other.value.fills == fills && other.value.id != id) {
            return Err(Problem::conflict(
                "uniqueness",
                "this directory has a group of this `displayName`, or one too like it, already",
                "change that one, or choose another `displayName`",
            ));
        }
        let (display_name, external_id) = (said.display_name.clone(), said.external_id.clone());
        let now = self.now();
        Ok(DirectoryGroup {
            id,
            directory: directory.name.clone(),
            fills,
            said: self.seal_said(id.bytes(), &SaidOfGroup { display_name, external_id }),
            members: self.members_said(directory, &said.members).await?,
            made: now,
            changed: now,
        })
    }

    /// The members must be users of the same directory: it says nothing of others. // I12
    async fn members_said(&self, directory: &Directory, said: &BTreeSet<String>) -> Result<BTreeSet<PrincipalId>> {
        let mut members = BTreeSet::new();
        for id in said {
            // What no id of ours can be names nobody, and puts nobody in: testers of servers demand that it be taken.
            if id.parse::<PrincipalId>().is_err() {
                continue;
            }
            let row = self.store_ref().get::<DirectoryUser>(id).await?;
            let row = row.filter(|row| row.value.directory == directory.name).ok_or_else(|| {
                let id: String = id.chars().take(60).flat_map(char::escape_debug).collect();
                let next = "name users by the `id` that this server gave them";
                Problem::invalid("invalidValue", format!("`{id}` is no user of this directory"), next)
            })?;
            members.insert(row.value.principal);
        }
        Ok(members)
    }

    /// Puts into and takes out of the groups of ours that the directory was declared to fill. // I12
    pub(crate) async fn fill(
        &self,
        directory: &Directory,
        fillings: &[Filling<'_>],
        prepared: &mut Prepared,
    ) -> Result<()> {
        for Filling { before, after, group } in fillings {
            if !directory.groups.contains(*group) {
                continue;
            }
            // One that an administrator deleted meanwhile has nobody to give to, or to take from.
            let found = self.store_ref().find::<Group>(key::NAME, group.as_str()).await?;
            let Some(ours) = found.into_iter().next() else { continue };
            if is_administrators(&ours.value) {
                continue;
            }
            let leaving: BTreeSet<_> =
                before.difference(after).filter(|who| ours.value.members.contains(who)).copied().collect();
            if !leaving.is_empty() && leaving_may_give(self.policy().files(), group) {
                return Err(Problem::not_allowed(
                    "leaving_may_give",
                    format!("a policy holds the group `{group}` against its members, so leaving it may give"),
                    "an administrator takes them out with `daypass group remove`; what ends access is to deactivate them",
                ));
            }
            let mut next = ours.value.clone();
            next.members.retain(|who| !leaving.contains(who));
            next.members.extend(after.difference(before));
            if next.members != ours.value.members {
                prepared.words.push(format!(
                    "`{group}`: {} leave, {} join",
                    ours.value.members.difference(&next.members).count(),
                    next.members.difference(&ours.value.members).count()
                ));
                prepared.ids.push(("group", ours.value.id.to_string()));
                prepared.commit.replace(&ours, &next);
            }
        }
        Ok(())
    }

    async fn enter_group(
        &self,
        actor: &Actor,
        settings: &Read<Settings>,
        row: &DirectoryGroup,
        prepared: Prepared,
        outcome: &str,
    ) -> Result<()> {
        let mut ids = vec![("principal", actor.principal.to_string()), ("outcome", outcome.to_owned())];
        ids.extend(prepared.ids.iter().cloned());
        let said = serde_json::json!({
            "directory": row.directory, "fills": row.fills, "members": row.members, "done": prepared.words,
        });
        let parts = vec![self.operational_part(&said)];
        let entry = administration(event::DIRECTORY_GROUP_CHANGED, ids, settings.value.region.clone(), parts);
        self.carry_out(settings, prepared, entry, |_| {}).await?;
        Ok(())
    }
}
