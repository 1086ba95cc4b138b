//! What the story is played on: a throwaway PostgreSQL, a Daypass on its defaults, and people with command lines.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use daypass_scratch::{Options, Scratch};

use crate::{
    failure::{Exit, Failure},
    say,
    serve::folders::private_file,
};

/// The administrator login at the database: CREATEROLE, no superuser.
const GATEKEEPER: &str = "gatekeeper";
/// What the people of the story sign in with. It is a demo: they live for a minute.
const PASSWORD: &str = "correct horse battery staple";

/// Everything that runs for the demo.
pub struct Stage {
    folder: PathBuf,
    program: PathBuf,
    pub postgres: Scratch,
    pub server: Server,
}

/// A running `daypass serve`. It is stopped when this is dropped.
pub struct Server {
    child: Child,
    pub api: String,
    pub setup_token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(serde::Deserialize)]
struct Ready {
    api: String,
    setup_token: Option<String>,
}

impl Stage {
    /// Starts everything in a folder.
    pub fn set(folder: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::setting)?;
        let postgres = Scratch::start(Options::default()).map_err(Failure::setting)?;
        let password = furnish(&postgres)?;
        let config = folder.join("config");
        let secret = config.join("gatekeeper.password");
        private_file(&secret, password.as_bytes()).map_err(|e| Failure::file(&secret, &e))?;
        let settings = format!(
            "# Loopback, on free ports; everything else is the default.\n\
             api = \"127.0.0.1:0\"\n\
             gateway = [\"127.0.0.1:0\"]\n\n\
             [credentials]\n\
             orders-gatekeeper = \"file:{}\"\n",
            secret.display()
        );
        let path = config.join("server.toml");
        private_file(&path, settings.as_bytes()).map_err(|e| Failure::file(&path, &e))?;
        let server = serve(&program, folder)?;
        Ok(Self { folder: folder.to_owned(), program, postgres, server })
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The server's configuration folder.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config")
    }

    /// Somebody with a command line of their own.
    pub fn person(&self, name: &'static str) -> Person {
        Person {
            name,
            profile: self.folder.join(name),
            program: self.program.clone(),
            psql_folder: self.postgres.psql_path().ok().and_then(|p| p.parent().map(Path::to_owned)),
        }
    }

    /// `orders.toml`: the database as a resource, with two roles.
    pub fn resource_file(&self) -> Result<PathBuf, Failure> {
        let text = format!(
            r#"[[resource]]
name = "orders"
kind = "postgres"
address = "127.0.0.1:{port}"
database = "orders"
administrator = "{GATEKEEPER}"
credential = "orders-gatekeeper"
region = "home"
owner = "administrators"
tls = {{ mode = "verify", authorities = """
{authorities}""" }}

[resource.labels]
environment = "production"
classification = ["pii"]

[resource.role.readonly]
description = "Read every table"
member_of = ["app_read"]

[resource.role.readwrite]
description = "Read and change every table"
member_of = ["app_read", "app_write"]
narrower = ["readonly"]
"#,
            port = self.postgres.port(),
            authorities = self.postgres.ca_pem(),
        );
        let path = self.folder.join("orders.toml");
        fs::write(&path, text).map_err(|e| Failure::file(&path, &e))?;
        Ok(path)
    }

    /// What the superuser sees, for assertions at the target.
    pub fn at_target(&self, sql: &str) -> Result<String, Failure> {
        self.postgres.sql("orders", sql).map(|s| s.trim().to_owned()).map_err(Failure::setting)
    }
}

/// The database: a table that matters, two roles without login, and an administrator that is no superuser.
fn furnish(postgres: &Scratch) -> Result<String, Failure> {
    let password = postgres.superuser_password().chars().rev().collect::<String>();
    let sql = |database: &str, text: &str| postgres.sql(database, text).map_err(Failure::setting);
    sql("postgres", "CREATE DATABASE orders")?;
    sql("postgres", &format!("CREATE ROLE {GATEKEEPER} LOGIN CREATEROLE PASSWORD '{password}'"))?;
    sql("postgres", "CREATE ROLE app_read")?;
    sql("postgres", "CREATE ROLE app_write")?;
    sql("postgres", &format!("GRANT app_read, app_write TO {GATEKEEPER} WITH ADMIN OPTION"))?;
    sql("postgres", &format!("GRANT pg_signal_backend TO {GATEKEEPER} WITH ADMIN OPTION"))?;
    sql(
        "orders",
        "CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL);
         INSERT INTO accounts SELECT n, 'customer ' || n, 100 FROM generate_series(1, 2000) n;
         GRANT SELECT ON accounts TO app_read;
         GRANT INSERT, UPDATE, DELETE ON accounts TO app_write",
    )?;
    Ok(password)
}

fn serve(program: &Path, folder: &Path) -> Result<Server, Failure> {
    let ready = folder.join("ready.json");
    let log_path = folder.join("server.log");
    let log = fs::File::create(&log_path).map_err(|e| Failure::file(&log_path, &e))?;
    let errors = log.try_clone().map_err(|e| Failure::file(&log_path, &e))?;
    let mut child = Command::new(program)
        .arg("serve")
        .arg("--data")
        .arg(folder.join("data"))
        .arg("--config")
        .arg(folder.join("config"))
        .arg("--ready-file")
        .arg(&ready)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|e| Failure::file(program, &e))?;
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(told) = fs::read(&ready).ok().and_then(|b| serde_json::from_slice::<Ready>(&b).ok()) {
            let setup_token = told.setup_token.unwrap_or_default();
            return Ok(Server { child, api: told.api, setup_token });
        }
        let ended = child.try_wait().map_err(Failure::setting)?;
        if ended.is_some() || Instant::now() > until {
            let _ = child.kill();
            let said = fs::read_to_string(&log_path).unwrap_or_default();
            return Err(Failure::new(Exit::Other, format!("daypass serve didn't start:\n{said}"), ""));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Somebody with a command line of their own.
pub struct Person {
    pub name: &'static str,
    pub profile: PathBuf,
    program: PathBuf,
    psql_folder: Option<PathBuf>,
}

impl Person {
    /// Their `daypass`, ready to run with arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.dress(&mut command);
        command
    }

    /// Their environment: a profile and a password of their own, and `psql` where Debian keeps it.
    pub fn dress(&self, command: &mut Command) {
        command
            .env("DAYPASS_PROFILE", &self.profile)
            .env("DAYPASS_PASSWORD", PASSWORD)
            .env("NO_COLOR", "1")
            .env_remove("DAYPASS_TOKEN")
            .stdin(Stdio::null());
        if let Some(folder) = &self.psql_folder {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(folder.clone()).chain(std::env::split_paths(&path));
            if let Ok(path) = std::env::join_paths(folders) {
                command.env("PATH", path);
            }
        }
    }

    /// Runs it, quietly; it must succeed.
    pub fn quietly(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.command(arguments).output().map_err(Failure::setting)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let what = format!("`daypass {}` by {} failed:\n{said}{errors}", arguments.join(" "), self.name);
        Err(Failure::new(Exit::Other, what, ""))
    }

    /// Shows the command, runs it, and shows what it prints.
    pub fn shows(&self, arguments: &[&str]) -> Result<Output, Failure> {
        prompt(self.name, &format!("daypass {}", quoted(arguments)));
        let output = self.command(arguments).output().map_err(Failure::setting)?;
        indented(&output.stdout);
        indented(&output.stderr);
        Ok(output)
    }
}

/// `alice$ command`.
pub fn prompt(who: &str, command: &str) {
    let line = format!("  {who}$ {command}");
    if say::colours() {
        say::line(&format!("\u{1b}[1m{line}\u{1b}[0m"));
    } else {
        say::line(&line);
    }
}

/// What a program printed, set apart.
pub fn indented(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        say::line(&format!("    {}", say::shown(line)));
    }
}

fn quoted(arguments: &[&str]) -> String {
    let quote = |a: &&str| if a.contains([' ', '\'']) { format!("\"{a}\"") } else { (*a).to_owned() };
    arguments.iter().map(quote).collect::<Vec<_>>().join(" ")
}
