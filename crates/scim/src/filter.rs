//! Filters (RFC 7644, 3.4.2.2), judged on what is shown of a resource.

use std::cmp::Ordering;

use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter as Parsed, ValFilter};
use serde_json::Value;

use crate::{
    FILTER_MOST,
    refusal::{Kind, Refusal, Result, quoted},
};

/// Attributes whose letters' case matters (RFC 7643, 3.1 and 7).
const CASE_EXACT: [&str; 3] = ["id", "externalid", "value"];

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Parsed);

impl Filter {
    /// Reads a filter. How deep it nests and how many terms it has is bounded by the reader: 64, and 1,024.
    ///
    /// # Errors
    /// When it is none, or too long.
    pub fn read(text: &str) -> Result<Self> {
        if text.len() > FILTER_MOST {
            let what = format!("a filter is at most {FILTER_MOST} bytes long; this one begins `{}`", quoted(text));
            return Err(Refusal::new(Kind::InvalidFilter, what));
        }
        let parsed = text.parse::<Parsed>().map_err(|_| {
            let what = format!(
                "the filter `{}` can't be read; one like `userName eq \"alice@example.com\"` can (RFC 7644, 3.4.2.2)",
                quoted(text)
            );
            Refusal::new(Kind::InvalidFilter, what)
        })?;
        Ok(Self(parsed))
    }

    /// Whether it means this resource.
    #[must_use]
    pub fn means(&self, shown: &Value) -> bool {
        means(&self.0, shown)
    }
}

/// Whether the filter of a path means this member.
pub(crate) fn means_member(filter: &ValFilter, id: &str) -> bool {
    value_means(filter, &serde_json::json!({"value": id, "type": "User"}))
}

fn means(filter: &Parsed, shown: &Value) -> bool {
    match filter {
        Parsed::Attr(term) => term_means(term, shown),
        Parsed::ValuePath(path) => values(&path.attr, shown).iter().any(|value| value_means(&path.filter, value)),
        Parsed::Not(inner) => !means(inner, shown),
        Parsed::And(all) => all.iter().all(|one| means(one, shown)),
        Parsed::Or(any) => any.iter().any(|one| means(one, shown)),
    }
}

fn value_means(filter: &ValFilter, value: &Value) -> bool {
    match filter {
        ValFilter::Attr(term) => term_means(term, value),
        ValFilter::Not(inner) => !value_means(inner, value),
        ValFilter::And(all) => all.iter().all(|one| value_means(one, value)),
        ValFilter::Or(any) => any.iter().any(|one| value_means(one, value)),
    }
}

fn term_means(term: &AttrExp, shown: &Value) -> bool {
    match term {
        AttrExp::Present(path) => values(path, shown).iter().any(|value| !value.is_null()),
        AttrExp::Comparison(path, op, with) => {
            let found = values(path, shown);
            match (op, found.is_empty()) {
                // What has no value isn't equal to one (RFC 7644, table 3); it is equal to null.
                (CompareOp::Ne, true) => *with != CompValue::Null,
                (CompareOp::Eq, true) => *with == CompValue::Null,
                (_, _) => found.iter().any(|value| compares(path, op, value, with)),
            }
        }
    }
}

/// The values that a path names; of a complex one without a sub-attribute, its `value` (RFC 7644, 3.4.2.2).
fn values<'a>(path: &AttrPath, shown: &'a Value) -> Vec<&'a Value> {
    let found = get(shown, &path.name);
    let list = match found {
        None => return Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    match &path.sub_attr {
        Some(sub) => list.into_iter().filter_map(|value| get(value, sub)).collect(),
        None => list,
    }
}

fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn compares(path: &AttrPath, op: &CompareOp, value: &Value, with: &CompValue) -> bool {
    let value = value.as_object().and_then(|object| object.get("value")).unwrap_or(value);
    match (value, with) {
        (Value::String(text), CompValue::Str(with)) => {
            let name = path.sub_attr.as_deref().unwrap_or(&path.name).to_lowercase();
            if CASE_EXACT.contains(&name.as_str()) {
                compares_texts(op, text, with)
            } else {
                compares_texts(op, &text.to_lowercase(), &with.to_lowercase())
            }
        }
        (Value::Bool(truth), CompValue::True) => (*op == CompareOp::Eq) == *truth,
        (Value::Bool(truth), CompValue::False) => (*op == CompareOp::Eq) != *truth,
        // Entra and others quote truths.
        (Value::Bool(truth), CompValue::Str(with)) => {
            *op == CompareOp::Eq && with.eq_ignore_ascii_case(if *truth { "true" } else { "false" })
        }
        (_, _) => *op == CompareOp::Ne,
    }
}

fn compares_texts(op: &CompareOp, text: &str, with: &str) -> bool {
    let order = text.cmp(with);
    match op {
        CompareOp::Eq => order == Ordering::Equal,
        CompareOp::Ne => order != Ordering::Equal,
        CompareOp::Co => text.contains(with),
        CompareOp::Sw => text.starts_with(with),
        CompareOp::Ew => text.ends_with(with),
        CompareOp::Gt => order == Ordering::Greater,
        CompareOp::Lt => order == Ordering::Less,
        CompareOp::Ge => order != Ordering::Less,
        CompareOp::Le => order != Ordering::Greater,
    }
}
