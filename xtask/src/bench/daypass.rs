//! Daypass on its defaults, the one person who measures it, and the other whom asking takes.

use super::parse;
use super::postgres::{DATABASE, GATEKEEPER, Postgres};
use super::stage::{PATIENCE, RunAs, Server, Stage, command, free_port, io, random, write};
use crate::shell::{Failure, fail, output};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The resource.
const RESOURCE: &str = "bench";
/// The same in production, where somebody else has to say yes.
pub const WATCHED: &str = "bench-production";
/// The role on it.
pub const ROLE: &str = "readonly";
/// A grant is asked for anew after this long: the starter policy gives an hour, and no run may end in the middle.
const RENEW: Duration = Duration::from_secs(30 * 60);

/// The server, and Ada's command line.
pub struct Daypass {
    program: PathBuf,
    folder: PathBuf,
    password: String,
    api: u16,
    pub port: u16,
    pub server: Option<Server>,
    variables: Vec<(String, String)>,
    /// The grant that all but the revocations use, and since when.
    grant: Option<(String, Instant)>,
}

impl Daypass {
    /// Starts it, and has the database declared as a lab: there a reason is enough, so one person can do everything.
    pub fn start(stage: &Stage, postgres: &Postgres, program: PathBuf) -> Result<Self, Failure> {
        let folder = stage.room("daypass", RunAs::Us)?;
        let config = stage.room("daypass/config", RunAs::Us)?;
        let (api, port) = (free_port()?, free_port()?);
        let secret = config.join("gatekeeper.password");
        write(&secret, &postgres.password, RunAs::Us)?;
        let settings = format!(
            "api = \"127.0.0.1:{api}\"\ngateway = [\"127.0.0.1:{port}\"]\n\
             [credentials]\nbench-gatekeeper = \"file:{}\"\n",
            secret.display()
        );
        write(&config.join("server.toml"), &settings, RunAs::Us)?;
        let (password, variables) = (random()?, Vec::new());
        let mut daypass = Self { program, folder, password, api, port, server: None, variables, grant: None };
        daypass.serve(stage)?;
        daypass.furnish(postgres)?;
        Ok(daypass)
    }

    /// Starts the server, or starts it anew.
    pub fn serve(&mut self, stage: &Stage) -> Result<(), Failure> {
        // The old one first: two servers don't share a data folder.
        self.server = None;
        let ready = self.folder.join("ready.json");
        if ready.exists() {
            fs::remove_file(&ready).map_err(io("remove the ready file"))?;
        }
        let mut serve = command(&self.program, RunAs::Us);
        serve.arg("serve").arg("--data").arg(self.folder.join("data")).arg("--config").arg(self.folder.join("config"));
        serve.arg("--ready-file").arg(&ready);
        let mut server = stage.start("daypass", serve)?;
        server.wait(|| fs::read_to_string(&ready).is_ok_and(|text| text.trim_end().ends_with('}')))?;
        self.server = Some(server);
        Ok(())
    }

    fn furnish(&mut self, postgres: &Postgres) -> Result<(), Failure> {
        let ready = fs::read_to_string(self.folder.join("ready.json")).map_err(io("read the ready file"))?;
        let Some(token) = parse::text(&ready, "setup_token") else { return fail("daypass gave no set-up token") };
        // After two dashes: it may begin with one.
        self.cli(&["setup", "--server", &self.server_url(), "--name", "ada", "--", token])?;
        let authority = fs::read_to_string(&postgres.certificate.authority).map_err(io("read the authority"))?;
        let document = |name: &str, environment: &str| {
            format!(
                "[[resource]]\nname = \"{name}\"\nkind = \"postgres\"\naddress = \"127.0.0.1:{port}\"\n\
             database = \"{DATABASE}\"\nadministrator = \"{GATEKEEPER}\"\ncredential = \"bench-gatekeeper\"\n\
             region = \"home\"\nowner = \"administrators\"\nrecord = \"full\"\n\
             limits = {{ sessions = 1000 }}\n\
             tls = {{ mode = \"verify\", authorities = \"\"\"\n{authority}\"\"\" }}\n\
             [resource.labels]\nenvironment = \"{environment}\"\nclassification = [\"internal\"]\n\
             [resource.role.{ROLE}]\ndescription = \"Read every table\"\nmember_of = [\"app_read\"]\n\n",
                port = postgres.port,
            )
        };
        let file = self.folder.join("bench.toml");
        write(&file, &(document(RESOURCE, "lab") + &document(WATCHED, "production")), RunAs::Us)?;
        self.cli(&["apply", "-f", &file.to_string_lossy()])?;
        let invited = self.cli(&["--json", "user", "create", "bob"])?;
        let Some(code) = parse::text(&invited, "code") else { return fail("bob's invitation has no code") };
        let (authority, server) = (self.authority(), self.server_url());
        self.cli_of("bob", &["accept", "--server", &server, "--authority", &authority.to_string_lossy(), "--", code])?;
        // The saved connection never changes from grant to grant.
        let string = self.cli(&["connect", RESOURCE, "--print"])?;
        self.variables = variables(&string)?;
        // The passfile names the gateway's port; the relay has another.
        let passfile = self.variables.iter().find(|(name, _)| name == "PGPASSFILE");
        let Some((_, passfile)) = passfile else { return fail("the connection names no passfile") };
        let kept = fs::read_to_string(passfile).map_err(io("read the passfile"))?;
        let Some((_, secret)) = kept.trim().rsplit_once(':') else { return fail("the passfile is empty") };
        self.variables.push(("PGPASSWORD".into(), secret.into()));
        Ok(())
    }

    /// Where its API and its pages are.
    pub fn server_url(&self) -> String {
        format!("https://localhost:{}", self.api)
    }

    /// The file of the authority that signed its certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("data/authority.pem")
    }

    /// A file with what Ada's browser sends when she signs in: no command line shows her password.
    pub fn sign_in_form(&self) -> Result<PathBuf, Failure> {
        let form = self.folder.join("sign-in.form");
        // It is hexadecimal, and so needs no escaping.
        write(&form, &format!("next=/&name=ada&password={}", self.password), RunAs::Us)?;
        Ok(form)
    }

    /// Ada's command line.
    pub fn cli(&self, arguments: &[&str]) -> Result<String, Failure> {
        output(&mut self.command("ada", arguments))
    }

    /// Somebody's.
    pub fn cli_of(&self, person: &str, arguments: &[&str]) -> Result<String, Failure> {
        output(&mut self.command(person, arguments))
    }

    /// The same, not started yet.
    pub fn command(&self, person: &str, arguments: &[&str]) -> Command {
        let mut daypass = Command::new(&self.program);
        daypass.args(arguments).env("DAYPASS_PROFILE", self.folder.join(person));
        daypass.env("DAYPASS_PASSWORD", &self.password).env("NO_COLOR", "1").env_remove("DAYPASS_TOKEN");
        daypass
    }

    /// Opens a grant.
    pub fn grant(&self) -> Result<String, Failure> {
        let asked = ["--json", "request", RESOURCE, "--role", ROLE, "--for", "1h", "--reason", "measuring"];
        let answered = self.cli(&asked)?;
        let id = parse::id(&answered, "grant").map(str::to_owned);
        id.ok_or_else(|| Failure(format!("the request was not granted: {answered}")))
    }

    /// Sees that there is a grant with time left.
    pub fn keep_granted(&mut self, postgres: &Postgres) -> Result<(), Failure> {
        if self.grant.as_ref().is_some_and(|(_, since)| since.elapsed() < RENEW) {
            return Ok(());
        }
        self.end_kept(postgres)?;
        self.grant = Some((self.grant()?, Instant::now()));
        Ok(())
    }

    /// Ends the kept grant, so that a revocation meets no other.
    pub fn end_kept(&mut self, postgres: &Postgres) -> Result<(), Failure> {
        let Some((grant, _)) = self.grant.take() else { return Ok(()) };
        self.revoke(&grant)?;
        all_gone(postgres)
    }

    /// Revokes, and tells when that was ordered, in microseconds since 1970.
    pub fn revoke(&self, grant: &str) -> Result<i64, Failure> {
        let receipt = self.cli(&["--json", "revoke", grant, "--reason", "measured"])?;
        let ordered = parse::text(&receipt, "ordered").and_then(parse::micros);
        ordered.ok_or_else(|| Failure(format!("the receipt doesn't say when it was ordered: {receipt}")))
    }

    pub fn version(&self) -> Result<String, Failure> {
        self.cli(&["--version"]).map(|said| said.trim().to_owned())
    }

    /// Has a client program go this way.
    pub fn aim(&self, client: &mut Command) {
        client.envs(self.variables.iter().map(|(name, value)| (name, value)));
        client.env("PGHOST", "localhost").env("PGPORT", self.port.to_string());
    }
}

/// Waits until the target has no login of Daypass's.
pub fn all_gone(postgres: &Postgres) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    while postgres.sql("postgres", r"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'daypass\_%'")? != "0" {
        if Instant::now() > until {
            return fail("the end of a grant at the target took longer than a minute");
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A connection string as the variables that libpq reads (PostgreSQL: Environment Variables).
fn variables(string: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for pair in string.split_whitespace() {
        let Some((key, value)) = pair.split_once('=') else {
            return fail(format!("`{pair}` is no part of a connection"));
        };
        let name = match key {
            "user" => "PGUSER",
            "dbname" => "PGDATABASE",
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "channel_binding" => "PGCHANNELBINDING",
            "passfile" => "PGPASSFILE",
            // Ours to say: a relay may stand between.
            "host" | "port" => continue,
            other => return fail(format!("`{other}` of a connection string isn't known here")),
        };
        found.push((name.to_owned(), value.trim_matches('\'').to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_becomes_variables() {
        let found = variables("host=localhost port=1 user=ada dbname=bench passfile=/p\n").unwrap();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(found, [pair("PGUSER", "ada"), pair("PGDATABASE", "bench"), pair("PGPASSFILE", "/p")]);
        assert!(variables("target_session_attrs=any").is_err());
    }
}
