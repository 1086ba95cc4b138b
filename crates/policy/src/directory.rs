//! Everybody there is: principals and groups, as they are now.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Name, PrincipalId,
    principal::{Group, Kind, Principal},
};

use crate::{Holder, Party, PartyKind, Yes};

/// Everybody there is, at one moment: whose groups are looked up, and who could still say yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    principals: BTreeMap<PrincipalId, Principal>,
    groups: BTreeMap<Name, BTreeSet<PrincipalId>>,
}

impl Directory {
    /// From all principals (disabled ones too) and all groups.
    #[must_use]
    pub fn new(principals: impl IntoIterator<Item = Principal>, groups: impl IntoIterator<Item = Group>) -> Self {
        let principals = principals.into_iter().map(|p| (p.id, p)).collect();
        let groups = groups.into_iter().map(|g| (g.name, g.members)).collect();
        Self { principals, groups }
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
        Some(Party { id, name: principal.name.clone(), person, kind, active, groups: self.groups_of(id) })
    }

    /// All principals as policy reads them, by id.
    pub fn parties(&self) -> impl Iterator<Item = Party> {
        self.principals.keys().filter_map(|id| self.party(*id))
    }

    /// What this principal's yes would be worth now: nothing unless it is an active user. Workloads never approve. // I8
    #[must_use]
    pub fn yes_of(&self, approver: PrincipalId) -> Option<Yes> {
        let principal = self.principals.get(&approver)?;
        let user = match principal.kind {
            Kind::User => principal.is_active(),
            Kind::Workload { .. } => false,
        };
        user.then(|| Yes { person: principal.person(), name: principal.name.clone(), groups: self.groups_of(approver) })
    }

    /// Everybody who could say yes to anything: the active users.
    pub fn voices(&self) -> impl Iterator<Item = Yes> {
        self.principals.keys().filter_map(|id| self.yes_of(*id))
    }

    /// The names of all groups.
    pub fn group_names(&self) -> impl Iterator<Item = &Name> {
        self.groups.keys()
    }

    /// Whether there is a group of this name.
    #[must_use]
    pub fn has_group(&self, name: &Name) -> bool {
        self.groups.contains_key(name)
    }

    fn groups_of(&self, id: PrincipalId) -> BTreeSet<Name> {
        self.groups.iter().filter(|(_, members)| members.contains(&id)).map(|(name, _)| name.clone()).collect()
    }
}
