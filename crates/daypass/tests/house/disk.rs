//! A disk that is full while people work: what takes away goes on, and nothing is given. // I1

use crate::{
    around::{Around, fill_disk, make_room},
    web,
    world::{World, busy, ended, until},
};

#[test]
fn a_full_disk_gives_nothing_and_access_still_ends() {
    let world = World::new_in(Around::Disk);
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    let grant = world.grant("readwrite");
    let waiting = alice.asks("readonly");
    // A second grant, which nobody ends.
    alice.ok(&["request", "playground", "--role", "readonly", "--reason", "trying"]);
    let string = alice.ok(&["connect", "playground", "--print"]);
    let client = busy(&world, &alice, "orders");
    assert_eq!((world.backends(), world.logins(&grant).len()), (1, 1));

    fill_disk(world.server.as_ref().unwrap());
    let said = ada.fails(7, &["revoke", &grant, "--reason", "while the disk is full"]);
    assert!(said.contains("the access is cut") && said.contains("isn't recorded yet"), "{said}");
    let said = ended(client);
    assert!(said.err.contains("57P01"), "{}", said.all());
    until("no backend is left at the target", || (world.backends() == 0).then_some(()));
    let login = world.logins(&grant).pop().expect("the drop waits for its list");
    let opens = format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{login}'");
    until("the login opens nothing", || (world.target(&opens) == "f").then_some(()));

    // Nothing is given: no approval, no request, no session, and whoever asks is told why.
    for refused in [
        bob.fails(7, &["approve", &waiting]),
        alice.fails(7, &["request", "playground", "--role", "readwrite", "--reason", "trying"]),
    ] {
        assert!(refused.contains("nothing is given") && refused.contains("Make room on the disk"), "{refused}");
    }
    let said = ended(alice.psql_to(string.trim(), &["-c", "SELECT 1"]).spawn().unwrap());
    assert!(said.code != 0 && said.err.contains("Daypass can't give access now"), "{}", said.all());
    let (status, body) = web::get(&world, "/readyz");
    assert_eq!(status, 503, "{body}");
    assert_eq!(world.logins(&grant), [login], "it waits");

    make_room(world.server.as_ref().unwrap());
    // By itself: the end is recorded with what was said, the login is dropped, and people go on.
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    world.nothing_left(&grant);
    let shown = ada.json(&["show", &grant]);
    assert_eq!(
        (shown["state"]["cause"]["cause"].as_str(), shown["state"]["cause"]["by"].as_str()),
        (Some("revoked"), Some("ada"))
    );
    until("it is ready", || (web::get(&world, "/readyz").0 == 200).then_some(()));
    assert_eq!(ada.json(&["show", &waiting])["state"]["state"], "pending", "an approval that failed is none");
    bob.approves(&waiting);
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
    let log = world.path("log");
    ada.ok(&["ledger", "export", &log]);
    ada.ok(&["ledger", "verify", &log]);
}

#[test]
fn a_session_that_nobody_ends_does_not_outlive_its_lease_on_a_full_disk() {
    let world = World::new_in(Around::Disk);
    let alice = world.person("alice");
    let grant = world.grant("readonly");
    let client = busy(&world, &alice, "orders");
    fill_disk(world.server.as_ref().unwrap());
    // A renewal is a write, so the lease runs out. // I3
    let said = ended(client);
    assert!(said.err.contains("57P01") && said.err.contains("lease"), "{}", said.all());
    until("no backend is left at the target", || (world.backends() == 0).then_some(()));
    make_room(world.server.as_ref().unwrap());
    until("it is ready", || (web::get(&world, "/readyz").0 == 200).then_some(()));
    // Nothing was taken away: the grant opens the door again.
    assert_eq!(world.person("ada").json(&["show", &grant])["state"]["state"], "active");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}
