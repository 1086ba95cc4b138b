//! `run` and `connect`: what is asked for, what is waited for, what is passed on to the child.

use std::{fs, path::Path};

use crate::world::{World, ended, until};

fn state_of_the_only_grant(world: &World) -> String {
    let grants = world.person("alice").json(&["grants"]);
    assert_eq!(grants.as_array().unwrap().len(), 1, "{grants}");
    grants[0]["state"]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_request_that_waits_already_is_waited_for_not_made_again() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let request = alice.asks("readonly");
    let errors = world.path("errors");
    let mut run = alice.command(&["run", "orders", "--role", "readonly", "--", "true"]);
    let running = run.stderr(fs::File::create(&errors).unwrap()).spawn().unwrap();
    until("it has found the request", || fs::read_to_string(&errors).unwrap().contains("waits already").then_some(()));
    assert_eq!(bob.json(&["inbox"]).as_array().unwrap().len(), 1);
    bob.approves(&request);
    let said = ended(running);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(alice.json(&["requests"]).as_array().unwrap().len(), 1);
    assert!(["ending", "ended"].contains(&state_of_the_only_grant(&world).as_str()));
}

#[test]
fn what_was_held_before_is_held_after() {
    let world = World::new();
    let alice = world.person("alice");
    alice.ok(&["request", "playground", "--role", "readonly", "--reason", "trying"]);
    let said = alice.says(&["run", "playground", "--role", "readonly", "--", "sh", "-c", "exit 3"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert_eq!(state_of_the_only_grant(&world), "active", "it wasn't this command that asked for it");
}

#[test]
fn a_signal_reaches_the_child_and_the_grant_is_given_back() {
    let world = World::new();
    let alice = world.person("alice");
    let started = world.path("started");
    let script = format!("trap 'exit 7' TERM; touch {started}; while :; do sleep 0.05; done");
    let run = ["run", "playground", "--role", "readonly", "--reason", "trying", "--", "sh", "-c", &script];
    let running = alice.command(&run).spawn().unwrap();
    until("the child runs", || Path::new(&started).exists().then_some(()));
    let pid = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let said = ended(running);
    assert_eq!(said.code, 7, "{}", said.all());
    assert_ne!(state_of_the_only_grant(&world), "active");
}

#[test]
fn a_child_sees_the_connection_and_no_credential_of_the_person() {
    let world = World::new();
    let alice = world.person("alice");
    let seen = world.path("seen");
    let script = format!("env > {seen}");
    let run = ["run", "playground", "--role", "readonly", "--reason", "trying", "--database", "archive", "--"];
    alice.ok(&[&run[..], &["sh", "-c", &script]].concat());
    let seen = fs::read_to_string(&seen).unwrap();
    for line in ["PGUSER=alice:readonly", "PGDATABASE=playground:archive", "PGSSLMODE=verify-full"] {
        assert!(seen.lines().any(|l| l == line), "{line} is missing:\n{seen}");
    }
    assert!(seen.contains("DATABASE_URL=postgresql://alice%3Areadonly:"), "{seen}");
    assert!(!seen.contains("DAYPASS_PASSWORD") && !seen.contains("DAYPASS_TOKEN"), "{seen}");
    // A program that can't be started keeps nothing open either.
    alice.fails(2, &["run", "playground", "--role", "migrate", "--reason", "trying", "--", "no-such-program"]);
    let open = alice.json(&["grants"]).as_array().unwrap().iter().filter(|g| g["state"]["state"] == "active").count();
    assert_eq!(open, 0);
}

#[test]
fn without_a_role_a_resource_with_several_says_which_there_are() {
    let world = World::new();
    let said = world.person("alice").fails(2, &["connect", "orders", "--reason", "looking"]);
    for role in ["readonly", "readwrite", "migrate"] {
        assert!(said.contains(role), "{said}");
    }
}
