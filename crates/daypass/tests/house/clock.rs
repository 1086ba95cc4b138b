//! A wall clock that is set wrong while people work: nobody gains by it. // I3

use std::{fs, path::Path};

use daypass_ledger::{Leaf, SignedCheckpoint, bundle, tile::bundles};

use crate::{
    around::{Around, set_clock},
    web,
    world::{World, busy, ended, until},
};

/// When each entry of an exported log was made, in microseconds, in the log's order.
fn times(folder: &Path) -> Vec<i64> {
    let head = fs::read(folder.join("checkpoint")).unwrap();
    let size = SignedCheckpoint::parse(&head).unwrap().unverified().size;
    let mut times = Vec::new();
    for at in bundles(size) {
        let bytes = fs::read(folder.join(at.to_string())).unwrap();
        let entries = bundle::parse(&bytes, at.width()).unwrap();
        times.extend(entries.iter().map(|entry| Leaf::parse(entry).unwrap().header().time_us));
    }
    times
}

/// Entries are in the order of their times, and none was lost.
fn times_never_go_back(world: &World, name: &str) -> Vec<i64> {
    let (ada, folder) = (world.person("ada"), world.path(name));
    ada.ok(&["ledger", "export", &folder]);
    ada.ok(&["ledger", "verify", &folder]);
    let times = times(Path::new(&folder));
    assert!(times.is_sorted(), "{times:?}");
    times
}

fn ready(world: &World) {
    until("it is ready", || (web::get(world, "/readyz").0 == 200).then_some(()));
}

/// Nothing is given, and everybody is told that it is the clock.
fn nothing_is_given(world: &World, string: &str) {
    let alice = world.person("alice");
    let said = alice.fails(7, &["request", "playground", "--role", "readonly", "--reason", "trying"]);
    assert!(said.contains("clock is") && said.contains("behind its own ledger"), "{said}");
    let said = ended(alice.psql_to(string.trim(), &["-c", "SELECT 1"]).spawn().unwrap());
    assert!(said.code != 0 && said.err.contains("behind its own ledger"), "{}", said.all());
    let (status, body) = web::get(world, "/readyz");
    assert!(status == 503 && body.contains("clock"), "{status} {body}");
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_until_it_is_right() {
    let world = World::new_in(Around::Clock);
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    let folder = world.folder.path().to_owned();
    let grant = world.grant("readonly");
    let waiting = alice.asks("readwrite");
    let string = alice.ok(&["connect", "orders:readonly", "--print"]);
    let client = busy(&world, &alice, "orders");

    set_clock(&folder, "-1h");
    // The gateway sees its clocks jump apart, drops its lease, and gets no other.
    let said = ended(client);
    assert!(said.err.contains("57P01") && said.err.contains("lease"), "{}", said.all());
    until("no backend is left at the target", || (world.backends() == 0).then_some(()));
    nothing_is_given(&world, &string);
    let said = bob.fails(7, &["approve", &waiting]);
    assert!(said.contains("behind its own ledger"), "{said}");
    // What takes away goes on.
    ada.ok(&["revoke", &grant, "--reason", "while the clock is wrong"]);
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    world.nothing_left(&grant);
    times_never_go_back(&world, "while-back");

    set_clock(&folder, "+0");
    ready(&world);
    bob.approves(&waiting);
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
    times_never_go_back(&world, "after");
}

#[test]
fn a_clock_that_is_set_forward_ends_things_early_and_then_waits_for_time_to_come() {
    let mut world = World::new_in(Around::Clock);
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let folder = world.folder.path().to_owned();
    let grant = world.grant("readonly");
    let string = alice.ok(&["connect", "orders", "--print"]);
    let client = busy(&world, &alice, "orders");

    // Thirty minutes were granted.
    set_clock(&folder, "+31m");
    let said = ended(client);
    assert!(said.err.contains("57P01"), "{}", said.all());
    let shown = until("the grant's time is up", || {
        let shown = ada.json(&["show", &grant]);
        (shown["state"]["state"] == "ended").then_some(shown)
    });
    assert_eq!(shown["state"]["cause"]["cause"], "deadline", "{shown}");
    world.nothing_left(&grant);
    // As far as anybody can see the time is right, so people go on.
    ready(&world);
    world.grant("readonly");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
    let ahead = times_never_go_back(&world, "ahead");

    // Put right, the clock is behind the ledger: a restart doesn't make that good.
    set_clock(&folder, "+0");
    until("it is not ready", || (web::get(&world, "/readyz").0 == 503).then_some(()));
    nothing_is_given(&world, &string);
    world.stop();
    world.start();
    nothing_is_given(&world, &string);
    ada.ok(&["revoke", "--everything", "--reason", "while the clock is wrong"]);
    let after = times_never_go_back(&world, "behind");
    assert!(after.starts_with(&ahead) && after.len() > ahead.len());

    // Once the time is there that the ledger has seen, everything goes on.
    set_clock(&folder, "+32m");
    ready(&world);
    world.grant("readonly");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}
