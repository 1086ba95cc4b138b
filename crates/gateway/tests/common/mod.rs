//! A gateway between a real PostgreSQL and real clients.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod authority;
pub mod client;
pub mod dialer;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, atomic::AtomicU32, atomic::Ordering},
    time::Duration,
};

use authority::{Control, SECRET, terms};
use daypass_domain::SessionId;
use daypass_gateway::{
    Config, Gateway, GatewayHandle, Limits, World,
    clock::{SystemClock, SystemRandom},
    recording::{Entry, Reader, Recorded, disk::Disk, disk::FileSystem},
};
use daypass_ports::{authority::NodeId, dial::Dialer, record::Terms};
use daypass_seal::DataKey;
use daypass_testkit::Pg;
use daypass_wire::postgres::relay::Record;
use dialer::TestDialer;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// The whole of it.
pub struct House {
    pub control: Arc<Control>,
    pub gateway: GatewayHandle,
    pub folder: TempDir,
    pub certificate: CertificateDer<'static>,
    ca: PathBuf,
}

/// What a test wants to be different.
pub struct Wishes {
    pub limits: Limits,
    pub disk: Arc<dyn Disk>,
    pub dialer: Arc<dyn Dialer>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { limits: Limits::default(), disk: Arc::new(FileSystem), dialer: Arc::new(TestDialer) }
    }
}

/// A login like those that exist for one grant, and terms for it.
pub async fn login(pg: &Pg) -> Terms {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let login = format!("dp_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let sql = format!("CREATE ROLE {login} LOGIN PASSWORD 'only for this grant' IN ROLE {}", pg.write);
    pg.superuser().await.batch_execute(&sql).await.unwrap();
    terms(pg.target(), &login, "only for this grant")
}

impl House {
    /// In front of that server.
    pub async fn start(pg: &Pg) -> Self {
        Self::with(login(pg).await, Wishes::default()).await
    }

    pub async fn with(terms: Terms, wishes: Wishes) -> Self {
        let control = Arc::new(Control::new(terms));
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let config = Config {
            node: NodeId(3),
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            tls: Arc::new(tls),
            certificate: certificate.clone(),
            recordings: [("eu".parse().unwrap(), folder.path().join("recordings/eu"))].into(),
            limits: wishes.limits,
        };
        let world = World {
            authority: control.clone(),
            dialer: wishes.dialer,
            disk: wishes.disk,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let gateway = Gateway::start(config, world).await.unwrap();
        // The first renewal is on its way; before it nothing would pass.
        while !gateway.holds_lease() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { control, gateway, folder, certificate, ca }
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway.addresses()[0]
    }

    /// libpq's connection string for Alice.
    pub fn conninfo(&self, user: &str, database: &str) -> String {
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} user={user} dbname={database} sslmode=verify-full sslrootcert={} \
             channel_binding=require",
            self.address().port(),
            self.ca.display()
        )
    }

    /// `psql`, as Alice.
    pub async fn psql(&self, args: &[&str]) -> Output {
        self.psql_as("alice", SECRET, args).await
    }

    pub async fn psql_as(&self, user: &str, secret: &str, args: &[&str]) -> Output {
        let mut command = self.command("psql", secret);
        command.args(["-X", "-A", "-t", "-d", &self.conninfo(user, "orders")]).args(args);
        output(command).await
    }

    /// A PostgreSQL program with Alice's secret.
    pub fn command(&self, program: &str, secret: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PGPASSWORD", secret).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Everything recorded of that session, from all segments.
    pub fn recorded(&self, session: SessionId) -> Vec<Recorded> {
        let key = *self.control.keys.lock().unwrap().get(&session).unwrap();
        let keys = move |of| (of == session).then(|| DataKey::from_bytes(key));
        self.segments().iter().flat_map(|path| read(path, &keys)).map(|entry| entry.recorded).collect()
    }

    /// Only what happened in it.
    pub fn records(&self, session: SessionId) -> Vec<Record> {
        let only = |recorded| match recorded {
            Recorded::Record { record, .. } => Some(record),
            Recorded::Header(_) | Recorded::Closed { .. } => None,
        };
        self.recorded(session).into_iter().filter_map(only).collect()
    }

    pub fn segments(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("recordings/eu");
        let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }
}

fn read(path: &Path, keys: &daypass_gateway::recording::Keys<'_>) -> Vec<Entry> {
    Reader::open(path, keys).unwrap().collect()
}

/// Runs a program to its end without holding up the runtime.
pub async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
