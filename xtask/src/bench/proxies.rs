//! The peers that Daypass is compared with.

use super::postgres::{DATABASE, Postgres, USER};
use super::stage::{RunAs, Server, Stage, command, free_port, listens, write};
use crate::shell::{Failure, on_path, output};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running peer.
pub struct Peer {
    pub server: Server,
    pub port: u16,
}

/// How a peer is started, again and again.
pub struct Plan {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    run_as: RunAs,
    port: u16,
}

impl Plan {
    pub fn start(&self, stage: &Stage) -> Result<Peer, Failure> {
        let mut serve = command(&self.program, self.run_as);
        serve.args(&self.arguments);
        let mut server = stage.start(self.name, serve)?;
        server.wait(|| listens(self.port))?;
        Ok(Peer { server, port: self.port })
    }

    pub fn version(&self) -> Result<String, Failure> {
        let flag = if self.name == "haproxy" { "-v" } else { "--version" };
        let said = output(Command::new(&self.program).arg(flag))?;
        // HAProxy adds a date and its address.
        let words = said.lines().next().unwrap_or_default().split_whitespace().filter(|word| *word != "version");
        Ok(words.take(2).collect::<Vec<_>>().join(" "))
    }
}

/// Session mode, TLS on both sides, passwords by SCRAM on both sides.
pub fn pgbouncer(stage: &Stage, postgres: &Postgres) -> Result<Plan, Failure> {
    let room = stage.room("pgbouncer", stage.run_as)?;
    let at = |name: &str| room.join(name).display().to_string();
    write(&room.join("server.crt"), &postgres.certificate.certificate, stage.run_as)?;
    write(&room.join("server.key"), &postgres.certificate.key, stage.run_as)?;
    write(&room.join("users"), &format!("\"{USER}\" \"{}\"\n", postgres.password), stage.run_as)?;
    let (port, target) = (free_port()?, postgres.port);
    let authority = postgres.certificate.authority.display();
    let settings = format!(
        "[databases]\n{DATABASE} = host=localhost port={target}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         pool_mode = session\nmax_client_conn = 1000\ndefault_pool_size = 400\n\
         auth_type = scram-sha-256\nauth_file = {users}\n\
         client_tls_sslmode = require\nclient_tls_cert_file = {crt}\nclient_tls_key_file = {key}\n\
         server_tls_sslmode = verify-full\nserver_tls_ca_file = {authority}\n\
         log_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n",
        users = at("users"),
        crt = at("server.crt"),
        key = at("server.key"),
    );
    let ini = room.join("pgbouncer.ini");
    write(&ini, &settings, stage.run_as)?;
    let arguments = vec!["-q".into(), ini.display().to_string()];
    Ok(Plan { name: "pgbouncer", program: program("pgbouncer"), arguments, run_as: stage.run_as, port })
}

/// TCP, nothing looked at.
pub fn haproxy(stage: &Stage, postgres: &Postgres) -> Result<Plan, Failure> {
    let room = stage.room("haproxy", RunAs::Us)?;
    let (port, target) = (free_port()?, postgres.port);
    let settings = format!(
        "global\n  maxconn 2000\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen postgres\n  bind 127.0.0.1:{port}\n  server target 127.0.0.1:{target}\n"
    );
    let path = room.join("haproxy.cfg");
    write(&path, &settings, RunAs::Us)?;
    let arguments = vec!["-db".into(), "-f".into(), path.display().to_string()];
    Ok(Plan { name: "haproxy", program: program("haproxy"), arguments, run_as: RunAs::Us, port })
}

/// Debian keeps what only root uses out of the path of others.
fn program(name: &str) -> PathBuf {
    if on_path(name) { name.into() } else { Path::new("/usr/sbin").join(name) }
}
