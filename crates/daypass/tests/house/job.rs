//! A job runs where its platform gives it a token of its own: no secret of ours is there, before or after.

use std::process::Command;

use crate::{
    oidc::trust,
    provider::Provider,
    world::{Person, Said, World, ended},
};

/// A world where jobs of acme/shop are the workload `deployer`, whose owner is ada.
fn world() -> (World, Provider) {
    let world = World::new();
    world.person("ada").ok(&["workload", "create", "deployer", "--owner", "ada"]);
    let provider = Provider::start(&world);
    let text = format!(
        "[[workload]]\nworkload = 'deployer'\npreset = 'github'\nissuer = '{}'\naudience = '{}'\n\
         match = {{ repository = 'acme/shop' }}\n",
        provider.issuer,
        world.url()
    );
    trust(&world, &text);
    (world, provider)
}

/// A command in a job of a repository, as GitHub runs it: on a machine that nobody signed in at.
fn in_job(world: &World, provider: &Provider, repository: &str, arguments: &[&str]) -> Said {
    let runner: Person = world.person("runner");
    let mut command: Command = runner.command(arguments);
    command
        .env("DAYPASS_SERVER", world.url())
        .env("DAYPASS_AUTHORITY", world.authority())
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/test/job?repository={repository}", provider.issuer))
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of the job");
    let said = ended(command.spawn().unwrap());
    for file in std::fs::read_dir(&runner.profile).unwrap().map(|entry| entry.unwrap()) {
        let name = file.file_name().into_string().unwrap();
        let public = ["server.json", "authority.pem"].contains(&name.as_str()) || name.starts_with("checkpoint");
        assert!(public, "{name} is kept where a job ran");
    }
    said
}

const RUN: [&str; 11] =
    ["run", "playground", "--role", "readonly", "--for", "10m", "--reason", "to deploy", "--", "psql", "-Atc"];

#[test]
fn a_job_runs_by_its_own_token_and_by_nothing_that_is_stored() {
    let (world, provider) = world();
    let sql = [&RUN[..], &["SELECT current_setting('is_superuser') || ' ' || 42"]].concat();
    let said = in_job(&world, &provider, "acme/shop", &sql);
    assert_eq!((said.code, said.out.trim()), (0, "off 42"), "{}", said.all());
    assert!(said.err.contains("Signed in as the workload deployer"), "{}", said.all());
    // What it held is given back when it ends, and it is nobody's but the workload's.
    let me = in_job(&world, &provider, "acme/shop", &["--json", "whoami"]);
    let me: serde_json::Value = serde_json::from_str(&me.out).unwrap();
    assert_eq!((me["name"].as_str(), me["kind"]["kind"].as_str()), (Some("deployer"), Some("workload")), "{me}");
    assert_eq!(me["scopes"], serde_json::json!(["read", "request"]), "{me}");
}

#[test]
fn a_job_of_somebody_else_is_nobody() {
    let (world, provider) = world();
    let said = in_job(&world, &provider, "evil/shop", &[&RUN[..], &["SELECT 1"]].concat());
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("nobody declared whose it is"), "{}", said.all());
    // Nor is one whose trust was taken back.
    trust(&world, "");
    let said = in_job(&world, &provider, "acme/shop", &[&RUN[..], &["SELECT 1"]].concat());
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("nobody declared that tokens of its issuer are taken"), "{}", said.all());
}
