//! A transmitter of shared signals as a process of its own, with real keys, over real HTTP.

use serde_json::{Value, json};

use crate::{
    provider::{Script, posted},
    world::World,
};

/// For whom its signals are.
pub const AUDIENCE: &str = "https://daypass.example";
/// What it wants to be shown when it is asked.
pub const CREDENTIAL: &str = "of the listener";

pub struct Transmitter {
    _script: Script,
    pub issuer: String,
    /// The name and the secret that it was declared with, where it sends.
    pub known_as: (String, String),
}

impl Transmitter {
    pub fn start(world: &World) -> Self {
        let script = Script::start(world, "transmitter.mjs");
        let issuer = script.issuer.clone();
        Self { _script: script, issuer, known_as: (String::new(), String::new()) }
    }

    /// Ada declares it, as one that sends, with more arguments.
    pub fn sends(&mut self, world: &World, name: &str, more: &[&str]) {
        let base = ["signals", "add", name, "--issuer", &self.issuer, "--audience", AUDIENCE];
        let added = world.person("ada").json(&[&base, more].concat());
        let token = added["handed"]["token"].as_str().unwrap_or_else(|| panic!("{added}")).to_owned();
        self.known_as = (name.to_owned(), token);
    }

    /// Asks it something; what it answers.
    pub fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = posted(&self.issuer, path, &body.to_string());
        let (_, said) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(said).unwrap()
    }

    /// It sends what the order says; the status, what was said, and the token.
    pub fn send(&self, order: Value) -> (u16, Value, String) {
        let (name, bearer) = &self.known_as;
        let mut whole = json!({"name": name, "bearer": bearer});
        for (field, value) in order.as_object().unwrap() {
            whole[field] = value.clone();
        }
        let answer = self.ask("/test/send", &whole);
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        (status, answer["body"].clone(), answer["token"].as_str().unwrap().to_owned())
    }

    /// It signals that this happened to this subject; it must be taken. The token.
    pub fn signals(&self, event: &str, fields: Value, subject: Value) -> String {
        let (status, said, token) = self.send(json!({"event": event, "fields": fields, "subject": subject}));
        assert_eq!((status, &said), (202, &Value::Null), "{event}");
        token
    }
}
