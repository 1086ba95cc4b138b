//! Servers that are Python programs: a process that ends with the test, and says its port in its first line.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Debian's own, whatever other Python is on the path: its packages are for this one.
const PYTHON: &str = "/usr/bin/python3";

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Python {
    child: Child,
    pub(crate) port: u16,
}

impl Python {
    /// Starts a program with one argument; what it complains of goes to a file of the folder.
    pub(crate) fn start(folder: &Path, program: &str, argument: &Value) -> Self {
        let errors = folder.join("errors");
        let mut child = Command::new(PYTHON)
            .args(["-W", "ignore", "-c", program, &argument.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&errors).unwrap())
            .spawn()
            .expect("`cargo xtask setup test` installs Python");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| {
            let said = fs::read_to_string(&errors).unwrap_or_default();
            panic!("it doesn't start; `cargo xtask setup test` installs what it needs: {said}")
        });
        Self { child, port }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole lines of a file, each a JSON document; none when there is no file yet.
pub(crate) fn lines<T: DeserializeOwned>(file: &Path) -> Vec<T> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
