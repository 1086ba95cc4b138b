//! Licences, sources and bans, by cargo-deny.

use crate::shell::{Failure, cargo, fail, run as shell_run, succeeds};

pub const COMMAND: crate::Command = crate::Command {
    name: "deny",
    summary: "Check licences, sources and bans with cargo-deny",
    help: "\
Usage: cargo xtask deny

Runs `cargo deny check` by deny.toml. It needs cargo-deny, and the network for the advisories. The bans that matter most
(one TLS stack, one owner for each big dependency) are also in `cargo xtask arch`, which needs neither.

Examples:
  cargo xtask deny
",
    run,
};

/// Whether cargo-deny is installed.
pub fn installed() -> bool {
    succeeds(&mut cargo(&["deny", "--version"]))
}

fn run(_: &[String]) -> Result<(), Failure> {
    if !installed() {
        return fail("cargo-deny isn't installed; `cargo install cargo-deny --locked` does it");
    }
    shell_run(&mut cargo(&["deny", "check"]))
}
