//! What applying a document would do: field by field.

use std::{collections::BTreeMap, fmt};

use daypass_domain::{Name, resource::Resource};
use daypass_ports::targets::Shown;
use serde_json::Value;

use super::export::raw;

/// What applying a document would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// New resources, with everything that they say.
    pub creates: Vec<Update>,
    /// Resources that change.
    pub updates: Vec<Update>,
    /// Resources that are as declared.
    pub unchanged: Vec<Name>,
    /// Resources that go.
    pub removes: Vec<Name>,
    /// How many live grants end by it.
    pub ends_grants: usize,
    /// What may not be meant.
    pub warnings: Vec<String>,
}

/// A resource that is new or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which.
    pub name: Name,
    /// Where.
    pub fields: Vec<FieldChange>,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path, like `labels.environment`.
    pub field: String,
    /// What it was, as JSON; nothing when it wasn't there.
    pub old: Option<String>,
    /// What it becomes; nothing when it goes.
    pub new: Option<String>,
}

impl Plan {
    /// Whether everything is as declared already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.updates.is_empty() && self.removes.is_empty()
    }

    /// One line for each thing that would be done; none when nothing would.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut words: Vec<String> = Vec::new();
        for create in &self.creates {
            words.push(format!("add the resource `{}`", create.name));
            words.extend(create.fields.iter().map(|f| format!("the resource `{}` has {f}", create.name)));
        }
        for update in &self.updates {
            words.extend(update.fields.iter().map(|f| format!("change the resource `{}`: {f}", update.name)));
        }
        words.extend(self.removes.iter().map(|n| format!("remove the resource `{n}`")));
        if self.ends_grants > 0 {
            words.push(format!("end {} live grants whose role changes or goes", self.ends_grants));
        }
        words.extend(self.warnings.iter().map(|w| format!("mind that {w}")));
        words
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "{} {} -> {}", self.field, Shown(old), Shown(new)),
            (None, Some(new)) => write!(f, "{} {} (new)", self.field, Shown(new)),
            (Some(old), None) => write!(f, "{} {} goes", self.field, Shown(old)),
            (None, None) => f.write_str(&self.field),
        }
    }
}

/// Everything that a new resource says.
pub(super) fn all(new: &Resource) -> Vec<FieldChange> {
    let said = flat(new).into_iter().filter(|(field, _)| field != "id" && field != "name");
    said.map(|(field, value)| FieldChange { field, old: None, new: Some(cut(&value.to_string())) }).collect()
}

/// Where two versions of a resource differ.
pub(super) fn differences(old: &Resource, new: &Resource) -> Vec<FieldChange> {
    let (old, new) = (flat(old), flat(new));
    let mut changes: Vec<FieldChange> = Vec::new();
    let fields: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for field in fields {
        let (was, is) = (old.get(field), new.get(field));
        if was != is {
            let shown = |v: Option<&Value>| v.map(|v| cut(&v.to_string()));
            changes.push(FieldChange { field: field.clone(), old: shown(was), new: shown(is) });
        }
    }
    changes
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 120 {
        return text.to_owned();
    }
    let start: String = text.chars().take(100).collect();
    format!("{start}... ({} bytes)", text.len())
}

fn flat(resource: &Resource) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    // As it is written in a document, so that people read what they write. Plain data, which always has a JSON form.
    flatten("", serde_json::to_value(raw(resource.clone())).unwrap_or_default(), &mut all);
    all
}

fn flatten(path: &str, value: Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                flatten(&path, value, into);
            }
        }
        // What a document would leave out.
        Value::Null => {}
        Value::Object(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            into.insert(path.to_owned(), value);
        }
    }
}
