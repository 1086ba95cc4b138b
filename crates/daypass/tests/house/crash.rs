//! `kill -9` at any moment of a busy run: nothing acknowledged is missing, and nothing is left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Child,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::world::{Person, World, busy, ended, until};

/// When the server is killed: after so many acknowledgements of a run, and so many milliseconds more, while people ask,
/// approve, connect, revoke.
const MOMENTS: [(usize, u64); 6] = [(1, 0), (2, 35), (4, 90), (7, 0), (10, 160), (14, 15)];

/// What the server acknowledged.
#[derive(Default)]
struct Acknowledged {
    requests: BTreeSet<String>,
    /// Grants, with the requests that they came of.
    grants: BTreeMap<String, String>,
    /// Those of them whose end was acknowledged.
    ended: BTreeSet<String>,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.requests.len() + self.grants.len() + self.ended.len()
    }
}

/// What was acknowledged so far, by whomever.
#[derive(Default)]
struct Run {
    said: Mutex<Acknowledged>,
    clients: Mutex<Vec<Child>>,
    over: AtomicBool,
}

impl Run {
    /// Asks, is approved, connects, and gives back or has it taken away; every other grant is left alive.
    fn work(&self, person: &Person, bob: &Person, ada: &Person) {
        let mut round = 0;
        while !self.over.load(Ordering::Relaxed) {
            round += 1;
            if self.round(person, bob, ada, round).is_none() {
                // The server is gone, or going: what it didn't acknowledge, nobody counts on.
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn round(&self, person: &Person, bob: &Person, ada: &Person, round: u32) -> Option<()> {
        let asked = person.says_json(&["request", "orders", "--role", "readwrite", "--reason", "busy"]);
        let request = text(&asked.out, &["request", "id"])?;
        self.said.lock().unwrap().requests.insert(request.clone());
        let answered = bob.says_json(&["approve", &request]);
        let grant = text(&answered.out, &["outcome", "grant", "id"])?;
        self.said.lock().unwrap().grants.insert(grant.clone(), request);
        self.connect(person)?;
        let ending = match round % 3 {
            0 => return Some(()),
            1 => person.says_json(&["release", &grant]),
            _ => ada.says_json(&["revoke", &grant, "--reason", "busy"]),
        };
        text(&ending.out, &["ordered"])?;
        self.said.lock().unwrap().ended.insert(grant);
        Some(())
    }

    /// A session that would go on for an hour.
    fn connect(&self, person: &Person) -> Option<()> {
        let string = person.says(&["connect", "orders", "--print"]);
        if string.code != 0 {
            return None;
        }
        let client = person.psql_to(string.out.trim(), &["-c", "SELECT pg_sleep(3600)"]).spawn().ok()?;
        self.clients.lock().unwrap().push(client);
        Some(())
    }
}

/// A text in a JSON document; none when there is no such document.
fn text(json: &str, path: &[&str]) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    let found = path.iter().try_fold(&value, |value, key| value.get(key))?;
    found.as_str().map(ToOwned::to_owned)
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_left_behind() {
    let mut world = World::new();
    let (ada, bob) = (world.person("ada"), world.person("bob"));
    let people = [world.person("alice"), world.join("carol")];
    let mut all = Acknowledged::default();
    for (acknowledged, more) in MOMENTS {
        let run = Run::default();
        thread::scope(|scope| {
            for person in &people {
                scope.spawn(|| run.work(person, &bob, &ada));
            }
            until("the run is busy", || (run.said.lock().unwrap().count() >= acknowledged).then_some(()));
            thread::sleep(Duration::from_millis(more));
            world.kill();
            run.over.store(true, Ordering::Relaxed);
        });
        let said = run.said.into_inner().unwrap();
        all.requests.extend(said.requests);
        all.grants.extend(said.grants);
        all.ended.extend(said.ended);
        world.start();
        // Clients notice that the server is gone, and whom they were is of no use any more.
        for mut client in run.clients.into_inner().unwrap() {
            until("a client of the dead server ends", || client.try_wait().unwrap());
        }
        nothing_is_missing(&ada, &all);
        evidence_holds(&world, &ada, &format!("log-{acknowledged}"));
    }
    assert!(!all.ended.is_empty(), "the run was busy enough to end something");
    nothing_is_left(&world, &ada);
    live_grants_work(&world, &ada, &people);
}

fn nothing_is_missing(ada: &Person, all: &Acknowledged) {
    let listed = ada.json(&["grants", "--all"]);
    for request in &all.requests {
        let shown = ada.json(&["show", request]);
        if let Some((grant, _)) = all.grants.iter().find(|(_, of)| *of == request) {
            assert_eq!(shown["state"]["grant"], grant.as_str(), "{shown}");
        }
    }
    for grant in all.grants.keys() {
        let shown = ada.json(&["show", grant]);
        let state = shown["state"]["state"].as_str().unwrap();
        if all.ended.contains(grant) {
            assert!(["ending", "ended"].contains(&state), "an acknowledged end is gone: {shown}");
        }
    }
    // The list of everything leaves out none that lives.
    let live = |g: &Value| g["state"]["state"] == "active";
    for grant in all.grants.keys() {
        let shown = ada.json(&["show", grant]);
        let found = listed.as_array().unwrap().iter().any(|g| g["id"] == grant.as_str());
        assert!(found || !live(&shown), "{shown} isn't listed");
    }
}

/// The log verifies, against the checkpoint that ada's client kept from before the kill.
fn evidence_holds(world: &World, ada: &Person, name: &str) {
    let folder = world.path(name);
    ada.ok(&["ledger", "checkpoint"]);
    ada.ok(&["ledger", "export", &folder]);
    ada.ok(&["ledger", "verify", &folder]);
}

fn active(ada: &Person) -> Vec<Value> {
    let grants = ada.json(&["grants", "--all"]);
    grants.as_array().unwrap().iter().filter(|g| g["state"]["state"] == "active").cloned().collect()
}

/// At the target: logins of live grants only, and no backend, since no session lives.
fn nothing_is_left(world: &World, ada: &Person) {
    until("ended grants have no login at the target", || {
        let live = active(ada);
        let tails: Vec<&str> = live.iter().map(|g| tail(g["id"].as_str().unwrap())).collect();
        world.all_logins().iter().all(|login| tails.iter().any(|tail| login.contains(tail))).then_some(())
    });
    until("no unclaimed backend is at the target", || (world.backends() == 0).then_some(()));
    until("every session is closed", || {
        let sessions = ada.json(&["sessions", "--all"]);
        sessions.as_array().unwrap().iter().all(|s| s["state"]["state"] == "closed").then_some(())
    });
}

fn tail(grant: &str) -> &str {
    &grant[grant.len() - 12..]
}

fn live_grants_work(world: &World, ada: &Person, people: &[Person]) {
    let live = active(ada);
    for person in people {
        // Whoever held something at the last kill holds it still; whoever didn't asks, and gets it.
        if !live.iter().any(|g| g["holder"] == person.name.as_str()) {
            world.person("bob").approves(&person.asks("readonly"));
        }
        let said = person.sql("SELECT current_user");
        assert!(said.out.trim().ends_with(&person.name), "{}", said.all());
    }
}

#[test]
fn a_revocation_that_was_acknowledged_survives_the_next_instant() {
    let mut world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let kept = alice.json(&["request", "playground", "--role", "readonly", "--reason", "trying"]);
    let kept = kept["outcome"]["grant"]["id"].as_str().unwrap().to_owned();
    let revoked = world.grant("readwrite");
    let client = busy(&world, &alice, "orders");
    ada.ok(&["revoke", &revoked, "--reason", "and then the power went"]);
    world.kill();
    ended(client);
    world.start();
    world.confirmed(&revoked);
    world.nothing_left(&revoked);
    assert_eq!(ada.json(&["show", &kept])["state"]["state"], "active");
    until("no unclaimed backend is left", || (world.backends() == 0).then_some(()));
    assert_ne!(alice.sql("SELECT 1").code, 0, "what was revoked opens nothing");
    let said = ended(alice.psql("playground", &["-c", "SELECT current_user"]).spawn().unwrap());
    assert_eq!(world.logins(&kept), [said.out.trim()], "{}", said.all());
}

#[test]
fn a_session_of_a_dead_server_is_ended_at_the_target() {
    let mut world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readwrite");
    let client = busy(&world, &alice, "orders");
    assert_eq!(world.backends(), 1);
    world.kill();
    assert_ne!(ended(client).code, 0);
    world.start();
    // The backend sits in its statement and would for an hour: nobody claims it, so it is reaped.
    until("the unclaimed backend is ended", || (world.backends() == 0).then_some(()));
    let session = &ada.json(&["sessions", "--all"])[0];
    assert_eq!(session["state"]["cause"], "node_lost", "{session}");
    assert_eq!(ada.json(&["show", &grant])["state"]["state"], "active");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}

#[test]
fn a_login_that_no_grant_knows_is_ended_and_strangers_are_left_alone() {
    let mut world = World::new();
    let installation = std::fs::read_to_string(world.data().join("installation")).unwrap();
    let ours = format!("daypass_{}_0123456789ab_ghost", &installation.trim()[installation.trim().len() - 12..]);
    let theirs = "daypass_ffffffffffff_0123456789ab_ghost";
    // As a store that was lost leaves them: the login is there, and no row knows its grant.
    for role in [ours.as_str(), theirs] {
        world.target(&format!("CREATE ROLE {role} LOGIN IN ROLE app_read"));
        world.target(&format!("GRANT {role} TO gatekeeper WITH ADMIN OPTION"));
    }
    world.stop();
    world.start();
    let there = |role: &str| world.target(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'")) == "1";
    until("the login that no grant knows is gone", || (!there(&ours)).then_some(()));
    assert!(there(theirs), "another installation's login was touched");
}
