//! Chromium, driven by WebDriver (W3C WebDriver Level 2), with what Chromium's driver offers beside it: the DevTools
//! protocol for sizes and colours, and the console's log.

use std::{fs, process::Child, thread};

use serde_json::{Value, json};

use crate::{
    driver, web,
    world::{World, until},
};

/// The key that an element's id stands under (WebDriver, 11: web element identifier).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How large the window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Phone,
    Desktop,
}

impl Size {
    pub const ALL: [Self; 2] = [Self::Phone, Self::Desktop];

    pub fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Desktop => "desktop",
        }
    }

    fn metrics(self) -> Value {
        match self {
            Self::Phone => json!({"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true}),
            Self::Desktop => json!({"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false}),
        }
    }
}

/// What the person prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    pub fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// An element of the page that is shown.
pub struct Element(String);

/// A browser with a profile of its own, where nobody is signed in.
pub struct Browser {
    driver: Child,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    session: String,
    site: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; the driver has nothing else to end.
        let _ = self.runtime.block_on(self.http.delete(&self.session).send());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Opens one that believes the world's server, with two families of fonts and no other: so that pictures are the same
    /// wherever those are installed.
    pub fn open(world: &World) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let fonts = profile.path().join("fonts.conf");
        fs::write(&fonts, fonts_conf(&profile.path().join("fontcache").display().to_string())).unwrap();
        let (driver, port) = driver::start("FONTCONFIG_FILE", fonts.as_os_str());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = web::client(&fs::read(world.authority()).unwrap());
        let mut browser = Self {
            driver,
            runtime,
            http,
            session: format!("http://127.0.0.1:{port}/session"),
            site: world.url(),
            _profile: profile,
        };
        let folder = browser._profile.path().join("profile").display().to_string();
        let made = browser.post("", capabilities(&folder));
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}"));
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// A window of this size, for a person who prefers this.
    pub fn look(&self, size: Size, scheme: Scheme) {
        self.devtools("Emulation.setDeviceMetricsOverride", size.metrics());
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme.word()},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Opens a page of the site, or an address elsewhere.
    pub fn goto(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.site) } else { path.to_owned() };
        self.post("/url", json!({ "url": url }));
    }

    /// The path of the page that is shown, with its query.
    pub fn at(&self) -> String {
        self.script("return location.pathname + location.search", json!([])).as_str().unwrap().to_owned()
    }

    /// What the page says, as it is shown.
    pub fn text(&self) -> String {
        self.script("return document.body.innerText", json!([])).as_str().unwrap().to_owned()
    }

    /// Waits until the page says something.
    pub fn says(&self, what: &str) {
        let since = std::time::Instant::now();
        loop {
            let text = self.text();
            if text.contains(what) {
                return;
            }
            assert!(since.elapsed() < crate::world::PATIENCE, "{} never said {what:?}: {text}", self.at());
            thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// The first element that a CSS selector finds; it must come.
    pub fn find(&self, css: &str) -> Element {
        let found = until(css, || {
            let all = self.post("/elements", json!({"using": "css selector", "value": css}));
            all[0][ELEMENT].as_str().map(ToOwned::to_owned)
        });
        Element(found)
    }

    /// Clicks it, as a person would: it must be seen, and nothing may lie over it.
    pub fn click(&self, css: &str) {
        self.touch(css, "click", &json!({}));
    }

    /// Clicks what leads to another page, and waits for that.
    pub fn follow(&self, css: &str) {
        self.script("window.daypassStood = true", json!([]));
        self.click(css);
        until("another page comes", || {
            let came = "return document.readyState === 'complete' && !window.daypassStood";
            self.script(came, json!([])).as_bool().filter(|came| *came)
        });
    }

    /// Types into a field.
    pub fn fill(&self, css: &str, text: &str) {
        self.touch(css, "value", &json!({ "text": text }));
    }

    /// Does something to an element. A live page may get itself anew between finding and touching it: then what stands there
    /// by now is meant, as it is by a person.
    fn touch(&self, css: &str, how: &str, body: &Value) {
        until(css, || {
            let Element(id) = self.find(css);
            let path = format!("/element/{id}/{how}");
            let said = self.answer(&path, body);
            (said["error"] != "stale element reference").then(|| fine(&path, said))
        });
    }

    /// Chooses an option of a select by its value.
    pub fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value='{value}']"));
    }

    /// Presses a key where the focus is.
    pub fn press(&self, key: char) {
        let actions = json!([{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key.to_string()}, {"type": "keyUp", "value": key.to_string()},
        ]}]);
        self.post("/actions", json!({ "actions": actions }));
    }

    /// Runs a script in the page; what it returns.
    pub fn script(&self, script: &str, args: Value) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": args }))
    }

    /// Runs a script in the page that calls its last argument when it is done, with what it has found.
    pub fn waits(&self, script: &str, args: Value) -> Value {
        self.post("/execute/async", json!({ "script": script, "args": args }))
    }

    /// A picture of the window, as PNG in base64.
    pub fn picture(&self) -> String {
        let shot = self.devtools("Page.captureScreenshot", json!({"format": "png"}));
        shot["data"].as_str().unwrap().to_owned()
    }

    /// What the console was told since this was asked last: errors, and what the content security policy kept out.
    pub fn console(&self) -> Vec<String> {
        let lines = self.post("/se/log", json!({"type": "browser"}));
        lines.as_array().unwrap().iter().map(ToString::to_string).collect()
    }

    fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params }))
    }

    fn post(&self, path: &str, body: Value) -> Value {
        fine(path, self.answer(path, &body))
    }

    fn answer(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let mut answer: Value =
            self.runtime.block_on(async { self.http.post(url).json(body).send().await.unwrap().json().await.unwrap() });
        answer["value"].take()
    }
}

/// What was answered, where that is no error.
fn fine(path: &str, value: Value) -> Value {
    assert!(value["error"].is_null(), "{path}: {} {}", value["error"], value["message"]);
    value
}

fn capabilities(profile: &str) -> Value {
    let mut args: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--disable-lcd-text",
        "--font-render-hinting=none",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    .map(ToOwned::to_owned)
    .into();
    args.push(format!("--user-data-dir={profile}"));
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        // The server's certificate is signed by an authority of its own, which is as old as the test.
        "acceptInsecureCerts": true,
        "timeouts": {"script": 60_000},
        "goog:chromeOptions": {"args": args},
        "goog:loggingPrefs": {"browser": "ALL"},
    }}})
}

fn fonts_conf(cache: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\"><fontconfig>\
         <dir>/usr/share/fonts/opentype/inter</dir><dir>/usr/share/fonts/truetype/dejavu</dir>\
         <cachedir>{cache}</cachedir>\
         <alias><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>\
         <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>\
         </fontconfig>"
    )
}
