//! The people of these tests, and where they stand when a browser comes.

use std::process::Child;

use crate::{
    browser::Browser,
    world::{PASSWORD, Person, World, busy},
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
        let bea = two_administrators(world);
        world.grant("readonly");
        let alice = world.person("alice");
        let session = busy(world, &alice, "orders");
        let waiting = alice.asks("readwrite");
        let said = bea.says_json(&["user", "create", "carol"]);
        let change = said.json()["outcome"]["change"].as_str().unwrap_or_else(|| panic!("{}", said.all())).to_owned();
        Self { waiting, change, session }
    }
}

/// Whoever is signed in signs out, and somebody else comes.
pub fn sign_in_as_another(browser: &Browser, name: &str) {
    browser.follow(".who button");
    sign_in(browser, name);
}
