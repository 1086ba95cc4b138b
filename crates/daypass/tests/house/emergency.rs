//! Daypass is down, and two people get in all the same, with the program `age`, a shell and psql. It is seen.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    web,
    world::{Person, Said, World, ended, until},
};

/// A house with two administrators, ada and bea, and a kit of `orders` for alice and bea.
struct House {
    world: World,
    ada: Person,
    bea: Person,
    kit: String,
}

impl House {
    fn new() -> Self {
        let world = World::new();
        let ada = world.person("ada");
        let bea = world.join("bea");
        ada.ok(&["group", "add", "administrators", "bea"]);
        for who in ["alice", "bea"] {
            keygen(&world, who);
        }
        fs::create_dir(world.path("kit")).unwrap();
        let mut house = Self { world, ada, bea, kit: String::new() };
        let made = house.proposes(
            "kit",
            &[
                "emergency-kit",
                "make",
                "orders",
                "--to",
                &house.world.path("alice.age-recipient"),
                "--to",
                &format!("bea={}", house.world.path("bea.age-recipient")),
            ],
        );
        house.kit = made["handed"]["kit"].as_str().unwrap().to_owned();
        house
    }

    /// Ada proposes, bea approves, and the target has it. The files are there before.
    fn proposes(&self, folder: &str, verb: &[&str]) -> Value {
        let out = self.world.path(folder);
        let said = self.ada.says_json(&[verb, &["--out", &out]].concat());
        assert_eq!(said.code, 4, "it waits for bea: {}", said.all());
        let proposed = said.json();
        assert_eq!(fs::read_dir(&out).unwrap().count(), 4, "two files each");
        let plan = self.bea.ok(&["show", proposed["outcome"]["change"].as_str().unwrap()]);
        for who in ["alice", "bea"] {
            let key = fs::read_to_string(self.world.path(&format!("{who}.age-recipient"))).unwrap();
            assert!(plan.contains(key.trim()), "bea sees to which keys: {plan}");
        }
        self.bea.ok(&["approve", proposed["outcome"]["change"].as_str().unwrap()]);
        let kit = proposed["handed"]["kit"].as_str().unwrap();
        until("the target has it", || (self.ada.json(&["show", kit])["state"]["state"] == "ready").then_some(()));
        proposed
    }

    fn shown(&self) -> Value {
        self.ada.json(&["emergency-kit", "show", &self.kit])
    }

    fn alarm(&self) -> Value {
        self.shown()["alarm"].clone()
    }

    /// What the page tells its reader to do on the machine with psql, with these two halves; psql gets the rest.
    fn enters(&self, folder: &str, halves: [&str; 2], statements: &str) -> Child {
        let page = self.file(folder, "alice", "txt");
        let script = page.split("---- 8< ----\n").nth(1).expect("the page has lines to type").to_owned();
        let desk = self.world.folder.path().join("desk");
        fs::create_dir_all(&desk).unwrap();
        let authorities = page.split_inclusive('\n').skip_while(|line| !line.contains("BEGIN CERTIFICATE"));
        let mut pem = String::new();
        for line in authorities {
            pem.push_str(line);
            if line.contains("END CERTIFICATE") {
                break;
            }
        }
        fs::write(desk.join("server-ca.pem"), pem).unwrap();
        let psql = self.world.postgres.psql_path().unwrap();
        let path = format!("{}:{}", psql.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&desk)
            .env("PATH", path)
            .env("PSQLRC", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let typed = format!("{}\n{}\n\\set ON_ERROR_STOP on\n{statements}\n", halves[0].trim(), halves[1].trim());
        shell.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        shell
    }

    fn file(&self, folder: &str, who: &str, ending: &str) -> String {
        let path = self.world.folder.path().join(folder).join(format!("emergency-orders-{who}.{ending}"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        fs::read_to_string(path).unwrap()
    }

    /// Opens a half with the real program.
    fn opens(&self, whose_key: &str, sealed: &str) -> Said {
        let mut age = Command::new("age")
            .args(["--decrypt", "--identity", &self.world.path(&format!("{whose_key}.key"))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program age: cargo xtask setup installs it");
        age.stdin.take().unwrap().write_all(sealed.as_bytes()).unwrap();
        ended(age)
    }

    fn halves(&self, folder: &str) -> [String; 2] {
        ["alice", "bea"].map(|who| {
            let said = self.opens(who, &self.file(folder, who, "age"));
            assert_eq!(said.code, 0, "{}", said.all());
            assert_eq!(said.out.trim().len(), 64, "{}", said.all());
            said.out.trim().to_owned()
        })
    }

    fn backends(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass%emergency'";
        self.world.target(sql).parse().unwrap()
    }
}

/// An age key of somebody's own, which no server ever sees.
fn keygen(world: &World, who: &str) {
    let key = world.path(&format!("{who}.key"));
    let made = Command::new("age-keygen").args(["-o", &key]).output().expect("the program age-keygen comes with age");
    assert!(made.status.success());
    let public = Command::new("age-keygen").args(["-y", &key]).output().unwrap();
    fs::write(world.path(&format!("{who}.age-recipient")), public.stdout).unwrap();
}

#[test]
fn two_people_get_in_while_daypass_is_down_and_everybody_hears_of_it() {
    let mut house = House::new();
    let halves = house.halves("kit");
    let [one, other] = [halves[0].as_str(), halves[1].as_str()];
    // Nobody opens the other's half, and the page holds what the file holds.
    let foreign = house.opens("bea", &house.file("kit", "alice", "age"));
    assert!(foreign.code != 0 && foreign.err.contains("no identity matched"), "{}", foreign.all());
    assert!(house.file("kit", "alice", "txt").ends_with(&house.file("kit", "alice", "age")));

    house.world.kill();
    // One half alone, whatever it is joined with, is the wrong password.
    for wrong in [[one, one], [one, &"0".repeat(64)], [&"0".repeat(64), other]] {
        let said = ended(house.enters("kit", wrong, "SELECT 1;"));
        assert!(said.err.contains("password authentication failed"), "{}", said.all());
    }
    // Both, in either order.
    let said =
        ended(house.enters("kit", [other, one], "SELECT 'in as ' || current_user; SELECT sum(balance) FROM accounts;"));
    assert!(said.code == 0 && said.out.contains("in as daypass_") && said.out.contains("10000"), "{}", said.all());
    let mut inside = house.enters("kit", [one, other], "SELECT pg_sleep(3600);");
    until("somebody sits at the target", || (house.backends() == 1).then_some(()));

    house.world.start();
    let alarm = until("it alarms", || Some(house.alarm()).filter(|alarm| alarm["alarm"] == "raised"));
    assert!(alarm["rotated"].is_null() && alarm["reviewed"].is_null(), "{alarm}");
    let list = house.ada.ok(&["emergency-kit", "list"]);
    assert!(list.contains("USED: rotate, review"), "{list}");
    assert!(house.ada.ok(&["doctor", "orders"]).contains("it was used"));
    let (status, ready) = web::get(&house.world, "/readyz");
    assert!(status == 200 && ready.contains("attention"), "it works, and wants somebody: {ready}");
    assert!(web::get(&house.world, "/metrics").1.contains("daypass_emergency_kits_used 1"));
    assert_eq!(house.world.entries("kit.used"), 1);
    assert!(inside.try_wait().unwrap().is_none(), "the emergency isn't ended");
    assert_eq!(house.backends(), 1);

    // A holder's word isn't enough, nor anybody's who doesn't administer.
    let refused = house.bea.says(&["emergency-kit", "review", &house.kit, "--words", "it was me"]);
    assert!(refused.code != 0 && refused.err.contains("somebody else reviews"), "{}", refused.all());
    house.world.person("alice").fails(3, &["emergency-kit", "review", &house.kit, "--words", "all fine"]);
    house.ada.ok(&["emergency-kit", "review", &house.kit, "--words", "Disk full. They freed space, and nothing else."]);
    assert_eq!(house.alarm()["reviewed"]["by"], "ada");

    fs::create_dir(house.world.path("anew")).unwrap();
    house.proposes("anew", &["emergency-kit", "rotate", &house.kit]);
    assert_eq!(house.alarm()["alarm"], "quiet");
    let cut = ended(inside);
    assert!(cut.err.contains("terminating connection"), "old sessions end: {}", cut.all());
    let said = ended(house.enters("kit", [one, other], "SELECT 1;"));
    assert!(said.err.contains("password authentication failed"), "{}", said.all());
    let anew = house.halves("anew");
    let said = ended(house.enters("anew", [&anew[0], &anew[1]], "SELECT 'in again';"));
    assert!(said.out.contains("in again"), "{}", said.all());

    // Taken away, it is gone at the target, and that is confirmed.
    house.ada.ok(&["emergency-kit", "remove", &house.kit]);
    until("it is gone", || (house.shown()["state"]["state"] == "gone").then_some(()));
    assert_eq!(house.world.target("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'daypass%emergency'"), "0");
    assert_eq!(house.world.entries("kit.end_confirmed"), 1);
}

#[test]
fn what_a_session_left_that_nobody_saw_alarms_too_and_the_kit_goes_with_its_resource() {
    let mut house = House::new();
    let [one, other] = house.halves("kit");
    house.world.kill();
    let said = ended(house.enters("kit", [&one, &other], "CREATE TABLE made_in_the_night (n int);"));
    assert_eq!(said.code, 0, "{}", said.all());
    until("the session is over", || (house.backends() == 0).then_some(()));
    house.world.start();
    until("it alarms", || (house.alarm()["alarm"] == "raised").then_some(()));

    let path = house.world.path("removed.toml");
    fs::write(&path, "remove = [\"orders\"]\n").unwrap();
    let said = house.ada.says_json(&["apply", "-f", &path]);
    let change = said.json()["outcome"]["change"].as_str().unwrap().to_owned();
    assert!(house.bea.ok(&["show", &change]).contains("take its emergency kit"));
    house.bea.ok(&["approve", &change]);
    let gone = until("it is gone", || Some(house.shown()).filter(|kit| kit["state"]["state"] == "gone"));
    assert_eq!(gone["state"]["confirmation"], "residue", "the table stays, with nobody's rights: {gone}");
    // It is gone, and what was done with it still wants a review.
    assert!(gone["alarm"]["alarm"] == "raised" && !gone["alarm"]["rotated"].is_null(), "{gone}");
    house.ada.ok(&["emergency-kit", "review", &house.kit, "--words", "A table too many; dropped."]);
    assert_eq!(house.alarm()["alarm"], "quiet");
}

#[test]
fn who_cannot_hold_a_half_is_refused_with_the_reason() {
    let world = World::new();
    let ada = world.person("ada");
    for who in ["alice", "bob"] {
        keygen(&world, who);
    }
    ada.ok(&["workload", "create", "nightly", "--owner", "bob"]);
    let key = |who: &str| fs::read_to_string(world.path(&format!("{who}.age-recipient"))).unwrap().trim().to_owned();
    let (alice, bob) = (key("alice"), key("bob"));
    let last = if alice.ends_with('q') { "p" } else { "q" };
    let wrong = format!("{}{last}", &alice[..61]);
    for (to, why) in [
        ([format!("alice={alice}"), format!("alice={bob}")], "name two different people"),
        ([format!("alice={alice}"), format!("bob={alice}")], "key of their own"),
        ([format!("alice={alice}"), format!("nightly={bob}")], "workload"),
        ([format!("alice={alice}"), format!("nobody={bob}")], "no principal"),
        ([format!("alice={alice}"), format!("bob={wrong}")], "checksum"),
        ([format!("alice={alice}"), format!("bob={}", world.path("alice.key"))], "secret key"),
    ] {
        let said =
            ada.says(&["emergency-kit", "make", "orders", "--to", &to[0], "--to", &to[1], "--out", &world.path("")]);
        assert!(said.code != 0 && said.all().contains(why), "{why}: {}", said.all());
    }
    ada.ok(&["user", "disable", "bob"]);
    let said = ada.says(&[
        "emergency-kit",
        "make",
        "orders",
        "--to",
        &format!("alice={alice}"),
        "--to",
        &format!("bob={bob}"),
    ]);
    assert!(said.all().contains("is disabled"), "{}", said.all());
    assert_eq!(ada.json(&["emergency-kit", "list"]).as_array().unwrap().len(), 0);
    assert_eq!(world.all_logins().len(), 0);
}
