//! A transmitter of shared signals as a process of its own, with real keys, over real HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{provider::folder, world::World};

/// For whom its signals are.
pub const AUDIENCE: &str = "https://daypass.example";
/// What it wants to be shown when it is asked.
pub const CREDENTIAL: &str = "of the listener";

pub struct Transmitter {
    child: Child,
    /// Kept open: whatever it says later must go somewhere, or it ends.
    _said: std::io::Lines<BufReader<std::process::ChildStdout>>,
    pub issuer: String,
    /// The name and the secret that it was declared with, where it sends.
    pub known_as: (String, String),
}

impl Drop for Transmitter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Transmitter {
    pub fn start(world: &World) -> Self {
        assert!(folder().join("node_modules").is_dir(), "run `cargo xtask setup test`: it installs what it needs");
        let mut child = Command::new("node")
            .arg(folder().join("transmitter.mjs"))
            .env("DAYPASS_URL", world.url())
            .env("NODE_EXTRA_CA_CERTS", world.authority())
            .env("NO_PROXY", "localhost,127.0.0.1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer = lines.next().unwrap().unwrap();
        Self { child, _said: lines, issuer, known_as: (String::new(), String::new()) }
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
        let address = self.issuer.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        let body = body.to_string();
        write!(
            socket,
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
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
