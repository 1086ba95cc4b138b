//! Passwords, second factors, tokens: what proves who somebody is, and what it leaves on disk.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{SystemTime, UNIX_EPOCH},
};

use daypass_app::signin::code_for;
use daypass_domain::{Span, Time};

use crate::world::{PASSWORD, Person, World, ended};

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_micros(i64::try_from(since.as_micros()).unwrap())
}

fn with_token(person: &Person, token: &str, arguments: &[&str]) -> crate::world::Said {
    let mut command = person.command(arguments);
    ended(command.env("DAYPASS_TOKEN", token).spawn().unwrap())
}

#[test]
fn what_is_kept_is_for_this_user_only_and_goes_with_the_sign_in() {
    let world = World::new();
    let alice = world.person("alice");
    let mode = |name: &str| fs::metadata(alice.profile.join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["signin.json", "pgpass", "server.json"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let shown = alice.ok(&["login"]);
    let secret = fs::read_to_string(alice.profile.join("pgpass")).unwrap();
    let secret = secret.lines().next().unwrap().rsplit(':').next().unwrap().to_owned();
    assert!(shown.contains("sslmode=verify-full") && shown.contains("channel_binding=require"), "{shown}");
    assert!(!shown.contains(&secret), "the secret stays in the passfile");
    let printed = alice.ok(&["connect", "orders", "--role", "readonly", "--database", "archive", "--print"]);
    assert!(printed.contains("user=alice:readonly") && printed.contains("dbname=orders:archive"), "{printed}");
    assert!(!printed.contains(&secret));

    let token: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(alice.profile.join("signin.json")).unwrap()).unwrap();
    let token = token["token"].as_str().unwrap().to_owned();
    alice.ok(&["logout"]);
    assert!(!alice.profile.join("signin.json").exists() && !alice.profile.join("pgpass").exists());
    alice.fails(5, &["whoami"]);
    // It is over at the server too, not only here.
    assert_eq!(with_token(&alice, &token, &["whoami"]).code, 5);
    alice.ok(&["login", "--user", "alice"]);
}

#[test]
fn a_changed_password_ends_the_other_sign_ins() {
    let world = World::new();
    let alice = world.person("alice");
    // The same person at another computer.
    let mut elsewhere = alice.clone();
    elsewhere.profile = alice.profile.with_extension("elsewhere");
    let (url, authority) = (world.url(), world.authority());
    elsewhere.ok(&["login", "--server", &url, "--authority", &authority, "--user", "alice"]);
    let new = world.path("new-password");
    fs::write(&new, "an entirely different staple\n").unwrap();
    alice.ok(&["password", "--new-password-file", &new]);
    alice.ok(&["whoami"]);
    elsewhere.fails(5, &["whoami"]);
    elsewhere.fails(5, &["login"]);
    elsewhere.ok(&["login", "--password-file", &new]);
}

#[test]
fn a_second_factor_is_asked_for_once_it_is_confirmed() {
    let world = World::new();
    let alice = world.person("alice");
    let enrolment = alice.json(&["totp", "enrol"]);
    let secret = enrolment["secret"].as_str().unwrap();
    assert!(enrolment["uri"].as_str().unwrap().starts_with("otpauth://totp/"), "{enrolment}");
    // It doesn't count yet.
    alice.ok(&["login"]);
    alice.ok(&["totp", "confirm", &code_for(secret, now()).unwrap()]);
    let said = alice.says(&["login"]);
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("second factor") || said.err.contains("code"), "{}", said.err);
    // The next step's code: the one that confirmed is used up.
    alice.ok(&["login", "--code", &code_for(secret, now() + Span::from_secs(30)).unwrap()]);
    let me = alice.json(&["whoami"]);
    assert!(me["via"]["second_factor_at"].is_string(), "{me}");
    assert!(!fs::read_to_string(alice.profile.join("signin.json")).unwrap().contains(PASSWORD));
}

#[test]
fn whoever_has_a_second_factor_approves_with_it() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let enrolment = bob.json(&["totp", "enrol"]);
    let secret = enrolment["secret"].as_str().unwrap();
    // Signed in before it counted, so that this sign-in never showed it.
    let mut elsewhere = bob.clone();
    elsewhere.profile = bob.profile.with_extension("elsewhere");
    let (url, authority) = (world.url(), world.authority());
    elsewhere.ok(&["login", "--server", &url, "--authority", &authority, "--user", "bob"]);
    bob.ok(&["totp", "confirm", &code_for(secret, now()).unwrap()]);
    let request = alice.asks("readonly");
    let said = elsewhere.says(&["approve", &request]);
    assert_ne!(said.code, 0, "{}", said.all());
    assert!(said.err.contains("second factor") && said.err.contains("approve --code"), "{}", said.all());
    assert_ne!(elsewhere.says(&["approve", &request, "--code", "000000"]).code, 0);
    let code = code_for(secret, now() + Span::from_secs(30)).unwrap();
    let answered = elsewhere.json(&["approve", &request, "--code", &code]);
    assert!(answered["outcome"]["grant"]["id"].is_string(), "{answered}");
}

#[test]
fn a_token_acts_within_its_scope_and_approves_nothing() {
    let world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    let made = bob.json(&["token", "create", "--scope", "read,request", "--lasts", "7d"]);
    let (secret, id) = (made["secret"].as_str().unwrap(), made["token"]["id"].as_str().unwrap());
    let said = with_token(&bob, secret, &["--json", "whoami"]);
    assert_eq!(said.json()["via"]["via"], "token", "{}", said.all());
    // I8: whatever it may do, it never approves.
    let request = alice.asks("readonly");
    let said = with_token(&bob, secret, &["approve", &request]);
    assert_eq!(said.code, 3, "{}", said.all());
    // What a token connects with lies beside the passfile of the person, not over it.
    let before = fs::read(bob.profile.join("pgpass")).unwrap();
    let said = with_token(&bob, secret, &["connect", "orders", "--print"]);
    assert!(said.out.contains("pgpass-token"), "{}", said.all());
    assert_eq!(fs::read(bob.profile.join("pgpass")).unwrap(), before);

    assert_eq!(bob.json(&["tokens"])[0]["id"], id);
    bob.ok(&["token", "revoke", id]);
    assert_eq!(with_token(&bob, secret, &["whoami"]).code, 5);
    // A workload's token is somebody else's: made by a change.
    ada.ok(&["workload", "create", "nightly", "--owner", "bob"]);
    assert_eq!(ada.json(&["workload", "list"]).as_array().unwrap().len(), 1);
}
