//! Every chore: set-up, tests, the demo, CI, the architecture checks, fuzzing, the bench. `cargo xtask help` lists them.
//!
//! Uses the standard library only, so that it builds in a second on a fresh machine.

// A command line tool talks on its standard output and error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arch;
mod bench;
mod ci;
mod demo;
mod deny;
mod docs;
mod fuzz;
mod manifest;
mod npm;
mod scim;
mod servers;
mod setup;
mod shell;
mod source;
mod test;

use shell::Failure;
use std::process::ExitCode;

/// One subcommand.
struct Command {
    name: &'static str,
    /// One line for the list.
    summary: &'static str,
    /// What `--help` says after the summary: usage, options, examples.
    help: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

const COMMANDS: &[Command] = &[
    setup::COMMAND,
    test::COMMAND,
    demo::COMMAND,
    ci::COMMAND,
    arch::COMMAND,
    docs::COMMAND,
    fuzz::COMMAND,
    bench::COMMAND,
    deny::COMMAND,
];

/// The names of the subcommands, for the check that the documentation names no other.
fn command_names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name).chain(["help"])
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        print!("{}", overview());
        return ExitCode::SUCCESS;
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        match rest.first().and_then(|name| find(name)) {
            Some(command) => print!("{}", help(command)),
            None => print!("{}", overview()),
        }
        return ExitCode::SUCCESS;
    }
    let Some(command) = find(name) else {
        eprintln!("error: there is no `cargo xtask {name}`\n");
        eprint!("{}", overview());
        return ExitCode::from(2);
    };
    if rest.first().is_some_and(|first| first == "--help" || first == "-h") {
        print!("{}", help(command));
        return ExitCode::SUCCESS;
    }
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn overview() -> String {
    let mut out = String::from("The chores of this repository.\n\nUsage: cargo xtask COMMAND [OPTIONS]\n\nCommands:\n");
    for command in COMMANDS {
        out.push_str(&format!("  {:<8} {}\n", command.name, command.summary));
    }
    out.push_str("\n`cargo xtask COMMAND --help` says more, with examples.\n");
    out
}

fn help(command: &Command) -> String {
    format!("{}\n\n{}", command.summary, command.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_how_it_is_used_with_an_example() {
        for command in COMMANDS {
            assert!(command.help.starts_with(&format!("Usage: cargo xtask {}", command.name)), "{}", command.name);
            assert!(command.help.contains("Examples:\n"), "{}", command.name);
            assert!(command.help.ends_with('\n'), "{}", command.name);
        }
    }
}
