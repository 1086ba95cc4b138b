//! Policies that were read and checked, arranged so that judging looks only at those that could apply.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicyId, PrincipalConstraint, ResourceConstraint};
use daypass_domain::{Digest, Name, Span, Time};

use crate::{
    PolicyRef,
    literals::Literals,
    problem::{Place, PolicyProblem},
    quorum::Quorum,
    reading,
    schema::{ActionWord, EntityKind, id_of},
};

/// The most files in a policy set.
pub const FILES_MAX: usize = 256;

/// The most bytes in all files of a policy set together.
pub const BYTES_MAX: usize = 1 << 20;

/// The stack that policies are parsed on: virtual memory, of which only what is touched is taken.
const PARSE_STACK_BYTES: usize = 64 << 20;

/// Policies that were parsed and strictly validated. An empty set permits nothing.
#[derive(Debug, Clone)]
pub struct PolicySet {
    files: BTreeMap<String, String>,
    digest: Digest,
    known: BTreeMap<String, Known>,
    shelves: BTreeMap<ActionWord, Shelves>,
    quorums: Vec<Quorum>,
    literals: Literals,
}

/// What is known of one policy.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub policy: PolicyRef,
    pub place: Place,
    pub effect: Effect,
    pub actions: BTreeSet<ActionWord>,
    pub literals: Literals,
    /// Whether its scope limits who.
    pub names_principal: bool,
}

/// The policies of one action: those that name a role or a resource in their scope stand apart, and are looked at only
/// where it is that one. What isn't looked at could neither apply nor fail: Cedar evaluates a scope before conditions.
#[derive(Debug, Clone, Default)]
struct Shelves {
    general: cedar_policy::PolicySet,
    named: HashMap<EntityUid, cedar_policy::PolicySet>,
}

impl PolicySet {
    /// Reads and checks policies: file name to text. Nothing is accepted that isn't wholly understood.
    ///
    /// # Errors
    /// All problems found, in the order of files and places. Files are parsed first, and only if all parse is the rest
    /// checked.
    pub fn parse(files: &BTreeMap<String, String>) -> Result<Self, Vec<PolicyProblem>> {
        // Cedar's validator takes over 10 KiB of stack for each operator of a chain, more than small threads have for
        // what is allowed here; so it gets a stack of its own.
        let own = std::thread::Builder::new().name("policy-parse".into()).stack_size(PARSE_STACK_BYTES);
        let parsed = std::thread::scope(|scope| {
            own.spawn_scoped(scope, || Self::parse_here(files)).map(std::thread::ScopedJoinHandle::join)
        });
        let failed = |what: &str| {
            let (file, help) = ("(all files)".to_owned(), "Try again; if that doesn't help, report it".to_owned());
            Err(vec![PolicyProblem { file, place: Place::START, policy: None, what: what.to_owned(), help }])
        };
        match parsed {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => failed("the policies couldn't be read: the parser gave up on them"),
            Err(e) => failed(&format!("the policies couldn't be read: no thread to read them on ({e})")),
        }
    }

    fn parse_here(files: &BTreeMap<String, String>) -> Result<Self, Vec<PolicyProblem>> {
        let read = reading::read(files)?;
        let mut set = Self {
            files: files.clone(),
            digest: Digest::of_value("policy set", files),
            known: BTreeMap::new(),
            shelves: BTreeMap::new(),
            quorums: Vec::new(),
            literals: Literals::default(),
        };
        for (policy, file, place) in read {
            set.shelve(policy, file, place);
        }
        let named: BTreeSet<&str> = set.literals.ids(EntityKind::Quorum).collect();
        // They were parsed once while reading, so that none is lost here.
        set.quorums = named.into_iter().filter_map(|text| text.parse().ok()).collect();
        set.quorums.sort_by_key(|q| (q.people(), q.text().to_owned()));
        Ok(set)
    }

    /// The set without any policy: it permits nothing.
    #[must_use]
    pub fn empty() -> Self {
        let files = BTreeMap::new();
        Self {
            digest: Digest::of_value("policy set", &files),
            files,
            known: BTreeMap::new(),
            shelves: BTreeMap::new(),
            quorums: Vec::new(),
            literals: Literals::default(),
        }
    }

    fn shelve(&mut self, policy: Policy, file: String, place: Place) {
        let id = policy.id().to_string();
        let why = policy.annotation("why").filter(|w| !w.is_empty()).map(ToOwned::to_owned);
        let literals = Literals::of(&policy);
        self.literals.extend(&literals);
        let actions = actions_of(&policy);
        for action in &actions {
            let shelves = self.shelves.entry(*action).or_default();
            let shelf = match policy.resource_constraint() {
                ResourceConstraint::Any | ResourceConstraint::Is(_) => &mut shelves.general,
                ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => {
                    shelves.named.entry(uid).or_default()
                }
            };
            // Ids are distinct (checked while reading), which is all that adding can stumble over; and if it ever did,
            // the policy would be missing from `known` as well, and `parse` would be wrong in a way that tests see.
            if let Err(e) = shelf.add(policy.clone()) {
                debug_assert!(false, "{e}");
            }
        }
        let names_principal = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => false,
            PrincipalConstraint::In(_) | PrincipalConstraint::Eq(_) | PrincipalConstraint::IsIn(_, _) => true,
        };
        let effect = policy.effect();
        let policy = PolicyRef { id: id.clone(), file, why };
        self.known.insert(id, Known { policy, place, effect, actions, literals, names_principal });
    }

    /// The digest of the sources: every file's name and text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The sources, as they were given.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// All policies, by id.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyRef> {
        self.known.values().map(|k| &k.policy)
    }

    /// The quorums that the policies name, from the fewest people to the most.
    #[must_use]
    pub fn quorums(&self) -> &[Quorum] {
        &self.quorums
    }

    /// When a verdict of these policies could change by the clock alone, if it could: the next full hour, where they read
    /// hours and weekdays; the next second, where they read how old something is that a signal said. // I2
    #[must_use]
    pub fn next_change(&self, now: Time) -> Option<Time> {
        const SECOND: i64 = 1_000_000;
        const HOUR: i64 = 3_600 * SECOND;
        let next = |unit: i64| Time::from_micros((now.micros().div_euclid(unit) + 1).saturating_mul(unit));
        if self.literals.reads_ages() {
            return Some(next(SECOND));
        }
        self.literals.reads_clock().then(|| next(HOUR))
    }

    /// What may be meant otherwise, though it is valid: groups that don't exist (`known_groups` are those that do), and
    /// policies that permit without anything that must stay true.
    #[must_use]
    pub fn warnings(&self, known_groups: &BTreeSet<Name>) -> Vec<PolicyProblem> {
        let mut warnings = Vec::new();
        for known in self.known.values() {
            warnings.extend(known.unknown_groups(known_groups));
            warnings.extend(known.holds_nothing());
        }
        warnings.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
        warnings
    }

    pub(crate) fn shelves<'a>(
        &'a self,
        action: ActionWord,
        resource: &EntityUid,
        above: Option<&EntityUid>,
    ) -> impl Iterator<Item = &'a cedar_policy::PolicySet> + use<'a> {
        let shelves = self.shelves.get(&action);
        let named = |uid: &EntityUid| shelves.and_then(|s| s.named.get(uid));
        [shelves.map(|s| &s.general), named(resource), above.and_then(named)].into_iter().flatten()
    }

    pub(crate) fn known(&self, id: &PolicyId) -> &Known {
        // Only policies that `shelve` put on a shelf are evaluated, and it notes every one of them here.
        &self.known[<PolicyId as AsRef<str>>::as_ref(id)]
    }

    pub(crate) fn all_known(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    pub(crate) fn literals(&self) -> &Literals {
        &self.literals
    }
}

impl Known {
    fn unknown_groups(&self, known_groups: &BTreeSet<Name>) -> Vec<PolicyProblem> {
        let mut named: BTreeMap<String, &str> = BTreeMap::new();
        for text in self.literals.ids(EntityKind::Quorum) {
            let quorum: Option<Quorum> = text.parse().ok();
            let groups = quorum.iter().flat_map(Quorum::groups).map(ToString::to_string).collect::<Vec<_>>();
            named.extend(groups.into_iter().map(|g| (g, "nobody can meet the quorum that asks for it")));
        }
        named.extend(self.literals.ids(EntityKind::Group).map(|g| (g.to_owned(), "nobody is in it")));
        let exists = |name: &str| name.parse::<Name>().is_ok_and(|n| known_groups.contains(&n));
        named.retain(|name, _| !exists(name));
        named
            .into_iter()
            .map(|(name, so)| {
                self.warn(format!("there is no group `{name}`, so {so}"), "Make the group, or correct the name")
            })
            .collect()
    }

    /// A permit to use anything that reads nothing that must stay true ends by its deadline only.
    fn holds_nothing(&self) -> Option<PolicyProblem> {
        let lab = self.literals.ids(EntityKind::Environment).any(|e| e == "lab");
        let holds = self.names_principal || self.literals.reads_principal || self.literals.reads("now");
        let gives = self.effect == Effect::Permit && self.actions.contains(&ActionWord::Use);
        (gives && !holds && !lab).then(|| {
            self.warn(
                "it permits anybody to use something, and nothing that must stay true".into(),
                "Ask for a quorum, a group or hours, so that a grant ends when that is gone; or limit it to labs",
            )
        })
    }

    fn warn(&self, what: String, help: &str) -> PolicyProblem {
        let PolicyRef { id, file, why: _ } = &self.policy;
        PolicyProblem { file: file.clone(), place: self.place, policy: Some(id.clone()), what, help: help.into() }
    }
}

/// The actions that a policy could apply to.
fn actions_of(policy: &Policy) -> BTreeSet<ActionWord> {
    let named = match policy.action_constraint() {
        ActionConstraint::Any => return ActionWord::ALL.into(),
        ActionConstraint::Eq(uid) => vec![uid],
        ActionConstraint::In(uids) => uids,
    };
    let is_named = |action: &ActionWord| named.iter().any(|u| id_of(EntityKind::Action, u) == Some(action.as_str()));
    ActionWord::ALL.into_iter().filter(is_named).collect()
}

/// A length of time in whole seconds, rounded up: "at most an hour" isn't an hour and a half second.
pub(crate) fn secs_up(span: Span) -> i64 {
    span.micros().saturating_add(999_999) / 1_000_000
}
