//! TLS, limits, and an orderly end.
//!
//! HTTP/1.1 over TLS, on connections that are counted, with a bound on everything that somebody from outside could draw
//! out: the handshake, a request's head, its body ([`crate::dispatch`]), the time between requests.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;
use daypass_domain::Digest;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::pki_types::CertificateDer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// How many connections there are at once; one more waits in the system's queue. Enough for a thousand that wait and a
/// thousand that listen, and as many again who want something.
const CONNECTIONS: usize = 4_096;
/// How many of them one address has at once; one more is closed. A whole company may come by one address.
const OF_ONE_PEER: usize = 3_072;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a request's head may take, and how long a connection may be idle between two.
const HEAD: Duration = Duration::from_secs(60);
/// The longest head, in bytes, and the most fields in it.
const HEAD_BYTES: usize = 32 << 10;
const HEAD_FIELDS: usize = 64;
/// How long requests have to end once the server stops.
const FAREWELL: Duration = Duration::from_secs(4);

/// Where a request came from: in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The certificates that a client showed in the handshake, its own first, and proved to hold the key of: in the extensions of
/// its requests. Who signed them nobody has looked at: whoever takes them for anything does ([`crate::possession`]).
#[derive(Debug, Clone, Default)]
pub struct Certificates(Option<Arc<Shown>>);

#[derive(Debug)]
struct Shown {
    chain: Vec<Vec<u8>>,
    digest: Digest,
}

impl Certificates {
    fn of(chain: Option<&[CertificateDer<'static>]>) -> Self {
        let Some((own, _)) = chain.and_then(<[_]>::split_first) else { return Self(None) };
        let chain = chain.unwrap_or_default().iter().map(|one| one.as_ref().to_vec()).collect();
        Self(Some(Arc::new(Shown { chain, digest: Digest::of(own.as_ref()) })))
    }

    /// All of them, DER.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        self.0.as_ref().map_or(&[], |shown| &shown.chain)
    }

    /// SHA-256 of the client's own.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.0.as_ref().map(|shown| &shown.digest)
    }
}

/// Tells whoever waits that the server stops: in a request's extensions. By default it never does.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Option<watch::Receiver<()>>);

impl Stopping {
    /// Stops when something is sent, or the sender is gone.
    #[must_use]
    pub fn new(stop: watch::Receiver<()>) -> Self {
        Self(Some(stop))
    }

    /// Returns when the server stops.
    pub async fn stopped(&mut self) {
        match &mut self.0 {
            // An error says that the sender is gone: that is a stop too.
            Some(stop) => drop(stop.changed().await),
            None => std::future::pending().await,
        }
    }
}

/// Serves until `stop` says so, then lets requests end, for a few seconds.
pub async fn serve(listener: TcpListener, tls: Arc<rustls::ServerConfig>, router: Router, stop: watch::Receiver<()>) {
    let acceptor = TlsAcceptor::from(tls);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let peers = Arc::new(Peers::default());
    let mut stopping = Stopping::new(stop.clone());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = stopping.stopped() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((tcp, peer, place)) => {
                let Some(seat) = peers.seat(peer.ip()) else {
                    tracing::debug!(%peer, "one address has too many connections to the API");
                    continue;
                };
                let (acceptor, router, stopping) = (acceptor.clone(), router.clone(), Stopping::new(stop.clone()));
                connections.spawn(async move {
                    connection(acceptor, tcp, peer, router, stopping).await;
                    drop((place, seat));
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the API can't be accepted");
                // Out of file descriptors, most likely: trying at once again would only spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(FAREWELL, all).await.is_err() {
        tracing::info!("some requests hadn't ended when the server stopped");
    }
}

/// A connection, once there is room for one.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (tcp, peer) = listener.accept().await?;
    Ok((tcp, peer, place))
}

/// How many connections each address has: nobody takes all the room alone, so access can always be taken away.
#[derive(Default)]
struct Peers(Mutex<BTreeMap<IpAddr, usize>>);

impl Peers {
    fn inner(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        // Plain data: whole whatever a panicking thread was doing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for one more connection, unless the address has all that it may have.
    fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut inner = self.inner();
        let count = inner.entry(address).or_default();
        if *count >= OF_ONE_PEER {
            return None;
        }
        *count += 1;
        Some(Seat { peers: Arc::clone(self), address })
    }
}

/// One connection of an address.
struct Seat {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.peers.inner();
        if let Some(count) = inner.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inner.remove(&self.address);
            }
        }
    }
}

async fn connection(acceptor: TlsAcceptor, tcp: TcpStream, peer: SocketAddr, router: Router, mut stopping: Stopping) {
    // Small answers are wanted at once; without this they only come a little later.
    let _ = tcp.set_nodelay(true);
    let secured = tokio::select! {
        secured = timeout(HANDSHAKE, acceptor.accept(tcp)) => secured,
        () = stopping.stopped() => return,
    };
    let tls = match secured {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "a TLS handshake took too long"),
    };
    let inner = TowerToHyperService::new(router);
    let told = stopping.clone();
    let certificates = Certificates::of(tls.get_ref().1.peer_certificates());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(told.clone());
        request.extensions_mut().insert(certificates.clone());
        let inner = inner.clone();
        async move { Ok::<_, Infallible>(answer(inner, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES).max_headers(HEAD_FIELDS);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(tls), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopping.stopped() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection to the API ended badly");
    }
}

async fn answer(router: TowerToHyperService<Router>, request: Request<Incoming>) -> axum::response::Response {
    match hyper::service::Service::call(&router, request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_so_many_seats_and_no_more() {
        let peers = Arc::new(Peers::default());
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let mut seats: Vec<Seat> = (0..OF_ONE_PEER).map(|_| peers.seat(one).unwrap()).collect();
        assert!(peers.seat(one).is_none());
        assert!(peers.seat(other).is_some());
        seats.pop();
        assert!(peers.seat(one).is_some());
        drop(seats);
        assert!(peers.inner().is_empty(), "nothing is remembered of who left");
    }
}
