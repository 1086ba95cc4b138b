//! Users, workloads and groups.
//!
//! What gives is a change (I12): see [`crate::changes`]. What takes away is done at once, by whoever may administer:
//! disabling, leaving a group. Looking at people is for administrators; everybody sees themselves.

mod disable;
mod groups;
mod invite;
mod mail;
mod plans;

use daypass_domain::{
    MailAddress, Name, PrincipalId, Time,
    principal::{Actor, Group, Kind, Principal, Standing},
};
use daypass_ports::rows::Factors;

pub use groups::GroupView;
pub use invite::INVITATION_LASTS;

use crate::{App, Result, changes::PRINCIPAL};

/// A user or workload, as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalView {
    /// Its id.
    pub id: PrincipalId,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: KindView,
    /// Since when it is disabled, if it is.
    pub disabled: Option<Time>,
    /// The groups that it is in.
    pub groups: Vec<Name>,
    /// How far it is with proving itself.
    pub proof: Proof,
    /// Where they are told, if that is known.
    pub mail: Option<MailAddress>,
}

/// What a principal is, with its owner's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindView {
    /// A person.
    User,
    /// A program.
    Workload {
        /// Who answers for it.
        owner: Name,
    },
}

/// How far a principal is with proving itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It has no password: a user who was invited and didn't come yet, or a workload.
    NoPassword,
    /// A password alone.
    Password,
    /// A password and a second factor.
    PasswordAndSecondFactor,
}

impl App {
    /// All principals for whoever may administer them; oneself for everybody else.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn principals(&self, actor: &Actor) -> Result<Vec<PrincipalView>> {
        let all = self.store_ref().all::<Principal>().await?;
        let groups = self.store_ref().all::<Group>().await?;
        let everybody = self.may_administer(actor, PRINCIPAL).await.is_ok();
        let mut views = Vec::new();
        for principal in all.iter().map(|p| &p.value).filter(|p| everybody || p.id == actor.principal) {
            let kind = match principal.kind {
                Kind::User => KindView::User,
                Kind::Workload { owner } => {
                    let found = all.iter().find(|p| p.value.id == owner);
                    // Principals are never removed, so there is an owner.
                    let Some(found) = found else { continue };
                    KindView::Workload { owner: found.value.name.clone() }
                }
            };
            let disabled = match principal.standing {
                Standing::Active => None,
                Standing::Disabled { at, .. } | Standing::DisabledBySignal { at, .. } => Some(at),
            };
            let within = groups.iter().filter(|g| g.value.members.contains(&principal.id));
            views.push(PrincipalView {
                id: principal.id,
                name: principal.name.clone(),
                kind,
                disabled,
                groups: within.map(|g| g.value.name.clone()).collect(),
                proof: self.proof_of(principal.id).await?,
                mail: self.contact(principal.id).await?.map(|contact| contact.value.mail),
            });
        }
        Ok(views)
    }

    async fn proof_of(&self, id: PrincipalId) -> Result<Proof> {
        let factors = self.store_ref().get::<Factors>(&id.to_string()).await?.map(|f| f.value);
        let Some(factors) = factors.filter(|f| f.password.is_some()) else { return Ok(Proof::NoPassword) };
        Ok(if factors.has_second_factor() { Proof::PasswordAndSecondFactor } else { Proof::Password })
    }
}
