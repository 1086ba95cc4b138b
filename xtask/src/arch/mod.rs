//! What the plan of the house says (docs/architecture.md), checked.

mod invariants;
mod outside;
mod purity;
mod rooms;
mod sizes;
mod text;

use crate::manifest::{self, Manifest};
use crate::shell::{Failure, fail, root};
use crate::source::{self, File};
use std::fmt;

pub const COMMAND: crate::Command = crate::Command {
    name: "arch",
    summary: "Check the architecture: rooms, purity, owners of dependencies, file sizes, invariants",
    help: "\
Usage: cargo xtask arch [--bless]

Checks which crate may see which, that pure crates are pure, who may use which dependency, that nothing pulls in a second
TLS stack, that every crate takes the workspace's lints, that no file grows past 500 lines, that nothing is left undone or
skipped, and that every invariant in docs/architecture.md names a test that exists.

  --bless    write xtask/size-ratchet.txt anew, with a warning for each file that is new in it or grew

Examples:
  cargo xtask arch            what CI runs
  cargo xtask arch --bless    after splitting a file that was too long
",
    run,
};

/// One thing that is not as the plan says.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// From the root of the checkout.
    pub path: String,
    /// From 1; 0 is the whole file.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Violation {
    pub fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_string(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    let files = source::files()?;
    match args {
        [] => {}
        [flag] if flag == "--bless" => return sizes::bless(&files),
        _ => return fail("`cargo xtask arch` takes --bless or nothing"),
    }
    let (manifests, mut found) = manifests(&files);
    found.extend(rooms::check(&manifests));
    found.extend(outside::check(&manifests));
    found.extend(outside::banned()?);
    found.extend(purity::check(&files));
    found.extend(text::check(&files, &text::machine_paths(&root())));
    found.extend(sizes::check(&files));
    found.extend(invariants::check(&files));
    for violation in &found {
        println!("{violation}");
    }
    if found.is_empty() {
        println!("The architecture holds: {} crates, {} files.", manifests.len(), files.len());
        return Ok(());
    }
    fail(format!("{} violations of the architecture (docs/architecture.md)", found.len()))
}

/// The workspace's manifests, and what couldn't be read of them.
fn manifests(files: &[File]) -> (Vec<Manifest>, Vec<Violation>) {
    let (mut manifests, mut found) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        match manifest::parse(&file.path, &file.text) {
            Ok(manifest) => manifests.push(manifest),
            Err(unreadable) => found.push(Violation::new(
                &file.path,
                unreadable.line,
                format!("write this so that the checks can read it: {}", unreadable.what),
            )),
        }
    }
    (manifests, found)
}

#[cfg(test)]
mod fixture {
    use super::*;

    /// A file of a made-up checkout.
    pub fn file(path: &str, text: &str) -> File {
        File { path: path.to_string(), text: text.to_string() }
    }

    /// A manifest of a made-up crate, with the workspace's lints.
    pub fn manifest(room: &str, rest: &str) -> Manifest {
        manifest::parse(&format!("crates/{room}/Cargo.toml"), &format!("[lints]\nworkspace = true\n{rest}")).unwrap()
    }

    /// What was found, as it is printed.
    pub fn shown(found: &[Violation]) -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    }
}
