//! Wrong input and bad days: each says what is wrong, and loses nothing that was acknowledged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    web,
    world::{PASSWORD, World, busy, ended, until},
};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

fn copied(from: &Path, to: &Path) {
    for file in files(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, &copy).unwrap();
    }
}

#[test]
fn one_data_folder_has_one_server() {
    let world = World::bare();
    let second = world.start_in_vain();
    assert_ne!(second.code, 0);
    assert!(second.err.contains("another") || second.err.contains("in use"), "{}", second.all());
    // The first one goes on.
    let token = fs::read_to_string(world.path("ready.json")).unwrap();
    let token = serde_json::from_str::<serde_json::Value>(&token).unwrap()["setup_token"].clone();
    world.person("ada").ok(&["setup", "--server", &world.url(), "--name", "ada", token.as_str().unwrap()]);
}

#[test]
fn what_is_wrong_with_the_folders_is_said() {
    let mut world = World::bare();
    world.stop();

    let settings = fs::read_to_string(world.settings()).unwrap();
    fs::write(world.settings(), settings.replace("gateway =", "gatewya =")).unwrap();
    let typo = world.start_in_vain();
    assert_eq!(typo.code, 2, "{}", typo.all());
    assert!(typo.err.contains("gatewya") && typo.err.contains("line 2"), "{}", typo.all());
    fs::write(world.settings(), settings).unwrap();

    let key = world.config().join("sealing.key");
    let secret = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let lost = world.start_in_vain();
    assert_ne!(lost.code, 0);
    assert!(lost.err.contains("no sealing key") && lost.err.contains("sealing.key"), "{}", lost.all());
    assert!(!key.exists(), "another key would open nothing");

    fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    let other = world.start_in_vain();
    assert_ne!(other.code, 0);
    assert!(other.err.contains("key"), "{}", other.all());
    fs::write(&key, secret).unwrap();

    // Nothing of that harmed anything.
    world.start();
    world.stop();

    let saved = world.folder.path().join("saved");
    copied(&world.data(), &saved);
    for file in files(&world.data().join("store")) {
        let mut bytes = fs::read(&file).unwrap();
        for byte in bytes.iter_mut().take(20_000) {
            *byte ^= 0xa5;
        }
        fs::write(&file, bytes).unwrap();
    }
    let corrupt = world.start_in_vain();
    assert_ne!(corrupt.code, 0);
    assert!(corrupt.err.contains("store") && !corrupt.err.contains("panicked"), "{}", corrupt.all());
    fs::remove_dir_all(world.data()).unwrap();
    copied(&saved, &world.data());
    world.start();
}

#[test]
fn a_store_that_was_put_back_is_noticed() {
    let mut world = World::new();
    world.stop();
    let saved = world.folder.path().join("saved");
    copied(&world.data(), &saved);
    world.start();
    world.grant("readonly");
    world.stop();
    fs::remove_dir_all(world.data()).unwrap();
    copied(&saved, &world.data());
    let rolled_back = world.start_in_vain();
    assert_ne!(rolled_back.code, 0);
    assert!(rolled_back.err.contains("back") || rolled_back.err.contains("older"), "{}", rolled_back.all());
}

#[test]
fn documents_that_cannot_be_read_name_their_line() {
    let world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let folder = world.path("policies");
    ada.ok(&["policy", "show", "--out", &folder]);
    fs::write(Path::new(&folder).join("mine.cedar"), "@id(\"mine\")\n@why(\"x\")\npermit (principal,\n").unwrap();
    let before = ada.json(&["policy", "show"]);
    for verb in [&["policy", "apply", &folder][..], &["policy", "check", &folder]] {
        let said = ada.fails(2, verb);
        assert!(said.contains("mine.cedar:"), "{said}");
    }
    assert_eq!(ada.json(&["policy", "show"]), before);

    let document = world.path("labels.toml");
    let text = world.resources().replacen("\"production\"", "\"prodution\"", 1);
    let line = text.lines().position(|l| l.contains("prodution")).unwrap() + 1;
    fs::write(&document, text).unwrap();
    let said = ada.fails(2, &["apply", "-f", &document]);
    assert!(said.contains(&format!("labels.toml:{line}:")) && said.contains("prodution"), "{said}");
    assert!(said.contains("production"), "it says what there is: {said}");
    fs::write(&document, world.resources().replacen("owner =", "ovner =", 1)).unwrap();
    let said = ada.fails(2, &["apply", "-f", &document]);
    assert!(said.contains("ovner"), "{said}");
    assert_eq!(ada.json(&["apply", "-f", &world.path("resources.toml")])["outcome"]["outcome"], "nothing_to_do");

    alice.fails(6, &["request", "no-such-thing", "--role", "readonly", "--reason", "x"]);
    assert_ne!(alice.says(&["request", "orders", "--role", "superuser", "--reason", "x"]).code, 0);
    alice.fails(2, &["request", "orders", "--role", "readonly", "--for", "soon"]);
    assert_ne!(alice.says(&["apply", "-f", &world.path("resources.toml")]).code, 0);
}

#[test]
fn a_target_that_vanishes_ends_its_sessions_and_the_end_is_confirmed_later() {
    let mut world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readonly");
    let client = busy(&world, &alice, "orders");
    world.postgres.kill();
    let said = ended(client);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("FATAL") || said.err.contains("connection"), "{}", said.all());
    let session = until("the session is closed", || {
        let sessions = ada.json(&["sessions", "--all"]);
        sessions.as_array().unwrap().iter().all(|s| s["state"]["state"] == "closed").then(|| sessions[0].clone())
    });
    assert!(
        ["target_lost", "grant_ended", "client_left"].contains(&session["state"]["cause"].as_str().unwrap()),
        "{session}"
    );
    // While it is down: refused with a reason; revoking is acknowledged, and its end is unknown.
    assert_ne!(alice.sql("SELECT 1").code, 0);
    let receipt = ada.json(&["revoke", &grant, "--reason", "while it is down"]);
    assert_eq!(receipt["grants"], json!([grant]));
    assert_eq!(receipt["targets"][0]["state"]["state"], "ending", "{receipt}");
    let shown = until("the end is tried", || {
        let shown = ada.json(&["show", &grant]);
        (shown["state"]["progress"]["progress"] == "unknown").then_some(shown)
    });
    assert_eq!(shown["state"]["state"], "ending", "{shown}");
    world.postgres.restart().unwrap();
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    world.nothing_left(&grant);
    // It is used again like before.
    world.grant("readonly");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}

#[test]
fn a_restored_backup_gives_nothing_and_is_seen() {
    let mut world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let old = world.grant("readonly");
    assert_eq!(alice.sql("SELECT 1").code, 0);
    let backup = world.path("backup");
    let data = world.data().display().to_string();
    ada.ok(&["backup", &backup, "--data", &data]);
    assert_ne!(ada.says(&["backup", &backup, "--data", &data]).code, 0, "nothing is overwritten");
    let secret = fs::read_to_string(world.config().join("sealing.key")).unwrap();
    for file in files(Path::new(&backup)) {
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(secret.trim().len()).any(|w| w == secret.trim().as_bytes());
        assert!(!found, "the sealing key is in {}", file.display());
    }
    let later = world.grant("readwrite");
    ada.ok(&["ledger", "checkpoint"]);
    world.stop();

    fs::rename(world.data(), world.folder.path().join("lost")).unwrap();
    let config = world.config().display().to_string();
    let said = ada.ok(&["restore", &backup, "--data", &data, "--config", &config]);
    assert!(said.contains("1 grants that were live are ended") || said.contains("1 grant"), "{said}");
    world.start();
    // A client that saw more says so, and keeps what it saw.
    let said = ada.fails(8, &["ledger", "checkpoint"]);
    assert!(said.contains("THE LOG WAS CHANGED"), "{said}");
    // A new one, that hasn't seen what was lost, looks on.
    let fresh = world.person("fresh");
    fresh.ok(&["login", "--server", &world.url(), "--authority", &world.authority(), "--user", "ada"]);
    let shown = until("it is ended at the target", || {
        let shown = fresh.json(&["show", &old]);
        (shown["state"]["state"] == "ended").then_some(shown)
    });
    assert_eq!(shown["state"]["cause"]["cause"], "restored", "{shown}");
    fresh.fails(6, &["show", &later]);
    until("no login is left", || world.all_logins().is_empty().then_some(()));
}

#[test]
fn a_log_that_was_changed_does_not_verify() {
    let world = World::new();
    let ada = world.person("ada");
    let (early, late) = (world.path("early"), world.path("late"));
    ada.ok(&["ledger", "export", &early]);
    world.grant("readonly");
    ada.ok(&["ledger", "export", &late]);
    ada.ok(&["ledger", "verify", &late]);
    // What was cut off at its end verifies by itself, and not against what this client saw.
    ada.ok(&["ledger", "verify", "--without-checkpoint", &early]);
    ada.fails(8, &["ledger", "verify", &early]);
    // Each byte counts: one of an entry, one of a hash, one of the signature.
    for part in ["entries", "tile/0", "checkpoint"] {
        let changed = world.folder.path().join(format!("changed-{}", part.replace('/', "-")));
        copied(Path::new(&late), &changed);
        let file = files(&changed).into_iter().find(|f| f.to_string_lossy().contains(&format!("/{part}"))).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        let middle = if part == "checkpoint" { bytes.len() - 10 } else { bytes.len() / 2 };
        bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
        fs::write(&file, bytes).unwrap();
        let said = ada.fails(8, &["ledger", "verify", &changed.display().to_string()]);
        assert!(said.contains("DOES NOT HOLD") || said.contains("evidence") || said.contains("sign"), "{said}");
    }
}

#[test]
fn a_thousand_wrong_passwords() {
    let world = World::new();
    let alice = world.person("alice");
    let stranger = world.person("stranger");
    let wrong = world.path("wrong");
    fs::write(&wrong, "not her password").unwrap();
    let (url, authority) = (world.url(), world.authority());
    let login = ["login", "--server", &url, "--authority", &authority, "--user", "alice", "--password-file", &wrong];
    stranger.fails(5, &login);

    let authority = fs::read(world.authority()).unwrap();
    let statuses = tokio::runtime::Runtime::new().unwrap().block_on(a_thousand(world.url(), authority));
    let unauthorized = statuses.iter().filter(|s| **s == 401).count();
    let too_many = statuses.iter().filter(|s| **s == 429).count();
    assert_eq!(unauthorized + too_many, 1000, "{statuses:?}");
    // Ten for a name at once and two a minute after, however long this takes: never a thousand.
    assert!((1..100).contains(&unauthorized), "{unauthorized} were tried");
    let said = stranger.fails(7, &login);
    assert!(said.contains("too many") && said.contains("next: wait "), "{said}");
    // Who is in is not put out by it.
    alice.ok(&["whoami"]);
    let request = alice.asks("readonly");
    world.person("bob").approves(&request);
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}

#[test]
fn a_server_that_is_stopped_says_so_to_whoever_is_in() {
    let mut world = World::new();
    let alice = world.person("alice");
    let grant = world.grant("readonly");
    let session = busy(&world, &alice, "orders");
    world.stop();
    let said = ended(session);
    assert!(said.err.contains("terminating connection"), "{}", said.all());
    assert!(
        said.err.contains("gateway is being stopped") || said.err.contains("gateway was stopped"),
        "{}",
        said.all()
    );
    world.start();
    // The grant goes on: stopping the server takes nothing away.
    assert_eq!(world.person("ada").json(&["show", &grant])["state"]["state"], "active");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
}

async fn a_thousand(url: String, authority: Vec<u8>) -> Vec<u16> {
    let client = web::client(&authority);
    let mut statuses = Vec::new();
    for number in 0..1000 {
        let body = json!({ "name": "alice", "password": format!("{PASSWORD} {number}") });
        let answer = client.post(format!("{url}/v1/signin")).json(&body).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    statuses
}
