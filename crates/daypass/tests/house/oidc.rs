//! People sign in by a provider: the whole way, with a real one.

use std::{
    fs,
    io::{BufRead, BufReader},
};

use crate::{
    provider::{PAGES_URL, Provider, browse, with_browser},
    world::{Person, World, busy, ended},
};

/// A world that trusts a provider; `dba` follows its word, and whoever it names becomes a user.
pub fn trusting(more: &str) -> (World, Provider) {
    let mut world = World::new();
    let secret = world.config().join("corp-oidc.secret");
    fs::write(&secret, "of the client").unwrap();
    let own = world.settings_text();
    let settings = format!("url = \"{PAGES_URL}\"\n{own}corp-oidc = \"file:{}\"\n", secret.display());
    fs::write(world.settings(), settings).unwrap();
    world.stop();
    world.start();
    world.person("ada").ok(&["group", "create", "dba"]);
    let provider = Provider::start(&world);
    trust(&world, &provider.trust(more));
    (world, provider)
}

pub fn trust(world: &World, text: &str) {
    let path = world.path("trust.toml");
    fs::write(&path, text).unwrap();
    world.person("ada").ok(&["trust", "apply", "-f", &path]);
}

pub const FOLLOWED: &str = "provision = 'at_first_sign_in'\ngroups = { 'Database team' = 'dba' }\n\
                        second_factor = { amr = ['otp'] }";

fn login(world: &World, who: &str) -> crate::world::Said {
    let person = world.person(who);
    let authority = world.authority();
    let url = world.url();
    let arguments = ["--json", "login", "--server", &url, "--authority", &authority, "--provider", "corp"];
    ended(with_browser(&person, who, &arguments).spawn().unwrap())
}

pub fn signs_in(world: &World, who: &str) -> Person {
    let said = login(world, who);
    assert_eq!(said.code, 0, "{}", said.all());
    world.person(who)
}

#[test]
fn a_person_signs_in_by_a_provider_and_is_who_and_where_it_says() {
    let (world, provider) = trusting(FOLLOWED);
    let carol = signs_in(&world, "carol");
    let me = carol.json(&["whoami"]);
    assert_eq!((me["name"].as_str(), me["groups"][0].as_str()), (Some("carol"), Some("dba")), "{me}");
    assert!(me["via"]["second_factor_at"].is_string(), "the provider said `otp`, and when: {me}");
    let dave = signs_in(&world, "dave");
    let me = dave.json(&["whoami"]);
    assert_eq!(me["groups"].as_array().unwrap().len(), 0, "{me}");
    assert!(me["via"]["second_factor_at"].is_null(), "he showed a password alone: {me}");
    // In, and as good as anybody: ask, and connect.
    carol.ok(&["request", "playground", "--role", "readonly", "--for", "10m", "--reason", "to try it"]);
    let said = ended(carol.psql("playground", &["-c", "SELECT 42"]).spawn().unwrap());
    assert_eq!(said.out.trim(), "42", "{}", said.all());
    // New keys at the provider are found.
    provider.told("/test/rotate");
    signs_in(&world, "carol");
    let entries = world.log();
    for event in ["principal.linked", "principal.provisioned", "group.followed_provider", "signin.made"] {
        assert!(entries.contains(event), "{event}");
    }
    // Which is all that they say: what the provider calls her is kept apart, under her key. // I9
    for name in ["carol", "corp.example", "Database team"] {
        assert!(!entries.contains(name), "{name}");
    }
}

#[test]
fn who_is_in_stays_in_while_the_provider_is_away_and_others_hear_why_not() {
    let (world, mut provider) = trusting(FOLLOWED);
    let carol = signs_in(&world, "carol");
    provider.go_away();
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
    let said = login(&world, "dave");
    assert_eq!(said.code, 7, "{}", said.all());
    assert!(said.err.contains("can't be reached"), "{}", said.all());
    // A password is good all the same.
    world.person("bob").ok(&["login", "--user", "bob"]);
}

#[test]
fn a_logout_at_the_provider_ends_the_sign_in_and_what_came_in_by_it() {
    let (world, provider) = trusting(FOLLOWED);
    let carol = signs_in(&world, "carol");
    carol.ok(&["request", "playground", "--role", "readonly", "--for", "10m", "--reason", "to try it"]);
    let string = carol.ok(&["connect", "playground", "--print"]);
    let psql = busy(&world, &carol, "playground");
    // Of another session, nothing ends.
    provider.told("/test/logout?sub=carol&sid=another");
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
    let answer = provider.told("/test/sid?sub=carol");
    provider.told(&format!("/test/logout?sub=carol&sid={}", answer.lines().last().unwrap()));
    assert_ne!(ended(psql).code, 0, "psql is cut");
    carol.fails(5, &["whoami"]);
    let said = ended(carol.psql_to(string.trim(), &["-c", "SELECT 1"]).spawn().unwrap());
    assert_ne!(said.code, 0, "the connection secret is good for nothing: {}", said.all());
    // The grant went on, for whoever signs in again.
    let carol = signs_in(&world, "carol");
    assert_eq!(ended(carol.psql("playground", &["-c", "SELECT 42"]).spawn().unwrap()).out.trim(), "42");
}

#[test]
fn a_logout_that_is_sent_again_does_nothing() {
    let (world, provider) = trusting(FOLLOWED);
    let carol = signs_in(&world, "carol");
    let replayed = || provider.told("/test/replay?sub=carol").lines().last().unwrap().to_owned();
    assert_eq!(replayed(), "200");
    carol.fails(5, &["whoami"]);
    // In again within the minute that clocks may differ: a new logout would end this, and the same one doesn't.
    let carol = signs_in(&world, "carol");
    assert_eq!(replayed(), "200");
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
}

#[test]
fn a_provider_stays_while_whoever_administers_comes_in_by_it_alone() {
    let (world, _provider) = trusting(FOLLOWED);
    let carol = signs_in(&world, "carol");
    world.person("ada").ok(&["group", "add", "administrators", "carol"]);
    // With ada's password there is another way in. Without her there is none.
    let nothing = world.path("nothing.toml");
    fs::write(&nothing, "").unwrap();
    carol.ok(&["trust", "apply", "-f", &nothing, "--dry-run"]);
    carol.ok(&["user", "disable", "ada"]);
    let said = carol.fails(2, &["trust", "apply", "-f", &nothing]);
    assert!(said.contains("nobody who can sign in would be left") && said.contains("with a password"), "{said}");
}

#[test]
fn without_provisioning_only_those_who_are_known_come_in() {
    let (world, _provider) = trusting("");
    let said = login(&world, "carol");
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("there is no such user here"), "{}", said.all());
    // Made by an administrator, she is known, and never needs the invitation.
    world.person("ada").ok(&["user", "create", "carol"]);
    signs_in(&world, "carol");
}

#[test]
fn a_name_that_somebody_gave_themselves_at_the_provider_makes_them_nobody_else() {
    let (world, _provider) = trusting(FOLLOWED);
    signs_in(&world, "carol");
    // Another subject by the name of somebody who is known by hers.
    let said = login(&world, "mallory");
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("another account of the provider is `carol` already"), "{}", said.all());
    // And by the name of somebody who signs in by a password.
    let said = login(&world, "trudy");
    assert_eq!(said.code, 5, "{}", said.all());
    assert!(said.err.contains("`bob` has a password here") && said.err.contains("user invite bob"), "{}", said.all());
    // Which an administrator can take away, so that the provider's word counts from then on.
    world.person("ada").ok(&["user", "invite", "bob"]);
    let said = login(&world, "trudy");
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(world.person("trudy").json(&["whoami"])["name"], "bob");
}

#[test]
fn another_device_signs_in_where_there_is_no_browser() {
    let (world, _provider) = trusting(FOLLOWED);
    let carol = world.person("carol");
    let (authority, url) = (world.authority(), world.url());
    let arguments = ["login", "--server", &url, "--authority", &authority, "--device"];
    let mut child = carol.command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let whole = lines.find_map(|line| Some(line.unwrap().trim().strip_prefix("or open ")?.to_owned())).unwrap();
    browse("carol", &whole);
    assert!(child.wait().unwrap().success());
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
}
