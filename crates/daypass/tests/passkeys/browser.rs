//! Chromium, driven by WebDriver (W3C WebDriver Level 2), with its virtual authenticators (W3C Web Authentication,
//! Level 3, 11: User Agent Automation).

use std::{fs, io::Write as _, net::TcpStream, process::Child, sync::Arc};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    driver, web,
    world::{World, until},
};

/// The key that an element's id stands under (WebDriver, 11: web element identifier).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own, in a window as large as a phone's, where nobody is signed in.
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
    /// Opens one that believes the world's server: a page with a certificate that isn't believed gets no passkey.
    pub fn open(world: &World) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = driver::start("HOME", profile.path().as_os_str());
        let authority = fs::read(world.authority()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut browser = Self {
            driver,
            runtime,
            http: web::client(&authority),
            session: format!("http://127.0.0.1:{port}/session"),
            site: world.url(),
            _profile: profile,
        };
        let folder = browser._profile.path().join("profile").display().to_string();
        let made = browser.post("", capabilities(&folder, &key_of(&authority, &world.url())));
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}"));
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Puts an authenticator into the machine, that checks its owner; its id.
    pub fn authenticator(&self) -> String {
        let made = self.post(
            "/webauthn/authenticator",
            json!({"protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
                "isUserVerified": true, "isUserConsenting": true}),
        );
        made.as_str().unwrap().to_owned()
    }

    /// The finger on the authenticator is its owner's, or somebody else's.
    pub fn owner_is_there(&self, authenticator: &str, verified: bool) {
        self.post(&format!("/webauthn/authenticator/{authenticator}/uv"), json!({"isUserVerified": verified}));
    }

    /// Opens a page of the site, or an address.
    pub fn goto(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.site) } else { path.to_owned() };
        self.post("/url", json!({ "url": url }));
    }

    /// Runs a script in the page; what it returns.
    pub fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The address of the page that is shown, from its path on.
    pub fn at(&self) -> String {
        self.script("return location.pathname + location.search + location.hash").as_str().unwrap().to_owned()
    }

    /// Waits until the page says something.
    pub fn says(&self, what: &str) {
        let said = || self.script("return document.body.innerText").as_str().unwrap_or_default().to_owned();
        until(&format!("{:?} on {}: {}", what, self.at(), said()), || said().contains(what).then_some(()));
    }

    /// Clicks it, as a person would: it must be seen, and nothing may lie over it.
    pub fn click(&self, css: &str) {
        let id = self.find(css);
        self.post(&format!("/element/{id}/click"), json!({}));
    }

    /// Types into a field.
    pub fn fill(&self, css: &str, text: &str) {
        let id = self.find(css);
        self.post(&format!("/element/{id}/value"), json!({ "text": text }));
    }

    fn find(&self, css: &str) -> String {
        until(css, || {
            let all = self.post("/elements", json!({"using": "css selector", "value": css}));
            all[0][ELEMENT].as_str().map(ToOwned::to_owned)
        })
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let answer: Value = self
            .runtime
            .block_on(async { self.http.post(url).json(&body).send().await.unwrap().json().await.unwrap() });
        let value = &answer["value"];
        assert!(value["error"].is_null(), "{path}: {} {}", value["error"], value["message"]);
        value.clone()
    }
}

/// What Chromium knows the server's key by: SHA-256 of its SubjectPublicKeyInfo, in base64.
fn key_of(authority: &[u8], url: &str) -> String {
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(web::tls(authority)), name).unwrap();
    let mut socket = TcpStream::connect(url.trim_start_matches("https://")).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    socket.flush().unwrap();
    let leaf = &connection.peer_certificates().unwrap()[0];
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).unwrap();
    data_encoding::BASE64.encode(&Sha256::digest(certificate.public_key().raw))
}

fn capabilities(profile: &str, key: &str) -> Value {
    let mut args: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=360,740",
    ]
    .map(ToOwned::to_owned)
    .into();
    args.push(format!("--user-data-dir={profile}"));
    args.push(format!("--ignore-certificate-errors-spki-list={key}"));
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "webauthn:virtualAuthenticators": true,
        "goog:chromeOptions": {"args": args, "mobileEmulation": {"deviceMetrics": {"width": 360, "height": 740}}},
    }}})
}
