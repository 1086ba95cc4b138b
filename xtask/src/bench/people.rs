//! From a request to the grant, when somebody else says yes at once.

use super::daypass::{Daypass, ROLE, WATCHED};
use super::measure::{Measure, Route};
use super::parse;
use super::stage::io;
use super::stats::Samples;
use crate::shell::{Failure, fail};
use std::process::Command;
use std::time::Instant;

/// How often in a round.
const TIMES: u32 = 3;
/// What `daypass request` ends with when the request waits (docs/cli.md, exit codes).
const WAITS: i32 = 4;

/// Asks, approves, releases; adds the milliseconds of the first two.
pub fn sample(daypass: &Daypass, measure: Measure, into: &mut Samples) -> Result<(), Failure> {
    for _ in 0..TIMES {
        let asks = ["--json", "request", WATCHED, "--role", ROLE, "--for", "10m", "--reason", "measuring"];
        let began = Instant::now();
        let asked = answer(daypass.command("ada", &asks), WAITS)?;
        let Some(request) = parse::id(&asked, "request") else { return fail(format!("no request in {asked}")) };
        let granted = answer(daypass.command("bob", &["--json", "approve", request]), 0)?;
        let took = began.elapsed();
        let Some(grant) = parse::id(&granted, "grant") else { return fail(format!("no grant in {granted}")) };
        into.add(measure, Route::Daypass, took.as_secs_f64() * 1e3);
        daypass.cli(&["release", grant])?;
    }
    Ok(())
}

/// What a command says that ends with this code.
fn answer(mut command: Command, code: i32) -> Result<String, Failure> {
    let said = command.output().map_err(io("run daypass"))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    if said.status.code() == Some(code) {
        return Ok(text);
    }
    fail(format!("daypass ended with {} and said: {text}{}", said.status, String::from_utf8_lossy(&said.stderr)))
}
