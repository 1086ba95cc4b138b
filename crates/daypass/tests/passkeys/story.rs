//! Enrolling, signing in and approving with a passkey, as a person does it on a phone.

use crate::{
    browser::Browser,
    world::{PASSWORD, World, until},
};

fn sign_in(browser: &Browser, who: &str) {
    browser.goto("/signin");
    browser.fill("#name", who);
    browser.fill("#password", PASSWORD);
    browser.click("button.primary");
}

fn enrol(browser: &Browser) {
    browser.goto("/factors");
    browser.click("form[data-enrol] button.primary");
    browser.says("Enrolled.");
}

#[test]
fn a_request_is_approved_with_a_passkey_on_a_phone() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let browser = Browser::open(&world);
    let key = browser.authenticator();
    sign_in(&browser, "bob");
    browser.says("My access");
    enrol(&browser);

    let request = alice.asks("readonly");
    let said = bob.fails(3, &["approve", &request]);
    let page = format!("{}/requests/{request}", world.url());
    assert!(said.contains("second factor") && said.contains(&page), "it says where a passkey can be shown: {said}");

    // Somebody else's finger: the browser gives nothing, and nothing is done.
    browser.goto(&page);
    browser.owner_is_there(&key, false);
    browser.click("form[action$='/approve'] button.primary");
    browser.says("Nothing was done: the browser gave no passkey.");
    assert_eq!(alice.json(&["show", &request])["state"]["state"], "pending");
    assert!(browser.at().starts_with("/requests/"), "{}", browser.at());

    browser.owner_is_there(&key, true);
    browser.click("form[action$='/approve'] button.primary");
    browser.says("Approved. They have access now.");
    let shown = alice.json(&["show", &request]);
    assert_eq!(shown["state"]["state"], "granted");
    assert_eq!(alice.sql("SELECT count(*) FROM accounts").out.trim(), "100");
}

#[test]
fn a_browser_signs_in_with_a_passkey_and_not_without() {
    let world = World::new();
    let browser = Browser::open(&world);
    let key = browser.authenticator();
    sign_in(&browser, "bob");
    browser.says("My access");
    enrol(&browser);
    let listed = world.person("bob").ok(&["factors"]);
    assert!(listed.contains("passkey") && listed.contains("not used yet"), "{listed}");
    browser.click("form.who button");
    browser.says("Sign in");

    sign_in(&browser, "bob");
    browser.says("You have a second factor");
    browser.owner_is_there(&key, false);
    browser.click("button.primary");
    browser.says("Nothing was done: the browser gave no passkey.");
    browser.owner_is_there(&key, true);
    browser.click("button.primary");
    browser.says("My access");
    browser.goto("/factors");
    browser.says("last used");
    // A program has no passkey to show, and says where one can.
    let said = world.person("bob").fails(5, &["login", "--user", "bob"]);
    assert!(said.contains("/signin"), "it says where a passkey can be shown: {said}");
}

#[test]
fn whoever_is_invited_comes_by_a_link_that_no_server_reads() {
    let world = World::new();
    let ada = world.person("ada");
    ada.ok(&["group", "create", "dba"]);
    let said = ada.says(&["invite", "erin", "--group", "dba"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let all = said.all();
    let link = all.split_whitespace().find(|word| word.contains("/welcome#")).unwrap_or_else(|| panic!("{all}"));
    let code = link.split('#').nth(1).unwrap();
    let browser = Browser::open(&world);
    browser.authenticator();
    browser.goto(link);
    until("the code is in the form", || {
        browser.script("return document.querySelector('#invitation').value").as_str().filter(|v| *v == code).map(drop)
    });
    assert_eq!(browser.at(), "/welcome", "and not in the history");
    browser.fill("#password", PASSWORD);
    browser.click("button.primary");
    browser.says("Enrol a passkey");
    browser.click("form[data-enrol] button.primary");
    browser.says("Enrolled.");
    let groups = ada.json(&["user", "list"]);
    let erin = groups.as_array().unwrap().iter().find(|user| user["name"] == "erin").unwrap();
    assert_eq!(erin["groups"], serde_json::json!(["dba"]));
    let log = std::fs::read_to_string(world.path("server.log")).unwrap();
    assert!(!log.contains(code), "the code is in no log");
}
