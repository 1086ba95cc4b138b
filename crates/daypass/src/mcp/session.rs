//! A statement through the gateway, under a grant that is held: as any client of the workload's, recorded as a session, and cut
//! when the grant ends.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use daypass_api::signin::ConnectionSecret;
use daypass_wire::{
    postgres::{
        back::{Back, Encryption, Errand, Login, Output, TlsBinding},
        once::{self, How, Once, Over},
    },
    scram::{ClientSecret, Nonce, server_end_point},
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    client::pin,
    failure::{Exit, Failure},
    say,
};

const READ_LEN: usize = 64 << 10;
/// How long a gateway may take to take the connection.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long it may take to let the workload in: the login is made at the target meanwhile.
const LETTING_IN: Duration = Duration::from_secs(60);

type Stream = TlsStream<TcpStream>;

/// What it takes to come in.
pub struct Door<'a> {
    /// Where, and by what.
    pub secret: &'a ConnectionSecret,
    /// Whose signature on the gateway's certificate is believed, PEM.
    pub authority_pem: &'a str,
    /// The resource.
    pub resource: &'a str,
    /// The role.
    pub role: &'a str,
}

/// Runs a statement once, in a transaction of its own.
pub async fn run(door: &Door<'_>, sql: &str) -> Result<Over, Failure> {
    let (mut stream, leftover) = tokio::time::timeout(LETTING_IN, come_in(door))
        .await
        .map_err(|_| away("the gateway lets nobody in", "try again"))??;
    let mut once = Once::new(sql, How::Run);
    once.from_server(&leftover);
    let mut input = BytesMut::with_capacity(READ_LEN);
    loop {
        while let Some(output) = once.poll() {
            match output {
                once::Output::ToServer(bytes) => {
                    if write(&mut stream, &bytes).await.is_err() {
                        once.closed();
                    }
                }
                once::Output::Over(over) => return Ok(*over),
            }
        }
        input.clear();
        match stream.read_buf(&mut input).await {
            Ok(read) if read > 0 => once.from_server(&input),
            Ok(_) | Err(_) => once.closed(),
        }
    }
}

async fn come_in(door: &Door<'_>) -> Result<(Stream, BytesMut), Failure> {
    let mut last = away("the server says of no gateway", "ask whoever runs Daypass");
    for gateway in &door.secret.gateway {
        match dial(gateway).await {
            Ok(socket) => return log_in(door, gateway, socket).await,
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn dial(gateway: &str) -> Result<TcpStream, Failure> {
    let lost = |why: String| away(format!("the gateway {gateway} can't be reached: {why}"), "try again");
    let socket = tokio::time::timeout(CONNECTING, TcpStream::connect(gateway)).await;
    socket.map_err(|_| lost("no answer".to_owned()))?.map_err(|e| lost(e.to_string()))
}

async fn log_in(door: &Door<'_>, gateway: &str, mut socket: TcpStream) -> Result<(Stream, BytesMut), Failure> {
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(Failure::data)?;
    let login = Login {
        user: format!("{}:{}", door.secret.user, door.role),
        secret: ClientSecret::password(door.secret.secret.expose().as_bytes()),
        database: door.resource.to_owned(),
        application_name: "daypass mcp".to_owned(),
        // What is shown is text, in the one encoding that JSON has.
        parameters: vec![(Bytes::from_static(b"client_encoding"), Bytes::from_static(b"UTF8"))],
        nonce: Nonce::from_random(random),
    };
    let mut back = Back::new(Errand::Login(login), Encryption::Required);
    let broken = |e: std::io::Error| away(format!("the gateway broke off: {e}"), "try again");
    // In clear: a request for TLS, and its answer.
    let Some(Output::ToUpstream(bytes)) = back.poll() else { return Err(away("the login can't begin", "")) };
    socket.write_all(&bytes).await.map_err(broken)?;
    let mut answer = [0; 1];
    socket.read_exact(&mut answer).await.map_err(broken)?;
    back.from_upstream(&answer);
    match back.poll() {
        Some(Output::StartTls) => {}
        Some(Output::Failed(error)) => return Err(away(error, "is that a gateway of Daypass?")),
        Some(Output::ToUpstream(_) | Output::Ready(_) | Output::CancelSent) | None => {
            return Err(away("the gateway doesn't speak TLS", "is that a gateway of Daypass?"));
        }
    }
    let mut stream = secured(door, gateway, socket).await?;
    back.tls_started(binding(&stream)).map_err(|e| away(e, ""))?;
    let mut input = BytesMut::with_capacity(READ_LEN);
    loop {
        while let Some(output) = back.poll() {
            match output {
                Output::ToUpstream(bytes) => write(&mut stream, &bytes).await.map_err(broken)?,
                Output::Ready(_) => return Ok((stream, back.into_leftover())),
                Output::Failed(error) => {
                    let error = error.to_client();
                    let next = error.hint.unwrap_or_default();
                    let what = [Some(error.message), error.detail].into_iter().flatten().collect::<Vec<_>>().join(": ");
                    return Err(Failure::new(Exit::Refused, say::shown(&what), say::shown(&next)));
                }
                Output::StartTls | Output::CancelSent => return Err(away("the gateway answers out of turn", "")),
            }
        }
        input.clear();
        match stream.read_buf(&mut input).await.map_err(broken)? {
            0 => return Err(away("the gateway broke off while it let the workload in", "try again")),
            _ => back.from_upstream(&input),
        }
    }
}

async fn secured(door: &Door<'_>, gateway: &str, socket: TcpStream) -> Result<Stream, Failure> {
    let host = gateway.rsplit_once(':').map_or(gateway, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).map_err(Failure::setting)?;
    let tls = TlsConnector::from(Arc::new(pin::under_authority(door.authority_pem)?));
    tls.connect(name, socket).await.map_err(|e| {
        let what = format!("the gateway {gateway} isn't who it should be: {}", say::shown(&e.to_string()));
        Failure::new(Exit::Evidence, what, "ask whoever runs Daypass")
    })
}

/// What binds the login to this channel: whoever is in the middle can't pass it on.
fn binding(stream: &Stream) -> TlsBinding {
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let hash = certificate.and_then(|certificate| server_end_point(certificate).ok());
    hash.map_or(TlsBinding::Unavailable, TlsBinding::EndPoint)
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

fn away(what: impl std::fmt::Display, next: &str) -> Failure {
    Failure::new(Exit::Unavailable, say::shown(&what.to_string()), next)
}
