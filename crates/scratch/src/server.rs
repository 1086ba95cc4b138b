//! The server itself: made, started, stopped, copied into a standby.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Binaries, Options, ScratchError,
    certificate::Certificate,
    copy,
    folder::{Folder, random_password},
};

/// How long a server may take to become ready, or to stop. Generous: a busy machine runs many at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A throwaway PostgreSQL server. Dropping it stops the server and removes its folder.
#[derive(Debug)]
pub struct Scratch {
    binaries: Binaries,
    folder: Folder,
    certificate: Certificate,
    port: u16,
    password: String,
    server: Option<Child>,
    watchdog: Child,
}

impl Scratch {
    /// Makes a server and waits until it is ready.
    ///
    /// # Errors
    /// [`ScratchError`]: PostgreSQL isn't installed, or something about it failed, with the end of its log.
    pub fn start(options: Options) -> Result<Self, ScratchError> {
        Self::start_in(Binaries::find()?, options)
    }

    /// Makes a server of these programs and waits until it is ready.
    ///
    /// # Errors
    /// As [`Scratch::start`].
    pub fn start_in(binaries: Binaries, options: Options) -> Result<Self, ScratchError> {
        let folder = Folder::make()?;
        let certificate = Certificate::make()?;
        let password = random_password()?;
        let secret = folder.path().join("password");
        folder.write(&secret, &password)?;
        let mut initdb = folder.run_as.command(&binaries.program("initdb")?);
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        initdb.arg("--pwfile").arg(&secret).arg("--pgdata").arg(folder.data());
        finish("initdb", initdb.output())?;
        fs::remove_file(&secret).map_err(ScratchError::system("remove the password file"))?;

        let data = folder.data();
        folder.append(&data.join("postgresql.conf"), &options.conf(&folder.path().display().to_string()))?;
        folder.write(&data.join("pg_hba.conf"), &options.hba())?;
        folder.write(&data.join("server.crt"), &certificate.pem)?;
        folder.write(&data.join("server.key"), &certificate.key)?;
        Self::launch(binaries, folder, certificate, password)
    }

    /// A hot standby of this server, following it: same passwords, same certificate, another port.
    ///
    /// # Errors
    /// [`ScratchError`], also when this server isn't running.
    pub fn standby(&self) -> Result<Self, ScratchError> {
        let folder = Folder::make()?;
        copy::copy(&mut self.psql("postgres")?, &self.folder.data(), &folder)?;
        let (sockets, primary) = (folder.path().display(), self.folder.path().display());
        let from = format!("host={primary} port={} user=postgres password={}", self.port, self.password);
        folder.append(
            &folder.data().join("postgresql.auto.conf"),
            &format!("unix_socket_directories = '{sockets}'\nhot_standby = on\nprimary_conninfo = '{from}'\n"),
        )?;
        Self::launch(self.binaries.clone(), folder, self.certificate.clone(), self.password.clone())
    }

    fn launch(
        binaries: Binaries,
        folder: Folder,
        certificate: Certificate,
        password: String,
    ) -> Result<Self, ScratchError> {
        let watchdog = watchdog(&folder)?;
        let mut scratch = Self { binaries, folder, certificate, port: 0, password, server: None, watchdog };
        // Somebody may take the port between our looking and the server's binding it.
        let mut tries = 0;
        loop {
            scratch.port = free_port()?;
            tries += 1;
            match scratch.run() {
                Err(ScratchError::NotReady { log }) if log.contains("Address already in use") && tries < 5 => {}
                other => return other.map(|()| scratch),
            }
        }
    }

    fn run(&mut self) -> Result<(), ScratchError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.log())
            .map_err(ScratchError::system("write the server's log"))?;
        let errors = log.try_clone().map_err(ScratchError::system("write the server's log"))?;
        let mut command = self.folder.run_as.command(&self.binaries.program("postgres")?);
        command.arg("-D").arg(self.folder.data()).arg("-p").arg(self.port.to_string());
        command.stdout(log).stderr(errors);
        // Its own group: Ctrl-C at a terminal shall reach us, who then stop it in order.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        self.server = Some(command.spawn().map_err(ScratchError::system("start postgres"))?);
        self.wait_ready()
    }

    /// The postmaster says on the eighth line of its pid file when it takes connections.
    fn wait_ready(&mut self) -> Result<(), ScratchError> {
        let since = Instant::now();
        loop {
            let pid_file = fs::read_to_string(self.folder.data().join("postmaster.pid")).unwrap_or_default();
            let ours = pid_file.lines().next().and_then(|pid| pid.parse().ok()) == self.server.as_ref().map(Child::id);
            if ours && pid_file.lines().nth(7).is_some_and(|status| status.trim() == "ready") {
                return Ok(());
            }
            let gone = match &mut self.server {
                Some(server) => server.try_wait().map_err(ScratchError::system("wait for postgres"))?.is_some(),
                None => true,
            };
            if gone || since.elapsed() > PATIENCE {
                self.kill();
                return Err(ScratchError::NotReady { log: tail(&self.log()) });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it in order (PostgreSQL's fast shutdown). The folder stays; [`Scratch::restart`] starts it again.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Stops it at once, as a crash would (PostgreSQL's immediate shutdown). The folder stays.
    pub fn kill(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Starts it again on the same port, after stopping it when it runs.
    ///
    /// # Errors
    /// [`ScratchError::NotReady`] with the end of its log.
    pub fn restart(&mut self) -> Result<(), ScratchError> {
        self.stop();
        self.run()
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        // Our child, not yet waited for: the number can't be anybody else's.
        let Some(pid) = i32::try_from(server.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        let _ = kill_process(pid, signal);
        let since = Instant::now();
        while matches!(server.try_wait(), Ok(None)) {
            if since.elapsed() > PATIENCE {
                let _ = server.kill();
                let _ = server.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs SQL as the superuser with `psql`, over the Unix socket; what it prints comes back, unaligned.
    ///
    /// # Errors
    /// [`ScratchError::Program`] with what `psql` said.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, ScratchError> {
        finish("psql", self.psql(database)?.args(["-c", sql]).stdin(Stdio::null()).output())
    }

    /// `psql` as the superuser, over the Unix socket, printing rows unaligned and stopping at the first error.
    fn psql(&self, database: &str) -> Result<Command, ScratchError> {
        let mut psql = Command::new(self.psql_path()?);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        psql.arg("-h").arg(self.folder.path()).arg("-p").arg(self.port.to_string());
        psql.env("PGPASSWORD", &self.password).env_remove("PGOPTIONS").env_remove("PGSERVICE");
        Ok(psql)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of its superuser `postgres`.
    #[must_use]
    pub fn superuser_password(&self) -> &str {
        &self.password
    }

    /// PEM of the authority that its certificate is under.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.certificate.authority
    }

    /// Its certificate in DER: hash it to pin it.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate.der
    }

    /// PostgreSQL's data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.data()
    }

    /// The folder of its Unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.folder.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The `psql` beside the server, or wherever there is one.
    ///
    /// # Errors
    /// When there is none.
    pub fn psql_path(&self) -> Result<PathBuf, ScratchError> {
        self.binaries.program("psql")
    }

    /// Where its programs are.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.kill();
        // The folder goes with `folder`; nothing is left to watch.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
    }
}

/// Ends the server and its folder when the pipe to it closes, which happens however this process dies.
fn watchdog(folder: &Folder) -> Result<Child, ScratchError> {
    let script = r#"trap '' INT TERM HUP; read -r _; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null
        sleep 1; rm -rf -- "$1""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "daypass-scratch"]).arg(folder.path());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(ScratchError::system("start /bin/sh"))
}

fn free_port() -> Result<u16, ScratchError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(ScratchError::system("find a free port on 127.0.0.1"))
}

fn finish(program: &str, output: std::io::Result<Output>) -> Result<String, ScratchError> {
    let output = output.map_err(ScratchError::system(format!("run {program}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ScratchError::Program { program: program.to_owned(), said: tail(&String::from_utf8_lossy(&output.stderr)) })
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
