//! Unlabelled is most sensitive: a policy set that would give away what nobody labelled is refused.
//!
//! The check asks the evaluator: it makes up requests for an unlabelled resource that nobody approved, out of everything
//! that a policy names, and looks for one that is permitted. It tries cases; it doesn't prove. What it tries is the most
//! that the words of each policy can be about: its groups, users, names, strings, hours and purposes, one after the other
//! and all together.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Effect;
use daypass_domain::{
    Name, PrincipalId, ResourceId, Span, Time,
    principal::{Kind, Principal, Standing},
    request::{Purpose, TicketRef},
    resource::Labels,
    signals::{AssuranceLevel, Compliance, RiskLevel, Since, Told},
    trust::{ATTRIBUTES_MAX, Attributes},
};

use crate::{
    Act, AskedFacts, Holder, Input, Party, PartyKind, PolicySet, Thing, Use, Verdict,
    evaluate::Case,
    input::ThingKind,
    literals::Literals,
    owner::Found,
    schema::{ActionWord, EntityKind},
    set::Known,
};

/// The most cases that are tried for one policy.
const CASES_MAX: usize = 400_000;

/// The group that owns what is made up.
const OWNERS: &str = "owners";

/// Why a policy set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardRefusal {
    /// It permits what nobody labelled to somebody whom nobody approved.
    #[error(
        "these policies would let {who} use {what}, which nobody labelled, without another person's approval (by {}): \
         ask for a quorum, or for a label such as `resource.resource.environment == Environment::\"lab\"`",
        policies.join(", ")
    )]
    Permits {
        /// Who, for example.
        who: String,
        /// What, for example: `orders/readonly`.
        what: String,
        /// The policies that permit it.
        policies: Vec<String>,
    },
    /// A policy names so much that it can't be checked.
    #[error(
        "the policy {policy} names so many things that it can't be checked whether it gives away what nobody labelled: \
         split it, or say with groups and labels what it lists by name"
    )]
    TooMuch {
        /// Which.
        policy: String,
    },
}

/// Refuses policies under which an unlabelled resource could be used without another person's approval.
///
/// # Errors
/// With an example that the evaluator permits, or the policy that can't be checked.
pub fn refuse_unlabelled_without_approval(policies: &PolicySet) -> Result<(), GuardRefusal> {
    let uses = |known: &&Known| known.actions.contains(&ActionWord::Use);
    let mut forbids = Literals::default();
    for known in policies.all_known().filter(uses).filter(|k| k.effect == Effect::Forbid) {
        forbids.extend(&known.literals);
    }
    for permit in policies.all_known().filter(uses).filter(|k| k.effect == Effect::Permit) {
        let mut literals = forbids.clone();
        literals.extend(&permit.literals);
        let Ok(made_up) = MadeUp::of(&literals, &permit.literals) else {
            return Err(GuardRefusal::TooMuch { policy: permit.policy.id.clone() });
        };
        made_up.try_all(policies)?;
    }
    Ok(())
}

/// Everything to make up requests of.
struct MadeUp {
    parties: Vec<Party>,
    things: Vec<(Thing, Name)>,
    moments: Vec<Time>,
    asked: Vec<AskedFacts>,
    /// What tokens of workloads could say; a person's say nothing.
    claims: Vec<Attributes>,
}

impl MadeUp {
    /// Of what a permit and all forbids name; `permit` is what the permit names alone.
    fn of(literals: &Literals, permit: &Literals) -> Result<Self, TooMuch> {
        let made_up = Self {
            parties: parties(literals, &told(literals, permit)),
            things: things(literals),
            moments: moments(literals),
            asked: asked(literals)?,
            claims: claims(literals)?,
        };
        if made_up.cases() > CASES_MAX { Err(TooMuch) } else { Ok(made_up) }
    }

    fn cases(&self) -> usize {
        let said = self.parties.iter().map(|party| self.said_by(party).len()).sum();
        [self.things.len(), self.moments.len(), self.asked.len()].into_iter().fold(said, usize::saturating_mul)
    }

    /// What a token of this party could say; the first of all is nothing.
    fn said_by(&self, party: &Party) -> &[Attributes] {
        match party.kind {
            PartyKind::User => self.claims.get(..1).unwrap_or_default(),
            PartyKind::Workload { .. } => &self.claims,
        }
    }

    fn try_all(&self, policies: &PolicySet) -> Result<(), GuardRefusal> {
        for party in &self.parties {
            for (thing, role) in &self.things {
                for at in &self.moments {
                    for said in self.said_by(party) {
                        self.try_asking(policies, party, (thing, role), said, *at)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn try_asking(
        &self,
        policies: &PolicySet,
        party: &Party,
        (thing, role): (&Thing, &Name),
        said: &Attributes,
        at: Time,
    ) -> Result<(), GuardRefusal> {
        let asking = |asked: &AskedFacts| AskedFacts { claims: said.clone(), ..asked.clone() };
        let Some(first) = self.asked.first() else { return Ok(()) };
        let (resource, approvals) = (thing.clone(), Vec::new());
        // A confirmation suffices where the owner is permitted it by nobody's approval: that is a case of its own here.
        let used = Use { resource, role: role.clone(), asked: asking(first), approvals, confirmation: None };
        let principal = Party { told: aged(&party.told, at), ..party.clone() };
        let mut input = Input { at, principal, act: Act::Use(Box::new(used)) };
        // What Cedar won't take is a no when it is judged, too.
        let Ok(case) = Case::of(&input) else { return Ok(()) };
        for asked in &self.asked {
            if let Act::Use(used) = &mut input.act {
                used.asked = asking(asked);
            }
            let verdict = case.judge(policies, &input.act, &Found::default());
            if verdict.is_permitted() {
                return Err(permits(party, thing, role, &verdict));
            }
        }
        Ok(())
    }
}

/// There are more cases than are tried.
struct TooMuch;

fn permits(party: &Party, thing: &Thing, role: &Name, verdict: &Verdict) -> GuardRefusal {
    let groups = party.groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let kind = match party.kind {
        PartyKind::User => "a user",
        PartyKind::Workload { .. } => "a workload",
    };
    let within = if groups.is_empty() { "in no group".to_owned() } else { format!("in {groups}") };
    GuardRefusal::Permits {
        who: format!("{kind} named {} {within}", party.name),
        what: format!("{}/{role}", thing.name),
        policies: verdict.policies().map(|p| p.id.clone()).collect(),
    }
}

/// What could be asked: for oneself and for another, with every purpose, ticket and number that policies could mean.
fn asked(literals: &Literals) -> Result<Vec<AskedFacts>, TooMuch> {
    let holder = user(1, name("somebody"), BTreeSet::new()).person;
    let other = user(u8::MAX, name("somebody-else"), BTreeSet::new()).person;
    let base = AskedFacts {
        requester: holder,
        beneficiary: holder,
        duration: Span::from_secs(60),
        start_in: Span::ZERO,
        purpose: Purpose::Operations,
        reason_given: true,
        ticket: None,
        second_factor_age_s: Some(0),
        one_statement: false,
        claims: Attributes::default(),
    };
    let mut all = vec![base];
    if literals.reads("for_other") {
        vary(&mut all, &[holder, other], |a, who| a.requester = *who)?;
    }
    if literals.reads("reason_given") {
        vary(&mut all, &[true, false], |a, given| a.reason_given = *given)?;
    }
    if literals.reads("one_statement") {
        vary(&mut all, &[false, true], |a, one| a.one_statement = *one)?;
    }
    vary(&mut all, &purposes(literals), |a, purpose| a.purpose = *purpose)?;
    vary(&mut all, &tickets(literals), |a, ticket| a.ticket = ticket.clone())?;
    let numbers = |attribute: &str, first: i64| {
        let read: BTreeSet<i64> =
            around(literals, attribute).filter(|n| *n >= 0 && literals.reads(attribute)).collect();
        read.into_iter().chain([first]).collect::<Vec<i64>>()
    };
    let span = |s: i64| Span::from_micros(s.saturating_mul(1_000_000));
    vary(&mut all, &numbers("duration_s", 60), |a, s| a.duration = span(*s))?;
    vary(&mut all, &numbers("start_in_s", 0), |a, s| a.start_in = span(*s))?;
    vary(&mut all, &numbers("mfa_age_s", 0), |a, s| a.second_factor_age_s = Some(*s))?;
    if literals.reads("mfa_age_s") {
        let mut without = all.clone();
        without.iter_mut().for_each(|a| a.second_factor_age_s = None);
        all.extend(without);
    }
    Ok(all)
}

/// Each number that could matter to an attribute, and its neighbours.
fn around(literals: &Literals, attribute: &str) -> impl Iterator<Item = i64> {
    literals.numbers_of(attribute).flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)])
}

/// Each of `all` in each of these variations.
fn vary<T>(all: &mut Vec<AskedFacts>, variations: &[T], set: impl Fn(&mut AskedFacts, &T)) -> Result<(), TooMuch> {
    if all.len().saturating_mul(variations.len()) > CASES_MAX {
        return Err(TooMuch);
    }
    let varied = |a: &AskedFacts| {
        let each = |v| {
            let mut a = a.clone();
            set(&mut a, v);
            a
        };
        variations.iter().map(each).collect::<Vec<_>>()
    };
    *all = all.iter().flat_map(varied).collect();
    Ok(())
}

/// What a workload's token could say: nothing, every tag the same, and each tag one of the texts that it is held against.
fn claims(literals: &Literals) -> Result<Vec<Attributes>, TooMuch> {
    if !literals.reads("claims") {
        return Ok(vec![Attributes::default()]);
    }
    let mut all = vec![BTreeMap::new()];
    for (tag, texts) in &literals.tags {
        let with = |said: &BTreeMap<String, String>| {
            let with = |text: &String| {
                said.iter().map(|(k, v)| (k.clone(), v.clone())).chain([(tag.clone(), text.clone())]).collect()
            };
            texts.iter().map(with).collect::<Vec<BTreeMap<String, String>>>()
        };
        let more: Vec<_> = all.iter().flat_map(with).collect();
        if all.len() + more.len() > CASES_MAX {
            return Err(TooMuch);
        }
        all.extend(more);
    }
    for word in &literals.strings {
        all.push(literals.strings.iter().map(|tag| (tag.clone(), word.clone())).collect());
    }
    let read = |said: BTreeMap<String, String>| {
        let named = said.into_iter().filter_map(|(tag, text)| Some((tag.parse().ok()?, Some(text))));
        Attributes::new(named.take(ATTRIBUTES_MAX)).ok()
    };
    Ok(all.into_iter().filter_map(read).collect())
}

/// Those that are named, and one that isn't.
fn purposes(literals: &Literals) -> Vec<Purpose> {
    let named = literals.ids(EntityKind::Purpose).collect::<BTreeSet<_>>();
    let is_named = |p: &Purpose| named.contains(p.as_str());
    let other = Purpose::ALL.into_iter().find(|p| !is_named(p));
    Purpose::ALL.into_iter().filter(is_named).chain(other).collect()
}

fn tickets(literals: &Literals) -> Vec<Option<TicketRef>> {
    let mut keys = BTreeSet::new();
    if literals.reads("ticket") || literals.reads("ticket_given") {
        keys.insert("TICKET-1".to_owned());
    }
    if literals.reads("ticket") {
        keys.extend(literals.strings.iter().cloned());
    }
    [None].into_iter().chain(keys.into_iter().filter_map(|k| TicketRef::try_from(k).ok()).map(Some)).collect()
}

/// Users and workloads: of no name that matters, and of each name; in no group, in each, and in all.
fn parties(literals: &Literals, told: &[Told]) -> Vec<Party> {
    let mut groups: BTreeSet<Name> = names(literals.ids(EntityKind::Group));
    if literals.reads("owner") {
        groups.insert(name(OWNERS));
    }
    let mut sets: BTreeSet<BTreeSet<Name>> = groups.iter().map(|g| BTreeSet::from([g.clone()])).collect();
    sets.extend([BTreeSet::new(), groups]);
    let with = |nobody: &'static str, kind| {
        let mut all = names(literals.ids(kind));
        all.extend(called(literals));
        all.insert(name(nobody));
        all
    };
    let (users, workloads) = (with("somebody", EntityKind::User), with("something", EntityKind::Workload));
    let mut parties = Vec::new();
    for groups in &sets {
        for who in &users {
            let party = user(1, who.clone(), groups.clone());
            parties.push(party.clone());
            for what in &workloads {
                let owner = Holder { id: party.id, name: who.clone(), groups: groups.clone() };
                let kind = PartyKind::Workload { owner };
                parties.push(Party { id: id(2), name: what.clone(), kind, ..party.clone() });
            }
        }
    }
    parties.iter().flat_map(|p| told.iter().map(|t| Party { told: t.clone(), ..p.clone() })).collect()
}

/// What transmitters of signals could say of somebody: nothing, and each thing that the permit reads, of each age that it
/// compares; and both with the best that could be said beside it, where a forbid reads that. Counted from a moment that is
/// zero; see [`aged`].
fn told(literals: &Literals, permit: &Literals) -> Vec<Told> {
    let mut all = vec![Told::default()];
    let risks = said(permit, "risk_level", "risk_age_s", &RiskLevel::ALL);
    all = all.iter().flat_map(|t| risks.iter().map(|risk| Told { risk: risk.clone(), ..t.clone() })).collect();
    let devices = said(permit, "device_compliance", "device_age_s", &Compliance::ALL);
    all = all.iter().flat_map(|t| devices.iter().map(|device| Told { device: device.clone(), ..t.clone() })).collect();
    let levels = permit.strings.iter().map(String::as_str).chain(["none-that-is-named"]);
    let levels: Vec<AssuranceLevel> = levels.filter_map(|level| AssuranceLevel::new(None, level).ok()).collect();
    let levels = said(permit, "assurance_level", "assurance_age_s", &levels);
    let with = |t: &Told| levels.iter().map(|a| Told { assurance: a.clone(), ..t.clone() }).collect::<Vec<_>>();
    all = all.iter().flat_map(with).collect();
    let read = |attributes: [&str; 2]| attributes.iter().any(|attribute| literals.reads(attribute));
    let now = Time::from_micros(0);
    let named = literals.assurance_levels.iter().find_map(|level| AssuranceLevel::new(None, level).ok());
    let best = Told {
        risk: read(["risk_level", "risk_age_s"]).then_some(Since { what: RiskLevel::Low, at: now }),
        device: read(["device_compliance", "device_age_s"]).then_some(Since { what: Compliance::Compliant, at: now }),
        assurance: named.map(|what| Since { what, at: now }),
    };
    if !best.is_empty() {
        let filled = |t: &Told| Told {
            risk: t.risk.clone().or_else(|| best.risk.clone()),
            device: t.device.clone().or_else(|| best.device.clone()),
            assurance: t.assurance.clone().or_else(|| best.assurance.clone()),
        };
        let more: Vec<Told> = all.iter().map(filled).filter(|t| !all.contains(t)).collect();
        all.extend(more);
    }
    all
}

/// Nothing, and where a policy reads it, each of these, of each age that it compares.
fn said<T: Clone>(permit: &Literals, value: &str, age: &str, each: &[T]) -> Vec<Option<Since<T>>> {
    let mut all = vec![None];
    if !permit.reads(value) && !permit.reads(age) {
        return all;
    }
    let read = around(permit, age).filter(|n| (0..=AGE_MAX_S).contains(n) && permit.reads(age));
    let ages: BTreeSet<i64> = read.chain([0]).collect();
    for age in ages {
        let at = Time::from_micros(age.saturating_mul(-1_000_000));
        all.extend(each.iter().map(|what| Some(Since { what: what.clone(), at })));
    }
    all
}

/// The oldest that anything made up is: some thousand years.
const AGE_MAX_S: i64 = 100_000_000_000;

/// The same, as it would be at this moment.
fn aged(told: &Told, at: Time) -> Told {
    fn moved<T: Clone>(since: &Option<Since<T>>, at: Time) -> Option<Since<T>> {
        let then = |since: &Since<T>| Time::from_micros(since.at.micros().saturating_add(at.micros()));
        since.as_ref().map(|since| Since { what: since.what.clone(), at: then(since) })
    }
    Told { risk: moved(&told.risk, at), device: moved(&told.device, at), assurance: moved(&told.assurance, at) }
}

/// Unlabelled resources with a role: of each name, owned by each group, in each region and with each tag that a string
/// of the policies could mean.
fn things(literals: &Literals) -> Vec<(Thing, Name)> {
    let mut things = Vec::new();
    for (resource, role) in places(literals) {
        for owner in owners(literals) {
            for (region, tags) in marks(literals) {
                let thing = thing(resource.clone(), owner.clone(), region, tags);
                things.push((thing, role.clone()));
            }
        }
    }
    things
}

/// An unlabelled resource.
fn thing(called: Name, owner: Name, region: Name, tags: BTreeMap<Name, Name>) -> Thing {
    let Labels { environment, classification, tags: _ } = Labels::default();
    let id = ResourceId::new(Time::from_micros(0), [3; 10]);
    Thing { id, name: called, kind: ThingKind::Postgres, region, owner, environment, classification, tags }
}

/// Names of resources and roles.
fn places(literals: &Literals) -> BTreeSet<(Name, Name)> {
    let mut places = BTreeSet::from([(name("unlabelled"), name("role"))]);
    places.extend(names(literals.ids(EntityKind::Resource)).into_iter().map(|r| (r, name("role"))));
    for (resource, role) in literals.ids(EntityKind::Role).filter_map(|r| r.split_once('/')) {
        places.extend(resource.parse().ok().zip(role.parse().ok()));
    }
    let words = called(literals);
    let renamed: Vec<(Name, Name)> = places
        .iter()
        .flat_map(|(resource, role)| {
            let other_role = words.iter().map(|w| (resource.clone(), w.clone()));
            let other_resource = words.iter().map(|w| (w.clone(), role.clone()));
            other_role
                .chain(other_resource)
                .chain(words.iter().flat_map(|r| words.iter().map(|w| (r.clone(), w.clone()))))
        })
        .collect();
    places.extend(renamed);
    places
}

fn owners(literals: &Literals) -> BTreeSet<Name> {
    let mut owners = BTreeSet::from([name(OWNERS)]);
    if literals.reads("owner") {
        owners.extend(names(literals.ids(EntityKind::Group)));
    }
    owners
}

/// Regions and tags: nobody's, and every string where policies read them.
fn marks(literals: &Literals) -> Vec<(Name, BTreeMap<Name, Name>)> {
    let strings = names(literals.strings.iter().map(String::as_str));
    let mut regions = BTreeSet::from([name("nowhere")]);
    if literals.reads("region") {
        regions.extend(strings.iter().cloned());
    }
    let mut tags = vec![BTreeMap::new()];
    if literals.reads_tags {
        let all = |word: &Name| strings.iter().map(|key| (key.clone(), word.clone())).collect();
        tags.extend(strings.iter().map(all));
    }
    regions.into_iter().flat_map(|region| tags.iter().map(move |t| (region.clone(), t.clone()))).collect()
}

/// The strings that a `name` could be compared with, where policies read a name.
fn called(literals: &Literals) -> BTreeSet<Name> {
    if literals.reads("name") { names(literals.strings.iter().map(String::as_str)) } else { BTreeSet::new() }
}

/// One moment, or every hour and every day of a week where policies read them.
fn moments(literals: &Literals) -> Vec<Time> {
    let hours = if literals.reads("hour_utc") { 24 } else { 1 };
    let days = if literals.reads("weekday_utc") { 7 } else { 1 };
    let at = |day: i64, hour: i64| Time::from_micros((day * 24 + hour) * 3_600_000_000);
    (0..days).flat_map(|day| (0..hours).map(move |hour| at(day, hour))).collect()
}

fn names<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeSet<Name> {
    texts.filter_map(|t| t.parse().ok()).collect()
}

fn name(text: &'static str) -> Name {
    // Only the plain words in this file get here, and tests make them all.
    text.parse().expect("a plain word")
}

fn id(n: u8) -> PrincipalId {
    PrincipalId::new(Time::from_micros(0), [n; 10])
}

fn user(n: u8, called: Name, groups: BTreeSet<Name>) -> Party {
    let of = Principal { id: id(n), name: called.clone(), kind: Kind::User, standing: Standing::Active };
    let told = Told::default();
    Party { id: of.id, name: called, person: of.person(), kind: PartyKind::User, active: true, groups, told }
}
