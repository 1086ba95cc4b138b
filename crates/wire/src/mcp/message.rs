//! One message of JSON-RPC 2.0: read strictly, written on one line.

use std::fmt;

use serde_json::{Map, Number, Value, json};

/// How many characters of somebody's words an error repeats.
const REPEATED_MAX: usize = 80;

/// What names a request: a text or a whole number, never null (MCP: "Base Protocol").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// They want an answer.
    Request {
        /// What the answer names.
        id: Id,
        /// What they want.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// They want none.
    Notification {
        /// What they tell.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// It answers something. Nothing is asked of a client here, so it answers nothing.
    Answer,
}

/// What is wrong with what came (JSON-RPC 2.0, 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which request it was, as far as that could be read.
    pub id: Option<Id>,
    /// Of which kind.
    pub code: Code,
    /// In words.
    pub what: String,
}

/// The kinds of errors that the standard names, and one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It is no JSON.
    Parse,
    /// It is JSON and no message.
    Invalid,
    /// There is no such method.
    NoMethod,
    /// The method takes other params.
    Params,
    /// There is too much at once.
    Busy,
}

impl Code {
    const fn number(self) -> i32 {
        match self {
            Self::Parse => -32_700,
            Self::Invalid => -32_600,
            Self::NoMethod => -32_601,
            Self::Params => -32_602,
            Self::Busy => -32_000,
        }
    }
}

impl Id {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// As an answer, or a cancellation, names it.
    #[must_use]
    pub fn of(value: Option<&Value>) -> Option<Self> {
        value.and_then(Self::read)
    }

    fn value(&self) -> Value {
        match self {
            Self::Number(number) => Value::Number(Number::from(*number)),
            Self::Text(text) => Value::String(text.clone()),
        }
    }
}

impl Wrong {
    pub(super) fn new(id: Option<Id>, code: Code, what: impl fmt::Display) -> Self {
        Self { id, code, what: what.to_string() }
    }

    /// As an answer. What couldn't be read enough to know its id is answered with null (JSON-RPC 2.0, 5).
    #[must_use]
    pub fn answer(&self) -> Value {
        let id = self.id.as_ref().map_or(Value::Null, Id::value);
        json!({ "jsonrpc": "2.0", "id": id, "error": { "code": self.code.number(), "message": self.what } })
    }
}

/// A result, as an answer.
#[must_use]
pub fn answer(id: &Id, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.value(), "result": result })
}

/// Reads one message.
///
/// # Errors
/// When it is none.
pub fn read(value: Value) -> Result<Message, Wrong> {
    let Value::Object(mut said) = value else {
        return Err(Wrong::new(None, Code::Invalid, "a message is an object"));
    };
    let named = said.get("id").cloned();
    let id = Id::of(named.as_ref());
    let invalid = |what| Err(Wrong::new(id.clone(), Code::Invalid, what));
    if said.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid("`jsonrpc` must be \"2.0\"");
    }
    let method = match said.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return invalid("`method` must be a text"),
        None if said.contains_key("result") || said.contains_key("error") => return Ok(Message::Answer),
        None => return invalid("a message has a `method`"),
    };
    let params = match said.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) if named.is_none() => return Ok(Message::Answer),
        Some(_) => return Err(Wrong::new(id, Code::Params, "`params` must be an object")),
    };
    match (id, named) {
        (Some(id), _) => Ok(Message::Request { id, method, params }),
        (None, None) => Ok(Message::Notification { method, params }),
        (None, Some(_)) => Err(Wrong::new(None, Code::Invalid, "an `id` is a text or a whole number")),
    }
}

/// Somebody's words, bounded, and without what would hide or break lines.
pub(super) fn repeated(text: &str) -> String {
    text.chars().take(REPEATED_MAX).flat_map(char::escape_debug).collect()
}
