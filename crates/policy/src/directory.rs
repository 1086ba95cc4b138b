//! Everybody there is: principals and groups, as they are now.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Name, PrincipalId,
    principal::{Group, Kind, Principal},
    signals::Told,
};

use crate::{Holder, Party, PartyKind, Yes};

/// Everybody there is, at one moment: whose groups are looked up, and who could still say yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    principals: BTreeMap<PrincipalId, Principal>,
    groups: BTreeSet<Name>,
    groups_of: BTreeMap<PrincipalId, BTreeSet<Name>>,
    voices: BTreeMap<PrincipalId, Yes>,
    told: BTreeMap<PrincipalId, Told>,
}

impl Directory {
    /// From all principals (disabled ones too) and all groups.
    #[must_use]
    pub fn new(principals: impl IntoIterator<Item = Principal>, groups: impl IntoIterator<Item = Group>) -> Self {
        let mut directory = Self::default();
        for Group { id: _, name, members } in groups {
            for member in members {
                directory.groups_of.entry(member).or_default().insert(name.clone());
            }
            directory.groups.insert(name);
        }
        for principal in principals {
            let voice = directory.voice_of(&principal);
            directory.voices.extend(voice.map(|yes| (principal.id, yes)));
            directory.principals.insert(principal.id, principal);
        }
        directory
    }

    /// The same, with what transmitters of signals said of people.
    #[must_use]
    pub fn telling(mut self, told: BTreeMap<PrincipalId, Told>) -> Self {
        self.told = told;
        self
    }

    /// A principal as policy reads it; nothing when it is unknown, or is a workload whose owner is unknown or is
    /// itself a workload.
    #[must_use]
    pub fn party(&self, id: PrincipalId) -> Option<Party> {
        let principal = self.principals.get(&id)?;
        let (kind, active) = match principal.kind {
            Kind::User => (PartyKind::User, principal.is_active()),
            Kind::Workload { owner } => {
                let owner = self.principals.get(&owner).filter(|o| o.kind == Kind::User)?;
                let held = Holder { id: owner.id, name: owner.name.clone(), groups: self.groups_of(owner.id) };
                (PartyKind::Workload { owner: held }, principal.is_active() && owner.is_active())
            }
        };
        let person = principal.person();
        let told = self.told.get(&person.id()).cloned().unwrap_or_default();
        Some(Party { id, name: principal.name.clone(), person, kind, active, groups: self.groups_of(id), told })
    }

    /// A principal, as its row has it.
    #[must_use]
    pub fn principal(&self, id: PrincipalId) -> Option<&Principal> {
        self.principals.get(&id)
    }

    /// All principals as policy reads them, by id.
    pub fn parties(&self) -> impl Iterator<Item = Party> {
        self.principals.keys().filter_map(|id| self.party(*id))
    }

    /// What this principal's yes would be worth now: nothing unless it is an active user. Workloads never approve. // I8
    #[must_use]
    pub fn yes_of(&self, approver: PrincipalId) -> Option<Yes> {
        self.voices.get(&approver).cloned()
    }

    /// Everybody who could say yes to anything: the active users.
    pub fn voices(&self) -> impl Iterator<Item = &Yes> {
        self.voices.values()
    }

    /// The names of all groups.
    pub fn group_names(&self) -> impl Iterator<Item = &Name> {
        self.groups.iter()
    }

    /// Whether there is a group of this name.
    #[must_use]
    pub fn has_group(&self, name: &Name) -> bool {
        self.groups.contains(name)
    }

    fn groups_of(&self, id: PrincipalId) -> BTreeSet<Name> {
        self.groups_of.get(&id).cloned().unwrap_or_default()
    }

    fn voice_of(&self, principal: &Principal) -> Option<Yes> {
        let may = match principal.kind {
            Kind::User => principal.is_active(),
            Kind::Workload { .. } => false,
        };
        let (person, name) = (principal.person(), principal.name.clone());
        may.then(|| Yes { person, name, groups: self.groups_of(principal.id) })
    }
}
