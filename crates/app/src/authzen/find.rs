//! Who has access now, on what, as which role: every result would be decided `true`. Found by looking at live grants, each
//! judged by the one evaluator; and only of those of whom the asker may be told. // I2, I11

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Name, ResourceId, Time,
    principal::{Actor, Principal},
    resource::Resource,
};
use daypass_ports::record::Commit;

use super::{
    About, Called, is_of_kind,
    page::{Filling, Found, Paged},
    permitted, subject_kind,
};
use crate::{
    App, Result,
    entry::{decision, event, owner_id},
    facts::Facts,
};

/// What is told of others by one search.
struct Told {
    ids: Vec<(&'static str, String)>,
    /// Whom or what, by their ids.
    of: Vec<String>,
    region: Name,
}

impl App {
    /// The subjects of a type who have a role on a resource now.
    ///
    /// # Errors
    /// When the store doesn't answer, or what is told can't be recorded.
    pub async fn find_subjects(
        &self,
        actor: &Actor,
        kind: &str,
        resource: &Called,
        role: &str,
        from: Paged<'_>,
    ) -> Result<Found> {
        self.clock_is_sound()?;
        let now = self.now();
        let mut page = Filling::begin(from, &("subject", kind, &resource.kind, &resource.id, role))?;
        let Some(resource) = self.called_resource(resource).await? else { return Ok(page.all()) };
        let facts = self.facts(resource.id).await?;
        let Some(role) = known_role(&facts.resource.value, role) else { return Ok(page.all()) };
        let mut holders: BTreeMap<Name, Principal> = BTreeMap::new();
        for grant in self.live_grants().await?.into_iter().map(|read| read.value) {
            if grant.resource == resource.id && grant.role == role && grant.opens_doors(now) {
                let holder = self.principal(grant.holder).await?.value;
                if subject_kind(&holder) == kind && page.is_ahead(&holder.name) {
                    holders.insert(holder.name.clone(), holder);
                }
            }
        }
        let others = permitted(self.may_be_told(actor, None, &facts.resource.value, &role).await)?;
        let mut told = Vec::new();
        for (name, holder) in holders {
            let about = if holder.person() == actor.person { Some(About::Themselves) } else { others };
            let Some(about) = about else { continue };
            if self.opening(&holder, &facts, &role, now).await?.is_none() {
                continue;
            }
            if page.is_full() {
                return self.after_telling(actor, page.more(), subjects_told(&facts, told)).await;
            }
            page.add(name);
            told.extend((about == About::Another).then(|| holder.id.to_string()));
        }
        self.after_telling(actor, page.all(), subjects_told(&facts, told)).await
    }

    /// The resources of a type on which a subject has a role now.
    ///
    /// # Errors
    /// As [`App::find_subjects`].
    pub async fn find_resources(
        &self,
        actor: &Actor,
        subject: &Called,
        role: &str,
        kind: &str,
        from: Paged<'_>,
    ) -> Result<Found> {
        self.clock_is_sound()?;
        let now = self.now();
        let mut page = Filling::begin(from, &("resource", &subject.kind, &subject.id, role, kind))?;
        let Some(subject) = self.called_subject(subject).await? else { return Ok(page.all()) };
        let mut on: BTreeMap<Name, Resource> = BTreeMap::new();
        for resource in self.held_on(&subject, now, |held| held.as_str() == role).await? {
            if is_of_kind(kind, &resource) && page.is_ahead(&resource.name) {
                on.insert(resource.name.clone(), resource);
            }
        }
        let mut told = Vec::new();
        for (name, resource) in on {
            let facts = self.facts(resource.id).await?;
            let Some(role) = known_role(&facts.resource.value, role) else { continue };
            let about = permitted(self.may_be_told(actor, Some(&subject), &facts.resource.value, &role).await)?;
            let Some(about) = about else { continue };
            if self.opening(&subject, &facts, &role, now).await?.is_none() {
                continue;
            }
            if page.is_full() {
                let told = self.of_subject_told(&subject, told).await?;
                return self.after_telling(actor, page.more(), told).await;
            }
            page.add(name);
            told.extend((about == About::Another).then(|| resource.id.to_string()));
        }
        let told = self.of_subject_told(&subject, told).await?;
        self.after_telling(actor, page.all(), told).await
    }

    /// The roles that a subject has on a resource now.
    ///
    /// # Errors
    /// As [`App::find_subjects`].
    pub async fn find_actions(
        &self,
        actor: &Actor,
        subject: &Called,
        resource: &Called,
        from: Paged<'_>,
    ) -> Result<Found> {
        self.clock_is_sound()?;
        let now = self.now();
        let query = ("action", &subject.kind, &subject.id, &resource.kind, &resource.id);
        let mut page = Filling::begin(from, &query)?;
        let Some(resource) = self.called_resource(resource).await? else { return Ok(page.all()) };
        let Some(subject) = self.called_subject(subject).await? else { return Ok(page.all()) };
        let facts = self.facts(resource.id).await?;
        let held = self.held_by(subject.id).await?.into_iter().map(|read| read.value);
        let held = held.filter(|grant| grant.resource == resource.id && grant.opens_doors(now));
        let roles: BTreeSet<Name> = held.map(|grant| grant.role).collect();
        let mut told = Vec::new();
        for role in roles {
            if !page.is_ahead(&role) {
                continue;
            }
            let about = permitted(self.may_be_told(actor, Some(&subject), &facts.resource.value, &role).await)?;
            let Some(about) = about else { continue };
            if self.opening(&subject, &facts, &role, now).await?.is_none() {
                continue;
            }
            if page.is_full() {
                return self.after_telling(actor, page.more(), actions_told(&subject, &facts, told)).await;
            }
            told.extend((about == About::Another).then(|| role.to_string()));
            page.add(role);
        }
        self.after_telling(actor, page.all(), actions_told(&subject, &facts, told)).await
    }

    /// The resources on which a subject holds a role that this is true of.
    async fn held_on(&self, subject: &Principal, now: Time, is: impl Fn(&Name) -> bool) -> Result<Vec<Resource>> {
        let held = self.held_by(subject.id).await?.into_iter().map(|read| read.value);
        let ids: BTreeSet<ResourceId> =
            held.filter(|grant| grant.opens_doors(now) && is(&grant.role)).map(|grant| grant.resource).collect();
        let mut resources = Vec::new();
        for id in ids {
            resources.extend(self.store_ref().get::<Resource>(&id.to_string()).await?.map(|read| read.value));
        }
        Ok(resources)
    }

    async fn of_subject_told(&self, subject: &Principal, of: Vec<String>) -> Result<Told> {
        let mut ids = vec![("principal", subject.id.to_string())];
        ids.extend(owner_id(subject.id, subject.person()));
        Ok(Told { ids, of, region: self.region().await? })
    }

    /// What is told of others is durable before it is told. // I1, I11
    async fn after_telling(&self, actor: &Actor, found: Found, told: Told) -> Result<Found> {
        if told.of.is_empty() {
            return Ok(found);
        }
        let mut ids = told.ids;
        ids.extend([("reader", actor.principal.to_string()), ("outcome", "found".to_owned())]);
        let mut commit = Commit::default();
        commit.entry(decision(event::DECISION_TOLD, ids, told.region, vec![self.operational_part(&told.of)]));
        Ok(self.commit(commit, found).await?.into_effect())
    }
}

fn subjects_told(facts: &Facts, of: Vec<String>) -> Told {
    let resource = &facts.resource.value;
    Told { ids: vec![("resource", resource.id.to_string())], of, region: resource.region.clone() }
}

fn actions_told(subject: &Principal, facts: &Facts, of: Vec<String>) -> Told {
    let mut told = subjects_told(facts, of);
    told.ids.push(("principal", subject.id.to_string()));
    told.ids.extend(owner_id(subject.id, subject.person()));
    told
}

fn known_role(resource: &Resource, role: &str) -> Option<Name> {
    role.parse().ok().filter(|role| resource.roles.contains_key(role))
}
