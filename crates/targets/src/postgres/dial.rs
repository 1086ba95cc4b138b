//! A connection to a server of a target that showed who it is, on which no startup message was sent yet.

use std::time::Duration;

use async_trait::async_trait;
use daypass_domain::resource::{HostPort, PostgresTarget, TargetTls};
use daypass_ports::{
    dial::{DialError, DialSecurity, Dialed, Dialer},
    targets::TargetError,
};
use daypass_wire::scram::server_end_point;
use rustix::net::sockopt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::tls::{ClientTls, client_tls};

/// For everything until TLS stands.
const PATIENCE: Duration = Duration::from_secs(5);

/// Length 8 and the code 80877103 (PostgreSQL's protocol, "SSLRequest").
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Dials PostgreSQL servers from this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostgresDialer;

#[async_trait]
impl Dialer for PostgresDialer {
    async fn dial(&self, target: &PostgresTarget) -> Result<Dialed, DialError> {
        dial(&target.address, &target.tls).await.map_err(|error| match error {
            TargetError::Unreachable { address, why } => DialError::Unreachable { address, why },
            TargetError::TlsRefused { address, why } => DialError::Unproven { address, why },
            TargetError::PlaintextRefused { address } => DialError::PlaintextRefused { address },
            // `dial` returns no other; if it ever does, the words are right all the same.
            other => DialError::Unreachable { address: target.address.to_string(), why: other.to_string() },
        })
    }
}

/// Connects to one server: TCP, then TLS as declared. Five seconds at most.
///
/// # Errors
/// [`TargetError::Unreachable`], [`TargetError::TlsRefused`], [`TargetError::PlaintextRefused`].
pub async fn dial(address: &HostPort, tls: &TargetTls) -> Result<Dialed, TargetError> {
    let tls = client_tls(tls, address)?;
    let late = |_| unreachable(address, "no answer within 5 seconds");
    timeout(PATIENCE, connect(address, tls)).await.map_err(late)?
}

async fn connect(address: &HostPort, tls: ClientTls) -> Result<Dialed, TargetError> {
    let stream = tcp(address).await?;
    match tls {
        ClientTls::LoopbackPlaintext => {
            // A name may resolve to anything: what counts is where we ended up.
            if stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback()) {
                return Ok(Dialed { stream: Box::new(stream), security: DialSecurity::LoopbackPlaintext });
            }
            Err(TargetError::PlaintextRefused { address: address.to_string() })
        }
        ClientTls::Tls { config, name } => {
            let stream = request_tls(stream, address).await?;
            let stream = TlsConnector::from(config)
                .connect(name, stream)
                .await
                .map_err(|error| TargetError::TlsRefused { address: address.to_string(), why: error.to_string() })?;
            let security = DialSecurity::Tls { server_end_point: end_point(&stream) };
            Ok(Dialed { stream: Box::new(stream), security })
        }
    }
}

async fn tcp(address: &HostPort) -> Result<TcpStream, TargetError> {
    let failed = |error: std::io::Error| unreachable(address, &error.to_string());
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    keep_alive(&stream).map_err(|error| failed(error.into()))?;
    Ok(stream)
}

/// A peer that lost its power is noticed within half a minute, also while we wait for its answer.
fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    sockopt::set_tcp_user_timeout(stream, 25_000)
}

/// One byte answers: `S`, and the handshake begins; anything else is no TLS. What may follow the byte isn't read here,
/// so nothing sent in clear can pass for what came under TLS.
async fn request_tls(mut stream: TcpStream, address: &HostPort) -> Result<TcpStream, TargetError> {
    let failed = |error: std::io::Error| unreachable(address, &error.to_string());
    stream.write_all(&SSL_REQUEST).await.map_err(failed)?;
    match stream.read_u8().await.map_err(failed)? {
        b'S' => Ok(stream),
        _ => Err(TargetError::TlsRefused { address: address.to_string(), why: "the server offers no TLS".into() }),
    }
}

fn end_point(stream: &TlsStream<TcpStream>) -> Option<Vec<u8>> {
    let (_, connection) = stream.get_ref();
    server_end_point(connection.peer_certificates()?.first()?).ok()
}

fn unreachable(address: &HostPort, why: &str) -> TargetError {
    TargetError::Unreachable { address: address.to_string(), why: why.to_owned() }
}
