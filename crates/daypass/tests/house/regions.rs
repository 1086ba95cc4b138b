//! What belongs to another region stays in its folder, with the real program. // I10

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::world::{Person, World};

/// `orders` is in the region `eu`, whose folder is beside the data folder.
fn regional() -> (World, PathBuf) {
    let mut world = World::bare();
    let eu = world.folder.path().join("eu");
    world.stop();
    let settings = format!("{}\n[regions]\neu = \"{}\"\n", world.settings_text(), eu.display());
    fs::write(world.settings(), settings).unwrap();
    world.start();
    let ada = world.person("ada");
    let token = world.ready()["setup_token"].as_str().unwrap().to_owned();
    ada.ok(&["setup", "--server", &world.url(), "--name", "ada", &token]);
    world.join("bob");
    world.join("alice");
    let path = world.path("resources.toml");
    fs::write(&path, world.resources().replace("name = \"orders\"", "name = \"orders\"\nregion = \"eu\"")).unwrap();
    // With a second administrator it would wait; alice and bob aren't.
    ada.ok(&["apply", "-f", &path]);
    (world, eu)
}

/// Why a grant was asked for: its words are a payload, in the region.
fn reason(by: &Person, grant: &str) -> String {
    let request = by.json(&["show", grant])["request"].as_str().unwrap().to_owned();
    by.json(&["show", &request])["reason"].as_str().unwrap_or_default().to_owned()
}

fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .map(|e| e.unwrap())
        .map(|e| if e.path().is_dir() { bytes_below(&e.path()) } else { e.metadata().unwrap().len() })
        .sum()
}

#[test]
fn i10_a_session_leaves_its_traces_in_its_region() {
    let (mut world, eu) = regional();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readonly");
    assert_eq!(alice.sql("SELECT 'sixty thousand and one'").out.trim(), "sixty thousand and one");
    ada.ok(&["revoke", &grant, "--reason", "done"]);
    world.confirmed(&grant);
    // Recordings are sealed, so that what they say can't be looked for: that there are some can.
    assert!(bytes_below(&eu.join("recordings")) > 0);
    assert_eq!(bytes_below(&world.data().join("recordings")), 0);
    assert_eq!(reason(&ada, &grant), "Refund 4711");
    // One statement leaves the same traces, in the same place.
    let before = bytes_below(&eu);
    let bob = world.person("bob");
    let sql = "SELECT 'sixty thousand and two'";
    let ask = ["exec", "orders", "--role", "readonly", "--reason", "x", "--sql", sql, "--no-wait"];
    let request = alice.says_json(&ask).json()["request"]["id"].as_str().unwrap().to_owned();
    let digest = bob.json(&["show", &request])["digest"].as_str().unwrap().to_owned();
    bob.ok(&["approve", &request, "--digest", &digest]);
    assert!(alice.ok(&["exec", "--request", &request]).contains("sixty thousand and two"));
    assert!(bytes_below(&eu) > before);
    assert_eq!(bytes_below(&world.data().join("recordings")), 0);
    assert_eq!(bob.json(&["show", &request])["statement"]["text"], sql);

    // Elsewhere is nowhere.
    let path = world.path("elsewhere.toml");
    let text = world.resources().replace("name = \"orders\"", "name = \"ledgers\"\nregion = \"apac\"");
    fs::write(&path, text).unwrap();
    let said = ada.fails(2, &["apply", "-f", &path]);
    assert!(said.contains("is in the region `apac`, and this installation keeps no payloads there"), "{said}");
    assert!(said.contains("apac = \"/srv/apac\""), "it says what to do: {said}");

    // A region that was used is not forgotten by a line that is gone.
    world.stop();
    let settings = fs::read_to_string(world.settings()).unwrap();
    fs::write(world.settings(), world.settings_text()).unwrap();
    let said = world.start_in_vain();
    assert!(said.err.contains("keeps payloads of the region eu"), "{}", said.all());
    fs::write(world.settings(), settings).unwrap();
    world.start();
    assert_eq!(reason(&ada, &grant), "Refund 4711");
}

#[test]
fn a_backup_of_a_region_stays_in_it() {
    let (mut world, eu) = regional();
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let grant = world.grant("readonly");
    assert_eq!(alice.sql("SELECT 1").out.trim(), "1");
    let (data, config) = (world.data().display().to_string(), world.config().display().to_string());
    let (backup, there) = (world.path("backup"), world.path("eu-backup"));
    let folders = ["--data", &data, "--config", &config];
    let said = ada.fails(2, &[&["backup", &backup][..], &folders].concat());
    assert!(said.contains("--region eu=FOLDER"), "{said}");
    let region = format!("eu={there}");
    ada.ok(&[&["backup", &backup, "--region", &region][..], &folders].concat());
    world.stop();
    fs::rename(world.data(), world.folder.path().join("lost")).unwrap();
    fs::rename(&eu, world.folder.path().join("lost-eu")).unwrap();
    ada.fails(2, &[&["restore", &backup][..], &folders].concat());
    ada.ok(&[&["restore", &backup, "--region", &region][..], &folders].concat());
    assert!(bytes_below(&eu.join("recordings")) > 0);
    world.start();
    let fresh = world.person("fresh");
    fresh.ok(&["login", "--server", &world.url(), "--authority", &world.authority(), "--user", "ada"]);
    assert_eq!(reason(&fresh, &grant), "Refund 4711");
}
