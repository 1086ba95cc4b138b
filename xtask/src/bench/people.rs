//! What people wait for: a grant, when somebody else says yes at once; a page.

use super::daypass::{Daypass, ROLE, WATCHED};
use super::measure::{Measure, Route};
use super::parse;
use super::stage::io;
use super::stats::Samples;
use crate::shell::{Failure, fail, output};
use std::process::Command;
use std::time::Instant;

/// How often in a round.
const TIMES: u32 = 3;
/// What `daypass request` ends with when the request waits (docs/cli.md, exit codes).
const WAITS: i32 = 4;
/// The pages that somebody looks at who is signed in.
const PAGES: [&str; 4] = ["/", "/ask", "/inbox", "/sessions"];

/// Asks, approves, releases; adds the milliseconds of the first two.
pub fn grants(daypass: &Daypass, measure: Measure, into: &mut Samples) -> Result<(), Failure> {
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

/// Signs in as a browser does, and adds the milliseconds until the first byte of each page.
pub fn pages(daypass: &Daypass, measure: Measure, into: &mut Samples) -> Result<(), Failure> {
    let server = daypass.server_url();
    let form = daypass.sign_in_form()?;
    let mut curl = Command::new("curl");
    let get = |curl: &mut Command, address: String| {
        curl.args(["--silent", "--show-error", "--fail", "--output", "/dev/null", "--cacert"]).arg(daypass.authority());
        // Cookies in memory alone, since that of a sign-in is a secret; all transfers share them that ask for them.
        curl.args(["--noproxy", "*", "--cookie", "", &address]);
    };
    get(&mut curl, format!("{server}/signin"));
    curl.args(["--header", &format!("Origin: {server}"), "--data"]).arg(format!("@{}", form.display()));
    for page in PAGES {
        curl.arg("--next");
        get(&mut curl, format!("{server}{page}"));
        curl.args(["--write-out", "%{http_code} %{time_pretransfer} %{time_starttransfer}\n"]);
    }
    let said = output(&mut curl)?;
    let took: Vec<f64> = said.lines().filter_map(first_byte).collect();
    if took.len() != PAGES.len() {
        return fail(format!("of {} pages curl said: {said}", PAGES.len()));
    }
    took.into_iter().for_each(|millis| into.add(measure, Route::Daypass, millis));
    Ok(())
}

/// Milliseconds between the two times of a page that came.
fn first_byte(line: &str) -> Option<f64> {
    let mut words = line.split(' ');
    let (code, asked, came) = (words.next()?, words.next()?, words.next()?);
    let (asked, came): (f64, f64) = (asked.parse().ok()?, came.parse().ok()?);
    (code == "200").then_some((came - asked) * 1e3)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_counts_from_the_request_and_only_if_it_came() {
        assert!(first_byte("200 0.5 0.75").is_some_and(|millis| (millis - 250.0).abs() < 1e-6));
        assert!(first_byte("303 0.5 0.75").is_none() && first_byte("200 0.5").is_none());
    }
}
