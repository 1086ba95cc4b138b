//! By keyboard only: where the focus goes, and that it is seen.

use serde_json::json;

use crate::{
    browser::{Browser, Scheme, Size},
    people::{self, Stage},
    world::{World, until},
};

/// The key Tab (WebDriver, 17.4.2).
const TAB: char = '\u{E004}';
const ENTER: char = '\u{E007}';
/// More steps than any page has.
const STEPS_MOST: usize = 60;

/// What has the focus: its words, and how its outline is drawn.
fn focused(browser: &Browser) -> (String, String) {
    let found = browser.script(
        "const e = document.activeElement, s = getComputedStyle(e);
         return [e.tagName + ' ' + (e.innerText || e.name || ''), s.outlineStyle + ' ' + s.outlineWidth]",
        json!([]),
    );
    (found[0].as_str().unwrap().to_owned(), found[1].as_str().unwrap().to_owned())
}

/// Goes on with Tab until what has the focus says this. Each step is seen.
fn tab_to(browser: &Browser, what: &str) {
    let mut passed = Vec::new();
    for _ in 0..STEPS_MOST {
        browser.press(TAB);
        let (element, outline) = focused(browser);
        assert_eq!(outline, "solid 3px", "the focus on {element:?} isn't seen");
        if element.contains(what) {
            return;
        }
        passed.push(element);
    }
    panic!("Tab never comes to {what:?}: {passed:?}");
}

#[test]
fn a_person_with_a_keyboard_signs_in_approves_and_kills() {
    let world = World::new();
    let mut stage = Stage::set(&world);
    let browser = Browser::open(&world);
    browser.look(Size::Desktop, Scheme::Light);
    people::sign_in(&browser, "ada");

    browser.goto("/inbox");
    browser.press(TAB);
    assert!(focused(&browser).0.contains("Skip to the content"), "the first step is past the navigation");
    browser.press(ENTER);
    tab_to(&browser, "alice asks for readwrite");
    browser.press(ENTER);
    browser.says("It gives");
    tab_to(&browser, "BUTTON Approve");
    browser.press(ENTER);
    browser.says("Approved.");

    browser.goto("/sessions");
    tab_to(&browser, "Kill");
    browser.press(ENTER);
    tab_to(&browser, "INPUT reason");
    for key in "an incident".chars() {
        browser.press(key);
    }
    tab_to(&browser, "BUTTON Kill");
    browser.press(ENTER);
    browser.says("The session is cut.");
    until("psql is cut off", || stage.session.try_wait().unwrap());
}
