//! Every test.

use crate::setup::{self, For};
use crate::shell::{Failure, cargo, run as shell_run, succeeds};

pub const COMMAND: crate::Command = crate::Command {
    name: "test",
    summary: "Set up, then run every test",
    help: "\
Usage: cargo xtask test [ARGS]...

Arguments go to `cargo nextest run --workspace`, or to `cargo test --workspace` where nextest isn't installed. With
arguments the examples in the documentation aren't run. The whole workspace is built even for one test, so that every
command shares one build.

Examples:
  cargo xtask test             everything
  cargo xtask test revoke      tests whose name has `revoke` in it
",
    run,
};

fn run(args: &[String]) -> Result<(), Failure> {
    setup::ensure(&[For::Test])?;
    for mut command in plan(succeeds(&mut cargo(&["nextest", "--version"])), args) {
        shell_run(&mut command)?;
    }
    Ok(())
}

fn plan(nextest: bool, args: &[String]) -> Vec<std::process::Command> {
    let mut tests = if nextest { cargo(&["nextest", "run", "--workspace"]) } else { cargo(&["test", "--workspace"]) };
    tests.args(args);
    let mut commands = vec![tests];
    if nextest && args.is_empty() {
        // Nextest doesn't know examples in documentation. They come first, so that its summary is the last line.
        commands.insert(0, cargo(&["test", "--workspace", "--doc", "--quiet"]));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::line;

    #[test]
    fn the_whole_workspace_is_tested_with_either_runner() {
        let lines = |nextest, args: &[String]| plan(nextest, args).iter().map(line).collect::<Vec<_>>();
        assert_eq!(lines(true, &[]), ["cargo test --workspace --doc --quiet", "cargo nextest run --workspace"]);
        assert_eq!(lines(false, &[]), ["cargo test --workspace"]);
        assert_eq!(lines(true, &["revoke".into()]), ["cargo nextest run --workspace revoke"]);
        assert_eq!(lines(false, &["revoke".into()]), ["cargo test --workspace revoke"]);
    }
}
