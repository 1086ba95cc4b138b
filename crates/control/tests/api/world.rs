//! An installation with its API, people in it, and short ways to ask it things.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header},
};
use daypass_app::{
    App, Parts,
    notices::{Audience, Notices, Way},
    start::Install,
};
use daypass_control::{GatewayNumbers, GatewayView, Peer, ServerInfo, State, router};
use daypass_domain::{
    Digest, GrantId, InstallationId, Name, PayloadId, PrincipalId, SessionId, Time,
    session::{Session, SessionState},
};
use daypass_ledger::leaf::Leaf;
use daypass_ports::{
    record::{Commit, Entry, RetentionClass},
    store::Store,
    world::Clock,
};
use daypass_seal::MasterKey;
use daypass_store::{Options, Regions, Rollback, SqliteStore};
use daypass_testkit::still::{AnyCredential, Counted, EmptyRoom, NoTargets, SetClock};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse battery staple";

/// A gateway that says what it is told to say.
pub struct SaidGateway(pub std::sync::Mutex<GatewayNumbers>);

impl GatewayView for SaidGateway {
    fn numbers(&self) -> GatewayNumbers {
        *self.0.lock().unwrap()
    }
}

pub struct World {
    pub app: Arc<App>,
    pub store: Arc<SqliteStore>,
    pub clock: Arc<SetClock>,
    pub gateway: Arc<SaidGateway>,
    pub router: Router,
    /// Bearer secrets by who has them.
    pub bearers: BTreeMap<&'static str, String>,
    count: AtomicU64,
    _folder: tempfile::TempDir,
}

/// What was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }
    /// `200`, or `403 token_scope`; of pages `303`, `303 /signin` or `403 page`.
    pub fn word(&self) -> String {
        if self.status == StatusCode::SEE_OTHER {
            let to_sign_in = self.header("location").is_some_and(|to| to.starts_with("/signin?"));
            return if to_sign_in { "303 /signin" } else { "303" }.to_owned();
        }
        if !self.status.is_success() && self.header("content-type").is_some_and(|t| t.starts_with("text/html")) {
            return format!("{} page", self.status.as_str());
        }
        if self.status.is_success() {
            return self.status.as_str().to_owned();
        }
        format!("{} {}", self.status.as_str(), self.refusal())
    }
    /// The code of a problem, or SCIM's word for it, where it has one.
    fn refusal(&self) -> String {
        let said = self.json();
        let word = said["code"].as_str().or(said["scimType"].as_str()).or(said["err"].as_str());
        word.unwrap_or("?").to_owned()
    }
    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{} {}", self.status, self.text());
        self
    }
}

/// What is asked.
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub bearer: Option<String>,
    pub body: Option<Value>,
    /// A form's fields, as a browser sends them from a page of this site.
    pub form: Option<String>,
    pub headers: Vec<(HeaderName, String)>,
    pub peer: Option<SocketAddr>,
}

impl Ask {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), bearer: None, body: None, form: None, headers: Vec::new(), peer: None }
    }
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, path) }
    }
    pub fn act(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }
    pub fn form(path: impl Into<String>, fields: &str) -> Self {
        let ask = Self { form: Some(fields.to_owned()), ..Self::new(Method::POST, path) };
        ask.header("sec-fetch-site", "same-origin")
    }
    pub fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", &format!("__Host-daypass={cookie}"))
    }
    pub fn by(self, bearer: &str) -> Self {
        Self { bearer: Some(bearer.to_owned()), ..self }
    }
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), value.to_owned()));
        self
    }
}

/// A way for notices; nothing runs here that sends them.
fn room() -> Way {
    Way {
        name: name("room"),
        channel: Arc::new(EmptyRoom),
        names_of: BTreeSet::new(),
        audience: Audience::Everybody,
        topics: BTreeSet::new(),
    }
}

impl World {
    /// Installed, with its API; nobody administers.
    pub async fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock::at(1_700_000_000_000_000));
        let options = Options {
            folder: folder.path().join("data"),
            head_file: folder.path().join("head"),
            regions: Regions::only(name("local")),
            keys: MasterKey::from_bytes([7; 32]),
            log_name: "daypass.local/test".to_owned(),
            log_seed: zeroize::Zeroizing::new([9; 32]),
            clock: clock.clone(),
            random: Arc::new(Counted::from(1 << 40)),
            rollback: Rollback::Refuse,
        };
        let store = Arc::new(SqliteStore::open(options).await.unwrap());
        let parts = Parts {
            store: store.clone(),
            targets: Arc::new(NoTargets),
            credentials: Arc::new(AnyCredential),
            identity: Arc::new(daypass_integrations::oidc::Oidc::new(daypass_integrations::oidc::Ages::default())),
            clock: clock.clone(),
            random: Arc::new(Counted::from(1)),
            keys: MasterKey::from_bytes([7; 32]),
            notices: Notices { channels: vec![room()], ..Notices::default() },
            passkeys: Arc::new(daypass_integrations::webauthn::WebAuthn::new("localhost", 7443).unwrap()),
        };
        let installation = InstallationId::new(clock.wall(), [3; 10]);
        let app = App::install(parts, Install { region: "local".parse().unwrap(), installation }).await.unwrap();
        let app = Arc::new(app);
        let gateway = GatewayNumbers { holds_lease: true, sessions_open: 3, ..GatewayNumbers::default() };
        let gateway = Arc::new(SaidGateway(std::sync::Mutex::new(gateway)));
        let info = ServerInfo {
            version: "0".to_owned(),
            url: "https://localhost:7443".to_owned(),
            authority_pem: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
            workloads: None,
            gateways: vec!["localhost:7432".to_owned()],
        };
        let router = router(State::new(Arc::clone(&app), gateway.clone(), info));
        let (bearers, count) = (BTreeMap::new(), AtomicU64::new(0));
        Self { app, store, clock, gateway, router, bearers, count, _folder: folder }
    }

    /// With `alice`, who administers alone, and `carol` and `dave`, who don't; and resources: `lab`, which takes a reason,
    /// and `orders`, which takes another person too.
    pub async fn new() -> Self {
        let mut world = Self::bare().await;
        world.set_up("alice").await;
        world.user("carol").await;
        world.user("dave").await;
        let body = json!({"file": "all.toml", "text": RESOURCES, "mode": "apply"});
        let done = world.ask(Ask::post("/v1/resources/apply", body).by(&world.bearers["alice"])).await.ok();
        assert_eq!(done.json()["outcome"]["outcome"], "done");
        world
    }

    /// With `bob` as the second administrator: four eyes.
    pub async fn with_two() -> Self {
        let mut world = Self::new().await;
        world.second_administrator().await;
        world
    }

    pub async fn second_administrator(&mut self) {
        self.user("bob").await;
        let join = Ask::new(Method::PUT, "/v1/groups/administrators/members/bob").by(&self.bearers["alice"]);
        assert_eq!(self.ask(join).await.ok().json()["outcome"]["outcome"], "done");
    }

    pub async fn set_up(&mut self, who: &'static str) {
        let code = self.app.issue_setup_token().await.unwrap();
        let body = json!({"code": code.expose(), "name": who, "password": PASSWORD});
        self.ask(Ask::post("/v1/setup", body)).await.ok();
        self.sign_in(who).await;
    }

    /// A user, made by alice while she is alone, who signs in.
    pub async fn user(&mut self, who: &'static str) {
        let made = self.ask(Ask::post("/v1/users", json!({"name": who})).by(&self.bearers["alice"])).await.ok().json();
        let code = made["handed"]["code"].as_str().unwrap_or_else(|| panic!("{made}"));
        let body = json!({"code": code, "password": PASSWORD});
        self.ask(Ask::post("/v1/invitations/accept", body)).await.ok();
        self.sign_in(who).await;
    }

    pub async fn sign_in(&mut self, who: &'static str) {
        let token = self.fresh_sign_in(who).await;
        self.bearers.insert(who, token);
    }

    pub async fn fresh_sign_in(&self, who: &str) -> String {
        let signed_in = self.ask(Ask::post("/v1/signin", json!({"name": who, "password": PASSWORD}))).await.ok().json();
        signed_in["token"].as_str().unwrap().to_owned()
    }

    /// What a browser's cookie holds once this person has signed in on the page.
    pub async fn browser(&self, who: &str) -> String {
        let fields = format!("name={who}&password={}", PASSWORD.replace(' ', "+"));
        let reply = self.ask(Ask::form("/signin", &fields)).await;
        assert_eq!(reply.word(), "303", "{}", reply.text());
        let kept = reply.header("set-cookie").unwrap();
        kept.strip_prefix("__Host-daypass=").unwrap().split(';').next().unwrap().to_owned()
    }

    /// What every form that this browser is shown carries.
    pub async fn form_token(&self, cookie: &str) -> String {
        let page = self.ask(Ask::get("/ask").cookie(cookie)).await.text();
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap().to_owned()
    }

    /// Sends a form as this browser.
    pub async fn send(&self, cookie: &str, path: &str, fields: &str) -> Reply {
        let fields = format!("form_token={}&{fields}", self.form_token(cookie).await);
        self.ask(Ask::form(path, &fields).cookie(cookie)).await
    }

    /// A token, kept under this name.
    pub async fn token(&mut self, called: &'static str, by: &'static str, workload: Option<&str>, scopes: &[&str]) {
        let mut body = json!({"scopes": scopes});
        if let Some(workload) = workload {
            body["workload"] = json!(workload);
        }
        let made = self.ask(Ask::post("/v1/tokens", body).by(&self.bearers[by])).await.ok().json();
        self.bearers.insert(called, made["secret"].as_str().unwrap().to_owned());
    }

    pub async fn ask(&self, ask: Ask) -> Reply {
        let response = self.open(ask).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    /// The response with its body not read: for streams.
    pub async fn open(&self, ask: Ask) -> axum::response::Response {
        let is_form = ask.form.is_some();
        let body = ask.form.or(ask.body.map(|b| b.to_string()));
        let mut request = Request::new(body.clone().map_or_else(Body::empty, Body::from));
        *request.method_mut() = ask.method;
        *request.uri_mut() = ask.path.parse().unwrap();
        let headers = request.headers_mut();
        if let Some(bearer) = ask.bearer {
            headers.insert(header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {bearer}")).unwrap());
        }
        if body.is_some() {
            let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in ask.headers {
            headers.insert(name, HeaderValue::try_from(value).unwrap());
        }
        if let Some(peer) = ask.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        TowerToHyperService::new(self.router.clone()).call(request).await.unwrap()
    }

    pub async fn get(&self, who: &str, path: &str) -> Reply {
        self.ask(Ask::get(path).by(&self.bearers[who])).await
    }

    pub async fn post(&self, who: &str, path: &str, body: Value) -> Reply {
        self.ask(Ask::post(path, body).by(&self.bearers[who])).await
    }

    pub async fn act(&self, who: &str, path: &str) -> Reply {
        self.ask(Ask::act(path).by(&self.bearers[who])).await
    }

    /// A name that nobody has yet.
    pub fn fresh(&self, what: &str) -> String {
        format!("{what}{}", self.count.fetch_add(1, Ordering::SeqCst))
    }

    /// How many entries the ledger has.
    pub async fn size(&self) -> u64 {
        self.store.checkpoint().await.unwrap().lines().nth(1).unwrap().parse().unwrap()
    }

    /// The events from this entry on.
    pub async fn events_from(&self, from: u64) -> Vec<String> {
        let leaves = self.store.leaves(from, 1_000).await.unwrap();
        leaves.iter().map(|(_, leaf)| Leaf::parse(leaf).unwrap().header().event.to_string()).collect()
    }

    /// A session of whoever holds the grant, as if a client had come.
    pub async fn session(&self, grant: &str, holder: PrincipalId) -> SessionId {
        let random = Digest::of(self.fresh("session").as_bytes());
        let random: [u8; 10] = random.bytes()[..10].try_into().unwrap();
        let (now, grant): (Time, GrantId) = (self.app.time(), grant.parse().unwrap());
        let id = SessionId::new(now, random);
        let recording = PayloadId::new(now, random);
        let state = SessionState::Open { since: now };
        let session = Session { id, grant, principal: holder, recording, state };
        let mut commit = Commit::default();
        commit.put(&session);
        commit.entry(Entry {
            event: "session.opened",
            ids: vec![("session", id.to_string())],
            region: name("local"),
            retention: RetentionClass::Session,
            parts: Vec::new(),
        });
        self.store.append(commit).await.unwrap();
        id
    }
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A request's body.
pub fn wish(resource: &str) -> Value {
    json!({"resource": resource, "role": "readonly", "duration_s": 600, "reason": "to try it"})
}

pub const RESOURCES: &str = r#"
[[resource]]
name = "lab"
kind = "postgres"
address = "127.0.0.1:5432"
administrator = "lab_admin"
credential = "lab"
owner = "administrators"
tls = { mode = "loopback_plaintext" }
labels = { environment = "lab", classification = ["public"] }

[resource.role.readonly]
description = "read every table"
member_of = ["lab_read"]

[[resource]]
name = "orders"
kind = "postgres"
address = "127.0.0.1:5433"
administrator = "orders_admin"
credential = "orders"
owner = "administrators"
tls = { mode = "loopback_plaintext" }
labels = { environment = "production", classification = ["pii"] }

[resource.role.readonly]
description = "read every table"
member_of = ["orders_read"]

[resource.role.writer]
description = "read and write every table"
member_of = ["orders_read", "orders_write"]
narrower = ["readonly"]
"#;

/// Compares with a file beside the tests, or writes it when `DAYPASS_BLESS` is set.
pub fn golden(path: &str, is: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("DAYPASS_BLESS").is_some() {
        std::fs::write(&path, is).unwrap();
    }
    let was = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((was, is)) = was.lines().zip(is.lines()).find(|(a, b)| a != b) {
        panic!("{} differs:\n was {was}\n  is {is}\nLook at it; DAYPASS_BLESS=1 writes it anew", path.display());
    }
    assert_eq!(was.len(), is.len(), "{} has more or fewer lines; DAYPASS_BLESS=1 writes it anew", path.display());
}
