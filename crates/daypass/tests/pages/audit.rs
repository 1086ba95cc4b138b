//! What a Lighthouse-like audit asks of every page, at both sizes and in both colour schemes: accessible (axe-core), no
//! wider than a phone, nothing that shifts, light, and nothing that the console complains of.

use std::fs;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Scheme, Size},
    people::{self, Stage},
    world::World,
};

/// Everything of a page, over the wire and uncompressed.
const WEIGHT_MAX: u64 = 60 << 10;

/// The rules of axe-core: WCAG 2.2 to AA, and what it calls best practice.
const RULES: &str = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}";

#[test]
fn every_page_is_accessible_and_light_and_stands_still() {
    let world = World::new();
    let stage = Stage::set(&world);
    let axe = axe();
    let (nobody, alice, ada) = (Browser::open(&world), Browser::open(&world), Browser::open(&world));
    sees_what_is_wrong(&nobody, &axe);
    people::sign_in(&alice, "alice");
    people::sign_in(&ada, "ada");
    let pages: [(&Browser, &str, String); 12] = [
        (&nobody, "sign-in", "/signin".to_owned()),
        (&alice, "access", "/".to_owned()),
        (&alice, "ask", "/ask?what=orders/readwrite".to_owned()),
        (&alice, "waiting", format!("/requests/{}", stage.waiting)),
        (&alice, "confirm", format!("/requests/{}", stage.to_confirm)),
        (&ada, "inbox", "/inbox".to_owned()),
        (&ada, "request", format!("/requests/{}", stage.waiting)),
        (&ada, "sessions", "/sessions".to_owned()),
        (&ada, "changes", "/changes".to_owned()),
        (&ada, "emergency", "/emergency".to_owned()),
        (&ada, "change", format!("/changes/{}", stage.change)),
        (&ada, "refusal", "/requests/nonsense".to_owned()),
    ];
    let (mut wrong, mut costs) = (Vec::new(), Vec::new());
    for (browser, name, path) in &pages {
        for size in Size::ALL {
            for scheme in Scheme::ALL {
                browser.look(size, scheme);
                browser.goto(path);
                let called = format!("{name}-{}-{}", size.word(), scheme.word());
                costs.push(format!("{called}: {}", browser.script(COST, json!([])).as_str().unwrap()));
                wrong.extend(faults(browser, &axe).into_iter().map(|fault| format!("{called}: {fault}")));
                keep(browser, &called);
            }
        }
    }
    fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages.txt"), costs.join("\n")).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the page that is shown.
fn faults(browser: &Browser, axe: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let shifted = browser.waits(SHIFTS, json!([]));
    if shifted.as_f64() != Some(0.0) {
        wrong.push(format!("the layout shifts by {shifted}"));
    }
    let (wide, weight) = (browser.script(WIDER, json!([])), browser.script(WEIGHT, json!([])));
    if !wide.as_array().unwrap().is_empty() {
        wrong.push(format!("wider than the window: {wide}"));
    }
    match weight.as_u64() {
        Some(bytes) if bytes > 0 && bytes < WEIGHT_MAX => {}
        _ => wrong.push(format!("it takes {weight} bytes")),
    }
    // A page that isn't there is answered 404, and the console says so.
    let complaints = browser.console().into_iter().filter(|line| !line.contains("status of 4"));
    wrong.extend(complaints.map(|line| format!("the console: {line}")));
    // The details too: what is folded away isn't looked at.
    browser.script("document.querySelectorAll('details').forEach(d => d.open = true)", json!([]));
    let wide = browser.script(WIDER, json!([]));
    if !wide.as_array().unwrap().is_empty() {
        wrong.push(format!("unfolded, wider than the window: {wide}"));
    }
    wrong.extend(violations(browser, axe));
    wrong
}

/// An audit that finds nothing anywhere would find nothing here.
fn sees_what_is_wrong(browser: &Browser, axe: &str) {
    let bad =
        "document.body.innerHTML = '<img src=x><input>' + '<p style=\"color:#ccc;width:9999px\">dim</p>'.repeat(9)";
    browser.goto("about:blank");
    browser.script(bad, json!([]));
    let found = violations(browser, axe).join("\n");
    for rule in ["image-alt", "label", "color-contrast"] {
        assert!(found.contains(rule), "axe-core doesn't see {rule}: {found}");
    }
    assert_ne!(browser.script(WIDER, json!([])), json!([]));
}

fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    let run = format!(
        "{axe}; const done = arguments[arguments.length - 1];
         axe.run(document, {RULES}).then(r => done({{passes: r.passes.length, violations: r.violations.map(v =>
             v.id + ': ' + v.help + ' at ' + v.nodes.map(n => n.html + ' ' + (n.any[0]?.message ?? '')).join(' | '))}}),
             e => done({{passes: 0, violations: [String(e)]}}))"
    );
    let found = browser.waits(&run, json!([]));
    assert!(found["passes"].as_u64().is_some_and(|n| n > 5), "axe-core looked at nothing: {found}");
    let all = found["violations"].as_array().unwrap();
    all.iter().map(|v: &Value| v.as_str().unwrap_or_default().to_owned()).collect()
}

/// What shifted since the page began (Layout Instability API), by itself and not by a person's doing.
const SHIFTS: &str = "const done = arguments[0]; let sum = 0;
    new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; })
        .observe({type: 'layout-shift', buffered: true});
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum), 100)))";

/// What sticks out at the right. What may be scrolled by itself doesn't.
const WIDER: &str = "const edge = document.documentElement.clientWidth;
    return document.documentElement.scrollWidth <= edge ? [] : [...document.querySelectorAll('body *')]
        .filter(e => e.getBoundingClientRect().right > edge + 1 && !e.closest('pre'))
        .map(e => e.outerHTML.slice(0, 120)).concat(['the page'])";

/// Bytes over the wire of the page and of all that it takes (Resource Timing). What comes out of the cache counts as if
/// it had come.
const WEIGHT: &str =
    "return performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
    .reduce((sum, e) => sum + (e.transferSize || e.encodedBodySize), 0)";

/// What a page costs, for whoever wants to know: it is left in `target/tmp/pages.txt`.
const COST: &str = "const [page] = performance.getEntriesByType('navigation');
    return `first byte after ${(page.responseStart - page.requestStart).toFixed(1)} ms, ${page.transferSize} bytes`";

/// axe-core, as `cargo xtask setup test` installed it.
fn axe() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/axe/node_modules/axe-core/axe.min.js");
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}; `cargo xtask setup test` installs it"))
}

/// `DAYPASS_SHOTS` names a folder where a picture of every page is kept, to look at.
fn keep(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("DAYPASS_SHOTS") {
        let picture = BASE64.decode(browser.picture().as_bytes()).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}
