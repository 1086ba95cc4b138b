//! Other people's testers of SCIM servers, on the real server. `cargo xtask setup test` installs them.

use std::{path::PathBuf, process::Command};

use crate::{
    scim::Connector,
    world::{Said, World},
};

/// A program of the testers' own folder.
fn tester(name: &str) -> Command {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/scim/bin");
    let program = tools.join(name);
    assert!(program.is_file(), "{} isn't there: cargo xtask setup test", program.display());
    let mut command = Command::new(program);
    command.env_remove("PYTHONPATH").env_remove("HTTPS_PROXY").env_remove("https_proxy");
    command
}

#[test]
fn scim2_tester_finds_nothing_wrong() {
    let world = World::new();
    let okta = Connector::declared(&world, "okta", &["dba-team"]);
    let mut python = tester("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/house/conformance.py"));
    python.env("SCIM_URL", &okta.url).env("SCIM_TOKEN", &okta.token).env("SCIM_AUTHORITY", world.authority());
    let said = Said::of(&python.output().unwrap());
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn scim_sanity_finds_nothing_wrong() {
    let world = World::new();
    let okta = Connector::declared(&world, "okta", &["dba-team"]);
    let mut sanity = tester("scim-sanity");
    sanity.args(["probe", &okta.url, "--token", &okta.token, "--ca-bundle", &world.authority()]);
    sanity.args(["--strict", "--i-accept-side-effects"]);
    let said = Said::of(&sanity.output().unwrap());
    assert_eq!(said.code, 0, "{}", said.all());
}
