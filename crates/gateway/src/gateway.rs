//! Starting and stopping a gateway.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use daypass_domain::{Name, SessionId};
use daypass_ports::{
    authority::{Authority, NodeId},
    dial::Dialer,
    world::{Clock, Random},
};
use daypass_wire::scram::server_end_point;
use rustix::net::sockopt;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    attempts::Attempts,
    door::{self, ALPN},
    follow::Following,
    lease::{Lease, Stop},
    metrics::{Metrics, Snapshot},
    node::Node,
    recording::{Recorder, disk::Disk},
    sessions::Sessions,
    statements,
};

/// What a gateway is told by the server's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its number.
    pub node: NodeId,
    /// Where to listen; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Its TLS, without ALPN: the gateway sets that.
    pub tls: Arc<ServerConfig>,
    /// The certificate that `tls` shows, for channel binding; signed with ECDSA or RSA.
    pub certificate: CertificateDer<'static>,
    /// The folder of each region's recordings. // I10
    pub recordings: BTreeMap<Name, PathBuf>,
    /// Its limits.
    pub limits: Limits,
}

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once, sessions or not.
    pub connections: usize,
    /// From the first byte to the proof.
    pub handshake: Duration,
    /// How long a client may wait at the door.
    pub door: Duration,
    /// How often it is told what it waits for.
    pub notice_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(15),
            door: Duration::from_secs(15 * 60),
            notice_every: Duration::from_secs(30),
        }
    }
}

/// The world that a gateway lives in.
#[derive(Clone)]
pub struct World {
    /// Control.
    pub authority: Arc<dyn Authority>,
    /// How targets are reached.
    pub dialer: Arc<dyn Dialer>,
    /// Where recordings go.
    pub disk: Arc<dyn Disk>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// Why a gateway doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error("can't listen on {address}: {why}. Free the port, or choose another in the server's configuration")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// It was given no address.
    #[error("the gateway is given no address to listen on: set one in the server's configuration")]
    NoAddress,
}

/// A gateway.
#[derive(Debug)]
pub struct Gateway;

impl Gateway {
    /// Listens, follows control, and serves until the handle is shut down or dropped.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config, world: World) -> Result<GatewayHandle, StartError> {
        let mut listeners = Vec::new();
        for address in config.listen {
            let listener = TcpListener::bind(address).await.map_err(|why| StartError::Listen { address, why })?;
            listeners.push(listener);
        }
        let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect::<Vec<_>>();
        if addresses.is_empty() {
            return Err(StartError::NoAddress);
        }
        let mut tls = ServerConfig::clone(&config.tls);
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let end_point = server_end_point(&config.certificate)
            .inspect_err(|why| tracing::warn!(%why, "channel binding isn't offered to clients"))
            .ok();
        let World { authority, dialer, disk, clock, random } = world;
        let (lease, metrics) = (Arc::new(Lease::default()), Arc::new(Metrics::default()));
        let sessions = Sessions::new(Arc::clone(&lease), Arc::clone(&clock), Arc::clone(&metrics));
        let recorder = Recorder::new(config.recordings, config.node, clock.wall(), disk, Arc::clone(&random));
        let node = Arc::new(Node {
            id: config.node,
            limits: config.limits,
            authority: Arc::clone(&authority),
            dialer,
            clock: Arc::clone(&clock),
            random,
            sessions: Arc::clone(&sessions),
            recorder: Arc::new(recorder),
            attempts: Attempts::default(),
            metrics,
            acceptor: TlsAcceptor::from(Arc::new(tls)),
            end_point,
            unsealed: Mutex::default(),
        });
        let following = Following { node: config.node, authority, clock, lease, sessions };
        let mut tasks = JoinSet::new();
        tasks.spawn(following.clone().renew());
        tasks.spawn(following.clone().follow());
        tasks.spawn(following.watch());
        tasks.spawn(Arc::clone(&node).seal_recordings());
        let statements = statements::room();
        for _ in 0..statements::TAKERS {
            tasks.spawn(statements::follow(Arc::clone(&node), Arc::clone(&statements)));
        }
        let (stop, stopped) = watch::channel(());
        let room = Arc::new(Semaphore::new(config.limits.connections));
        for listener in listeners {
            tokio::spawn(accept(Arc::clone(&node), listener, Arc::clone(&room), stopped.clone()));
        }
        Ok(GatewayHandle { node, addresses, stop, _tasks: tasks })
    }
}

/// A running gateway. Dropping it refuses new connections and stops following control: leases run out.
pub struct GatewayHandle {
    node: Arc<Node>,
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<()>,
    _tasks: JoinSet<()>,
}

impl std::fmt::Debug for GatewayHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayHandle").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl GatewayHandle {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it counted.
    #[must_use]
    pub fn metrics(&self) -> Snapshot {
        self.node.metrics.snapshot(self.node.sessions.count())
    }

    /// The sessions that are open: the reaper asks for them.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionId> {
        self.node.sessions.ids()
    }

    /// Whether a byte may pass at all: the lease holds.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        self.node.sessions.lease_holds()
    }

    /// Refuses new connections, gives sessions `grace` to end by themselves, cuts the rest with 57P01, and seals what was
    /// recorded.
    pub async fn shutdown(self, grace: Duration) {
        let _ = self.stop.send(());
        let open = self.node.sessions.ids();
        if timeout(grace, self.node.sessions.gone(&open)).await.is_err() {
            self.node.sessions.cut_all(&Stop::Shutdown);
            let open = self.node.sessions.ids();
            let _ = timeout(Duration::from_secs(2), self.node.sessions.gone(&open)).await;
        }
        self.node.seal_now().await;
    }
}

async fn accept(node: Arc<Node>, listener: TcpListener, room: Arc<Semaphore>, mut stop: watch::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Also when the handle is dropped.
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((tcp, peer)) => serve(&node, &room, tcp, peer),
            Err(error) => {
                // Out of file descriptors, as a rule: closing connections give some back.
                tracing::warn!(%error, "a connection can't be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// A client whose machine vanished is noticed in about two minutes, also while nothing is sent.
fn keep_alive(tcp: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(tcp, Duration::from_secs(20))?;
    sockopt::set_tcp_keepcnt(tcp, 3)?;
    Ok(())
}

fn serve(node: &Arc<Node>, room: &Arc<Semaphore>, tcp: TcpStream, peer: SocketAddr) {
    let Ok(place) = Arc::clone(room).try_acquire_owned() else {
        tracing::warn!(%peer, "too many connections: one is closed unheard");
        return;
    };
    if let Err(error) = tcp.set_nodelay(true).and_then(|()| keep_alive(&tcp)) {
        tracing::debug!(%peer, %error, "a connection's socket options can't be set");
    }
    let node = Arc::clone(node);
    tokio::spawn(async move {
        door::serve(node, tcp, peer).await;
        drop(place);
    });
}
