//! What a monitor reads: sessions while they last, endings of every cause, what waits for the disk.

use std::{fs, path::Path};

use crate::{
    web,
    world::{Person, World, busy, ended, until},
};

/// A number of the metrics.
pub fn number(world: &World, name: &str) -> f64 {
    let (status, text) = web::get(world, "/metrics");
    assert_eq!(status, 200, "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

/// How many endings were timed, at clients and at targets.
pub fn timed(world: &World) -> (f64, f64) {
    let count = |stage| number(world, &format!("daypass_revocation_seconds_count{{stage=\"{stage}\"}}"));
    (count("client"), count("target"))
}

/// What `end` takes away is timed: so many sessions at their clients, so many grants at the target.
fn times(world: &World, what: &str, more: (f64, f64), end: impl FnOnce()) {
    let before = timed(world);
    end();
    let want = (before.0 + more.0, before.1 + more.1);
    until(&format!("{what} is timed: {want:?}"), || (timed(world) == want).then_some(()));
}

fn lab(person: &Person, time: &str) -> String {
    let asked = person.json(&["request", "playground", "--role", "readonly", "--reason", "a look", "--for", time]);
    asked["outcome"]["grant"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn sessions_are_counted_while_they_last_and_endings_of_every_cause_are_timed() {
    let world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    assert_eq!(timed(&world), (0.0, 0.0));

    lab(&alice, "20s");
    let client = busy(&world, &alice, "playground");
    // While it runs, not when it is over.
    until("its statement is counted", || (number(&world, "daypass_statements_total") >= 1.0).then_some(()));
    assert_eq!(number(&world, "daypass_sessions_open"), 1.0);
    assert!(number(&world, "daypass_bytes_from_clients_total") > 0.0);
    times(&world, "a deadline", (1.0, 1.0), || drop(ended(client)));

    let grant = world.grant("readonly");
    let client = busy(&world, &alice, "orders");
    let session = alice.json(&["sessions"])[0]["id"].as_str().unwrap().to_owned();
    times(&world, "a session that was killed", (1.0, 0.0), || {
        ada.ok(&["session", "kill", &session]);
        ended(client);
    });
    let client = busy(&world, &alice, "orders");
    times(&world, "a revocation", (1.0, 1.0), || {
        ada.ok(&["revoke", &grant, "--reason", "enough"]);
        ended(client);
    });
    // Each in the sum too. (A gateway's own count of a deadline may be over a moment before the authority's: that is none.)
    for stage in ["client", "target"] {
        let sum = number(&world, &format!("daypass_revocation_seconds_sum{{stage=\"{stage}\"}}"));
        assert!(sum > 0.0 && sum < 60.0, "{stage}: {sum}");
    }

    let grant = lab(&alice, "10m");
    let client = busy(&world, &alice, "playground");
    times(&world, "a release", (1.0, 1.0), || {
        alice.ok(&["release", &grant]);
        ended(client);
    });

    lab(&bob, "10m");
    let client = busy(&world, &bob, "playground");
    times(&world, "a disabled person", (1.0, 1.0), || {
        ada.ok(&["user", "disable", "bob"]);
        ended(client);
    });

    lab(&alice, "10m");
    let client = busy(&world, &alice, "playground");
    let folder = world.path("policies");
    ada.ok(&["policy", "show", "--out", &folder]);
    let closed =
        "@id(\"closed\")\n@why(\"the lab is closed\")\nforbid (principal, action == Action::\"use\", resource);\n";
    fs::write(Path::new(&folder).join("closed.cedar"), closed).unwrap();
    times(&world, "a policy", (1.0, 1.0), || {
        ada.ok(&["policy", "apply", &folder]);
        ended(client);
    });

    // A client that leaves by itself is no ending of anybody's.
    assert_eq!(timed(&world), (6.0, 5.0));
}
