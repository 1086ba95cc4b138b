//! Exit codes, and what a failure says.

use std::fs;

use serde_json::Value;

use crate::world::World;

/// An id that nothing has.
fn nothing(kind: &str) -> String {
    format!("{kind}_0193ffff00007000800000000000{}", "0000")
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let mut world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));

    // 2: it makes no sense.
    alice.fails(2, &["request", "orders"]);
    alice.fails(2, &["show", "something"]);
    alice.fails(2, &["request", "orders", "--role", "readonly", "--start", "tomorrow"]);
    alice.fails(2, &["login", "--server", &world.url()]);
    ada.fails(2, &["policy", "check", &world.path("no-such-folder")]);
    ada.fails(2, &["apply", "-f", &world.path("no-such-file.toml")]);
    // 3: policy or a person says no.
    let refused = alice.fails(3, &["request", "orders", "--role", "readonly"]);
    assert!(refused.contains("reason"), "it says what is missing: {refused}");
    alice.fails(3, &["policy", "apply", &policies(&world)]);
    let request = alice.asks("readonly");
    bob.ok(&["deny", &request, "--note", "use the replica"]);
    let again = alice.fails(3, &["run", "orders", "--role", "readonly", "--", "true"]);
    assert!(again.contains("reason"), "{again}");
    // 4: it waits for somebody.
    let waits = alice.fails(4, &["request", "orders", "--role", "readonly", "--reason", "Refund 4711"]);
    assert!(waits.contains("bob") && waits.contains("ada") && !waits.contains("give it: alice"), "{waits}");
    // 5: nobody is signed in.
    let nobody = world.person("nobody");
    let unknown = nobody.fails(5, &["whoami"]);
    assert!(unknown.contains("daypass login"), "{unknown}");
    let wrong = world.path("wrong-password");
    fs::write(&wrong, "not the password\n").unwrap();
    alice.fails(5, &["login", "--password-file", &wrong]);
    alice.ok(&["whoami"]);
    // 6: there is no such thing.
    for kind in ["request", "grant", "session"] {
        alice.fails(6, &["show", &nothing(kind)]);
    }
    alice.fails(6, &["request", "elsewhere", "--role", "readonly", "--reason", "x"]);
    // 7: the server can't be reached.
    world.kill();
    let unreachable = alice.fails(7, &["whoami"]);
    assert!(unreachable.contains("daypass serve"), "{unreachable}");
}

/// A folder with a policy in it.
fn policies(world: &World) -> String {
    let folder = world.path("policies");
    fs::create_dir_all(&folder).unwrap();
    let text = "@id(\"none\")\n@why(\"nothing goes\")\nforbid (principal, action, resource);\n";
    fs::write(world.path("policies/none.cedar"), text).unwrap();
    folder
}

#[test]
fn a_failure_is_one_line_of_json_for_programs() {
    let world = World::bare();
    let said = world.person("nobody").says_json(&["whoami"]);
    assert_eq!((said.code, said.out.as_str()), (5, ""));
    let failure: Value = serde_json::from_str(said.err.trim()).unwrap();
    assert_eq!(failure["exit"], 5);
    assert_eq!(failure["error"], "no server is known here");
    assert!(failure["next"].as_str().unwrap().starts_with("daypass setup"), "{failure}");
}

#[test]
fn a_token_of_another_server_sets_nothing_up() {
    let world = World::bare();
    let ready: Value = serde_json::from_slice(&fs::read(world.path("ready.json")).unwrap()).unwrap();
    let token = ready["setup_token"].as_str().unwrap().to_owned();
    let (code, pin) = token.rsplit_once('.').unwrap();
    let ada = world.person("ada");
    let url = world.url();
    let setup = |token: &str| ada.says(&["setup", "--server", &url, "--name", "ada", token]);
    // The pin is of another authority, as when somebody sits in between: nothing is sent.
    let other: String = pin.chars().rev().collect();
    let said = setup(&format!("{code}.{other}"));
    assert_ne!(said.code, 0);
    assert!(said.err.contains("authority") || said.err.contains("digest"), "{}", said.err);
    assert!(!ada.profile.join("server.json").exists());
    // The code is of nobody.
    assert_ne!(setup(&format!("0000-0000.{pin}")).code, 0);
    assert_eq!(setup(&token).code, 0);
    // It was good once.
    let second = world.person("eve");
    assert_ne!(second.says(&["setup", "--server", &url, "--name", "eve", &token]).code, 0);
}

#[test]
fn a_policy_that_does_not_parse_is_told_with_its_place() {
    let world = World::new();
    let ada = world.person("ada");
    let folder = policies(&world);
    fs::write(world.path("policies/broken.cedar"), "@id(\"a\")\npermit (principal, action, ressource);\n").unwrap();
    for verb in ["check", "apply"] {
        let said = ada.fails(2, &["policy", verb, &folder]);
        assert!(said.contains("broken.cedar:2"), "{said}");
    }
    // What is shown can be applied as it is, and then nothing is to do.
    let shown = world.path("shown");
    ada.ok(&["policy", "show", "--out", &shown]);
    ada.ok(&["policy", "check", &shown]);
    assert_eq!(ada.json(&["policy", "apply", &shown])["outcome"]["outcome"], "nothing_to_do");
}

#[test]
fn text_from_outside_cannot_act_on_a_terminal() {
    let world = World::new();
    let (bob, alice) = (world.person("bob"), world.person("alice"));
    let hostile = "wipe \u{1b}[2J\u{1b}]0;owned\u{7} and \u{202e}reorder";
    let said = alice.says_json(&["request", "orders", "--role", "readonly", "--reason", hostile]);
    assert_eq!(said.code, 4, "{}", said.all());
    let request = said.json()["request"]["id"].as_str().unwrap().to_owned();
    for shown in [bob.ok(&["inbox"]), bob.ok(&["show", &request]), alice.ok(&["requests"])] {
        assert!(shown.contains("wipe"), "{shown}");
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(acts), "{shown:?}");
    }
    // JSON keeps it, escaped as JSON is.
    assert_eq!(bob.json(&["show", &request])["reason"], hostile);
}
