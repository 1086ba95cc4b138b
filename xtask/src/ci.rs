//! Everything that must hold before a change goes in.

use crate::setup::{self, For};
use crate::shell::{self, Failure, cargo, fail};
use crate::{deny, fuzz};
use std::process::Command as Process;
use std::time::Instant;

pub const COMMAND: crate::Command = crate::Command {
    name: "ci",
    summary: "Everything that must hold: formatting, clippy, architecture, documentation, tests, fuzzing",
    help: "\
Usage: cargo xtask ci

Runs every step even when one before it failed, and ends with a table of them. `.ci/run` calls it.

Examples:
  cargo xtask ci
",
    run,
};

struct Step {
    name: &'static str,
    command: Process,
}

fn steps() -> Vec<Step> {
    let mut documented = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
    documented.env("RUSTDOCFLAGS", "-D warnings");
    let mut steps = vec![
        Step { name: "formatting", command: cargo(&["fmt", "--all", "--check"]) },
        Step {
            name: "clippy",
            command: cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
        },
        Step { name: "architecture", command: cargo(&["xtask", "arch"]) },
        Step { name: "documents", command: cargo(&["xtask", "docs"]) },
        Step { name: "documentation", command: documented },
        Step { name: "tests", command: cargo(&["xtask", "test"]) },
        Step { name: "fuzzing", command: cargo(&["xtask", "fuzz", "--seconds", fuzz::SHORT]) },
    ];
    if deny::installed() {
        steps.push(Step { name: "licences", command: cargo(&["xtask", "deny"]) });
    }
    steps
}

fn run(_: &[String]) -> Result<(), Failure> {
    setup::ensure(&[For::Ci, For::Test, For::Versions, For::Fuzz])?;
    let mut table = String::new();
    let mut failed = Vec::new();
    for Step { name, mut command } in steps() {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let outcome = shell::run(&mut command);
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        table.push_str(&format!("{word}  {:>5}s  {name:<14} {}\n", started.elapsed().as_secs(), shell::line(&command)));
        if let Err(failure) = outcome {
            eprintln!("{failure}");
            failed.push(name);
        }
    }
    println!("\n{table}");
    if failed.is_empty() { Ok(()) } else { fail(format!("failed: {}", failed.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_come_after_formatting_clippy_and_architecture() {
        let names: Vec<_> = steps().iter().map(|step| step.name).collect();
        let at = |name| names.iter().position(|one| *one == name).unwrap();
        for before in ["formatting", "clippy", "architecture"] {
            assert!(at(before) < at("tests"), "{before}");
        }
    }
}
