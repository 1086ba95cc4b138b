//! I12: with two administrators, one of them alone changes nothing that decisions read.

use std::fs;

use serde_json::Value;

use crate::world::{Person, World, ended};

/// Two administrators: ada and bea.
fn two() -> (World, Person, Person) {
    let world = World::new();
    let ada = world.person("ada");
    let bea = world.join("bea");
    assert_eq!(ada.json(&["whoami"])["four_eyes"]["four_eyes"], "not_yet");
    let added = ada.json(&["group", "add", "administrators", "bea"]);
    assert_eq!(added["outcome"]["outcome"], "done", "she is alone until then: {added}");
    for administrator in [&ada, &bea] {
        assert_eq!(administrator.json(&["whoami"])["four_eyes"]["four_eyes"], "since");
    }
    (world, ada, bea)
}

/// Everything that decisions read, as far as the API shows it.
fn read_by_decisions(ada: &Person) -> Vec<Value> {
    let lists = [
        &["resources"][..],
        &["resources", "orders"],
        &["resources", "playground"],
        &["policy", "show"],
        &["user", "list"],
        &["group", "list"],
        &["token", "list"],
    ];
    lists.iter().map(|list| ada.json(list)).collect()
}

/// Proposes a change, which must wait. Its id.
fn proposes(who: &Person, verb: &[&str]) -> String {
    let said = who.says_json(verb);
    assert_eq!(said.code, 4, "it waits for somebody: {}", said.all());
    let proposed = said.json();
    assert_eq!(proposed["outcome"]["outcome"], "pending", "{verb:?}: {proposed}");
    proposed["outcome"]["change"].as_str().unwrap().to_owned()
}

fn written(world: &World, name: &str, text: &str) -> String {
    let path = world.path(name);
    fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// Leaving this group gives, so it isn't only taking away.
const BARRED: &str = "@id(\"barred\")\n@why(\"who is barred uses nothing\")\n\
    forbid (principal in Group::\"barred\", action == Action::\"use\", resource);\n";

#[test]
fn every_administrative_verb_waits_for_the_other_one() {
    let (world, ada, bea) = two();
    let one = |verb: &[&str]| {
        let change = proposes(&ada, verb);
        assert_eq!(bea.json(&["approve", &change])["outcome"]["outcome"], "done");
    };
    // Something to change: a group that is held against its members, and somebody disabled.
    ada.json(&["group", "create", "barred"]);
    one(&["group", "add", "barred", "bob"]);
    let folder = world.path("policies");
    ada.ok(&["policy", "show", "--out", &folder]);
    written(&world, "policies/barred.cedar", BARRED);
    one(&["policy", "apply", &folder]);
    let carol = proposes(&ada, &["user", "create", "carol"]);
    bea.ok(&["approve", &carol]);
    ada.ok(&["user", "disable", "carol"]);
    one(&["user", "mail", "bob", "bob@example.com"]);

    let elsewhere = written(&world, "elsewhere.toml", &world.resources().replace("127.0.0.1:", "localhost:"));
    let relabelled = written(&world, "lab.toml", &world.resources().replace("\"production\"", "\"lab\""));
    let wider = world.resources().replace("member_of = [\"app_read\"]", "member_of = [\"app_read\", \"app_write\"]");
    let wider = written(&world, "wider.toml", &wider);
    let removed = written(&world, "removed.toml", "remove = [\"orders\"]\n");
    // Longer, and nobody barred any more.
    let access = fs::read_to_string(world.path("policies/access.cedar")).unwrap();
    written(&world, "wide/access.cedar", &access.replace("3600", "36000"));
    let administer = fs::read_to_string(world.path("policies/administer.cedar")).unwrap();
    written(&world, "wide/administer.cedar", &administer);
    let wide = world.path("wide");

    let before = read_by_decisions(&ada);
    let verbs = [
        &["user", "create", "mallory"][..],
        &["user", "enable", "carol"],
        &["user", "invite", "bob"],
        &["user", "reset-second-factor", "bob"],
        &["user", "mail", "ada", "ada@elsewhere.example"],
        &["user", "mail", "bob", "--remove"],
        &["workload", "create", "nightly", "--owner", "ada"],
        &["group", "add", "administrators", "alice"],
        &["group", "remove", "barred", "bob"],
        &["group", "delete", "barred"],
        &["apply", "-f", &elsewhere],
        &["apply", "-f", &relabelled],
        &["apply", "-f", &wider],
        &["apply", "-f", &removed],
        &["policy", "apply", &wide],
    ];
    let mut changes = Vec::new();
    for verb in verbs {
        let said = ada.says_json(verb);
        // Where there is nothing to reset, saying so is no change either.
        if verb.contains(&"reset-second-factor") {
            assert!(!said.out.contains("\"done\""), "{}", said.all());
            continue;
        }
        let proposed = said.json();
        assert_eq!(proposed["outcome"]["outcome"], "pending", "{verb:?}: {}", said.all());
        let change = proposed["outcome"]["change"].as_str().unwrap().to_owned();
        // Nobody approves what they proposed, and who is no administrator approves nothing.
        ada.fails(3, &["approve", &change]);
        world.person("bob").fails(3, &["approve", &change]);
        assert_eq!(ada.json(&["show", &change])["change"]["state"]["state"], "pending");
        changes.push(change);
    }
    assert_eq!(read_by_decisions(&ada), before, "one administrator alone changed what decisions read");
    assert_eq!(bea.json(&["changes"]).as_array().unwrap().len(), changes.len());

    // No new target is reached meanwhile: not even by the one who proposed it all.
    let said = ada.says_json(&["request", "orders", "--role", "readonly", "--reason", "mine"]);
    assert_eq!(said.code, 4, "{}", said.all());
    assert_ne!(ended(ada.psql("playground", &["-c", "SELECT 1"]).spawn().unwrap()).code, 0);

    for change in &changes {
        bea.ok(&["reject", change]);
        assert_ne!(bea.says(&["approve", change]).code, 0, "what was rejected isn't approved");
    }
    assert_eq!(read_by_decisions(&ada), before);
    assert!(bea.json(&["changes"]).as_array().unwrap().is_empty());
}

#[test]
fn no_two_administrators_open_what_nobody_labelled_to_everybody() {
    let (world, ada, _) = two();
    written(
        &world,
        "open/all.cedar",
        "@id(\"open\")\n@why(\"everybody may everything\")\npermit (principal, action, resource);\n",
    );
    let said = ada.fails(2, &["policy", "apply", &world.path("open")]);
    assert!(said.contains("without another person's approval (by open)"), "{said}");
    assert!(ada.json(&["changes"]).as_array().unwrap().is_empty());
}

#[test]
fn what_the_other_one_approves_is_done() {
    let (world, ada, bea) = two();
    let relabelled = written(&world, "lab.toml", &world.resources().replace("\"production\"", "\"lab\""));
    let alice = world.person("alice");
    let ask = ["request", "orders", "--role", "readonly", "--reason", "trying"];
    let change = proposes(&ada, &["apply", "-f", &relabelled]);
    assert_eq!(alice.says_json(&ask).code, 4, "it is production still");
    assert_eq!(bea.json(&["approve", &change])["outcome"]["outcome"], "done");
    let state = ada.json(&["show", &change])["change"]["state"].clone();
    assert_eq!((state["state"].as_str(), state["approver"].as_str()), (Some("committed"), Some("bea")));
    assert_eq!(alice.json(&ask)["outcome"]["outcome"], "granted");

    // A stricter policy, approved, ends what it doesn't permit (I2).
    let held = alice.json(&["grants"])[0]["id"].as_str().unwrap().to_owned();
    let folder = world.path("policies");
    ada.ok(&["policy", "show", "--out", &folder]);
    let access = fs::read_to_string(world.path("policies/access.cedar")).unwrap();
    fs::write(world.path("policies/access.cedar"), access.replace("Environment::\"lab\"", "Environment::\"staging\""))
        .unwrap();
    let change = proposes(&ada, &["policy", "apply", &folder]);
    assert_eq!(ada.json(&["show", &held])["state"]["state"], "active");
    bea.ok(&["approve", &change]);
    world.confirmed(&held);
    assert_eq!(ada.json(&["show", &held])["state"]["cause"]["cause"], "policy_changed");
}

#[test]
fn an_invitation_is_halved() {
    let (world, ada, bea) = two();
    let proposed = ada.says_json(&["user", "create", "carol"]).json();
    let change = proposed["outcome"]["change"].as_str().unwrap();
    assert_eq!(proposed["handed"]["handed"], "invitation_half");
    let first = proposed["handed"]["half"].as_str().unwrap();
    let approved = bea.json(&["approve", change]);
    assert_eq!(approved["handed"]["handed"], "invitation_half", "{approved}");
    let second = approved["handed"]["half"].as_str().unwrap();
    assert_ne!(first, second);
    let carol = world.person("carol");
    let accept =
        |code: &str| carol.says(&["accept", "--server", &world.url(), "--authority", &world.authority(), code]);
    for half in [first, second, &format!("{first}.{first}"), &format!("{second}.{second}")] {
        assert_ne!(accept(half).code, 0, "one half is no invitation");
    }
    let both = [format!("{first}.{second}"), format!("{second}.{first}")];
    assert!(both.iter().any(|code| accept(code).code == 0), "both halves are one");
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
}

#[test]
fn taking_away_waits_for_nobody() {
    let (world, ada, bea) = two();
    let grant = world.grant("readonly");
    ada.ok(&["revoke", &grant, "--reason", "it is over"]);
    world.confirmed(&grant);
    ada.ok(&["user", "disable", "alice"]);
    world.person("alice").fails(5, &["whoami"]);
    // So does leaving a group that nothing is held against its members for.
    ada.json(&["group", "create", "dba"]);
    let change = proposes(&ada, &["group", "add", "dba", "bob"]);
    bea.ok(&["approve", &change]);
    assert_eq!(ada.json(&["group", "remove", "dba", "bob"])["outcome"]["outcome"], "done");
    // The last one who can administer stays.
    ada.ok(&["user", "disable", "bea"]);
    bea.fails(5, &["whoami"]);
    assert_ne!(ada.says(&["user", "disable", "ada"]).code, 0);
}
