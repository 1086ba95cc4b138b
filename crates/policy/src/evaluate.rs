//! The one evaluator: from an input to Cedar's entities and request, and from Cedar's answer to a verdict.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Effect, Entities, Entity, EntityUid, Request,
    RestrictedExpression as Value,
};
use daypass_domain::{
    Name, Time,
    signals::{Since, Told},
};

use crate::{
    Act, AskedFacts, Failure, Input, Party, PartyKind, PolicyRef, PolicySet, Scope, Service, Thing, Verdict,
    owner::{Found, READ_AS},
    quorum::Voices,
    schema::{ASKED, ActionWord, EntityKind, INSTALLATION, uid},
    set::secs_up,
};

/// Judges: asks every policy that could apply, and answers with what determined it.
///
/// The same input and the same policies give the same verdict, always. A policy that can't be evaluated makes it a no,
/// even where others permit: Cedar skips such a policy, and a `forbid` that overflows would vanish. // I2
pub fn judge(policies: &PolicySet, input: &Input) -> Verdict {
    match Case::of(input) {
        Ok(case) => case.judge(policies, &input.act, &policies.found(input)),
        Err(error) => unreadable(error),
    }
}

/// An input that Cedar won't take is a no. By the types of [`Input`] there is none, and a test looks for one.
pub(crate) fn unreadable(error: String) -> Verdict {
    let policy = PolicyRef { id: "(the facts)".into(), file: String::new(), why: None };
    Verdict::Failed { failures: vec![Failure { policy, error }] }
}

/// What stays the same while one input is judged under several suppositions: who and what, as Cedar's entities.
pub(crate) struct Case {
    action: ActionWord,
    principal: EntityUid,
    resource: EntityUid,
    /// The resource that a role is on, where policies may name it instead.
    above: Option<EntityUid>,
    entities: Entities,
    at: Time,
    active: bool,
    told: Told,
}

impl Case {
    /// # Errors
    /// What Cedar says against the entities.
    pub(crate) fn of(input: &Input) -> Result<Self, String> {
        let mut entities: BTreeMap<EntityUid, Entity> = BTreeMap::new();
        let principal = add_party(&mut entities, &input.principal)?;
        let (action, resource, above) = match &input.act {
            Act::Use(used) => {
                let (role, thing) = add_role(&mut entities, &used.resource, &used.role)?;
                let claims = used.asked.claims.iter().map(|(name, said)| (name.as_str(), said));
                add(&mut entities, &uid(EntityKind::Claims, ASKED), Vec::new(), [], claims)?;
                (ActionWord::Use, role, Some(thing))
            }
            Act::Revoke { resource, role, .. } => {
                let (role, thing) = add_role(&mut entities, resource, role)?;
                (ActionWord::Revoke, role, Some(thing))
            }
            Act::Serve { service, resource, role, .. } => {
                let (role, thing) = add_role(&mut entities, resource, role)?;
                let word = match service {
                    Service::Decide => ActionWord::Decide,
                    Service::RequestFor => ActionWord::RequestFor,
                };
                (word, role, Some(thing))
            }
            Act::Administer { .. } => (ActionWord::Administer, installation(), None),
            Act::ViewSessions { resource, .. } => (ActionWord::ViewSessions, add_thing(&mut entities, resource)?, None),
            Act::ReadEvidence { scope: Scope::Installation, .. } => (ActionWord::ReadEvidence, installation(), None),
            Act::ReadEvidence { scope: Scope::Resource { resource }, .. } => {
                (ActionWord::ReadEvidence, add_thing(&mut entities, resource)?, None)
            }
        };
        let entities = Entities::from_entities(entities.into_values(), None).map_err(|e| e.to_string())?;
        let (at, active, told) = (input.at, input.principal.active, input.principal.told.clone());
        Ok(Self { action, principal, resource, above, entities, at, active, told })
    }

    /// The verdict where `act` holds what was asked, and this was found.
    pub(crate) fn judge(&self, policies: &PolicySet, act: &Act, found: &Found) -> Verdict {
        self.judge_told(policies, act, found, &self.told)
    }

    /// The same, where transmitters of signals said this of the principal.
    pub(crate) fn judge_told(&self, policies: &PolicySet, act: &Act, found: &Found, told: &Told) -> Verdict {
        if !self.active {
            return Verdict::Inactive;
        }
        let request = match self.request_told(act, found, told) {
            Ok(request) => request,
            Err(error) => return unreadable(error),
        };
        let (mut permits, mut forbids, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for shelf in policies.shelves(self.action, &self.resource, self.above.as_ref()) {
            let response = Authorizer::new().is_authorized(&request, shelf, &self.entities);
            let mut reasons = response.diagnostics().reason().map(|id| policies.known(id)).peekable();
            match response.decision() {
                Decision::Allow => permits.extend(reasons),
                // A deny with reasons is a forbid; without, nothing permitted.
                Decision::Deny => {
                    debug_assert!(reasons.peek().is_none_or(|k| k.effect == Effect::Forbid));
                    forbids.extend(reasons);
                }
            }
            for AuthorizationError::PolicyEvaluationError(e) in response.diagnostics().errors() {
                failures.push(Failure {
                    policy: policies.known(e.policy_id()).policy.clone(),
                    error: e.inner().to_string(),
                });
            }
        }
        if !failures.is_empty() {
            failures.sort_by(|a, b| a.policy.cmp(&b.policy));
            return Verdict::Failed { failures };
        }
        let refs = |known: Vec<&crate::set::Known>| {
            let mut refs: Vec<PolicyRef> = known.into_iter().map(|k| k.policy.clone()).collect();
            refs.sort();
            refs
        };
        if !forbids.is_empty() {
            return Verdict::Forbidden { policies: refs(forbids) };
        }
        if !permits.is_empty() {
            return Verdict::Permitted { policies: refs(permits) };
        }
        Verdict::NotPermitted
    }

    #[cfg(test)]
    pub(crate) fn request(&self, act: &Act, found: &Found) -> Result<Request, String> {
        self.request_told(act, found, &self.told)
    }

    fn request_told(&self, act: &Act, found: &Found, told: &Told) -> Result<Request, String> {
        let (asked, now) = match act {
            Act::Use(used) => {
                let met = found.quorums.iter().map(|q| entity(EntityKind::Quorum, q));
                let confirmed = Value::new_bool(found.confirmation.is_given());
                let held = [("quorums", Value::new_set(met)), (READ_AS, confirmed)];
                (asked_of_use(&used.asked), moment(self.at, told, held))
            }
            Act::Administer { subject, second_factor_age_s } => {
                let subject = Some(("subject", text(subject)));
                (subject.into_iter().chain(mfa(*second_factor_age_s)).collect(), moment(self.at, told, []))
            }
            Act::Revoke { second_factor_age_s, .. }
            | Act::ViewSessions { second_factor_age_s, .. }
            | Act::ReadEvidence { second_factor_age_s, .. }
            | Act::Serve { second_factor_age_s, .. } => {
                (mfa(*second_factor_age_s).into_iter().collect(), moment(self.at, told, []))
            }
        };
        let pairs = [("asked".to_owned(), record(asked)?), ("now".to_owned(), record(now)?)];
        let context = Context::from_pairs(pairs).map_err(|e| e.to_string())?;
        let action = uid(EntityKind::Action, self.action.as_str());
        Request::new(self.principal.clone(), action, self.resource.clone(), context, None).map_err(|e| e.to_string())
    }

    #[cfg(test)]
    pub(crate) fn entities(&self) -> &Entities {
        &self.entities
    }
}

impl PolicySet {
    /// Which of the quorums named in these policies are met on these facts, as written there. // I8
    #[must_use]
    pub fn quorums_met(&self, input: &Input) -> BTreeSet<String> {
        let Act::Use(used) = &input.act else { return BTreeSet::new() };
        let voices = Voices::of(&used.approvals, &used.parties(&input.principal));
        self.quorums().iter().filter(|q| q.is_met(&voices)).map(|q| q.text().to_owned()).collect()
    }
}

type Pair = (&'static str, Value);

fn asked_of_use(asked: &AskedFacts) -> Vec<Pair> {
    let mut pairs = vec![
        ("duration_s", Value::new_long(secs_up(asked.duration))),
        ("start_in_s", Value::new_long(asked.start_in.secs())),
        ("purpose", entity(EntityKind::Purpose, asked.purpose.as_str())),
        ("reason_given", Value::new_bool(asked.reason_given)),
        ("ticket_given", Value::new_bool(asked.ticket.is_some())),
        ("for_other", Value::new_bool(asked.requester != asked.beneficiary)),
        ("one_statement", Value::new_bool(asked.one_statement)),
        ("claims", entity(EntityKind::Claims, ASKED)),
    ];
    pairs.extend(asked.ticket.as_ref().map(|t| ("ticket", text(&t.to_string()))));
    pairs.extend(mfa(asked.second_factor_age_s));
    pairs
}

fn mfa(age_s: Option<i64>) -> Option<Pair> {
    age_s.map(|age| ("mfa_age_s", Value::new_long(age)))
}

fn moment<const N: usize>(at: Time, told: &Told, more: [Pair; N]) -> Vec<Pair> {
    let hours = at.micros().div_euclid(3_600_000_000);
    // 1970-01-01 was a Thursday, the fourth day of its week.
    let weekday = (hours.div_euclid(24) + 3).rem_euclid(7) + 1;
    let mut pairs =
        vec![("hour_utc", Value::new_long(hours.rem_euclid(24))), ("weekday_utc", Value::new_long(weekday))];
    pairs.extend(said(at, told));
    pairs.extend(more);
    pairs
}

/// What transmitters of signals said, and how long ago it came to be so.
fn said(at: Time, told: &Told) -> impl Iterator<Item = Pair> {
    fn pairs<T>(
        at: Time,
        since: Option<&Since<T>>,
        (name, age): (&'static str, &'static str),
        value: impl Fn(&T) -> Value,
    ) -> impl Iterator<Item = Pair> {
        let pairs =
            since.map(|since| [(name, value(&since.what)), (age, Value::new_long(at.since(since.at).secs().max(0)))]);
        pairs.into_iter().flatten()
    }
    let risk = pairs(at, told.risk.as_ref(), ("risk_level", "risk_age_s"), |r| entity(EntityKind::Risk, r.as_str()));
    let device = pairs(at, told.device.as_ref(), ("device_compliance", "device_age_s"), |c| {
        entity(EntityKind::Compliance, c.as_str())
    });
    let assurance =
        pairs(at, told.assurance.as_ref(), ("assurance_level", "assurance_age_s"), |level| text(level.as_str()));
    risk.chain(device).chain(assurance)
}

fn record(pairs: Vec<Pair>) -> Result<Value, String> {
    Value::new_record(pairs.into_iter().map(|(k, v)| (k.to_owned(), v))).map_err(|e| e.to_string())
}

fn text(value: &str) -> Value {
    Value::new_string(value.to_owned())
}

fn entity(kind: EntityKind, id: &str) -> Value {
    Value::new_entity_uid(uid(kind, id))
}

fn installation() -> EntityUid {
    uid(EntityKind::Installation, INSTALLATION)
}

type Added = BTreeMap<EntityUid, Entity>;

fn add<'a>(
    entities: &mut Added,
    uid: &EntityUid,
    attributes: Vec<Pair>,
    parents: impl IntoIterator<Item = EntityUid>,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), String> {
    let attributes = attributes.into_iter().map(|(k, v)| (k.to_owned(), v));
    let tags = tags.into_iter().map(|(k, v)| (k.to_owned(), text(v)));
    let made = Entity::new_with_tags(uid.clone(), attributes, parents, tags).map_err(|e| e.to_string())?;
    entities.insert(uid.clone(), made);
    Ok(())
}

fn add_groups<'a>(entities: &mut Added, names: impl IntoIterator<Item = &'a Name>) -> Vec<EntityUid> {
    let groups: Vec<EntityUid> = names.into_iter().map(|g| uid(EntityKind::Group, g)).collect();
    for group in &groups {
        entities.entry(group.clone()).or_insert_with(|| Entity::with_uid(group.clone()));
    }
    groups
}

fn add_party(entities: &mut Added, party: &Party) -> Result<EntityUid, String> {
    let groups = add_groups(entities, &party.groups);
    let name = ("name", text(party.name.as_str()));
    match &party.kind {
        PartyKind::User => {
            let user = uid(EntityKind::User, &party.name);
            add(entities, &user, vec![name], groups, [])?;
            Ok(user)
        }
        PartyKind::Workload { owner } => {
            let theirs = add_groups(entities, &owner.groups);
            let held = uid(EntityKind::User, &owner.name);
            add(entities, &held, vec![("name", text(owner.name.as_str()))], theirs, [])?;
            let workload = uid(EntityKind::Workload, &party.name);
            let attributes = vec![name, ("owner", Value::new_entity_uid(held))];
            add(entities, &workload, attributes, groups, [])?;
            Ok(workload)
        }
    }
}

fn add_thing(entities: &mut Added, thing: &Thing) -> Result<EntityUid, String> {
    let resource = uid(EntityKind::Resource, &thing.name);
    add_groups(entities, [&thing.owner]);
    let classes = thing.classification.iter().map(|c| entity(EntityKind::Classification, c.as_str()));
    let attributes = vec![
        ("name", text(thing.name.as_str())),
        ("kind", entity(EntityKind::Kind, thing.kind.as_str())),
        ("region", text(thing.region.as_str())),
        ("owner", entity(EntityKind::Group, thing.owner.as_str())),
        ("environment", entity(EntityKind::Environment, thing.environment.as_str())),
        ("classification", Value::new_set(classes)),
    ];
    let tags = thing.tags.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    add(entities, &resource, attributes, [], tags)?;
    Ok(resource)
}

fn add_role(entities: &mut Added, thing: &Thing, role: &Name) -> Result<(EntityUid, EntityUid), String> {
    let resource = add_thing(entities, thing)?;
    // Neither name can hold a slash, so no two roles share this id.
    let uid = uid(EntityKind::Role, format!("{}/{role}", thing.name));
    let attributes = vec![("name", text(role.as_str())), ("resource", Value::new_entity_uid(resource.clone()))];
    add(entities, &uid, attributes, [resource.clone()], [])?;
    Ok((uid, resource))
}
