//! One statement: seen, approved, run once, shown to whom it was for, and gone.

use std::{fs, process::Child};

use serde_json::Value;

use crate::world::{Person, Said, World, ended, until};

const UPDATE: &str = "UPDATE accounts SET balance = balance + 1 WHERE id <= 7";

/// Alice's `exec`, and the request that waits for bob.
fn asks(world: &World, sql: &str, more: &[&str]) -> (Child, String) {
    let alice = world.person("alice");
    let exec = ["exec", "orders", "--role", "readwrite", "--reason", "Refund 4711", "--sql", sql];
    let child = alice.command(&[&exec[..], more].concat()).spawn().unwrap();
    (child, waiting(world))
}

/// The request that waits for bob.
fn waiting(world: &World) -> String {
    let bob = world.person("bob");
    until("the request waits", || bob.json(&["inbox"])[0]["id"].as_str().map(ToOwned::to_owned))
}

/// Bob says yes to what he saw. The grant's id.
fn approves(bob: &Person, request: &str) -> String {
    let seen = bob.json(&["show", request]);
    let answered = bob.json(&["approve", request, "--digest", seen["digest"].as_str().unwrap()]);
    answered["outcome"]["grant"]["id"].as_str().unwrap_or_else(|| panic!("{answered}")).to_owned()
}

fn runs(world: &World, sql: &str, more: &[&str]) -> (Said, String) {
    let (child, request) = asks(world, sql, more);
    let grant = approves(&world.person("bob"), &request);
    (ended(child), grant)
}

/// Waits until it runs at the target.
fn runs_at(world: &World, like: &str) {
    let running =
        format!("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass%' AND query LIKE '{like}'");
    until("it runs at the target", || (world.target(&running) == "1").then_some(()));
}

fn balances(world: &World) -> i64 {
    world.target("SELECT sum(balance) FROM accounts").parse().unwrap()
}

fn outcome(world: &World, grant: &str) -> Value {
    world.person("ada").json(&["show", grant])["opens"]["run"]["outcome"]["outcome"].clone()
}

#[test]
fn an_approved_update_runs_once_and_nothing_of_it_is_left() {
    let world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    let (child, request) = asks(&world, UPDATE, &[]);
    // I11: a list says that there is one; reading it is looking at the request, which is an entry.
    let listed = bob.json(&["inbox"])[0]["statement"].clone();
    assert!(listed["digest"].is_string() && listed["text"].is_null(), "{listed}");
    let shown = bob.json(&["show", &request]);
    assert_eq!(shown["statement"]["text"], UPDATE, "{shown}");
    // I8: not unseen, not as something else, and not by whoever asked.
    let unseen = bob.fails(2, &["approve", &request]);
    assert!(unseen.contains("Approve exactly this") || unseen.contains("--digest"), "{unseen}");
    bob.fails(2, &["approve", &request, "--digest", &"0".repeat(64)]);
    alice.fails(3, &["approve", &request, "--digest", shown["digest"].as_str().unwrap()]);
    assert!(world.all_logins().is_empty(), "asking and showing make no login");
    // No session waits at the door for it.
    assert!(alice.sql("SELECT 1").err.contains("no access"));

    let grant = approves(&bob, &request);
    let said = ended(child);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.err.contains("UPDATE 7: committed") && said.err.contains("nothing remains"), "{}", said.all());
    assert_eq!(balances(&world), 100 * 100 + 7);
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    world.nothing_left(&grant);
    let shown = ada.json(&["show", &grant]);
    assert_eq!(shown["state"]["cause"]["cause"], "statement_over", "{shown}");
    assert_eq!(shown["opens"]["run"]["outcome"], serde_json::json!({ "outcome": "committed", "rows": 7 }), "{shown}");

    // Once.
    let again = alice.fails(2, &["exec", "--request", &request]);
    assert!(again.contains("run once"), "{again}");
    assert_eq!(balances(&world), 100 * 100 + 7);
    // Recorded as a session is: begin, the statement, commit.
    let sessions = ada.json(&["sessions", "--all"]);
    let session = sessions.as_array().unwrap().iter().find(|s| s["grant"] == grant.as_str()).unwrap();
    assert_eq!(session["state"]["statements"], 3, "{session}");
    // I1, I11: what was done, each in an entry of its own; what the statement says is in none.
    let log = world.log();
    for (event, times) in [
        ("request.made", 1),
        ("request.approved", 1),
        ("statement.look_given", 0),
        ("statement.begun", 1),
        ("statement.over", 1),
        ("session.opened", 1),
        ("grant.ended", 1),
        ("UPDATE accounts", 0),
    ] {
        assert_eq!(log.matches(event).count(), times, "{event}");
    }
}

#[test]
fn a_grant_for_one_statement_opens_no_session() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let ask = ["exec", "orders", "--role", "readwrite", "--reason", "later", "--sql", UPDATE, "--no-wait"];
    let said = alice.says_json(&ask);
    assert_eq!(said.code, 4, "{}", said.all());
    let request = said.json()["request"]["id"].as_str().unwrap().to_owned();
    let grant = approves(&bob, &request);
    let refused = alice.sql("SELECT 1");
    assert!(
        refused.err.contains("one statement") && refused.err.contains("daypass exec --request"),
        "{}",
        refused.all()
    );
    assert!(world.logins(&grant).is_empty());
    alice.fails(2, &["extend", &grant, "--by", "5m"]);
    alice.ok(&["exec", "--request", &request]);
    assert_eq!(balances(&world), 100 * 100 + 7);
}

#[test]
fn a_look_estimates_and_changes_nothing() {
    let world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    let (child, request) = asks(&world, UPDATE, &[]);
    // Whoever asks has nothing planned in the role's name before somebody else would have it.
    alice.fails(3, &["look", &request]);
    let looked = bob.json(&["look", &request]);
    let estimate = &looked["statement"]["estimate"];
    assert_eq!(estimate["estimate"], "planned", "{looked}");
    assert!(
        estimate["rows"].as_u64().unwrap() > 0 && estimate["plan"].as_str().unwrap().contains("Update on accounts")
    );
    assert_eq!(balances(&world), 100 * 100);
    until("the look's login is gone", || world.all_logins().is_empty().then_some(()));
    let grants = ada.json(&["grants", "--all"]);
    assert_eq!((&grants[0]["opens"]["opens"], &grants[0]["holder"]), (&"look".into(), &"bob".into()), "{grants}");
    approves(&bob, &request);
    assert_eq!(ended(child).code, 0, "a look voids nothing");

    // What EXPLAIN doesn't take, and what would have it run, is said and not done.
    for (sql, says) in [("CREATE TABLE mine (a int)", "42601"), ("ANALYZE DELETE FROM accounts", "42601")] {
        let (mut child, request) = asks(&world, sql, &[]);
        let looked = bob.json(&["look", &request]);
        let why = looked["statement"]["estimate"]["why"].as_str().unwrap_or_default();
        assert!(why.contains(says), "{sql}: {looked}");
        alice.ok(&["withdraw", &request]);
        until("exec hears of it", || child.try_wait().unwrap());
    }
    assert_eq!(world.target("SELECT count(*) FROM accounts"), "100");
}

#[test]
fn what_is_no_single_statement_is_refused() {
    let world = World::new();
    let alice = world.person("alice");
    let ask = |sql: &str| alice.fails(2, &["exec", "orders", "--role", "readwrite", "--reason", "x", "--sql", sql]);
    for (sql, word) in [("COMMIT", "transaction"), ("COPY accounts FROM STDIN", "COPY"), ("-- nothing", "no statement")]
    {
        let said = ask(sql);
        assert!(said.contains(word), "{sql}: {said}");
    }
    // That it is one is for the server to say, and it says so before any of it runs.
    let (said, grant) = runs(&world, &format!("{UPDATE}; DELETE FROM accounts"), &[]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.err.contains("42601") && said.err.contains("nothing of it stands"), "{}", said.all());
    assert_eq!((balances(&world), outcome(&world, &grant)), (100 * 100, "refused".into()));
    // The server's words, as it said them.
    let (said, grant) = runs(&world, "UPDATE accounts SET balans = 1", &[]);
    assert!(said.err.contains("42703") && said.err.contains("POSITION:  21"), "{}", said.all());
    world.nothing_left(&grant);
}

#[test]
fn a_result_goes_to_whoever_asked_within_limits() {
    let world = World::new();
    let (said, _) =
        runs(&world, "SELECT id, NULL AS nothing, 'a,b' AS text FROM accounts ORDER BY id LIMIT 2", &["--csv"]);
    assert_eq!(said.out, "id,nothing,text\r\n1,,\"a,b\"\r\n2,,\"a,b\"\r\n", "{}", said.all());
    // More than a pipe holds while nobody reads it.
    let out = world.folder.path().join("result.json");
    let many = ["--json", "exec", "orders", "--role", "readwrite", "--reason", "many", "--sql"];
    let mut many = world.person("alice").command(&[&many[..], &["SELECT n FROM generate_series(1, 10005) n"]].concat());
    let child = many.stdout(fs::File::create(&out).unwrap()).spawn().unwrap();
    let grant = approves(&world.person("bob"), &waiting(&world));
    assert_eq!(ended(child).code, 0);
    let ran: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(ran["rows"].as_array().unwrap().len(), 10_000);
    assert_eq!((&ran["rows_given"], &ran["columns"][0]["name"]), (&10_005.into(), &"n".into()));
    assert_eq!(ran["receipt"]["grants"][0], grant.as_str());
    // What the target says besides has limits too: an answer that nobody can read would hide that it was committed.
    let talks = "DO $$BEGIN FOR i IN 1..20 LOOP RAISE NOTICE '%', repeat(chr(1), 900000); END LOOP; END$$";
    let (said, grant) = runs(&world, talks, &[]);
    assert_eq!((said.code, outcome(&world, &grant)), (0, "committed".into()), "{}", said.err);
    // As long as one may be, to the byte.
    let longest = format!("SELECT length('{}')", "x".repeat((64 << 10) - "SELECT length('')".len()));
    let (child, request) = asks(&world, &longest, &["--csv"]);
    let bob = world.person("bob");
    // Not by `show`: what that prints fills a pipe that nobody reads.
    let digest = bob.json(&["inbox"])[0]["digest"].as_str().unwrap().to_owned();
    bob.ok(&["approve", &request, "--digest", &digest]);
    let said = ended(child);
    assert_eq!(said.out, format!("length\r\n{}\r\n", (64 << 10) - "SELECT length('')".len()), "{}", said.err);
    let (said, _) = runs(&world, "SELECT E'red \\x1b[31m' AS colour", &[]);
    assert!(!said.out.contains('\u{1b}') && said.out.contains("colour"), "{:?}", said.out);
}

#[test]
fn killed_between_the_intent_and_the_outcome_it_never_runs_twice() {
    let mut world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let sql = "UPDATE accounts SET balance = balance + 1 + (SELECT count(*) FROM pg_sleep(3600))::int - 1 WHERE id = 1";
    let (child, request) = asks(&world, sql, &[]);
    let grant = approves(&world.person("bob"), &request);
    runs_at(&world, "UPDATE%");
    world.kill();
    assert_ne!(ended(child).code, 0);
    world.start();
    assert_eq!(outcome(&world, &grant), "unknown");
    let again = alice.fails(2, &["exec", "--request", &request]);
    assert!(again.contains("it may have run"), "{again}");
    world.confirmed(&grant);
    world.nothing_left(&grant);
    until("no backend is left", || (world.backends() == 0).then_some(()));
    assert_eq!(balances(&world), 100 * 100, "what was killed before its commit never ran");
    assert_eq!(ada.json(&["show", &grant])["state"]["cause"]["cause"], "statement_over");
}

#[test]
fn interrupted_it_is_taken_back() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let interrupt = |child: &Child| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    };
    let (child, request) = asks(&world, UPDATE, &[]);
    interrupt(&child);
    assert_ne!(ended(child).code, 0);
    assert_eq!(alice.json(&["show", &request])["state"]["state"], "withdrawn");

    let (child, request) = asks(&world, "SELECT pg_sleep(3600)", &[]);
    let grant = approves(&bob, &request);
    runs_at(&world, "SELECT pg_sleep%");
    interrupt(&child);
    let said = ended(child);
    assert!(said.err.contains("nothing of it stands"), "{}", said.all());
    world.confirmed(&grant);
    world.nothing_left(&grant);
    assert_eq!(outcome(&world, &grant), "no_effect");
}

#[test]
fn nothing_gets_out_of_its_transaction() {
    let world = World::new();
    world.target(
        "CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$BEGIN UPDATE accounts SET balance = 0; COMMIT; END$$;",
    );
    for (sql, says) in [
        // invalid_transaction_termination: there is a transaction around it, which isn't its own.
        ("CALL commits()", "2D000"),
        ("DO $$BEGIN UPDATE accounts SET balance = 0; COMMIT; END$$", "2D000"),
        ("SET ROLE postgres", "42501"),
        ("SET SESSION AUTHORIZATION postgres", "42501"),
        ("UPDATE accounts SET balance = $1", "08P01"),
    ] {
        let (said, grant) = runs(&world, sql, &[]);
        assert_eq!((said.code, outcome(&world, &grant)), (1, "refused".into()), "{sql}: {}", said.all());
        assert!(said.err.contains(says) && said.err.contains("nothing of it stands"), "{sql}: {}", said.all());
    }
    assert_eq!(balances(&world), 100 * 100);
    // A comment at its end swallows nothing of what follows, for nothing does.
    let (said, _) = runs(&world, &format!("{UPDATE} -- ; DELETE FROM accounts"), &[]);
    assert!(said.err.contains("UPDATE 7: committed"), "{}", said.all());
    assert_eq!(balances(&world), 100 * 100 + 7);
}

#[test]
fn a_function_that_lies_changes_nothing_by_being_planned() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    world.target(
        "CREATE FUNCTION writes() RETURNS void LANGUAGE plpgsql AS $$BEGIN UPDATE accounts SET balance = 0; END$$;
         CREATE FUNCTION lies() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM writes(); RETURN 1; END$$;
         CREATE FUNCTION opens() RETURNS int IMMUTABLE LANGUAGE plpgsql AS
             $$BEGIN PERFORM set_config('transaction_read_only', 'off', true); PERFORM writes(); RETURN 1; END$$;",
    );
    // read_only_sql_transaction, active_sql_transaction: it is run while planning, and can neither write nor make that so.
    for (sql, says) in [("SELECT lies()", "25006"), ("SELECT opens()", "25001")] {
        let (mut child, request) = asks(&world, sql, &[]);
        let looked = bob.json(&["look", &request]);
        let why = looked["statement"]["estimate"]["why"].as_str().unwrap_or_default();
        assert!(why.contains(says), "{sql}: {looked}");
        alice.ok(&["withdraw", &request]);
        until("exec hears of it", || child.try_wait().unwrap());
    }
    assert_eq!(balances(&world), 100 * 100);
}

#[test]
fn lost_while_it_commits_it_may_have_run() {
    let world = World::new();
    world.target(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(3600); RETURN NULL; END$$;
         CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
             EXECUTE FUNCTION slow();",
    );
    let (child, request) = asks(&world, "UPDATE accounts SET balance = 0 WHERE id = 1", &[]);
    let grant = approves(&world.person("bob"), &request);
    runs_at(&world, "COMMIT");
    world.target(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'daypass%' AND query = 'COMMIT'",
    );
    let said = ended(child);
    assert_eq!((said.code, outcome(&world, &grant)), (1, "unknown".into()), "{}", said.all());
    assert!(said.err.contains("it may have run") && !said.err.contains("nothing of it stands"), "{}", said.all());
    world.confirmed(&grant);
    world.nothing_left(&grant);
    let again = world.person("alice").fails(2, &["exec", "--request", &request]);
    assert!(again.contains("it may have run"), "{again}");
}
