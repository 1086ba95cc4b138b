//! Looking at kits: for administrators, and for whoever watches over the installation.

use daypass_domain::{
    KitId, Name,
    kit::{Alarm, AtTarget, FRESH_FOR, Kit, Review, Rotation},
    principal::{Actor, Principal},
    resource::Resource,
};
use daypass_ports::{
    kits::kit_key,
    targets::{Finding, Severity},
};

use super::{plan::given, review::Found};
use crate::{App, Result, changes::EMERGENCY};

/// A kit, as administrators see it.
#[derive(Debug, Clone)]
pub struct KitView {
    /// The kit.
    pub kit: Kit,
    /// Of which resource, by name; `gone` when that was removed.
    pub resource: Name,
    /// Its two holders, by name.
    pub holders: [Name; 2],
    /// Why it should be sealed anew; empty when it needn't.
    pub due: Vec<RotationDue>,
    /// Why its login isn't as it should be yet, as far as this process has tried.
    pub trouble: Option<String>,
    /// Who reviewed its last use, and what they found, while the alarm still stands for its rotation.
    pub reviewed: Option<(Name, String)>,
}

/// Why a kit should be sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationDue {
    /// It was used: its credential was seen.
    Used,
    /// A holder may not act any more.
    HolderDisabled {
        /// Who.
        holder: Name,
    },
    /// Its roles are declared otherwise by now.
    RolesChanged,
    /// The resource is declared at another place by now: this needs another kit.
    TargetChanged,
    /// It is more than a year old, and nobody knows whether it still opens.
    Old,
}

impl App {
    /// The kits that there are, or were, the oldest first.
    ///
    /// # Errors
    /// When policy doesn't permit it.
    pub async fn emergency_kits(&self, actor: &Actor) -> Result<Vec<KitView>> {
        self.may_administer(actor, EMERGENCY).await?;
        let mut views = Vec::new();
        for read in self.store_ref().all::<Kit>().await? {
            views.push(self.kit_view(read.value).await?);
        }
        Ok(views)
    }

    /// One kit.
    ///
    /// # Errors
    /// When policy doesn't permit it, or there is none.
    pub async fn emergency_kit(&self, actor: &Actor, kit: KitId) -> Result<KitView> {
        self.may_administer(actor, EMERGENCY).await?;
        self.kit_view(self.kit(kit).await?.value).await
    }

    /// A kit as it is shown.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn kit_view(&self, kit: Kit) -> Result<KitView> {
        let [one, other] = &kit.sealed.holders;
        let holders = [self.name_of(one.principal).await?, self.name_of(other.principal).await?];
        let trouble = match kit.at_target {
            AtTarget::Making { .. } | AtTarget::Removing { .. } => {
                self.kits.troubles().get(&kit.id).map(|trouble| trouble.why.clone())
            }
            AtTarget::Ready { .. } | AtTarget::Gone { .. } => None,
        };
        let reviewed = match &kit.alarm {
            Alarm::Raised { review: Review::Closed { by, words, .. }, .. } => {
                let found = self.store_ref().payload(*words).await?;
                let words =
                    found.and_then(|found| serde_json::from_value::<Found>(found).ok()).map(|found| found.words);
                Some((self.name_of(*by).await?, words.unwrap_or_default()))
            }
            Alarm::Raised { review: Review::Wanted, .. } | Alarm::Quiet => None,
        };
        let resource = self.resource_name(kit.resource).await?;
        let due = self.rotation_due(&kit, &holders).await?;
        Ok(KitView { resource, holders, due, trouble, reviewed, kit })
    }

    async fn rotation_due(&self, kit: &Kit, names: &[Name; 2]) -> Result<Vec<RotationDue>> {
        let mut due = Vec::new();
        if !kit.stands() {
            return Ok(due);
        }
        match kit.alarm {
            Alarm::Raised { rotation: Rotation::Wanted, .. } => due.push(RotationDue::Used),
            Alarm::Raised { rotation: Rotation::Done { .. }, .. } | Alarm::Quiet => {}
        }
        for (holder, name) in kit.sealed.holders.iter().zip(names) {
            let person = self.store_ref().get::<Principal>(&holder.principal.to_string()).await?;
            if !person.is_some_and(|person| person.value.is_active()) {
                due.push(RotationDue::HolderDisabled { holder: name.clone() });
            }
        }
        if let Some(resource) = self.store_ref().get::<Resource>(&kit.resource.to_string()).await? {
            if resource.value.target != kit.target {
                due.push(RotationDue::TargetChanged);
            } else if given(&resource.value, &kit.sealed.roles) != kit.sealed.member_of {
                due.push(RotationDue::RolesChanged);
            }
        }
        if kit.sealed.at + FRESH_FOR < self.now() {
            due.push(RotationDue::Old);
        }
        Ok(due)
    }

    /// The kits that were used, and still wait for something: for those who watch over the installation. No names.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn alarms(&self) -> Result<Vec<Kit>> {
        let raised = self.store_ref().find::<Kit>(kit_key::ALARM, kit_key::RAISED).await?;
        Ok(raised.into_iter().map(|kit| kit.value).collect())
    }

    /// Whether the administrator login at a resource can do what is needed, and not more; and how its kits are.
    ///
    /// # Errors
    /// When policy doesn't permit it, or there is no such resource.
    pub async fn doctor(&self, actor: &Actor, resource: &str) -> Result<Vec<Finding>> {
        let resource = self.resource_named(resource).await?.value;
        self.may_administer(actor, crate::changes::RESOURCE).await?;
        let at = self.administration(resource.id, &resource.target).await?;
        let mut findings = self.targets.doctor(&at, &resource.roles).await;
        let kits = self.store_ref().find::<Kit>(daypass_ports::rows::key::RESOURCE, &resource.id.to_string()).await?;
        for kit in kits {
            let view = self.kit_view(kit.value).await?;
            findings.extend(view.attention().into_iter().map(|what| Finding {
                severity: Severity::Warning,
                what,
                fix_sql: None,
            }));
        }
        Ok(findings)
    }
}

impl KitView {
    /// What somebody should do about it: a sentence each.
    #[must_use]
    pub fn attention(&self) -> Vec<String> {
        let id = self.kit.id;
        let mut said: Vec<String> = self.due.iter().map(|due| format!("{}: {}", id, due.words(id))).collect();
        if let Alarm::Raised { first, review: Review::Wanted, .. } = self.kit.alarm {
            said.push(format!(
                "{id}: it was used (first seen {first}), and nobody has reviewed that: `daypass emergency-kit review {id}`, by \
                 somebody else than {} and {}",
                self.holders[0], self.holders[1]
            ));
        }
        said.extend(self.trouble.iter().map(|why| format!("{id}: its login isn't as it should be yet: {why}")));
        said
    }
}

impl RotationDue {
    fn words(&self, kit: KitId) -> String {
        let rotate = format!("`daypass emergency-kit rotate {kit}`");
        match self {
            Self::Used => format!("it was used, so its credential was seen: seal it anew with {rotate}"),
            Self::HolderDisabled { holder } => {
                format!(
                    "`{holder}` holds half of it, and may not act any more: seal it to somebody else with {rotate} --to"
                )
            }
            Self::RolesChanged => format!("its roles are declared otherwise than when it was sealed: {rotate}"),
            Self::TargetChanged => {
                format!(
                    "its resource is declared at another place by now: make another, and `daypass emergency-kit remove {kit}`"
                )
            }
            Self::Old => format!("it is more than a year old: see that it still opens, or seal it anew with {rotate}"),
        }
    }
}
