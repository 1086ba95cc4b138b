//! The demo, from a clean clone.

use crate::setup::{self, For};
use crate::shell::{Failure, cargo, fail, line};
use std::os::unix::process::CommandExt;
use std::process::{Command as Process, Stdio};

pub const COMMAND: crate::Command = crate::Command {
    name: "demo",
    summary: "Set up, build, and play the story against a throwaway PostgreSQL",
    help: "\
Usage: cargo xtask demo [ARGS]...

Installs or names what is missing (PostgreSQL and psql), builds `daypass`, and becomes `daypass demo ARGS`.

Examples:
  cargo xtask demo           the story, then everything is taken away
  cargo xtask demo --keep    leave server and database running, to go on by hand
",
    run,
};

fn run(args: &[String]) -> Result<(), Failure> {
    setup::ensure(&[For::Demo])?;
    // The workspace's features, so that this build serves the tests too; the messages say where the program went.
    let mut build = cargo(&["build", "--workspace", "--bin", "daypass", "--message-format=json-render-diagnostics"]);
    let shown = line(&build);
    eprintln!("+ {shown}    (the first build takes some minutes)");
    let built = match build.stdin(Stdio::null()).stderr(Stdio::inherit()).output() {
        Ok(built) => built,
        Err(error) => return fail(format!("`{shown}` did not start: {error}")),
    };
    if !built.status.success() {
        return fail(format!("`{shown}` failed ({})", built.status));
    }
    let Some(program) = executable(&String::from_utf8_lossy(&built.stdout)) else {
        return fail(format!("`{shown}` did not say where it put the program"));
    };
    let error = Process::new(&program).arg("demo").args(args).exec();
    fail(format!("`{program} demo` did not start: {error}"))
}

/// The program that cargo's JSON messages name.
fn executable(messages: &str) -> Option<String> {
    let (_, rest) = messages.rsplit_once(r#""executable":""#)?;
    let mut out = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => out.push(chars.next()?),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/a \\\"b\\\"/daypass\",\"fresh\":true}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages).as_deref(), Some("/a \"b\"/daypass"));
        assert_eq!(executable("{\"executable\":null}"), None);
    }
}
