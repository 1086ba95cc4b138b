//! The help of every command, and the completions: no server is needed.

use std::process::Command;

fn daypass(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daypass"));
    command.args(arguments).env("COLUMNS", "100").env("NO_COLOR", "1");
    let output = command.env_remove("DAYPASS_DATA").env_remove("DAYPASS_CONFIG").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help lists, without `help` itself.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(ToOwned::to_owned).collect()
}

fn collect(path: &[&str], all: &mut Vec<(String, String)>) {
    let help = daypass(&[path, &["--help"]].concat());
    all.push((path.join(" "), help.clone()));
    for name in listed(&help) {
        collect(&[path, &[name.as_str()]].concat(), all);
    }
}

#[test]
fn every_help_is_as_it_was_and_has_an_example() {
    let mut all = Vec::new();
    collect(&[], &mut all);
    assert!(all.len() > 60, "{} commands", all.len());
    for (path, help) in &all {
        assert!(help.contains(&format!("Example: daypass {path}")), "daypass {path} has no example:\n{help}");
    }
    let text: Vec<String> = all.iter().map(|(path, help)| format!("$ daypass {path} --help\n{help}")).collect();
    insta::assert_snapshot!("help", text.join("\n"));
}

#[test]
fn there_are_completions_for_three_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = daypass(&["completions", shell]);
        for word in ["withdraw-approval", "without-checkpoint", "reset-second-factor"] {
            assert!(script.contains(word), "{shell} doesn't know {word}");
        }
    }
}
