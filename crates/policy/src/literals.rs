//! What a policy names: read from its parsed form, to find which quorums there are, what could be tried, and what is
//! named but doesn't exist.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{EntityUid, Policy};
use serde_json::Value;

use crate::schema::{EntityKind, id_of};

/// What a policy, or several, name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Literals {
    pub entities: BTreeSet<EntityUid>,
    /// Every string that is compared with, and every pattern as a string that matches it.
    pub strings: BTreeSet<String>,
    /// Patterns that `context.asked.ticket` is held against: as written, and a key that matches.
    pub ticket_patterns: BTreeSet<(String, String)>,
    /// Levels of assurance that `context.now.assurance_level` is compared with.
    pub assurance_levels: BTreeSet<String>,
    /// Numbers, wherever they stand.
    numbers: BTreeSet<i64>,
    /// Those that an attribute is compared with, by the attribute.
    compared: BTreeMap<String, BTreeSet<i64>>,
    /// Whether numbers do more than to be compared with an attribute: in sums, say, or where two attributes are compared.
    calculates: bool,
    /// The attributes that are read, of whatever.
    pub attributes: BTreeSet<String>,
    /// Whether a condition reads anything of the principal.
    pub reads_principal: bool,
    /// Whether it reads tags.
    pub reads_tags: bool,
    /// What each tag is held against: the tag's name, and texts that it could be.
    pub tags: BTreeMap<String, BTreeSet<String>>,
}

impl Literals {
    pub(crate) fn of(policy: &Policy) -> Self {
        let mut found = Self { entities: policy.entity_literals().into_iter().collect(), ..Self::default() };
        // A policy that was parsed goes to JSON; if it ever didn't, what it names would only be tried less.
        if let Ok(Value::Object(mut json)) = policy.to_json()
            && let Some(conditions) = json.remove("conditions")
        {
            found.walk(&conditions);
        }
        found
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.entities.extend(other.entities.iter().cloned());
        self.strings.extend(other.strings.iter().cloned());
        self.ticket_patterns.extend(other.ticket_patterns.iter().cloned());
        self.assurance_levels.extend(other.assurance_levels.iter().cloned());
        self.numbers.extend(&other.numbers);
        for (attribute, numbers) in &other.compared {
            self.compared.entry(attribute.clone()).or_default().extend(numbers);
        }
        self.calculates |= other.calculates;
        self.attributes.extend(other.attributes.iter().cloned());
        self.reads_principal |= other.reads_principal;
        self.reads_tags |= other.reads_tags;
        for (tag, texts) in &other.tags {
            self.tags.entry(tag.clone()).or_default().extend(texts.iter().cloned());
        }
    }

    /// The ids of the entities of one kind.
    pub(crate) fn ids(&self, kind: EntityKind) -> impl Iterator<Item = &str> {
        self.entities.iter().filter_map(move |uid| id_of(kind, uid))
    }

    /// Whether it reads the clock.
    pub(crate) fn reads_clock(&self) -> bool {
        self.reads("hour_utc") || self.reads("weekday_utc")
    }

    /// Whether it reads how old something is that a transmitter of signals said.
    pub(crate) fn reads_ages(&self) -> bool {
        ["risk_age_s", "device_age_s", "assurance_age_s"].iter().any(|age| self.reads(age))
    }

    pub(crate) fn reads(&self, attribute: &str) -> bool {
        self.attributes.contains(attribute)
    }

    /// The numbers that could matter to an attribute: those that it is compared with; every one where policies calculate.
    pub(crate) fn numbers_of(&self, attribute: &str) -> impl Iterator<Item = i64> {
        let all = self.calculates.then_some(&self.numbers);
        all.or_else(|| self.compared.get(attribute)).into_iter().flatten().copied()
    }

    /// Walks Cedar's JSON form of expressions (its "EST"). The parser bounds how deep that is.
    fn walk(&mut self, json: &Value) {
        match json {
            Value::Object(map) => {
                self.note(map);
                for (sign, sides) in map {
                    match self.note_compared(sign, sides) {
                        Compared::WithNumbers { attribute } => self.walk(attribute),
                        Compared::Otherwise => self.walk(sides),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|v| self.walk(v)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn note(&mut self, map: &serde_json::Map<String, Value>) {
        match map.get("Value") {
            Some(Value::String(s)) => drop(self.strings.insert(s.clone())),
            Some(Value::Number(n)) => {
                // One that is only compared isn't walked to.
                self.numbers.extend(n.as_i64());
                self.calculates = true;
            }
            Some(_) | None => {}
        }
        if map.get("Var").and_then(Value::as_str) == Some("principal") {
            self.reads_principal = true;
        }
        self.reads_tags |= map.contains_key("hasTag") || map.contains_key("getTag");
        if let Some(Value::String(attribute)) = map.get("attr") {
            self.attributes.insert(attribute.clone());
        }
        if let Some(like) = map.get("like") {
            let (shown, sample) = pattern(like.get("pattern"));
            let of_ticket = like.pointer("/left/./attr").and_then(Value::as_str) == Some("ticket");
            if of_ticket {
                self.ticket_patterns.insert((shown, sample.clone()));
            }
            self.strings.insert(sample);
        }
        self.note_tags(map);
        self.note_assurance(map);
        let equal_to = |side: &str| map.get("==").and_then(|e| e.pointer(side)).and_then(Value::as_str);
        for (left, right) in [("/left/./attr", "/right/Value"), ("/right/./attr", "/left/Value")] {
            if let (Some("ticket"), Some(key)) = (equal_to(left), equal_to(right)) {
                self.ticket_patterns.insert((key.to_owned(), key.to_owned()));
            }
        }
    }
}

/// How two sides of a sign are compared.
enum Compared<'a> {
    /// An attribute with numbers, which were noted.
    WithNumbers {
        /// The expression that reads it.
        attribute: &'a Value,
    },
    /// In another way, if that is a comparison.
    Otherwise,
}

/// The signs by which numbers are compared.
const COMPARES: [&str; 7] = ["==", "!=", "<", "<=", ">", ">=", "contains"];

impl Literals {
    /// The numbers that an attribute is compared with: one, or a list in which it must be.
    fn note_compared<'a>(&mut self, sign: &str, sides: &'a Value) -> Compared<'a> {
        let (Some(left), Some(right)) = (sides.get("left"), sides.get("right")) else { return Compared::Otherwise };
        if !COMPARES.contains(&sign) {
            return Compared::Otherwise;
        }
        let read = |side: &Value| side.pointer("/./attr").and_then(Value::as_str).map(ToOwned::to_owned);
        let found = match (read(left), numbers(left), read(right), numbers(right)) {
            (Some(attribute), _, None, Some(with)) => Some((attribute, with, left)),
            (None, Some(with), Some(attribute), _) => Some((attribute, with, right)),
            (Some(_), _, Some(_), _) => {
                // Which kind they are isn't known here; numbers may be what they are.
                self.calculates = true;
                None
            }
            _ => None,
        };
        let Some((name, with, attribute)) = found else { return Compared::Otherwise };
        self.numbers.extend(&with);
        self.compared.entry(name).or_default().extend(with);
        Compared::WithNumbers { attribute }
    }

    /// What the level of assurance is compared with: a text, or a list of them that it must be in.
    fn note_assurance(&mut self, map: &serde_json::Map<String, Value>) {
        for (sign, sides) in map.iter().filter(|(sign, _)| ["==", "contains"].contains(&sign.as_str())) {
            let is_level = |side: &str| sides.pointer(side).and_then(Value::as_str) == Some("assurance_level");
            let other = match (sign.as_str(), is_level("/left/./attr"), is_level("/right/./attr")) {
                ("==", true, _) => sides.pointer("/right/Value"),
                ("==", _, true) => sides.pointer("/left/Value"),
                ("contains", _, true) => sides.pointer("/left/Set"),
                _ => None,
            };
            let listed = other.and_then(Value::as_array).into_iter().flatten();
            let texts = listed.filter_map(|v| v.get("Value")).chain(other).filter_map(Value::as_str);
            self.assurance_levels.extend(texts.map(ToOwned::to_owned));
        }
    }

    /// What a tag is compared with, by whichever sign.
    fn note_tags(&mut self, map: &serde_json::Map<String, Value>) {
        for (sign, compared) in map {
            let sides = [compared.get("left"), compared.get("right")];
            let tag = |side: &Value| side.pointer("/getTag/right/Value").and_then(Value::as_str).map(ToOwned::to_owned);
            let Some(tag) = sides.iter().flatten().find_map(|side| tag(side)) else { continue };
            let texts = self.tags.entry(tag).or_default();
            if sign == "like" {
                texts.insert(pattern(compared.get("pattern")).1);
            }
            for side in sides.into_iter().flatten() {
                let listed = side.get("Set").and_then(Value::as_array).into_iter().flatten();
                let values = std::iter::once(side).chain(listed).filter_map(|v| v.get("Value")?.as_str());
                texts.extend(values.map(ToOwned::to_owned));
            }
        }
    }
}

/// A number, or a list of nothing else; as Cedar's JSON has it.
fn numbers(json: &Value) -> Option<Vec<i64>> {
    match (json.get("Value"), json.get("Set").and_then(Value::as_array)) {
        (Some(number), _) => Some(vec![number.as_i64()?]),
        (None, Some(items)) => items.iter().map(|item| item.get("Value")?.as_i64()).collect(),
        (None, None) => None,
    }
}

/// A `like` pattern as people write it, and a text that it matches.
fn pattern(json: Option<&Value>) -> (String, String) {
    let (mut shown, mut sample) = (String::new(), String::new());
    for part in json.and_then(Value::as_array).into_iter().flatten() {
        match part.get("Literal").and_then(Value::as_str) {
            Some(literal) => {
                shown.push_str(literal);
                sample.push_str(literal);
            }
            None => {
                shown.push('*');
                sample.push('1');
            }
        }
    }
    (shown, sample)
}
