//! The database that everything is measured on, and the certificate that it shows.

use super::stage::{RunAs, Server, Stage, command, free_port, io, random, write};
use crate::setup;
use crate::shell::{Failure, fail, output};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The login of the ways without Daypass.
pub const USER: &str = "bench";
/// Daypass's administrator login: CREATEROLE, no superuser.
pub const GATEKEEPER: &str = "gatekeeper";
pub const DATABASE: &str = "bench";
/// pgbench's scale: a hundred thousand accounts each.
const SCALE: &str = "10";

/// The server.
pub struct Postgres {
    // Held so that it is stopped when this is dropped.
    _server: Server,
    pub port: u16,
    pub certificate: Certificate,
    /// The password of [`USER`], [`GATEKEEPER`] and the superuser.
    pub password: String,
    sockets: PathBuf,
    programs: PathBuf,
}

/// PEM files, for `localhost`.
pub struct Certificate {
    pub authority: PathBuf,
    pub certificate: String,
    pub key: String,
}

impl Postgres {
    pub fn start(stage: &Stage) -> Result<Self, Failure> {
        let programs = setup::server_programs()
            .ok_or_else(|| Failure("there is no `initdb`: run `cargo xtask setup bench`".into()))?;
        let certificate = certificate(stage)?;
        let (password, port) = (random()?, free_port()?);
        let room = stage.room("postgres", stage.run_as)?;
        let data = room.join("data");
        let secret = room.join("password");
        write(&secret, &password, stage.run_as)?;
        let mut initdb = command(programs.join("initdb"), stage.run_as);
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        output(initdb.arg("--pwfile").arg(&secret).arg("--pgdata").arg(&data))?;

        let conf = data.join("postgresql.conf");
        let before = fs::read_to_string(&conf).map_err(io("read postgresql.conf"))?;
        write(&conf, &format!("{before}\n{}", settings(&room.display().to_string())), stage.run_as)?;
        let hba = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        write(&data.join("pg_hba.conf"), hba, stage.run_as)?;
        write(&data.join("server.crt"), &certificate.certificate, stage.run_as)?;
        write(&data.join("server.key"), &certificate.key, stage.run_as)?;
        let mut serve = command(programs.join("postgres"), stage.run_as);
        serve.arg("-D").arg(&data).arg("-p").arg(port.to_string());
        let mut server = stage.start("postgres", serve)?;
        let pid = data.join("postmaster.pid");
        // The postmaster says on the eighth line of its pid file when it takes connections.
        let ready =
            || fs::read_to_string(&pid).is_ok_and(|text| text.lines().nth(7).is_some_and(|l| l.trim() == "ready"));
        server.wait(ready)?;
        let postgres = Self { _server: server, port, certificate, password, sockets: room, programs };
        postgres.furnish()?;
        Ok(postgres)
    }

    /// pgbench's tables, a role that reads them, and the two logins.
    fn furnish(&self) -> Result<(), Failure> {
        self.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        let mut init = self.superuser("pgbench");
        output(init.args(["-i", "-q", "-s", SCALE, DATABASE]))?;
        let password = &self.password;
        self.sql(
            DATABASE,
            &format!(
                "CREATE ROLE app_read; GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_read;
                 CREATE ROLE {USER} LOGIN PASSWORD '{password}' IN ROLE app_read;
                 CREATE ROLE {GATEKEEPER} LOGIN CREATEROLE PASSWORD '{password}';
                 GRANT app_read TO {GATEKEEPER} WITH ADMIN OPTION;
                 GRANT pg_signal_backend TO {GATEKEEPER} WITH ADMIN OPTION"
            ),
        )?;
        // All of it in memory, its hint bits set: the first round shall be like the others.
        self.sql(DATABASE, "SELECT sum(abalance) FROM pgbench_accounts")?;
        self.sql(DATABASE, "CHECKPOINT").map(drop)
    }

    /// A client program, as the superuser over the Unix socket.
    pub fn superuser(&self, program: &str) -> Command {
        let mut client = self.client(program);
        client.env("PGHOST", &self.sockets).env("PGUSER", "postgres").env_remove("PGHOSTADDR").env_remove("PGSSLMODE");
        client
    }

    /// A client program, as [`USER`] over TLS to this server. Change the port to go another way.
    pub fn client(&self, program: &str) -> Command {
        let beside = self.programs.join(program);
        let mut client = command(if beside.is_file() { beside } else { program.into() }, RunAs::Us);
        client.env("PGHOST", "localhost").env("PGPORT", self.port.to_string()).env("PGUSER", USER);
        client.env("PGDATABASE", DATABASE).env("PGPASSWORD", &self.password);
        client.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", &self.certificate.authority);
        // The name may mean an IPv6 address first, where nobody listens.
        client.env("PGHOSTADDR", "127.0.0.1").env_remove("PGPASSFILE");
        client
    }

    pub fn sql(&self, database: &str, text: &str) -> Result<String, Failure> {
        let mut psql = self.superuser("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text]);
        output(&mut psql).map(|said| said.trim().to_owned())
    }

    pub fn version(&self) -> Result<String, Failure> {
        // Debian adds its own in brackets.
        let version = self.sql("postgres", "SHOW server_version")?;
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }
}

/// Durability is off and nothing happens in the background, so that what is measured is the way.
fn settings(sockets: &str) -> String {
    let lines = [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", sockets),
        ("max_connections", "700"),
        ("shared_buffers", "256MB"),
        ("ssl", "on"),
        ("password_encryption", "scram-sha-256"),
        ("fsync", "off"),
        ("autovacuum", "off"),
        ("max_wal_size", "2GB"),
        ("checkpoint_timeout", "1h"),
        ("jit", "off"),
    ];
    lines.iter().map(|(name, value)| format!("{name} = '{value}'\n")).collect()
}

/// A certificate for `localhost` under an authority of its own, ECDSA P-256.
fn certificate(stage: &Stage) -> Result<Certificate, Failure> {
    let room = stage.room("certificate", RunAs::Us)?;
    let at = |name: &str| room.join(name);
    let leaf = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    write(&at("leaf.ext"), leaf, RunAs::Us)?;
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"];
    let openssl = |command: &mut Command| output(command.current_dir(&room));
    let mut root = Command::new("openssl");
    root.args(["req", "-x509", "-days", "2", "-subj", "/CN=bench authority", "-keyout", "ca.key", "-out", "ca.pem"]);
    openssl(root.args(new))?;
    let mut request = Command::new("openssl");
    request.args(["req", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"]);
    openssl(request.args(new))?;
    let mut sign = Command::new("openssl");
    sign.args(["x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]);
    openssl(sign.args(["-CAcreateserial", "-sha256", "-extfile", "leaf.ext", "-out", "server.crt"]))?;
    let read = |name: &str| fs::read_to_string(at(name)).map_err(io(&format!("read {name}")));
    let (certificate, key) = (read("server.crt")?, read("server.key")?);
    // Clients and pgbouncer read it, whoever they run as.
    let authority = stage.path("authority.pem");
    fs::copy(at("ca.pem"), &authority).map_err(io("copy the authority"))?;
    if certificate.is_empty() || key.is_empty() {
        return fail("openssl made no certificate");
    }
    Ok(Certificate { authority, certificate, key })
}
