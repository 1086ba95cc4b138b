//! The Model Context Protocol as its server speaks it over stdio: JSON-RPC 2.0, a message a line. It knows the protocol, and
//! what tools there are; what they do is its driver's business.
//!
//! Spoken are the revisions with a handshake, from 2024-11-05 to 2025-11-25. A client of a later one, which has none, asks
//! first and falls back to these.
//!
//! | state | initialize | ping | tools/list, tools/call |
//! | --- | --- | --- | --- |
//! | fresh | agreed | answered | refused |
//! | agreed | refused | answered | answered |

mod lines;
mod message;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

pub use lines::{LINE_MAX, Line, Lines};

use crate::jwt::strict;
use message::{Code, Id, Message, Wrong, answer, read, repeated};

/// The revisions that are spoken, the newest first.
pub const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The one that has batches (2025-06-18 took them away again).
const WITH_BATCHES: &str = "2025-03-26";
/// How many calls may be under way at once.
pub const CALLS_MAX: usize = 16;
/// How many messages a batch may have.
pub const BATCH_MAX: usize = 32;

/// What a server says of itself.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What a client is told about it.
    pub instructions: &'static str,
    /// Its tools, as `tools/list` gives them: each has a `name`.
    pub tools: Vec<Value>,
}

/// A call that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What the driver does.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Writes this line, and its end.
    Say(String),
    /// Does what a tool does, and hands its result to [`Machine::done`].
    Call {
        /// Under this ticket.
        ticket: Ticket,
        /// The tool: one of those that are offered.
        tool: String,
        /// With these arguments, which nobody has looked at yet.
        arguments: Map<String, Value>,
    },
    /// Stops doing it. Whatever comes of it is said to nobody.
    Stop(Ticket),
}

/// One conversation.
#[derive(Debug)]
pub struct Machine {
    offer: Offer,
    agreed: Option<&'static str>,
    next: u64,
    under_way: BTreeMap<Ticket, Call>,
    batches: BTreeMap<u64, Batch>,
}

#[derive(Debug)]
struct Call {
    id: Id,
    batch: Option<u64>,
}

/// Answers that go out together.
#[derive(Debug, Default)]
struct Batch {
    left: usize,
    answers: Vec<Value>,
}

/// What is to be done about a message.
enum Done {
    Answered(Value),
    Begun(Output),
    Nothing,
    Stopped(Vec<Output>),
}

impl Machine {
    /// Nothing has been said yet.
    #[must_use]
    pub fn new(offer: Offer) -> Self {
        Self { offer, agreed: None, next: 0, under_way: BTreeMap::new(), batches: BTreeMap::new() }
    }

    /// A line came.
    pub fn line(&mut self, line: &Line) -> Vec<Output> {
        let bytes = match line {
            Line::Whole(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => return Vec::new(),
            Line::Whole(bytes) => bytes,
            Line::TooLong => {
                let what = format!("a message is at most {LINE_MAX} bytes");
                return vec![say(&Wrong::new(None, Code::Invalid, what).answer())];
            }
        };
        match strict(bytes) {
            None => vec![say(&Wrong::new(None, Code::Parse, "it is no JSON, or says something twice").answer())],
            Some(Value::Array(messages)) => self.batch(messages),
            Some(value) => match self.message(value, None) {
                Done::Answered(value) => vec![say(&value)],
                Done::Begun(output) => vec![output],
                Done::Stopped(outputs) => outputs,
                Done::Nothing => Vec::new(),
            },
        }
    }

    /// What came of a call, as the result of `tools/call`. Gives what is to be said; nothing when it was stopped, or goes
    /// with others of its batch.
    pub fn done(&mut self, ticket: Ticket, result: Value) -> Option<String> {
        let call = self.under_way.remove(&ticket)?;
        let answer = answer(&call.id, result);
        match call.batch {
            None => Some(answer.to_string()),
            Some(batch) => self.one_less(batch, Some(answer)),
        }
    }

    /// The calls that are under way.
    pub fn under_way(&self) -> impl Iterator<Item = Ticket> {
        self.under_way.keys().copied()
    }

    fn batch(&mut self, messages: Vec<Value>) -> Vec<Output> {
        let invalid = |what: &str| vec![say(&Wrong::new(None, Code::Invalid, what).answer())];
        if self.agreed != Some(WITH_BATCHES) {
            return invalid("several messages at once are for the revision 2025-03-26 only");
        }
        if messages.is_empty() || messages.len() > BATCH_MAX {
            return invalid(&format!("a batch has 1 to {BATCH_MAX} messages"));
        }
        let number = self.next;
        self.next += 1;
        // One more than is counted below, so that it isn't over before it was read to its end.
        self.batches.insert(number, Batch { left: 1, answers: Vec::new() });
        let mut outputs = Vec::new();
        for message in messages {
            let done = self.message(message, Some(number));
            let batch = self.batches.entry(number).or_default();
            match done {
                Done::Answered(answer) => batch.answers.push(answer),
                Done::Begun(output) => {
                    batch.left += 1;
                    outputs.push(output);
                }
                Done::Stopped(stopped) => outputs.extend(stopped),
                Done::Nothing => {}
            }
        }
        outputs.extend(self.one_less(number, None).map(Output::Say));
        outputs
    }

    fn one_less(&mut self, number: u64, answer: Option<Value>) -> Option<String> {
        let batch = self.batches.get_mut(&number)?;
        batch.answers.extend(answer);
        batch.left = batch.left.saturating_sub(1);
        if batch.left > 0 {
            return None;
        }
        let answers = self.batches.remove(&number)?.answers;
        // Where nothing is to be said, nothing is said: not even an empty list (JSON-RPC 2.0, 6).
        (!answers.is_empty()).then(|| Value::Array(answers).to_string())
    }

    fn message(&mut self, value: Value, batch: Option<u64>) -> Done {
        match read(value) {
            Err(wrong) => Done::Answered(wrong.answer()),
            Ok(Message::Answer) => Done::Nothing,
            Ok(Message::Notification { method, params }) => self.notification(&method, &params),
            Ok(Message::Request { id, method, params }) => match self.request(&id, &method, params, batch) {
                Ok(done) => done,
                Err((code, what)) => Done::Answered(Wrong::new(Some(id), code, what).answer()),
            },
        }
    }

    /// What isn't known is passed over, as every notification may be.
    fn notification(&mut self, method: &str, params: &Map<String, Value>) -> Done {
        if method != "notifications/cancelled" {
            return Done::Nothing;
        }
        let Some(id) = Id::of(params.get("requestId")) else { return Done::Nothing };
        let Some(ticket) = self.under_way.iter().find(|(_, call)| call.id == id).map(|(ticket, _)| *ticket) else {
            return Done::Nothing;
        };
        let batch = self.under_way.remove(&ticket).and_then(|call| call.batch);
        let rest = batch.and_then(|batch| self.one_less(batch, None));
        Done::Stopped(std::iter::once(Output::Stop(ticket)).chain(rest.map(Output::Say)).collect())
    }

    fn request(
        &mut self,
        id: &Id,
        method: &str,
        params: Map<String, Value>,
        batch: Option<u64>,
    ) -> Result<Done, (Code, String)> {
        let result = match (method, self.agreed) {
            ("initialize", None) if batch.is_none() => self.initialize(&params)?,
            ("initialize", _) => return Err((Code::Invalid, "it was initialized already".to_owned())),
            ("ping", _) => json!({}),
            ("tools/list" | "tools/call", None) => {
                return Err((Code::Invalid, "`initialize` comes first".to_owned()));
            }
            ("tools/list", Some(_)) if params.contains_key("cursor") => {
                return Err((Code::Params, "the list has one page, and no such cursor".to_owned()));
            }
            ("tools/list", Some(_)) => json!({ "tools": self.offer.tools }),
            ("tools/call", Some(_)) => return self.call(id, params, batch).map(Done::Begun),
            (other, _) => return Err((Code::NoMethod, format!("there is no method `{}` here", repeated(other)))),
        };
        Ok(Done::Answered(answer(id, result)))
    }

    /// The client's revision, where it is spoken here; otherwise the newest that is.
    fn initialize(&mut self, params: &Map<String, Value>) -> Result<Value, (Code, String)> {
        let Some(wanted) = params.get("protocolVersion").and_then(Value::as_str) else {
            return Err((Code::Params, "`protocolVersion` must be a text".to_owned()));
        };
        let agreed = VERSIONS.into_iter().find(|version| *version == wanted).unwrap_or(VERSIONS[0]);
        self.agreed = Some(agreed);
        Ok(json!({
            "protocolVersion": agreed,
            "capabilities": { "tools": { "listChanged": false } },
            "serverInfo": { "name": self.offer.name, "title": "Daypass", "version": self.offer.version },
            "instructions": self.offer.instructions,
        }))
    }

    fn call(&mut self, id: &Id, mut params: Map<String, Value>, batch: Option<u64>) -> Result<Output, (Code, String)> {
        let Some(Value::String(tool)) = params.remove("name") else {
            return Err((Code::Params, "`name` must say which tool".to_owned()));
        };
        let names: BTreeSet<&str> = self.offer.tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
        if !names.contains(tool.as_str()) {
            let known = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err((Code::Params, format!("Unknown tool: {}. There are: {known}", repeated(&tool))));
        }
        let arguments = match params.remove("arguments") {
            None => Map::new(),
            Some(Value::Object(arguments)) => arguments,
            Some(_) => return Err((Code::Params, "`arguments` must be an object".to_owned())),
        };
        if self.under_way.values().any(|call| call.id == *id) {
            return Err((Code::Invalid, "a request with this id is under way already".to_owned()));
        }
        if self.under_way.len() >= CALLS_MAX {
            return Err((Code::Busy, format!("{CALLS_MAX} calls are under way already: wait for one of them")));
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.under_way.insert(ticket, Call { id: id.clone(), batch });
        Ok(Output::Call { ticket, tool, arguments })
    }
}

fn say(value: &Value) -> Output {
    Output::Say(value.to_string())
}
