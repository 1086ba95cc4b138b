//! A throwaway PostgreSQL, a server as a process of its own, and people with command lines.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use daypass_scratch::{Options, Scratch};
use serde_json::Value;

use crate::around::Around;

pub const PASSWORD: &str = "correct horse battery staple";
const GATEKEEPER: &str = "gatekeeper";
/// How long anything may take before a test gives up: no test measures time.
pub const PATIENCE: Duration = Duration::from_secs(90);

pub struct World {
    pub folder: tempfile::TempDir,
    pub postgres: Scratch,
    pub server: Option<Child>,
    around: Around,
    api: u16,
    pub gateway: u16,
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn all(&self) -> String {
        format!("exit {}\n{}{}", self.code, self.out, self.err)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.all()))
    }
}

/// Every file below a folder, as text.
fn text_below(folder: &Path) -> String {
    let whole = |at: &Path| String::from_utf8_lossy(&fs::read(at).unwrap()).into_owned();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|at| if at.is_dir() { text_below(&at) } else { whole(&at) }).collect()
}

/// Waits until something is there.
pub fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Waits for a process, and ends it when it never ends by itself.
pub fn ended(mut child: Child) -> Said {
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it never ended: {}", Said::of(&child.wait_with_output().unwrap()).all());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Said::of(&child.wait_with_output().unwrap())
}

/// Ports that stay the same over restarts. They lie below those that the system hands out by itself, so that nobody is
/// given one while the server is down.
pub fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 12_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 20;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl World {
    /// Everything runs, and nobody administers it.
    pub fn bare() -> Self {
        Self::bare_in(Around::Plain)
    }

    fn bare_in(around: Around) -> Self {
        let postgres = Scratch::start(Options::default()).unwrap();
        furnish(&postgres);
        let folder = tempfile::tempdir().unwrap();
        let mut world = Self { folder, postgres, server: None, around, api: port(), gateway: port() };
        fs::create_dir_all(world.config()).unwrap();
        fs::write(world.config().join("gatekeeper.password"), "of the gate").unwrap();
        fs::write(world.settings(), world.settings_text()).unwrap();
        world.start();
        world
    }

    /// Ada administers, bob and alice work here, and the resources are declared.
    pub fn new() -> Self {
        Self::new_in(Around::Plain)
    }

    /// The same, with a server that runs in what a test can change.
    pub fn new_in(around: Around) -> Self {
        let world = Self::bare_in(around);
        let ada = world.person("ada");
        let token = world.ready()["setup_token"].as_str().unwrap().to_owned();
        ada.ok(&["setup", "--server", &world.url(), "--name", "ada", &token]);
        world.join("bob");
        world.join("alice");
        world.declare();
        world
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn settings(&self) -> PathBuf {
        self.config().join("server.toml")
    }

    pub fn settings_text(&self) -> String {
        format!(
            "api = \"127.0.0.1:{}\"\ngateway = [\"127.0.0.1:{}\"]\n\n[credentials]\norders-gatekeeper = \"file:{}\"\n",
            self.api,
            self.gateway,
            self.config().join("gatekeeper.password").display()
        )
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.api)
    }

    /// A path in the world's folder, as text.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What the ledger says to whoever holds it: exported, and verified.
    pub fn log(&self) -> String {
        let (ada, folder) = (self.person("ada"), tempfile::tempdir_in(self.folder.path()).unwrap());
        let log = folder.path().join("log");
        ada.ok(&["ledger", "export", log.to_str().unwrap()]);
        ada.ok(&["ledger", "verify", log.to_str().unwrap()]);
        text_below(&log)
    }

    /// How many entries of this event the ledger has.
    pub fn entries(&self, event: &str) -> usize {
        self.log().matches(&format!("\"event\":\"{event}\"")).count()
    }

    pub fn ready(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("ready.json")).unwrap()).unwrap()
    }

    pub fn serve(&self, data: &Path, config: &Path) -> Command {
        let mut command = self.around.program(env!("CARGO_BIN_EXE_daypass"), self.folder.path());
        command.arg("serve").arg("--data").arg(data).arg("--config").arg(config);
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Starts the server on the same folders and ports.
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let ready = self.folder.path().join("ready.json");
        let _ = fs::remove_file(&ready);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("server.log")).unwrap();
        let child = self
            .serve(&self.data(), &self.config())
            .arg("--ready-file")
            .arg(&ready)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.server = Some(child);
        until("the server serves", || {
            let gone = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(gone.is_none(), "it ended: {}", fs::read_to_string(self.path("server.log")).unwrap());
            ready.exists().then_some(())
        });
    }

    /// Tries to start a server on the folders, and says how that ended: it must not serve.
    pub fn start_in_vain(&self) -> Said {
        let mut command = self.serve(&self.data(), &self.config());
        ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the server to stop, and waits until it has.
    pub fn stop(&mut self) {
        let mut child = self.server.take().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        until("the server stops", || child.try_wait().unwrap());
    }

    pub fn person(&self, name: &str) -> Person {
        Person {
            name: name.to_owned(),
            profile: self.folder.path().join("people").join(name),
            psql: self.postgres.psql_path().unwrap(),
        }
    }

    /// Makes a user, who takes the invitation up.
    pub fn join(&self, name: &str) -> Person {
        let made = self.person("ada").json(&["user", "create", name]);
        let code = made["handed"]["code"].as_str().unwrap();
        let person = self.person(name);
        person.accept(&self.url(), &self.authority(), code);
        person
    }

    pub fn authority(&self) -> String {
        self.data().join("authority.pem").display().to_string()
    }

    /// `orders` in production and `playground` in the lab.
    pub fn resources(&self) -> String {
        let resource = |name: &str, environment: &str| {
            format!(
                r#"[[resource]]
name = "{name}"
kind = "postgres"
address = "127.0.0.1:{port}"
database = "orders"
administrator = "{GATEKEEPER}"
credential = "orders-gatekeeper"
owner = "administrators"
tls = {{ mode = "verify", authorities = """
{authorities}""" }}

[resource.labels]
environment = "{environment}"
classification = ["pii"]

[resource.role.readonly]
description = "Read every table"
member_of = ["app_read"]

[resource.role.readwrite]
description = "Read and change every table"
member_of = ["app_read", "app_write"]
narrower = ["readonly"]

[resource.role.migrate]
description = "Make tables that stay"
member_of = ["app_write"]
owner = "app_owner"

"#,
                port = self.postgres.port(),
                authorities = self.postgres.ca_pem(),
            )
        };
        resource("orders", "production") + &resource("playground", "lab")
    }

    pub fn declare(&self) {
        let path = self.path("resources.toml");
        fs::write(&path, self.resources()).unwrap();
        self.person("ada").ok(&["apply", "-f", &path]);
    }

    /// What the superuser sees.
    pub fn target(&self, sql: &str) -> String {
        self.postgres.sql("orders", sql).unwrap().trim().to_owned()
    }

    /// The logins that were made for a grant.
    pub fn logins(&self, grant: &str) -> Vec<String> {
        let tail = &grant[grant.len() - 12..];
        self.all_logins().into_iter().filter(|login| login.contains(tail)).collect()
    }

    /// Every login of ours at the target.
    pub fn all_logins(&self) -> Vec<String> {
        let sql = "SELECT rolname FROM pg_roles WHERE rolname ~ '^daypass_[0-9a-f]+_[0-9a-f]{12}_' ORDER BY 1";
        self.target(sql).lines().map(ToOwned::to_owned).collect()
    }

    /// How many backends run under a login of ours.
    pub fn backends(&self) -> usize {
        self.target("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass%'").parse().unwrap()
    }

    /// Alice asks, bob approves.
    pub fn grant(&self, role: &str) -> String {
        let id = self.person("alice").asks(role);
        self.person("bob").approves(&id)
    }

    /// A grant's end is confirmed; how.
    pub fn confirmed(&self, grant: &str) -> Value {
        let ada = self.person("ada");
        let shown = until("the end is confirmed", || {
            let shown = ada.json(&["show", grant]);
            (shown["state"]["state"] == "ended").then_some(shown)
        });
        shown["state"]["confirmation"].clone()
    }

    /// Nothing of a grant is at the target.
    pub fn nothing_left(&self, grant: &str) {
        until("no login is left at the target", || self.logins(grant).is_empty().then_some(()));
    }
}

/// A table that matters, roles without login, and an administrator that is no superuser.
fn furnish(postgres: &Scratch) {
    postgres.sql("postgres", "CREATE DATABASE orders").unwrap();
    postgres
        .sql(
            "orders",
            &format!(
                "CREATE ROLE {GATEKEEPER} LOGIN CREATEROLE PASSWORD 'of the gate';
                 CREATE ROLE app_read; CREATE ROLE app_write; CREATE ROLE app_owner;
                 GRANT app_read, app_write, app_owner, pg_signal_backend TO {GATEKEEPER} WITH ADMIN OPTION;
                 GRANT USAGE, CREATE ON SCHEMA public TO app_write, app_owner;
                 CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
                 INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 100) n;
                 GRANT SELECT ON accounts TO app_read;
                 GRANT INSERT, UPDATE, DELETE ON accounts TO app_write"
            ),
        )
        .unwrap();
}

/// Somebody with a command line of their own.
#[derive(Clone)]
pub struct Person {
    pub name: String,
    pub profile: PathBuf,
    psql: PathBuf,
}

impl Person {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daypass"));
        command.args(arguments);
        self.dress(&mut command);
        command
    }

    fn dress(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.psql.parent().unwrap().to_owned()).chain(std::env::split_paths(&path));
        command
            .env("DAYPASS_PROFILE", &self.profile)
            .env("DAYPASS_PASSWORD", PASSWORD)
            .env("NO_COLOR", "1")
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env_remove("DAYPASS_TOKEN")
            // Where these tests run there may be a token of theirs.
            .env_remove("DAYPASS_ID_TOKEN")
            .env_remove("DAYPASS_ID_TOKEN_FILE")
            .env_remove("ACTIONS_ID_TOKEN_REQUEST_URL")
            .env_remove("DAYPASS_SVID")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    pub fn says(&self, arguments: &[&str]) -> Said {
        ended(self.command(arguments).spawn().unwrap())
    }

    /// It must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert_eq!(said.code, 0, "daypass {} by {}: {}", arguments.join(" "), self.name, said.all());
        said.out
    }

    /// It must fail with this exit code; everything that it said.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.says(arguments);
        assert_eq!(said.code, code, "daypass {} by {}: {}", arguments.join(" "), self.name, said.all());
        said.out + &said.err
    }

    pub fn says_json(&self, arguments: &[&str]) -> Said {
        self.says(&[&["--json"], arguments].concat())
    }

    /// It must succeed, and print one JSON document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let said = self.says_json(arguments);
        assert_eq!(said.code, 0, "daypass {} by {}: {}", arguments.join(" "), self.name, said.all());
        said.json()
    }

    pub fn accept(&self, url: &str, authority: &str, code: &str) {
        self.ok(&["accept", "--server", url, "--authority", authority, code]);
    }

    /// Asks for a role on `orders`; it waits for somebody. The request's id.
    pub fn asks(&self, role: &str) -> String {
        let said = self.says_json(&["request", "orders", "--role", role, "--for", "30m", "--reason", "Refund 4711"]);
        assert_eq!(said.code, 4, "{}", said.all());
        said.json()["request"]["id"].as_str().unwrap().to_owned()
    }

    /// Approves a request, which opens a grant. The grant's id.
    pub fn approves(&self, request: &str) -> String {
        let answered = self.json(&["approve", request]);
        answered["outcome"]["grant"]["id"].as_str().unwrap_or_else(|| panic!("{answered}")).to_owned()
    }

    /// A psql of theirs, not started yet.
    pub fn psql(&self, resource: &str, arguments: &[&str]) -> Command {
        self.psql_to(self.ok(&["connect", resource, "--print"]).trim(), arguments)
    }

    /// The same, with a connection string that is known already.
    pub fn psql_to(&self, string: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.psql);
        self.dress(&mut command);
        command.env("PGPASSFILE", self.profile.join("pgpass")).arg(string);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]).args(arguments);
        command
    }

    /// What psql says to one statement on `orders`.
    pub fn sql(&self, sql: &str) -> Said {
        ended(self.psql("orders", &["-c", sql]).spawn().unwrap())
    }
}

/// A psql that sits in a statement until it is cut off.
pub fn busy(world: &World, person: &Person, resource: &str) -> Child {
    let mark = format!("SELECT pg_sleep(3600) /* {} */", person.name);
    let before = running(world, &mark);
    let mut child = person.psql(resource, &["-c", &mark]).spawn().unwrap();
    until("the statement runs at the target", || {
        if child.try_wait().unwrap().is_some() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("psql ended: {said}");
        }
        (running(world, &mark) > before).then_some(())
    });
    child
}

fn running(world: &World, sql: &str) -> usize {
    world
        .target(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'daypass%' AND query = '{sql}'"))
        .parse()
        .unwrap()
}
