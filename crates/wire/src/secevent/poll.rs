//! Asking a transmitter for what it has, and telling it what was taken (RFC 8936).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::TEXT_MAX;
use crate::jwt::TOKEN_MAX;

/// How many tokens are asked for at once.
pub const SETS_MAX: usize = 20;

/// What is said when a transmitter is asked (RFC 8936, 2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// What was taken, by `jti`: it isn't sent again.
    pub acks: BTreeSet<String>,
    /// What was refused, and why: it isn't sent again either.
    pub refused: BTreeMap<String, Refused>,
}

/// Why a token was refused, as it is told (RFC 8935, 2.4; RFC 8936, 2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// A word of the registry.
    pub err: &'static str,
    /// In words.
    pub description: String,
}

/// What it answers (RFC 8936, 2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// Tokens by the `jti` under which they are acknowledged.
    pub sets: BTreeMap<String, String>,
    /// Whether there are more.
    pub more: More,
}

/// Whether there are more tokens than were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum More {
    /// There are, so it is asked again at once.
    Waiting,
    /// There are none.
    #[default]
    None,
}

impl Asked {
    /// As it is sent.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({"maxEvents": SETS_MAX, "returnImmediately": true});
        if !self.acks.is_empty() {
            body["ack"] = json!(self.acks);
        }
        if !self.refused.is_empty() {
            let told = |why: &Refused| json!({"err": why.err, "description": why.description});
            body["setErrs"] = self.refused.iter().map(|(jti, why)| (jti.clone(), told(why))).collect();
        }
        body
    }
}

impl Answered {
    /// Reads an answer.
    ///
    /// # Errors
    /// In words, why it can't be used.
    pub fn read(body: &Value) -> Result<Self, &'static str> {
        let sets = match body.get("sets") {
            None => BTreeMap::new(),
            Some(Value::Object(sets)) if sets.len() <= SETS_MAX => {
                let each = sets.iter().map(|(jti, token)| {
                    let token = token.as_str().filter(|token| token.len() <= TOKEN_MAX)?;
                    (1..=TEXT_MAX).contains(&jti.len()).then(|| (jti.clone(), token.to_owned()))
                });
                each.collect::<Option<_>>().ok_or("a token of it is none, or is too long")?
            }
            Some(Value::Object(_)) => return Err("more tokens than were asked for"),
            Some(_) => return Err("its `sets` is no object"),
        };
        let more = match body.get("moreAvailable") {
            None | Some(Value::Bool(false) | Value::Null) => More::None,
            Some(Value::Bool(true)) => More::Waiting,
            Some(_) => return Err("its `moreAvailable` is neither true nor false"),
        };
        Ok(Self { sets, more })
    }
}
