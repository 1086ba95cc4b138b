//! Pictures of the pages, kept in `docs/images/pages` and shown in `docs/pages.md`. `DAYPASS_BLESS=1` makes them anew.
//!
//! They are compared in the browser itself, with some tolerance: fonts are pinned by the packages that they come from,
//! their drawing isn't. What is never the same twice (times, ports, ids) is written over first.

use std::{fs, path::PathBuf};

use data_encoding::BASE64;
use serde_json::json;

use crate::{
    browser::{Browser, Scheme, Size},
    people::{self, Stage},
    world::World,
};

/// How many pixels of a thousand may be clearly different.
const TOLERANCE: f64 = 10.0;

#[test]
fn pages_look_as_they_did() {
    let world = World::new();
    let stage = Stage::set(&world);
    let (alice, ada) = (Browser::open(&world), Browser::open(&world));
    let mut other = Vec::new();
    alice.look(Size::Phone, Scheme::Light);
    alice.goto("/signin");
    other.extend(differs(&alice, "sign-in-phone-light"));
    people::sign_in(&alice, "alice");
    people::sign_in(&ada, "ada");
    let request = format!("/requests/{}", stage.waiting);
    let change = format!("/changes/{}", stage.change);
    let shots: [(&Browser, &str, &str, Size, Scheme); 9] = [
        (&alice, "access", "/", Size::Desktop, Scheme::Light),
        (&alice, "access", "/", Size::Phone, Scheme::Dark),
        (&alice, "ask", "/ask?what=orders/readwrite", Size::Phone, Scheme::Light),
        (&ada, "inbox", "/inbox", Size::Phone, Scheme::Light),
        (&ada, "request", &request, Size::Phone, Scheme::Dark),
        (&ada, "request", &request, Size::Desktop, Scheme::Light),
        (&ada, "sessions", "/sessions", Size::Desktop, Scheme::Dark),
        (&ada, "sessions", "/sessions", Size::Phone, Scheme::Light),
        (&ada, "change", &change, Size::Desktop, Scheme::Light),
    ];
    for (browser, name, path, size, scheme) in shots {
        browser.look(size, scheme);
        browser.goto(path);
        other.extend(differs(browser, &format!("{name}-{}-{}", size.word(), scheme.word())));
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

/// What is not as it was, if anything. The browser is on an empty page afterwards.
fn differs(browser: &Browser, name: &str) -> Option<String> {
    browser.script(STILL, json!([]));
    let picture = browser.picture();
    let golden = folder().join(format!("{name}.png"));
    let bytes = BASE64.decode(picture.as_bytes()).unwrap();
    if std::env::var_os("DAYPASS_BLESS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&golden, bytes).unwrap();
        return None;
    }
    let kept = fs::read(&golden).unwrap_or_else(|e| panic!("{}: {e}; DAYPASS_BLESS=1 makes it", golden.display()));
    browser.goto("about:blank");
    let found = browser.waits(COMPARE, json!([picture, BASE64.encode(&kept)]));
    if found.as_f64().is_some_and(|thousandths| thousandths <= TOLERANCE) {
        return None;
    }
    let new = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    fs::write(&new, bytes).unwrap();
    Some(format!(
        "{name}: {found} of a thousand pixels differ. Look at {}; DAYPASS_BLESS=1 makes it the picture of record",
        new.display()
    ))
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/pages"))
}

/// Writes over what is never the same twice, and lets nothing change it any more.
const STILL: &str = "document.querySelectorAll('[data-until]').forEach(e => {
        e.removeAttribute('data-until'); e.textContent = '25 min'; });
    document.querySelectorAll('time').forEach(e => { e.textContent = '2026-01-15 03:04 UTC'; });
    document.querySelectorAll('[data-digest]').forEach(e => { e.textContent = '0123456789abcdef'.repeat(4); });
    document.activeElement?.blur();
    window.scrollTo(0, 0)";

/// How many of a thousand pixels clearly differ; a thousand where the sizes do.
const COMPARE: &str = "const [one, other, done] = arguments;
    const pixels = async text => {
        const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
        const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
        const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
        canvas.drawImage(image, 0, 0);
        return canvas.getImageData(0, 0, image.width, image.height);
    };
    Promise.all([pixels(one), pixels(other)]).then(([a, b]) => {
        if (a.width !== b.width || a.height !== b.height) return done(1000);
        let differ = 0;
        for (let at = 0; at < a.data.length; at += 4) {
            const far = Math.max(...[0, 1, 2].map(c => Math.abs(a.data[at + c] - b.data[at + c])));
            if (far > 64) differ++;
        }
        done(differ * 4000 / a.data.length);
    }, e => done(String(e)))";
