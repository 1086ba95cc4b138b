//! Who has access now, on what, as which role: every result would be decided `true`. Found by looking at live grants, each
//! judged by the one evaluator; and only of those of whom the asker may be told. // I2, I11

use std::collections::BTreeMap;

use daypass_domain::{
    Name, ResourceId, Time,
    grant::Grant,
    principal::{Actor, Principal},
    resource::Resource,
};
use daypass_ports::record::{Commit, Read};

use super::{
    About, Called, found, is_of_kind,
    page::{Filling, Found, Paged},
    permitted, subject_kind,
};
use crate::{
    App, Result,
    entry::{decision, event, owner_id},
    facts::Facts,
    retry_stale,
};

/// A subject's grants of one role on one resource: a result, if one of them lets the subject in.
struct Candidate<'a> {
    /// What it is found as.
    name: Name,
    /// What it is told by, in the entry.
    id: String,
    subject: &'a Principal,
    facts: &'a Facts,
    role: Name,
    held: Vec<Read<Grant>>,
}

/// What a search is of: each only where there is one for all results.
struct Of<'a> {
    subject: Option<&'a Principal>,
    resource: Option<&'a Resource>,
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
        retry_stale!(self.try_find_subjects(actor, kind, resource, role, from).await)
    }

    async fn try_find_subjects(
        &self,
        actor: &Actor,
        kind: &str,
        resource: &Called,
        role: &str,
        from: Paged<'_>,
    ) -> Result<Found> {
        let now = self.now();
        let page = Filling::begin(from, &("subject", kind, &resource.kind, &resource.id, role))?;
        let Some(resource) = self.called_resource(resource).await? else { return Ok(page.all()) };
        let facts = self.facts(resource.id).await?;
        let Ok(role) = role.parse::<Name>() else { return Ok(page.all()) };
        let mut holders: BTreeMap<Name, Candidate<'_>> = BTreeMap::new();
        for grant in self.live_grants().await? {
            if grant.value.resource != resource.id || grant.value.role != role || !grant.value.opens_doors(now) {
                continue;
            }
            let Some(subject) = facts.directory.principal(grant.value.holder) else { continue };
            if subject_kind(subject) == kind && page.is_ahead(&subject.name) {
                let (name, role) = (subject.name.clone(), role.clone());
                let candidate = holders.entry(name.clone()).or_insert_with(|| {
                    let id = subject.id.to_string();
                    Candidate { name, id, subject, facts: &facts, role, held: Vec::new() }
                });
                candidate.held.push(grant);
            }
        }
        let of = Of { subject: None, resource: Some(&facts.resource.value) };
        self.fill_page(actor, of, holders.into_values().collect(), page, now).await
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
        retry_stale!(self.try_find_resources(actor, subject, role, kind, from).await)
    }

    async fn try_find_resources(
        &self,
        actor: &Actor,
        subject: &Called,
        role: &str,
        kind: &str,
        from: Paged<'_>,
    ) -> Result<Found> {
        let now = self.now();
        let page = Filling::begin(from, &("resource", &subject.kind, &subject.id, role, kind))?;
        let Some(subject) = self.called_subject(subject).await? else { return Ok(page.all()) };
        let Ok(role) = role.parse::<Name>() else { return Ok(page.all()) };
        let mut held: BTreeMap<ResourceId, Vec<Read<Grant>>> = BTreeMap::new();
        for grant in self.held_by(subject.id).await? {
            if grant.value.role == role && grant.value.opens_doors(now) {
                held.entry(grant.value.resource).or_default().push(grant);
            }
        }
        let mut on: BTreeMap<Name, Facts> = BTreeMap::new();
        for resource in held.keys() {
            let Some(facts) = found(self.facts(*resource).await)? else { continue };
            let name = facts.resource.value.name.clone();
            if is_of_kind(kind, &facts.resource.value) && page.is_ahead(&name) {
                on.insert(name, facts);
            }
        }
        let mut candidates = Vec::with_capacity(on.len());
        for (name, facts) in &on {
            let resource = facts.resource.value.id;
            candidates.push(Candidate {
                name: name.clone(),
                id: resource.to_string(),
                subject: &subject,
                facts,
                role: role.clone(),
                held: held.remove(&resource).unwrap_or_default(),
            });
        }
        self.fill_page(actor, Of { subject: Some(&subject), resource: None }, candidates, page, now).await
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
        retry_stale!(self.try_find_actions(actor, subject, resource, from).await)
    }

    async fn try_find_actions(
        &self,
        actor: &Actor,
        subject: &Called,
        resource: &Called,
        from: Paged<'_>,
    ) -> Result<Found> {
        let now = self.now();
        let query = ("action", &subject.kind, &subject.id, &resource.kind, &resource.id);
        let page = Filling::begin(from, &query)?;
        let Some(resource) = self.called_resource(resource).await? else { return Ok(page.all()) };
        let facts = self.facts(resource.id).await?;
        let Some(subject) = self.called_subject(subject).await? else { return Ok(page.all()) };
        let mut roles: BTreeMap<Name, Vec<Read<Grant>>> = BTreeMap::new();
        for grant in self.held_by(subject.id).await? {
            let ours = grant.value.resource == resource.id && grant.value.opens_doors(now);
            if ours && page.is_ahead(&grant.value.role) {
                roles.entry(grant.value.role.clone()).or_default().push(grant);
            }
        }
        let candidates = roles.into_iter().map(|(role, held)| Candidate {
            name: role.clone(),
            id: role.to_string(),
            subject: &subject,
            facts: &facts,
            role,
            held,
        });
        let of = Of { subject: Some(&subject), resource: Some(&facts.resource.value) };
        self.fill_page(actor, of, candidates.collect(), page, now).await
    }

    /// Fills a page with those that hold, of whom the asker may be told. What is told of others is durable before it is
    /// told, and relies on all that it was judged on. // I1, I2, I11
    async fn fill_page(
        &self,
        actor: &Actor,
        of: Of<'_>,
        candidates: Vec<Candidate<'_>>,
        mut page: Filling,
        now: Time,
    ) -> Result<Found> {
        let (mut commit, mut told) = (Commit::default(), Vec::new());
        let mut candidates = candidates.into_iter();
        let found = loop {
            let Some(Candidate { name, id, subject, facts, role, held }) = candidates.next() else { break page.all() };
            let about = self.may_be_told(actor, Some(subject), &facts.resource.value, &role).await;
            let Some(about) = permitted(about)? else { continue };
            let Some(grant) = self.opening(held, facts, &role, now).await? else { continue };
            if page.is_full() {
                break page.more();
            }
            page.add(name);
            match about {
                About::Themselves => {}
                About::Another => {
                    facts.expect(&mut commit);
                    commit.expect(&*grant);
                    told.push(id);
                }
            }
        };
        if told.is_empty() {
            return Ok(found);
        }
        let mut ids = Vec::new();
        ids.extend(of.resource.map(|resource| ("resource", resource.id.to_string())));
        ids.extend(of.subject.map(|subject| ("principal", subject.id.to_string())));
        ids.extend(of.subject.and_then(|subject| owner_id(subject.id, subject.person())));
        ids.extend([("reader", actor.principal.to_string()), ("outcome", "found".to_owned())]);
        let region = match of.resource {
            Some(resource) => resource.region.clone(),
            None => self.region().await?,
        };
        commit.entry(decision(event::DECISION_TOLD, ids, region, vec![self.operational_part(&told)]));
        Ok(self.commit(commit, found).await?.into_effect())
    }
}
