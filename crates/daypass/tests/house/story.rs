//! What everybody does every day, and what it leaves at the target.

use std::{fs, process::Stdio, thread};

use serde_json::Value;

use crate::world::{World, busy, ended, until};

#[test]
fn refused_then_asked_approved_connected_released() {
    let world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    assert!(world.all_logins().is_empty());

    // I4: without a permit nothing reaches the target, and the refusal says what to do.
    let refused = alice.sql("SELECT 1");
    assert_ne!(refused.code, 0);
    // libpq shows no SQLSTATE for a failed connection; the server's words and the hint are there.
    assert!(refused.err.contains("no access") && refused.err.contains("daypass request orders"), "{}", refused.err);
    assert!(world.all_logins().is_empty(), "a refusal makes no login");

    let request = alice.asks("readonly");
    let pending = ada.json(&["show", &request]);
    assert_eq!(pending["state"]["state"], "pending", "{pending}");
    // I8: nobody approves what they asked for.
    alice.fails(3, &["approve", &request]);
    assert_eq!(bob.json(&["inbox"])[0]["id"], request.as_str());
    let grant = bob.approves(&request);
    assert_eq!(alice.json(&["grants"])[0]["state"]["state"], "active");

    let shown = alice.sql("SELECT current_user, count(*) FROM accounts");
    assert_eq!(shown.code, 0, "{}", shown.all());
    let logins = world.logins(&grant);
    assert_eq!(logins.len(), 1, "{logins:?}");
    assert_eq!(shown.out.trim(), format!("{}|100", logins[0]));
    assert!(shown.err.contains("recorded"), "connecting says that it is recorded: {}", shown.err);
    let denied = alice.sql("DELETE FROM accounts");
    assert!(denied.err.contains("42501"), "{}", denied.all());

    // The starter policy gives an hour at most, however it is reached.
    alice.fails(3, &["extend", &grant, "--by", "2h"]);

    let receipt = alice.json(&["release", &grant]);
    assert_eq!(receipt["grants"][0], grant.as_str(), "{receipt}");
    assert!(!receipt["entries"].as_array().unwrap().is_empty(), "{receipt}");
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    world.nothing_left(&grant);
    assert_ne!(alice.sql("SELECT 1").code, 0);
}

#[test]
fn a_program_runs_with_a_grant_that_ends_with_it() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let script = "psql -X -q -A -t -c 'SELECT count(*) FROM accounts' && \
                  psql -X -q -A -t \"$DATABASE_URL\" -c 'SELECT 7' && exit 42";
    let run = ["run", "orders", "--role", "readonly", "--reason", "a count", "--", "sh", "-c", script];
    let run = alice.command(&run).spawn().unwrap();
    let request = until("the request waits", || bob.json(&["inbox"])[0]["id"].as_str().map(ToOwned::to_owned));
    let grant = bob.approves(&request);
    let said = ended(run);
    assert_eq!(said.code, 42, "the program's own exit code: {}", said.all());
    assert!(said.out.contains("100\n7\n"), "{}", said.all());
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    world.nothing_left(&grant);
}

#[test]
fn a_client_waits_at_the_door() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let request = alice.asks("readonly");
    let errors = world.folder.path().join("door");
    let client = alice
        .psql("orders", &["-c", "SELECT count(*) FROM accounts"])
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    until("it is told what it waits for", || fs::read_to_string(&errors).unwrap().contains("NOTICE").then_some(()));
    assert!(world.all_logins().is_empty(), "waiting makes no login");
    bob.approves(&request);
    let said = ended(client);
    assert_eq!((said.code, said.out.trim()), (0, "100"), "{}", fs::read_to_string(&errors).unwrap());
}

#[test]
fn everything_is_revoked_while_it_runs() {
    let world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let orders = world.grant("readwrite");
    let lab = alice.json(&["request", "playground", "--role", "readonly", "--reason", "trying"]);
    let lab = lab["outcome"]["grant"]["id"].as_str().unwrap().to_owned();
    let (one, two) = (busy(&world, &alice, "orders"), busy(&world, &alice, "playground"));
    let receipt = ada.json(&["revoke", "--everything", "--reason", "an incident"]);
    assert_eq!(receipt["grants"].as_array().unwrap().len(), 2, "{receipt}");
    assert_eq!(receipt["nodes"][0]["node_receipt"], "confirmed", "{receipt}");
    for (child, grant) in [(one, &orders), (two, &lab)] {
        let said = ended(child);
        assert_ne!(said.code, 0);
        // I5: the reason at the client, and nothing at the target.
        assert!(said.err.contains("57P01") && said.err.contains("revoked"), "{}", said.err);
        assert_eq!(world.confirmed(grant)["confirmation"], "clean");
        world.nothing_left(grant);
    }
    until("no backend is left", || (world.backends() == 0).then_some(()));
    let cause = &ada.json(&["show", &orders])["state"]["cause"];
    assert_eq!((cause["cause"].as_str(), cause["by"].as_str()), (Some("revoked"), Some("ada")), "{cause}");
}

#[test]
fn who_is_disabled_holds_nothing() {
    let world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readonly");
    let client = busy(&world, &alice, "orders");
    let string = alice.psql("orders", &["-c", "SELECT 1"]);
    ada.ok(&["user", "disable", "alice"]);
    assert_ne!(ended(client).code, 0);
    world.confirmed(&grant);
    world.nothing_left(&grant);
    until("no backend is left", || (world.backends() == 0).then_some(()));
    assert_eq!(ada.json(&["show", &grant])["state"]["cause"]["cause"], "disabled");
    let mut string = string;
    assert_ne!(ended(string.spawn().unwrap()).code, 0, "the personal secret opens nothing any more");
    alice.fails(5, &["whoami"]);
}

#[test]
fn a_killed_session_leaves_its_grant() {
    let world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readonly");
    let client = busy(&world, &alice, "orders");
    let sessions = ada.json(&["sessions", "--all"]);
    let session = sessions.as_array().unwrap().iter().find(|s| s["state"]["state"] == "open").unwrap();
    assert_eq!(session["grant"], grant.as_str());
    let id = session["id"].as_str().unwrap();
    ada.ok(&["session", "kill", id]);
    let said = ended(client);
    assert!(said.err.contains("57P01"), "{}", said.err);
    until("no backend is left", || (world.backends() == 0).then_some(()));
    let shown = until("the session is closed", || {
        let shown = ada.json(&["session", "show", id]);
        (shown["state"]["state"] == "closed").then_some(shown)
    });
    assert_eq!(shown["state"]["cause"], "killed", "{shown}");
    assert_eq!(ada.json(&["show", &grant])["state"]["state"], "active");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}

#[test]
fn the_second_of_two_grants_survives_the_end_of_the_first() {
    let world = World::new();
    let alice = world.person("alice");
    let (first, second) = (world.grant("readonly"), world.grant("readonly"));
    assert_ne!(first, second);
    let under = alice.sql("SELECT current_user").out;
    let (ending, staying) =
        if world.logins(&first).iter().any(|l| l == under.trim()) { (&first, &second) } else { (&second, &first) };
    let client = busy(&world, &alice, "orders");
    let receipt = alice.json(&["release", ending]);
    assert_eq!(receipt["grants"], serde_json::json!([ending]));
    // A session belongs to one grant, and dies with it even if another would cover it.
    assert_ne!(ended(client).code, 0);
    world.confirmed(ending);
    world.nothing_left(ending);
    let login = alice.sql("SELECT current_user");
    assert_eq!(world.logins(staying), [login.out.trim()], "{}", login.all());
}

#[test]
fn a_grant_starts_when_it_was_asked_for() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let ask = |start: jiff::Timestamp| {
        let start = start.to_string();
        let said =
            alice.says_json(&["request", "orders", "--role", "readonly", "--reason", "tonight", "--start", &start]);
        assert_eq!(said.code, 4, "{}", said.all());
        bob.approves(said.json()["request"]["id"].as_str().unwrap())
    };
    let now = jiff::Timestamp::now();
    let late = ask(now + jiff::SignedDuration::from_hours(1));
    assert_eq!(alice.json(&["show", &late])["state"]["state"], "scheduled");
    assert_ne!(alice.sql("SELECT 1").code, 0, "not yet");
    alice.ok(&["release", &late]);
    assert_eq!(world.confirmed(&late)["confirmation"], "nothing_made");

    let soon = ask(jiff::Timestamp::now() + jiff::SignedDuration::from_secs(6));
    until("it starts by itself", || (alice.json(&["show", &soon])["state"]["state"] == "active").then_some(()));
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}

#[test]
fn a_grant_ends_by_itself() {
    let world = World::new();
    let alice = world.person("alice");
    let asked = alice.json(&["request", "playground", "--role", "readonly", "--reason", "a look", "--for", "20s"]);
    let grant = asked["outcome"]["grant"]["id"].as_str().unwrap();
    let said = ended(busy(&world, &alice, "playground"));
    assert!(said.err.contains("57P01"), "{}", said.err);
    assert_eq!(world.confirmed(grant)["confirmation"], "clean");
    assert_eq!(world.person("ada").json(&["show", grant])["state"]["cause"]["cause"], "deadline");
    world.nothing_left(grant);
}

#[test]
fn the_lab_asks_for_a_reason_and_nobody() {
    let world = World::new();
    let alice = world.person("alice");
    let without = alice.says_json(&["request", "playground", "--role", "readonly"]);
    assert_eq!(without.code, 3, "{}", without.all());
    assert_eq!(without.json()["outcome"]["outcome"], "refused");
    let too_long =
        alice.says_json(&["request", "playground", "--role", "readonly", "--reason", "a day", "--for", "2h"]);
    assert_eq!(too_long.code, 3, "{}", too_long.all());
    let granted = alice.json(&["request", "playground", "--role", "readonly", "--reason", "trying it"]);
    assert_eq!(granted["outcome"]["outcome"], "granted");
    let said = ended(alice.psql("playground", &["-c", "SELECT 1"]).spawn().unwrap());
    assert_eq!(said.out.trim(), "1", "{}", said.all());
}

#[test]
fn what_was_made_is_kept_by_its_owner_or_listed() {
    let world = World::new();
    let alice = world.person("alice");
    let owner = "SELECT tableowner FROM pg_tables WHERE tablename = ";

    let migrate = world.grant("migrate");
    let made = alice.sql("CREATE TABLE invoices (id int)");
    assert_eq!(made.code, 0, "{}", made.all());
    alice.ok(&["release", &migrate]);
    let confirmation = world.confirmed(&migrate);
    assert_eq!(confirmation["confirmation"], "kept", "{confirmation}");
    world.nothing_left(&migrate);
    assert_eq!(world.target(&format!("{owner}'invoices'")), "app_owner");

    let readwrite = world.grant("readwrite");
    let made = alice.sql("CREATE TABLE leftover (id int)");
    assert_eq!(made.code, 0, "{}", made.all());
    alice.ok(&["release", &readwrite]);
    let confirmation = world.confirmed(&readwrite);
    assert_eq!(confirmation["confirmation"], "residue", "{confirmation}");
    assert!(confirmation["items"].as_u64() >= Some(1), "{confirmation}");
    world.nothing_left(&readwrite);
    let kept_by = world.target(&format!("{owner}'leftover'"));
    let can = world.target(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{kept_by}'"));
    assert_eq!(can, "f", "{kept_by} can't log in");
}

#[test]
fn programs_are_told_in_json_and_evidence_holds() {
    let world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readonly");
    assert_eq!(alice.sql("SELECT 1").code, 0);
    for verb in [
        &["whoami"][..],
        &["resources"],
        &["resources", "orders"],
        &["doctor", "orders"],
        &["who", "orders"],
        &["explain", "orders", "--role", "readonly"],
        &["requests"],
        &["inbox"],
        &["grants", "--all"],
        &["show", &grant],
        &["sessions", "--all"],
        &["user", "list"],
        &["group", "list"],
        &["token", "list"],
        &["policy", "show"],
        &["changes", "--all"],
        &["ledger", "key"],
    ] {
        ada.json(verb);
    }
    let log = world.path("log");
    ada.ok(&["ledger", "export", &log]);
    let report: Value = ada.json(&["ledger", "verify", &log]);
    assert!(report["size"].as_u64() > Some(10), "{report}");
    // A receipt: the entry that recorded a revocation is in the log.
    let receipt = ada.json(&["revoke", &grant, "--reason", "enough"]);
    let entry = receipt["entries"][0].to_string();
    let proof = world.path("proof");
    fs::write(&proof, ada.ok(&["ledger", "receipt", &entry])).unwrap();
    ada.ok(&["ledger", "receipt", &entry, "--check", &proof]);
    // Of another entry it proves nothing, and one letter of a hash changed is found.
    ada.fails(2, &["ledger", "receipt", "0", "--check", &proof]);
    let text = fs::read_to_string(&proof).unwrap();
    let at = text.find("\nindex ").unwrap() + 1;
    let hash = at + text[at..].find('\n').unwrap() + 1;
    let other = if text[hash..].starts_with('A') { "B" } else { "A" };
    fs::write(&proof, format!("{}{other}{}", &text[..hash], &text[hash + 1..])).unwrap();
    ada.fails(8, &["ledger", "receipt", &entry, "--check", &proof]);
    ada.fails(6, &["show", "grant_00000000000000000000000000000000"]);
}

#[test]
fn people_at_the_same_time() {
    let world = World::new();
    let bob = world.person("bob");
    let people: Vec<_> = ["carol", "dave"].iter().map(|name| world.join(name)).collect();
    let counts: Vec<String> = thread::scope(|scope| {
        let run = |person: &crate::world::Person| {
            let grant = bob.approves(&person.asks("readonly"));
            let said = person.sql("SELECT current_user");
            person.ok(&["release", &grant]);
            said.out.trim().to_owned()
        };
        let running: Vec<_> = people.iter().map(|person| scope.spawn(move || run(person))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(counts[0].ends_with("carol") && counts[1].ends_with("dave"), "{counts:?}");
    until("no login is left", || world.all_logins().is_empty().then_some(()));
}

#[test]
fn a_code_is_never_taken_for_an_option() {
    let world = World::bare();
    let ada = world.person("ada");
    let token = world.ready()["setup_token"].as_str().unwrap().to_owned();
    ada.ok(&["setup", "--server", &world.url(), "--name", "ada", &token]);
    for number in 0..40 {
        let made = ada.json(&["user", "create", &format!("user{number}")]);
        let code = made["handed"]["code"].as_str().unwrap();
        assert!(code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'), "{code}");
    }
    // What follows the dot may begin with a hyphen: it is an option's value.
    let (_, digest) = token.rsplit_once('.').unwrap();
    let other = world.person("other");
    other.ok(&["login", "--server", &world.url(), "--pin", digest, "--user", "ada"]);
    let said =
        other.says(&["login", "--server", &world.url(), "--pin", &format!("-{}", &digest[1..]), "--user", "ada"]);
    assert!(!said.err.contains("unexpected argument"), "{}", said.all());
    assert!(said.code != 0 || digest.starts_with('-'), "another authority isn't believed: {}", said.all());
}
