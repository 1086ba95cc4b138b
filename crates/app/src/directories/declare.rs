//! Declaring a directory: the one change that gives its connector standing authority. // I12

use std::collections::BTreeSet;

use daypass_domain::{
    GroupId, Name, PrincipalId,
    principal::{ADMINISTRATORS, Actor, Group, Kind},
};
use daypass_ports::{
    directories::{Directory, DirectoryUser, directory_key},
    rows::key,
};

use super::{DirectoryView, groups::Filling};
use crate::{
    App, Problem, Result,
    changes::{DIRECTORY, Prepared},
};

/// The most groups that one directory fills.
const GROUPS_MOST: usize = 200;

impl App {
    /// Plans a declaration: who speaks for the directory, and which groups it fills. Groups that aren't there are made;
    /// who would join by it is named.
    pub(crate) async fn plan_declare_directory(
        &self,
        name: &Name,
        connector: &Name,
        groups: &BTreeSet<Name>,
    ) -> Result<Prepared> {
        let connector = self.connector_named(name, connector).await?;
        check_groups(groups)?;
        let before = self.store_ref().get::<Directory>(name.as_str()).await?;
        let next = Directory { name: name.clone(), connector, groups: groups.clone() };
        let mut prepared = Prepared::default();
        if before.as_ref().is_some_and(|before| before.value == next) {
            return Ok(prepared);
        }
        let by = self.principal(connector).await?;
        prepared.commit.expect(&by);
        prepared.words.push(format!(
            "let the workload `{}` say who is in the directory `{name}`: it makes, disables and enables users of its own",
            by.value.name
        ));
        prepared.ids.push(("subject_principal", connector.to_string()));
        match &before {
            Some(before) => prepared.commit.replace(before, &next),
            None => {
                prepared.commit.expect_none(daypass_ports::record::Kind::Directory, name.as_str());
                prepared.commit.put(&next);
            }
        }
        let held = before.map(|before| before.value.groups).unwrap_or_default();
        for group in held.difference(groups) {
            prepared.words.push(format!("no longer let it fill the group `{group}`; whoever is in it stays"));
        }
        for group in groups.difference(&held) {
            self.plan_filling(&next, group, &mut prepared).await?;
        }
        Ok(prepared)
    }

    async fn plan_filling(&self, directory: &Directory, group: &Name, prepared: &mut Prepared) -> Result<()> {
        if self.store_ref().find::<Group>(key::NAME, group.as_str()).await?.is_empty() {
            let id = GroupId::new(self.now(), self.id_bytes());
            let members = self.filled(directory, group).await?;
            prepared.words.push(format!(
                "make the group `{group}`, and let it put its users into it: {}",
                self.names_of(&members).await?
            ));
            prepared.commit.put(&Group { id, name: group.clone(), members });
            return Ok(());
        }
        let after = self.filled(directory, group).await?;
        prepared.words.push(format!(
            "let it put its users into the group `{group}`, and take them out: {}",
            self.names_of(&after).await?
        ));
        let filling = Filling { before: BTreeSet::new(), after, group };
        self.fill(directory, &[filling], prepared).await
    }

    /// Whom the directory put into its group of this name so far.
    async fn filled(&self, directory: &Directory, group: &Name) -> Result<BTreeSet<PrincipalId>> {
        let groups = self.groups_of(directory).await?;
        let found = groups.into_iter().find(|own| own.value.fills == *group);
        Ok(found.map(|own| own.value.members).unwrap_or_default())
    }

    async fn names_of(&self, members: &BTreeSet<PrincipalId>) -> Result<String> {
        let mut names = Vec::new();
        for member in members {
            names.push(format!("`{}`", self.principal(*member).await?.value.name));
        }
        Ok(if names.is_empty() { "nobody so far".to_owned() } else { format!("now {}", names.join(", ")) })
    }

    /// A workload that speaks for no other directory: a token says which directory is meant, and can mean one only.
    async fn connector_named(&self, directory: &Name, connector: &Name) -> Result<PrincipalId> {
        let read = self.principal_named(connector.as_str()).await?;
        match read.value.kind {
            Kind::Workload { .. } => {}
            Kind::User => {
                return Err(Problem::invalid(
                    "not_a_workload",
                    format!("`{connector}` is a person, and a directory is spoken for by a program"),
                    "make a workload for it with `daypass workload create`",
                ));
            }
        }
        let speaks = self.store_ref().find::<Directory>(key::PRINCIPAL, &read.value.id.to_string()).await?;
        match speaks.iter().find(|other| other.value.name != *directory) {
            None => Ok(read.value.id),
            Some(other) => Err(Problem::conflict(
                "speaks_already",
                format!("`{connector}` speaks for the directory `{}` already", other.value.name),
                "make another workload for this one",
            )),
        }
    }

    /// The declared directories: for whoever may administer them.
    ///
    /// # Errors
    /// When policy doesn't permit it.
    pub async fn directories(&self, actor: &Actor) -> Result<Vec<DirectoryView>> {
        self.may_administer(actor, DIRECTORY).await?;
        let mut views = Vec::new();
        for directory in self.store_ref().all::<Directory>().await? {
            let Directory { name, connector, groups } = directory.value;
            let users = self.store_ref().find::<DirectoryUser>(directory_key::DIRECTORY, name.as_str()).await?.len();
            let connector = self.principal(connector).await?.value.name;
            views.push(DirectoryView { name, connector, groups, users });
        }
        views.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(views)
    }
}

fn check_groups(groups: &BTreeSet<Name>) -> Result<()> {
    if groups.iter().any(|group| group.as_str() == ADMINISTRATORS) {
        return Err(Problem::not_allowed(
            "administrators_are_ours",
            format!("no directory fills the group `{ADMINISTRATORS}`: who administers Daypass is said in Daypass"),
            format!("put people into it with `daypass group add {ADMINISTRATORS}`"),
        ));
    }
    if groups.len() > GROUPS_MOST {
        return Err(Problem::invalid(
            "too_many_groups",
            format!("a directory fills at most {GROUPS_MOST} groups"),
            "declare those that policies speak of",
        ));
    }
    Ok(())
}
