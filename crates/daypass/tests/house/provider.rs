//! A certified OpenID provider (npm: `oidc-provider`) as a process of its own, and a browser without a window.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::world::{Person, World, ended};

/// What browsers know the server by: not `localhost`, where no provider sends a native application back to by https. No test
/// goes there; each goes to the server itself instead.
pub const PAGES_URL: &str = "https://daypass.example:7443";

/// A script of [`folder`] as a process of its own.
pub struct Script {
    child: Child,
    /// Kept open: whatever it says later must go somewhere, or it ends.
    _said: std::io::Lines<BufReader<ChildStdout>>,
    /// Where it is, which it says first: the issuer that it is.
    pub issuer: String,
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Script {
    pub fn start(world: &World, name: &str) -> Self {
        assert!(folder().join("node_modules").is_dir(), "run `cargo xtask setup test`: it installs what they need");
        let mut child = Command::new("node")
            .arg(folder().join(name))
            .envs([("DAYPASS_URL", world.url().as_str()), ("PAGES_URL", PAGES_URL)])
            .env("NODE_EXTRA_CA_CERTS", world.authority())
            .env("NO_PROXY", "localhost,127.0.0.1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer = lines.next().unwrap().unwrap();
        Self { child, _said: lines, issuer }
    }
}

/// Sends something to a script; its answer, which must be fine, with its head.
pub fn posted(issuer: &str, path: &str, body: &str) -> String {
    let address = issuer.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer
}

/// The provider, as `[provider.corp]` of a world that trusts it.
pub struct Provider {
    script: Option<Script>,
    pub issuer: String,
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/provider")
}

impl Provider {
    pub fn start(world: &World) -> Self {
        let script = Script::start(world, "provider.mjs");
        let issuer = script.issuer.clone();
        Self { script: Some(script), issuer }
    }

    pub fn go_away(&mut self) {
        self.script = None;
    }

    /// The provider rotates its keys, or says that somebody signed out; what it answers.
    pub fn told(&self, path: &str) -> String {
        posted(&self.issuer, path, "")
    }

    /// What is trusted of it.
    pub fn trust(&self, more: &str) -> String {
        format!(
            "[provider.corp]\ntitle = 'Example Corp'\nissuer = '{}'\nclient_id = 'daypass'\n\
             client_secret = 'corp-oidc'\nscopes = ['profile']\nname_domain = 'corp.example'\n{more}\n",
            self.issuer
        )
    }
}

/// A command of somebody who sits before a browser as `login`.
pub fn with_browser(person: &Person, login: &str, arguments: &[&str]) -> Command {
    let mut command = person.command(arguments);
    command.env("BROWSER", folder().join("browser.mjs")).env("LOGIN", login);
    command
}

/// A browser goes to an address, and somebody signs in there.
pub fn browse(login: &str, url: &str) -> String {
    browse_until(login, url, "")
}

/// The same, until it would go to an address that begins so: which it is.
pub fn browse_until(login: &str, url: &str, stop: &str) -> String {
    let mut command = Command::new(folder().join("browser.mjs"));
    command.arg(url).envs([("LOGIN", login), ("STOP", stop)]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = ended(command.spawn().unwrap());
    assert_eq!(said.code, 0, "{}", said.all());
    said.out
}
