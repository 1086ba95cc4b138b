//! The door: who is it, and may it in? Drives the front machine up to a permit.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use daypass_domain::{PrincipalId, session::Passed};
use daypass_ports::{
    authority::{Door as Known, OpenSession, Opening},
    record::{Permit, Revision},
    world::random_bytes,
};
use daypass_wire::{
    postgres::{
        cancel::CancelKey,
        error::PgError,
        front::{Ask, Credential, Front, Output, Reason, Start},
        startup::Door,
    },
    scram::{Nonce, ServerBinding},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;

use crate::{cancel, node::Node, session, sessions::Registered, words};

/// What TLS carries, by its registered name (IANA, "TLS ALPN Protocol IDs").
pub(crate) const ALPN: &[u8] = b"postgresql";
/// The first byte of a TLS handshake: direct TLS, without an SSLRequest.
const TLS_HANDSHAKE: u8 = 22;
const READ_LEN: usize = 4096;
/// How often a waiting client asks again at most.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// A client whose TLS stands and whose messages the front machine reads.
pub(crate) struct Client {
    pub front: Front,
    pub tls: TlsStream<TcpStream>,
    input: BytesMut,
}

/// A client that proved who it is.
struct Proven {
    client: Client,
    door: Box<Door>,
    principal: PrincipalId,
}

/// What the machine wants beyond sending bytes, which is done by then.
enum Next {
    Bytes,
    StartTls,
    Ask(Ask),
    Cancel(CancelKey),
    Close(Reason),
}

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve(node: Arc<Node>, tcp: TcpStream, peer: SocketAddr) {
    let proven = match timeout(node.limits.handshake, prove(&node, tcp, peer)).await {
        Ok(Ok(Some(proven))) => proven,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => {
            return tracing::debug!(%peer, %error, "a connection broke before its client proved who it is");
        }
        Err(_) => return tracing::debug!(%peer, "a client took too long to prove who it is"),
    };
    let Proven { mut client, door, principal } = proven;
    let ask = OpenSession {
        node: node.id,
        principal,
        resource: door.resource.clone(),
        database: door.database.clone(),
        role: door.role.clone(),
        peer: peer.to_string(),
        application: cut(door.application_name.as_deref().unwrap_or_default(), 64),
    };
    match open(&node, &mut client, ask).await {
        Ok(Some((permit, registered))) => session::run(node, client, door, permit, registered).await,
        Ok(None) => {}
        Err(error) => tracing::debug!(%peer, %error, "a client left the door"),
    }
}

/// TLS, then the proof.
async fn prove(node: &Node, mut tcp: TcpStream, peer: SocketAddr) -> io::Result<Option<Proven>> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    let (front, tls) = if first == [TLS_HANDSHAKE] {
        let tls = node.acceptor.accept(tcp).await?;
        // Direct TLS must say what it carries, or a web page could speak here.
        if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Ok(None);
        }
        (Front::new(Start::Tls), tls)
    } else {
        let mut front = Front::new(Start::Plain);
        if !wants_tls(node, &mut front, &mut tcp).await? {
            return Ok(None);
        }
        let tls = node.acceptor.accept(tcp).await?;
        front.tls_started().map_err(io::Error::other)?;
        (front, tls)
    };
    let mut principal = None;
    let mut name = String::new();
    let mut client = Client { front, tls, input: BytesMut::new() };
    loop {
        match client.next().await? {
            Next::Bytes => client.read().await?,
            Next::Ask(Ask::Credential { user }) => {
                principal = credential(node, &mut client.front, peer, &user).await;
                name = user;
            }
            Next::Ask(Ask::Open(door)) => {
                // Nothing satisfies a mock verifier, so whoever comes here is known.
                let Some(principal) = principal else { return Ok(None) };
                return Ok(Some(Proven { client, door, principal }));
            }
            Next::Close(reason) => {
                if let Reason::WrongProof(_) = reason {
                    node.attempts.failed(node.clock.boot(), peer.ip(), &name);
                    node.metrics.failed_proof();
                }
                client.tls.shutdown().await?;
                return Ok(None);
            }
            Next::StartTls => return Ok(None),
            Next::Cancel(key) => cancel::cancel(&node.sessions, &*node.dialer, &key).await,
        }
    }
}

/// Everything before TLS: true when the client wants it, false when that was all.
async fn wants_tls(node: &Node, front: &mut Front, tcp: &mut TcpStream) -> io::Result<bool> {
    let mut input = BytesMut::new();
    loop {
        match next(front, tcp).await? {
            Next::Bytes => read(front, tcp, &mut input).await?,
            Next::StartTls => return Ok(true),
            // It may come in clear: clients before PostgreSQL 17 know no other way.
            Next::Cancel(key) => cancel::cancel(&node.sessions, &*node.dialer, &key).await,
            Next::Close(_) => {
                tcp.shutdown().await?;
                return Ok(false);
            }
            Next::Ask(_) => return Ok(false),
        }
    }
}

/// Answers how the user proves who it is; gives who that would be.
async fn credential(node: &Node, front: &mut Front, peer: SocketAddr, user: &str) -> Option<PrincipalId> {
    if let Err(wait) = node.attempts.allowed(node.clock.boot(), peer.ip(), user) {
        front.refuse(words::too_many_attempts(wait));
        return None;
    }
    let (principal, verifier) = match node.authority.door(user).await {
        Ok(Known::Known { principal, verifier }) => (Some(principal), verifier),
        Ok(Known::Mock { verifier }) => (None, verifier),
        Err(error) => {
            front.refuse(words::no_authority(&error));
            return None;
        }
    };
    let nonce = Nonce::from_random(random_bytes(&*node.random));
    let binding = node.end_point.clone().map_or(ServerBinding::Unavailable, ServerBinding::Offered);
    // It was asked just now, so it is awaited.
    let _ = front.credential(Credential { verifier, nonce, binding });
    principal
}

/// Asks until there is a permit or a refusal; holds a client whose request waits. // I4
async fn open(node: &Arc<Node>, client: &mut Client, ask: OpenSession) -> io::Result<Option<(Permit, Registered)>> {
    let until = Instant::now() + node.limits.door;
    let mut asked = Instant::now();
    let mut told = String::new();
    loop {
        // Each commit may be the one that lets it in; a busy control isn't asked about every one of them.
        sleep_until(asked).await;
        asked = Instant::now() + ASK_AGAIN;
        let asking = node.sessions.asking();
        let (missing, revision) = match node.authority.open_session(ask.clone()).await {
            Ok(Opening::Admitted(permit)) => match node.sessions.register(asking, &permit) {
                Ok(registered) => return Ok(Some((*permit, registered))),
                Err(stop) => {
                    // Its grant ended while the answer was on its way.
                    let terms = permit.terms();
                    node.report_closed(terms.session, stop.session_end(), Passed::default());
                    return client.refuse(words::stopped(&stop, &terms.resource_name)).await;
                }
            },
            Ok(Opening::Waiting { missing, revision, request: _ }) => (missing, revision),
            Ok(Opening::Refused(refusal)) => {
                node.metrics.refused();
                return client.refuse(words::refused(&refusal)).await;
            }
            Err(error) => return client.refuse(words::no_authority(&error)).await,
        };
        drop(asking);
        if told != missing {
            client.tell(&missing).await?;
            told.clone_from(&missing);
        }
        if !wait(node, client, revision, until, &missing).await? {
            return Ok(None);
        }
    }
}

/// Waits until something moved: true then; false when the client is gone or was told that it waited long enough.
async fn wait(node: &Node, client: &mut Client, revision: Revision, until: Instant, missing: &str) -> io::Result<bool> {
    let moved = async {
        // Control answers once a second even when nothing moved; that is no reason to ask again.
        loop {
            match node.authority.moved(revision).await {
                Ok(now) if now > revision => return,
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    };
    tokio::pin!(moved);
    let mut tick = Instant::now() + node.limits.notice_every;
    loop {
        tokio::select! {
            () = &mut moved => return Ok(true),
            read = client.read() => {
                read?;
                if let Next::Close(_) = client.next().await? {
                    return Ok(false);
                }
            }
            () = sleep_until(tick.min(until)) => {
                if Instant::now() >= until {
                    client.refuse::<()>(words::waited(missing)).await?;
                    return Ok(false);
                }
                client.tell(missing).await?;
                tick = Instant::now() + node.limits.notice_every;
            }
        }
    }
}

impl Client {
    async fn next(&mut self) -> io::Result<Next> {
        next(&mut self.front, &mut self.tls).await
    }

    /// Sends what there is to send.
    pub async fn send(&mut self) -> io::Result<()> {
        self.next().await.map(|_| ())
    }

    async fn read(&mut self) -> io::Result<()> {
        read(&mut self.front, &mut self.tls, &mut self.input).await
    }

    /// Tells a waiting client what it waits for.
    async fn tell(&mut self, missing: &str) -> io::Result<()> {
        let notice = PgError::notice(format!("waiting at the door: {missing}"))
            .with_hint("You are let in the moment the grant opens. Leave with Ctrl-C; the request goes on.");
        self.front.notice(&notice).map_err(io::Error::other)?;
        self.send().await
    }

    /// Ends the connection with an error.
    pub async fn refuse<T>(&mut self, error: PgError) -> io::Result<Option<T>> {
        self.front.refuse(error);
        self.next().await?;
        self.tls.shutdown().await?;
        Ok(None)
    }
}

/// Sends what there is to send, and says what comes next.
async fn next<S: AsyncWrite + Unpin>(front: &mut Front, io: &mut S) -> io::Result<Next> {
    loop {
        let next = match front.poll() {
            Some(Output::ToClient(bytes)) => {
                io.write_all(&bytes).await?;
                continue;
            }
            Some(Output::StartTls) => Next::StartTls,
            Some(Output::Ask(ask)) => Next::Ask(ask),
            Some(Output::Cancel(key)) => Next::Cancel(key),
            Some(Output::Close(reason)) => Next::Close(reason),
            None => Next::Bytes,
        };
        io.flush().await?;
        return Ok(next);
    }
}

async fn read<S: AsyncRead + Unpin>(front: &mut Front, io: &mut S, input: &mut BytesMut) -> io::Result<()> {
    input.reserve(READ_LEN);
    if io.read_buf(input).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    front.from_client(input);
    input.clear();
    Ok(())
}

/// The text, cut to so many bytes between two characters.
fn cut(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}
