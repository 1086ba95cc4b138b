//! The people of these tests, and where they stand when a browser comes.

use std::process::Child;

use crate::{
    browser::Browser,
    world::{PASSWORD, Person, World, busy, ended},
};

/// Ada and bea administer, so what one changes waits for the other.
pub fn two_administrators(world: &World) -> Person {
    let bea = world.join("bea");
    world.person("ada").ok(&["group", "add", "administrators", "bea"]);
    bea
}

/// Somebody signs in by the page.
pub fn sign_in(browser: &Browser, name: &str) {
    browser.goto("/signin");
    browser.fill("#name", name);
    browser.fill("#password", PASSWORD);
    browser.follow("button.primary");
    assert_eq!(browser.at(), "/", "{name} is signed in");
}

/// What there is to see.
pub struct Stage {
    /// A request of alice's on `orders` that waits.
    pub waiting: String,
    /// A request of alice's workload on `playground` that waits for her to confirm it.
    pub to_confirm: String,
    /// A change of bea's that waits for ada.
    pub change: String,
    /// Alice's session on `orders`.
    pub session: Child,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

impl Stage {
    /// Alice holds `readonly` on `orders` and is connected; asks for more; bea has proposed that bob shall be one of the
    /// people who approve.
    pub fn set(world: &World) -> Self {
        let to_confirm = a_workload_asks(world);
        let bea = two_administrators(world);
        world.grant("readonly");
        let alice = world.person("alice");
        let session = busy(world, &alice, "orders");
        let waiting = alice.asks("readwrite");
        let said = bea.says_json(&["user", "create", "carol"]);
        let change = said.json()["outcome"]["change"].as_str().unwrap_or_else(|| panic!("{}", said.all())).to_owned();
        Self { waiting, to_confirm, change, session }
    }
}

/// Alice has the lab at once, and a workload, which asks for it; while ada administers alone.
fn a_workload_asks(world: &World) -> String {
    let (ada, alice) = (world.person("ada"), world.person("alice"));
    let folder = world.folder.path().join("policies");
    std::fs::create_dir(&folder).unwrap();
    for (file, text) in daypass_policy::starter_files() {
        // What the starter policies give to everybody, to people only: a workload has it by its owner's word, or not at all.
        let text = if file == "access.cedar" { text.replace("  principal,\n", "  principal is User,\n") } else { text };
        std::fs::write(folder.join(file), text).unwrap();
    }
    ada.ok(&["policy", "apply", folder.to_str().unwrap()]);
    ada.ok(&["workload", "create", "reporter", "--owner", "alice"]);
    let made = alice.json(&["token", "create", "--workload", "reporter", "--scope", "request"]);
    let asks = ["--json", "request", "playground", "--role", "readonly", "--reason", "the weekly report"];
    let mut command = alice.command(&asks);
    command.env("DAYPASS_TOKEN", made["secret"].as_str().unwrap());
    let said = ended(command.spawn().unwrap());
    assert_eq!(said.code, 4, "{}", said.all());
    said.json()["request"]["id"].as_str().unwrap().to_owned()
}

/// Whoever is signed in signs out, and somebody else comes.
pub fn sign_in_as_another(browser: &Browser, name: &str) {
    browser.follow(".who button");
    sign_in(browser, name);
}
