//! Every test.

use crate::servers::{self, CHOSEN, Server};
use crate::setup::{self, For};
use crate::shell::{self, Failure, cargo, fail, succeeds};
use std::path::PathBuf;
use std::process::Command as Process;

pub const COMMAND: crate::Command = crate::Command {
    name: "test",
    summary: "Set up, then run every test",
    help: "\
Usage: cargo xtask test [ARGS]...

Everything runs on the PostgreSQL that is installed here. What depends on its version (making and ending logins, what
survives that, the doctor, throwaway servers) runs again on PostgreSQL 16, 17 and 18, which come as npm packages.

Arguments go to `cargo nextest run --workspace`, or to `cargo test --workspace` where nextest isn't installed. With
arguments the examples in the documentation aren't run, and only one server is used. The whole workspace is built even
for one test, so that every command shares one build.

DAYPASS_POSTGRES chooses that one server: 16, 17 or 18, or a folder with a server's programs in it.

Examples:
  cargo xtask test                               everything, on every server
  cargo xtask test revoke                        tests whose name has `revoke` in it
  DAYPASS_POSTGRES=17 cargo xtask test escapes   the same on one server
",
    run,
};

/// What depends on the server's version.
const BY_VERSION: [&str; 2] = ["daypass-targets", "daypass-scratch"];

/// Tests of an extension that Debian has for its own server only, by a word in their names.
const OF_DEBIAN: &str = "pg_cron";

fn run(args: &[String]) -> Result<(), Failure> {
    setup::ensure(&[For::Test])?;
    let nextest = succeeds(&mut cargo(&["nextest", "--version"]));
    let first = match servers::chosen()? {
        Some(server) => server,
        None => Server::at(setup::server_programs().unwrap_or_else(|| PathBuf::from("/usr/bin")))?,
    };
    let others = match std::env::var_os(CHOSEN).is_none() && args.is_empty() {
        true => {
            setup::ensure(&[For::Versions])?;
            servers::all()?
        }
        false => Vec::new(),
    };
    if !args.is_empty() {
        return commands(nextest, args, &first).into_iter().try_for_each(|mut command| shell::run(&mut command));
    }
    let mut table = String::new();
    let mut failed = Vec::new();
    for (server, what, commands) in plan(nextest, &first, &others) {
        eprintln!("\n== {what}, on {} ({})", server.name, server.programs.display());
        let outcome = commands.into_iter().try_for_each(|mut command| shell::run(&mut command));
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        table.push_str(&format!("{word}  {:<42} {what}\n", server.name));
        if let Err(failure) = outcome {
            eprintln!("{failure}");
            failed.push(server.name.clone());
        }
    }
    println!("\n{table}");
    if failed.is_empty() { Ok(()) } else { fail(format!("tests failed on {}", failed.join(", "))) }
}

/// Each server with what is tested on it.
fn plan<'a>(nextest: bool, first: &'a Server, others: &'a [Server]) -> Vec<(&'a Server, String, Vec<Process>)> {
    let mut plan = vec![(first, "everything".to_owned() + lacking(first), commands(nextest, &[], first))];
    for server in others {
        let what = format!("{}{}", BY_VERSION.join(" and "), lacking(server));
        let mut tests = runner(nextest);
        tests.args(BY_VERSION.iter().flat_map(|name| ["--package", name]));
        plan.push((server, what, vec![on(tests, server, &[])]));
    }
    plan
}

/// Everything, or what the arguments pick.
fn commands(nextest: bool, args: &[String], server: &Server) -> Vec<Process> {
    let mut tests = runner(nextest);
    tests.arg("--workspace");
    let mut commands = vec![on(tests, server, args)];
    if nextest && args.is_empty() {
        // Nextest doesn't know examples in documentation. They come first, so that its summary is the last line.
        commands.insert(0, cargo(&["test", "--workspace", "--doc", "--quiet"]));
    }
    commands
}

fn runner(nextest: bool) -> Process {
    if nextest { cargo(&["nextest", "run"]) } else { cargo(&["test"]) }
}

fn on(mut tests: Process, server: &Server, args: &[String]) -> Process {
    tests.args(args).env(CHOSEN, &server.programs);
    // Who gives arguments of their own says what to leave out.
    if args.is_empty() && !has_cron(server) {
        tests.args(["--", "--skip", OF_DEBIAN]);
    }
    tests
}

/// What isn't tested on a server, for its line.
fn lacking(server: &Server) -> &'static str {
    if has_cron(server) { "" } else { ", without pg_cron, which this build lacks" }
}

/// Whether it has pg_cron: beside the programs of a build that can be put anywhere, or where Debian keeps extensions.
fn has_cron(server: &Server) -> bool {
    let version = server.programs.parent().and_then(|folder| folder.file_name()).unwrap_or_default();
    let debian = PathBuf::from("/usr/share/postgresql").join(version).join("extension");
    let beside = server.programs.join("../share/postgresql/extension");
    [debian, beside].iter().any(|folder| folder.join("pg_cron.control").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::line;

    fn server(folder: &str) -> Server {
        Server { programs: PathBuf::from(folder), name: "PostgreSQL 99.1".into() }
    }

    #[test]
    fn the_whole_workspace_is_tested_with_either_runner() {
        let bare = server("/no/such/bin");
        let lines = |nextest, args: &[String]| commands(nextest, args, &bare).iter().map(line).collect::<Vec<_>>();
        let whole = "cargo nextest run --workspace -- --skip pg_cron";
        assert_eq!(lines(true, &[]), ["cargo test --workspace --doc --quiet", whole]);
        assert_eq!(lines(false, &[]), ["cargo test --workspace -- --skip pg_cron"]);
        assert_eq!(lines(true, &["revoke".into()]), ["cargo nextest run --workspace revoke"]);
        assert_eq!(lines(false, &["revoke".into()]), ["cargo test --workspace revoke"]);
    }

    #[test]
    fn what_depends_on_the_version_runs_on_every_server_and_says_what_it_leaves_out() {
        let (first, others) = (server("/no/such/bin"), [server("/one/bin"), server("/two/bin")]);
        let plan = plan(true, &first, &others);
        assert_eq!(plan.len(), 3);
        for ((server, what, commands), folder) in plan.iter().zip(["/no/such/bin", "/one/bin", "/two/bin"]) {
            assert_eq!(server.programs, PathBuf::from(folder));
            let tests = commands.last().unwrap();
            let chosen = tests.get_envs().find(|(name, _)| *name == CHOSEN).unwrap().1.unwrap();
            assert_eq!(chosen, folder);
            assert!(what.contains("without pg_cron"), "{what}");
        }
        let again = "cargo nextest run --package daypass-targets --package daypass-scratch -- --skip pg_cron";
        assert_eq!(line(&plan[1].2[0]), again);
    }
}
