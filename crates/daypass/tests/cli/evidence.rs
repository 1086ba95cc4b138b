//! What a client demands of the log, and what anyone can check without the server.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use daypass_domain::InstallationId;
use daypass_ledger::{KeyName, Leaf, MemLog, NoteSigner, bundle, tile::bundles};
use daypass_seal::MasterKey;
use zeroize::Zeroizing;

use crate::world::{Person, World};

/// Where a person's client keeps its checkpoint.
fn kept(person: &Person) -> PathBuf {
    let mut files = fs::read_dir(&person.profile).unwrap().map(|entry| entry.unwrap().path());
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("checkpoint-") && name.ends_with(".json")
    };
    files.find(is_kept).expect("a checkpoint is kept")
}

fn contradictions(person: &Person) -> usize {
    let files = fs::read_dir(&person.profile).unwrap();
    files.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("contradiction-")).count()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn exported(world: &World, person: &Person, name: &str) -> String {
    let folder = world.path(name);
    person.ok(&["ledger", "export", &folder]);
    folder
}

#[test]
fn an_exported_log_verifies_anywhere_and_a_tampered_copy_does_not() {
    let mut world = World::new();
    let ada = world.person("ada");
    world.grant("readonly");
    let folder = exported(&world, &ada, "log");
    let key = ada.ok(&["ledger", "key"]).trim().to_owned();
    let receipt = ada.ok(&["ledger", "receipt", "3"]);
    let proof = world.path("3.proof");
    fs::write(&proof, &receipt).unwrap();
    // From here on there is no server: an auditor has the folder and the key.
    world.kill();
    let auditor = world.person("auditor");
    let report = auditor.json(&["ledger", "verify", &folder, "--key", &key]);
    assert_eq!(report["events"]["grant.activated"], 1, "{report}");
    assert!(report["extends"].is_null(), "{report}");
    assert!(report["size"].as_u64().unwrap() > 10 && report["first_time_us"].is_number(), "{report}");
    auditor.fails(2, &["ledger", "verify", &folder]);
    // Ada's own client knows the key, and the head that it must extend.
    let report = ada.json(&["ledger", "verify", &folder]);
    assert!(report["extends"].is_number(), "{report}");
    auditor.ok(&["ledger", "receipt", "3", "--check", &proof, "--folder", &folder, "--key", &key]);
    auditor.fails(2, &["ledger", "receipt", "4", "--check", &proof, "--folder", &folder, "--key", &key]);

    let entries = PathBuf::from(&folder).join("tile/entries");
    let partial = fs::read_dir(&entries).unwrap().next().unwrap().unwrap().path();
    let bundle = fs::read_dir(&partial).unwrap().next().unwrap().unwrap().path();
    let end = fs::read(&bundle).unwrap().len() - 9;
    flip(&bundle, end);
    let said = auditor.fails(8, &["ledger", "verify", &folder, "--key", &key]);
    assert!(said.contains("altered"), "{said}");
    flip(&bundle, end);
    auditor.ok(&["ledger", "verify", &folder, "--key", &key]);
    fs::rename(&bundle, world.path("taken-away")).unwrap();
    let said = auditor.fails(8, &["ledger", "verify", &folder, "--key", &key]);
    assert!(said.contains("missing"), "{said}");
    // A receipt for other bytes than the log's.
    let other = receipt.replacen("index 3", "index 2", 1);
    fs::rename(world.path("taken-away"), &bundle).unwrap();
    fs::write(&proof, other).unwrap();
    let said = auditor.fails(8, &["ledger", "receipt", "2", "--check", &proof, "--folder", &folder, "--key", &key]);
    assert!(said.contains("DOES NOT HOLD"), "{said}");
}

#[test]
fn an_export_is_what_its_writer_has_seen_and_an_older_one_is_told_from_a_cut_one() {
    let world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Entries all the while, so that there are some between any two looks at the log.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let asked = alice.asks("readonly");
                alice.ok(&["withdraw", &asked]);
            }
        });
        for i in 0..10 {
            let folder = exported(&world, &ada, &format!("log-{i}"));
            let said = ada.says(&["ledger", "verify", &folder]);
            over.store(said.code != 0 || i == 9, Ordering::Relaxed);
            assert_eq!(said.code, 0, "{}", said.all());
        }
    });
    let (folder, then) = (exported(&world, &ada, "then"), world.path("then.checkpoint"));
    fs::copy(Path::new(&folder).join("checkpoint"), &then).unwrap();
    let asked = alice.asks("readonly");
    ada.ok(&["show", &asked]);
    let said = ada.fails(8, &["ledger", "verify", &folder]);
    assert!(said.contains("exported this folder before") && said.contains("--checkpoint"), "{said}");
    ada.ok(&["ledger", "verify", &folder, "--checkpoint", &then]);
    let again = exported(&world, &ada, "log-again");
    ada.ok(&["ledger", "verify", &again]);
}

/// Rewrites an exported log with the server's own key, so that an event never was.
fn rewritten(world: &World, folder: &str, event: &str) -> String {
    let text = fs::read_to_string(world.config().join("sealing.key")).unwrap();
    let id: InstallationId = fs::read_to_string(world.data().join("installation")).unwrap().trim().parse().unwrap();
    let seed = MasterKey::parse(&text).unwrap().derive("log signing", &id.bytes());
    let name = KeyName::new(format!("daypass.local/{id}")).unwrap();
    let signer = NoteSigner::from_seed(name, Zeroizing::new(seed)).unwrap();
    let head = fs::read(Path::new(folder).join("checkpoint")).unwrap();
    let size = daypass_ledger::SignedCheckpoint::parse(&head).unwrap().unverified().size;
    let mut leaves = Vec::new();
    for at in bundles(size) {
        let bytes = fs::read(Path::new(folder).join(at.to_string())).unwrap();
        let entries = bundle::parse(&bytes, at.width()).unwrap();
        let lie = |entry: &&[u8]| String::from_utf8_lossy(entry).replace(event, "signin.made");
        leaves.extend(entries.iter().map(|entry| Leaf::parse(lie(entry).as_bytes()).unwrap()));
    }
    let forged = world.path("forged");
    for (path, bytes) in MemLog::of(&leaves).render(&signer).unwrap() {
        let file = Path::new(&forged).join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    forged
}

#[test]
fn a_log_that_was_rewritten_and_signed_again_is_caught_by_the_kept_checkpoint() {
    let world = World::new();
    let ada = world.person("ada");
    world.grant("readonly");
    let folder = exported(&world, &ada, "log");
    let signed = world.path("today.checkpoint");
    fs::write(&signed, ada.ok(&["ledger", "checkpoint", "--signed"])).unwrap();
    let forged = rewritten(&world, &folder, "grant.activated");
    // By itself it is perfect: the key is the real one.
    ada.ok(&["ledger", "verify", &forged, "--without-checkpoint"]);
    for how in [&["ledger", "verify", &forged][..], &["ledger", "verify", &forged, "--checkpoint", &signed]] {
        let said = ada.fails(8, how);
        assert!(said.contains("rewritten") || said.contains("forked"), "{said}");
    }
    // And by whoever was given the checkpoint, with no client of their own.
    let key = ada.ok(&["ledger", "key"]).trim().to_owned();
    let auditor = world.person("auditor");
    auditor.fails(8, &["ledger", "verify", &forged, "--key", &key, "--checkpoint", &signed]);
    auditor.ok(&["ledger", "verify", &folder, "--key", &key, "--checkpoint", &signed]);
}

#[test]
fn a_server_that_was_rolled_back_is_caught_by_the_next_command() {
    let mut world = World::new();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let backup = world.path("backup");
    let data = world.data().display().to_string();
    let config = world.config().display().to_string();
    ada.ok(&["backup", &backup, "--data", &data]);
    for _ in 0..20 {
        ada.ok(&["user", "invite", "bob"]);
    }
    let before = fs::read(kept(&ada)).unwrap();
    world.kill();
    fs::remove_dir_all(world.data()).unwrap();
    ada.ok(&["restore", &backup, "--data", &data, "--config", &config]);
    world.start();

    let said = ada.fails(8, &["whoami"]);
    assert!(said.contains("THE LOG WAS CHANGED"), "{said}");
    assert_eq!(fs::read(kept(&ada)).unwrap(), before, "the older checkpoint stays: it is the proof");
    assert_eq!(contradictions(&ada), 1, "and what contradicts it is kept beside it");
    // It doesn't pass by waiting: the next command says so again.
    ada.fails(8, &["resources"]);
    let said = ada.says_json(&["whoami"]);
    assert_eq!(said.code, 8, "{}", said.all());
    // Whoever saw nothing that is gone sees nothing wrong.
    alice.ok(&["whoami"]);
    assert_eq!(contradictions(&alice), 0);
}

#[test]
fn every_command_follows_the_log_and_many_at_once_agree() {
    let world = World::new();
    let ada = world.person("ada");
    let size = || {
        let seen: serde_json::Value = serde_json::from_slice(&fs::read(kept(&ada)).unwrap()).unwrap();
        seen["checkpoint"].as_str().unwrap().lines().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let first = size();
    ada.ok(&["group", "create", "dba"]);
    let second = size();
    assert!(second > first, "{second} after {first}");
    // Commands that run beside each other see heads of different ages, and none takes that for a lie.
    let running: Vec<_> = (0..12)
        .map(|n| {
            let name = format!("group-{n}");
            ada.command(&["group", "create", &name]).spawn().unwrap()
        })
        .collect();
    for child in running {
        let said = crate::world::ended(child);
        assert_eq!(said.code, 0, "{}", said.all());
    }
    ada.ok(&["whoami"]);
    assert!(size() >= second + 12, "{} after {second}", size());
    assert_eq!(contradictions(&ada), 0);
}

#[test]
fn a_kept_checkpoint_that_was_altered_is_not_believed() {
    let world = World::new();
    let ada = world.person("ada");
    let path = kept(&ada);
    let text = fs::read_to_string(&path).unwrap();
    let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
    let size = seen["checkpoint"].as_str().unwrap().lines().nth(1).unwrap().to_owned();
    fs::write(&path, text.replacen(&format!("\\n{size}\\n"), "\\n1\\n", 1)).unwrap();
    let said = ada.fails(8, &["whoami"]);
    assert!(said.contains("altered"), "{said}");
}
