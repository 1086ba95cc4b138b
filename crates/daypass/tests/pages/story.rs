//! Two people, one with a laptop and one with a phone, and a psql that waits for them.

use std::{fs, process::Stdio};

use serde_json::json;

use crate::{
    browser::{Browser, Scheme, Size},
    people,
    world::{World, busy, ended, until},
};

#[test]
fn one_asks_another_approves_on_a_phone_and_an_administrator_kills() {
    let world = World::new();
    let person = world.person("alice");
    let (alice, bob, ada) = (Browser::open(&world), Browser::open(&world), Browser::open(&world));
    alice.look(Size::Desktop, Scheme::Light);
    bob.look(Size::Phone, Scheme::Dark);
    ada.look(Size::Phone, Scheme::Light);
    for (browser, name) in [(&alice, "alice"), (&bob, "bob"), (&ada, "ada")] {
        people::sign_in(browser, name);
    }
    bob.goto("/inbox");
    bob.says("Nobody waits for your answer.");
    ada.goto("/sessions");
    ada.says("Nothing is connected.");

    // The verdict is said while the form is filled in.
    alice.goto("/ask");
    alice.says("nothing is chosen yet");
    alice.choose("#what", "playground/readonly");
    alice.fill("#reason", "Refund 4711");
    alice.says("Granted at once");
    alice.choose("#what", "orders/readonly");
    alice.says("Needs one approval");
    alice.follow("button.primary");
    alice.says("asks for readonly on orders");

    let errors = world.folder.path().join("door");
    let client = person
        .psql("orders", &["-c", "SELECT count(*) FROM accounts"])
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    until("it waits at the door", || fs::read_to_string(&errors).unwrap().contains("NOTICE").then_some(()));

    // Bob's page says it by itself, and says it to a screen reader too.
    bob.says("alice asks for readonly on orders");
    assert_eq!(
        bob.script("return document.getElementById('news').textContent", json!([])),
        "Waiting for your answer: 1"
    );
    bob.follow("#inbox a");
    bob.says("Refund 4711");
    bob.choose("#seconds", "900");
    bob.follow("form[action$='/approve'] button");
    bob.says("Approved.");
    let said = ended(client);
    assert_eq!((said.code, said.out.trim()), (0, "100"), "{}", fs::read_to_string(&errors).unwrap());
    alice.says("Stands\ngranted");

    alice.goto("/");
    alice.says("15 min");
    alice.choose("#held select", "15");
    alice.follow("form[action$='/extend'] button");
    alice.says("Extended.");
    alice.says("30 min");

    // Ada sees the session come, and ends it.
    let session = busy(&world, &person, "orders");
    ada.says("Connected just now");
    ada.click("#open summary");
    ada.fill("#open input[name='reason']", "an incident");
    ada.follow("#open button.danger");
    ada.says("The session is cut.");
    ada.says("killed");
    let said = ended(session);
    assert!(said.err.contains("57P01"), "{}", said.all());

    alice.goto("/");
    alice.follow("form[action$='/release'] button");
    alice.says("Given back.");
    until("no backend is left", || (world.backends() == 0).then_some(()));
}

#[test]
fn what_the_page_says_lets_psql_in() {
    let world = World::new();
    world.grant("readonly");
    let browser = Browser::open(&world);
    browser.look(Size::Phone, Scheme::Light);
    people::sign_in(&browser, "alice");
    browser.click("#held summary");
    let text = |way: usize| {
        let script = "return document.querySelectorAll('#held .copying pre')[arguments[0]].textContent";
        browser.script(script, json!([way])).as_str().unwrap().to_owned()
    };
    let strings = [text(0).trim_start_matches("psql ").trim_matches('"').to_owned(), text(1)];
    assert!(text(2).starts_with("jdbc:postgresql://localhost:"), "{}", text(2));
    browser.follow("#held form[action='/secret'] button");
    let secret = browser.script("return document.getElementById('secret').textContent", json!([]));
    browser.goto("/");
    assert!(!browser.text().contains(secret.as_str().unwrap()));
    for string in strings {
        let string = string.replace("authority.pem", &world.authority());
        let said = ended(
            world
                .person("alice")
                .psql_to(&string, &["-c", "SELECT count(*) FROM accounts"])
                .env("PGPASSFILE", "/nonexistent")
                .env("PGPASSWORD", secret.as_str().unwrap())
                .spawn()
                .unwrap(),
        );
        assert_eq!((said.code, said.out.trim()), (0, "100"), "{string}: {}", said.all());
    }
}

#[test]
fn a_change_is_proposed_by_one_and_done_by_the_other() {
    let world = World::new();
    let bea = people::two_administrators(&world);
    let said = bea.says_json(&["user", "create", "carol"]).json();
    let halves = said["handed"]["half"].as_str().unwrap().to_owned();
    let ada = Browser::open(&world);
    ada.look(Size::Phone, Scheme::Dark);
    people::sign_in(&ada, "ada");
    ada.follow("nav a[href='/changes']");
    ada.follow("#changes a");
    ada.says("carol");
    ada.follow("button.primary");
    ada.says("The change is done");
    let half = ada.script("return document.getElementById('secret').textContent", json!([]));
    let code = format!("{halves}.{}", half.as_str().unwrap());
    world.person("carol").accept(&world.url(), &world.authority(), &code);
    // Whoever administers nothing isn't shown the place, and isn't let in.
    people::sign_in_as_another(&ada, "bob");
    assert!(!ada.text().contains("Changes"));
    ada.goto("/changes");
    ada.says("That isn’t allowed");
}
