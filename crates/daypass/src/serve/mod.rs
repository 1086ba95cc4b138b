//! `daypass serve`: everything in one process, secure without reading anything.

mod config;
mod credentials;
mod files;
pub mod folders;
mod keys;
mod notices;
pub mod restore;
mod tls;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use daypass_app::{App, Parts, start::Install};
use daypass_control::{GatewayView, ServerInfo};
use daypass_domain::{InstallationId, Name};
use daypass_gateway::{
    clock::{SystemClock, SystemRandom},
    gateway::{Config as GatewayConfig, Gateway, GatewayHandle, Limits, World},
    recording::disk::FileSystem,
};
use daypass_integrations::{
    oidc::{Ages, Oidc},
    webauthn::WebAuthn,
};
use daypass_ports::{
    authority::NodeId,
    secret::{Credentials, Secret},
    store::Store,
    world::{Clock, Random, random_bytes},
};
use daypass_seal::MasterKey;
use daypass_store::{Options, Regions, Rollback, SqliteStore};
use daypass_targets::postgres::{PostgresDialer, PostgresTargets};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use self::{config::Config, credentials::Bound, folders::Folders, tls::Identity};
use crate::{failure::Failure, say};

/// What `daypass serve` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// The data folder: the store, the log, recordings [default: $XDG_DATA_HOME/daypass]
    #[arg(long, env = "DAYPASS_DATA")]
    pub data: Option<PathBuf>,
    /// The configuration folder, away from the data: server.toml, the sealing key, the newest head [default:
    /// $XDG_CONFIG_HOME/daypass]
    #[arg(long, env = "DAYPASS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Write a line of JSON to this file once it serves: addresses and, where one is needed, the set-up token
    #[arg(long, hide = true)]
    pub ready_file: Option<PathBuf>,
}

/// An opened installation: what serving and restoring both start from.
pub struct Opened {
    pub(crate) app: Arc<App>,
    pub(crate) config: Config,
    pub(crate) folders: Folders,
    keys: MasterKey,
}

/// Opens the installation in the folders; makes one when there is none.
pub async fn open(folders: Folders, rollback: Rollback) -> Result<Opened, Failure> {
    let config = config::read(&folders.config.join("server.toml")).map_err(Failure::setting)?;
    for name in &config.names {
        if !tls::is_subject(name) {
            return Err(Failure::setting(format!("`{name}` under `names` is neither a DNS name nor an address")));
        }
    }
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = match &config.sealing_key {
        Some(binding) => keys::read(binding).await,
        None => keys::read_or_make(&folders.config.join("sealing.key"), &folders.data, &*random).await,
    };
    let keys = keys.map_err(Failure::setting)?;
    folders::private_folder(&folders.data).map_err(|e| Failure::file(&folders.data, &e))?;
    let installation = installation(&folders.data, &*clock, &*random)?;
    let again = |keys: &MasterKey, purpose: &str| keys.derive(purpose, &installation.bytes());
    let store = SqliteStore::open(Options {
        folder: folders.data.join("store"),
        head_file: folders.config.join(format!("{installation}.head")),
        regions: Regions { home: config.region.clone(), elsewhere: payload_folders(&config) },
        keys: MasterKey::from_bytes(again(&keys, "store")),
        log_name: log_name(installation),
        log_seed: Zeroizing::new(again(&keys, LOG_SIGNING)),
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        rollback,
    });
    let store: Arc<dyn Store> = Arc::new(store.await.map_err(Failure::data)?);
    let credentials: Arc<dyn Credentials> = Arc::new(Bound(config.credentials.clone()));
    let parts = Parts {
        store: Arc::clone(&store),
        targets: Arc::new(PostgresTargets::new()),
        notices: notices::open(&config, &credentials).map_err(Failure::setting)?,
        passkeys: Arc::new(WebAuthn::new(site(&config), config.api.port()).map_err(Failure::setting)?),
        credentials,
        identity: Arc::new(Oidc::new(Ages::default())),
        clock,
        random,
        keys: MasterKey::from_bytes(again(&keys, "app")),
    };
    let app = if App::is_installed(&*store).await? {
        App::new(parts).await?
    } else {
        App::install(parts, Install { region: config.region.clone(), installation }).await?
    };
    Ok(Opened { app: Arc::new(app), config, folders, keys })
}

/// The name that passkeys are for: the first DNS name that people reach the server by. An address can't be one.
fn site(config: &Config) -> &str {
    let name = |name: &&String| name.parse::<std::net::IpAddr>().is_err();
    config.names.iter().find(name).map_or("localhost", String::as_str)
}

/// What the log's signing seed is derived for.
pub const LOG_SIGNING: &str = "log signing";

/// The log's origin, and the name of its key.
#[must_use]
pub fn log_name(installation: InstallationId) -> String {
    format!("daypass.local/{installation}")
}

/// The installation's id: in a file of its own, since the store's name is made of it.
fn installation(data: &Path, clock: &dyn Clock, random: &dyn Random) -> Result<InstallationId, Failure> {
    let path = data.join("installation");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(Failure::data),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let id = InstallationId::new(clock.wall(), random_bytes(random));
            folders::private_file(&path, format!("{id}\n").as_bytes()).map_err(|e| Failure::file(&path, &e))?;
            Ok(id)
        }
        Err(e) => Err(Failure::file(&path, &e)),
    }
}

/// Serves until it is told to stop.
pub async fn run(args: ServeArgs) -> Result<(), Failure> {
    files::raise();
    let folders = Folders::find(args.data, args.config).map_err(Failure::setting)?;
    let opened = open(folders, Rollback::Refuse).await?;
    let (app, config) = (Arc::clone(&opened.app), &opened.config);
    let nonce = random_bytes(&SystemRandom);
    let identity = tls::identity(&opened.folders.data, &opened.keys, nonce, &config.names).map_err(Failure::setting)?;

    app.started(env!("CARGO_PKG_VERSION")).await?;
    let orphans = app.close_orphans().await?;
    if orphans > 0 {
        tracing::warn!(orphans, "sessions were open when the server last stopped: closed");
    }
    let unknown = app.settle_statements().await?;
    if unknown > 0 {
        tracing::warn!(
            unknown,
            "statements were begun when the server last stopped: they may have run, and aren't run again"
        );
    }
    tokio::spawn(Arc::clone(&app).run_cuts());
    tokio::spawn(Arc::clone(&app).run_endings());
    tokio::spawn(Arc::clone(&app).run_due());
    tokio::spawn(Arc::clone(&app).run_reaper());
    tokio::spawn(Arc::clone(&app).run_kits());
    tokio::spawn(Arc::clone(&app).run_notices());
    tokio::spawn(Arc::clone(&app).run_signals());

    let gateway = start_gateway(&app, &opened, &identity).await?;
    let (api, api_address) = listen(config.api).await?;
    let workloads = match config.workloads {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let workloads_url =
        workloads.as_ref().map(|(_, address)| format!("https://{}", reachable(*address, &config.names)));
    let gateway = Arc::new(gateway);
    let info = ServerInfo {
        url: config.url(api_address),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        authority_pem: identity.authority_pem.clone(),
        workloads: workloads_url.clone(),
        gateways: gateway.addresses().iter().map(|a| reachable(*a, &config.names)).collect(),
    };
    let view: Arc<dyn GatewayView> = Arc::new(View(Arc::downgrade(&gateway)));
    let router = daypass_control::router(daypass_control::State::new(Arc::clone(&app), view, info));
    let (stop, stopped) = tokio::sync::watch::channel(());
    let mut serving = tokio::task::JoinSet::new();
    if let Some((listener, _)) = workloads {
        let tls = Arc::clone(&identity.workloads);
        serving.spawn(daypass_control::serve(listener, tls, router.clone(), stopped.clone()));
    }
    serving.spawn(daypass_control::serve(api, Arc::clone(&identity.config), router, stopped));

    let token = if app.needs_setup().await? { Some(app.issue_setup_token().await?) } else { None };
    let at = Addresses { api: api_address, workloads: workloads_url.as_deref() };
    announce(&opened, &identity, at, &gateway, token.as_ref());
    if let Some(path) = &args.ready_file {
        let ready = serde_json::json!({
            "api": api_address.to_string(),
            "gateway": gateway.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "setup_token": token.as_ref().map(|t| setup_token(t, &identity)),
        });
        folders::private_file(path, ready.to_string().as_bytes()).map_err(|e| Failure::file(path, &e))?;
    }
    say::tell_systemd("READY=1");

    until_told_to_stop().await;
    say::tell_systemd("STOPPING=1");
    say::line("Stopping: no new connections; sessions have 5 seconds to end by themselves.");
    let _ = stop.send(());
    if let Some(gateway) = Arc::into_inner(gateway) {
        gateway.shutdown(Duration::from_secs(5)).await;
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), serving.join_all()).await;
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address).await.map_err(|e| Failure::address(address, &e))?;
    let bound = listener.local_addr().map_err(|e| Failure::address(address, &e))?;
    Ok((listener, bound))
}

async fn start_gateway(app: &Arc<App>, opened: &Opened, identity: &Identity) -> Result<GatewayHandle, Failure> {
    let config = GatewayConfig {
        node: NodeId(1),
        listen: opened.config.gateway.clone(),
        tls: Arc::clone(&identity.config),
        certificate: identity.certificate.clone(),
        recordings: recording_folders(app, opened).await?,
        limits: Limits::default(),
    };
    let world = World {
        authority: Arc::clone(app) as _,
        dialer: Arc::new(PostgresDialer),
        disk: Arc::new(FileSystem),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    Gateway::start(config, world).await.map_err(Failure::setting)
}

/// Where payloads of other regions are kept. // I10
fn payload_folders(config: &Config) -> BTreeMap<Name, PathBuf> {
    config.regions.iter().map(|(region, folder)| (region.clone(), folder.join("store"))).collect()
}

/// Where each region's recordings are kept: in the data folder what is home's, with the region everything else. // I10
async fn recording_folders(app: &App, opened: &Opened) -> Result<BTreeMap<Name, PathBuf>, Failure> {
    let home = app.home_region().await?;
    let ours = opened.folders.data.join("recordings").join(home.as_str());
    let elsewhere = opened.config.regions.iter();
    Ok(elsewhere.map(|(region, folder)| (region.clone(), folder.join("recordings"))).chain([(home, ours)]).collect())
}

/// How clients reach an address: by the configured name where it listens on every interface.
fn reachable(address: SocketAddr, names: &[String]) -> String {
    match names.first() {
        Some(name) if address.ip().is_unspecified() => format!("{name}:{}", address.port()),
        _ if address.ip().is_loopback() => format!("localhost:{}", address.port()),
        _ => address.to_string(),
    }
}

/// The set-up token: the code, and the digest of the authority that the server must show (it pins the CA).
fn setup_token(code: &Secret, identity: &Identity) -> String {
    let pin = data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(&identity.authority));
    format!("{}.{pin}", code.expose())
}

/// Where the API listens.
struct Addresses<'a> {
    api: SocketAddr,
    workloads: Option<&'a str>,
}

fn announce(opened: &Opened, identity: &Identity, at: Addresses<'_>, gateway: &GatewayHandle, token: Option<&Secret>) {
    let Addresses { api, workloads } = at;
    let addresses: Vec<String> = gateway.addresses().iter().map(ToString::to_string).collect();
    say::line(&format!("Daypass {} serves.", env!("CARGO_PKG_VERSION")));
    say::line(&format!("  API         https://{}", reachable(api, &opened.config.names)));
    if let Some(url) = workloads {
        say::line(&format!("  workloads   {url}   (X.509-SVIDs)"));
    }
    say::line(&format!("  PostgreSQL  {}", addresses.join(", ")));
    say::line(&format!("  data        {}", opened.folders.data.display()));
    say::line(&format!("  keys        {}   (keep a copy apart from the data)", opened.folders.config.display()));
    match token {
        Some(code) => {
            say::line("");
            say::line("Nobody administers it yet. Become the first administrator within 15 minutes:");
            let server = reachable(api, &opened.config.names);
            say::line(&format!("  daypass setup --server https://{server} {}", setup_token(code, identity)));
        }
        None => {
            say::line("");
            say::line("Sign in with: daypass login");
        }
    }
}

async fn until_told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM can't be caught; Ctrl-C stops the server");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// What the API tells of the gateway.
struct View(Weak<GatewayHandle>);

impl GatewayView for View {
    fn numbers(&self) -> daypass_control::GatewayNumbers {
        // The server holds the gateway, and gives it up when it stops: then there is nothing to count.
        let Some(gateway) = self.0.upgrade() else { return daypass_control::GatewayNumbers::default() };
        let snapshot = gateway.metrics();
        daypass_control::GatewayNumbers {
            holds_lease: gateway.holds_lease(),
            sessions_open: snapshot.sessions_open,
            statements: snapshot.statements,
            bytes_in: snapshot.bytes_in,
            bytes_out: snapshot.bytes_out,
        }
    }
}
