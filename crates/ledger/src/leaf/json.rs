//! A leaf as bytes, and the one spelling of JSON that the ledger hashes.

use std::{collections::BTreeMap, fmt::Write as _};

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;

use super::{Commitment, EventType, Header, KeyScope, LEAF_VERSION, Leaf, LeafError, Region, RetentionClass};
use crate::{bundle::MAX_ENTRY_BYTES, hash::HASH_BYTES};

/// JSON with sorted keys (by their UTF-8 bytes) and no spaces, whatever order the map had: the
/// order of `serde_json`'s maps depends on features that any other crate may switch on.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|&(key, _)| key);
            out.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                separate(out, index);
                write_text(out, key);
                out.push(':');
                write_value(out, member);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write_value(out, item);
            }
            out.push(']');
        }
        Value::String(text) => write_text(out, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn write_text(out: &mut String, text: &str) {
    // serde_json escapes what must be escaped, and nothing else: one spelling for each text.
    out.push_str(&Value::from(text).to_string());
}

/// The texts of a leaf are of letters that JSON never escapes (`names`), so they are written as
/// they are.
pub(super) fn write_leaf(leaf: &Leaf) -> String {
    let mut out = String::from(r#"{"commitments":["#);
    for (index, commitment) in leaf.commitments.iter().enumerate() {
        separate(&mut out, index);
        out.push('{');
        if let Some(key) = commitment.scope.key() {
            push(&mut out, format_args!(r#""key":"{key}","#));
        }
        let (part, digest) = (commitment.scope.part(), HEXLOWER.encode(&commitment.digest));
        push(&mut out, format_args!(r#""part":"{part}","sha256":"{digest}"}}"#));
    }
    let Header { seq, time_us, event, ids, region, retention } = &leaf.header;
    push(&mut out, format_args!(r#"],"header":{{"event":"{event}","ids":{{"#));
    for (index, (kind, id)) in ids.iter().enumerate() {
        separate(&mut out, index);
        push(&mut out, format_args!(r#""{kind}":"{id}""#));
    }
    push(&mut out, format_args!(r#"}},"region":"{region}","retention":"{retention}","#));
    push(&mut out, format_args!(r#""seq":{seq},"time_us":{time_us},"version":{LEAF_VERSION}}}}}"#));
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = out.write_fmt(text);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafJson {
    commitments: Vec<CommitmentJson>,
    header: HeaderJson,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitmentJson {
    key: Option<String>,
    part: String,
    sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderJson {
    event: EventType,
    ids: BTreeMap<String, String>,
    region: Region,
    retention: RetentionClass,
    seq: u64,
    time_us: i64,
    version: u32,
}

/// Only the version, whatever else a later one may hold.
#[derive(Deserialize)]
struct VersionProbe {
    header: VersionHeader,
}

#[derive(Deserialize)]
struct VersionHeader {
    version: u32,
}

pub(super) fn read_leaf(entry: &[u8]) -> Result<Leaf, LeafError> {
    if entry.len() > MAX_ENTRY_BYTES {
        return Err(LeafError::TooLong(entry.len()));
    }
    let json: LeafJson = serde_json::from_slice(entry).map_err(|why| refusal(entry, &why))?;
    let HeaderJson { event, ids, region, retention, seq, time_us, version } = json.header;
    if version != LEAF_VERSION {
        return Err(LeafError::Version(version));
    }
    let commitments = json.commitments.into_iter().map(read_commitment);
    let commitments = commitments.collect::<Result<_, _>>()?;
    Leaf::new(Header { seq, time_us, event, ids, region, retention }, commitments)
}

fn read_commitment(json: CommitmentJson) -> Result<Commitment, LeafError> {
    let malformed = |why: &str| LeafError::Malformed(why.to_owned());
    let scope = KeyScope::from_fields(&json.part, json.key.as_deref())
        .ok_or_else(|| malformed("a commitment's part and key don't belong together"))?;
    let digest = HEXLOWER
        .decode(json.sha256.as_bytes())
        .ok()
        .and_then(|bytes| <[u8; HASH_BYTES]>::try_from(bytes).ok())
        .ok_or_else(|| malformed("a commitment's sha256 isn't 64 hexadecimal digits"))?;
    Ok(Commitment { scope, digest })
}

/// A leaf of a later version is named as such, not as a broken one.
fn refusal(entry: &[u8], why: &serde_json::Error) -> LeafError {
    match serde_json::from_slice::<VersionProbe>(entry) {
        Ok(probe) if probe.header.version != LEAF_VERSION => LeafError::Version(probe.header.version),
        Ok(_) | Err(_) => {
            // serde_json's own text may quote the entry, so only the kind and the place are told.
            let kind = match why.classify() {
                serde_json::error::Category::Syntax => "not JSON",
                serde_json::error::Category::Eof => "JSON cut short",
                serde_json::error::Category::Data => "JSON of another shape",
                serde_json::error::Category::Io => "unreadable",
            };
            LeafError::Malformed(format!("{kind}, at column {}", why.column()))
        }
    }
}
