//! Over a real socket: TLS only, HTTP/1.1, limits on what comes, and an orderly end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use daypass_control::serve;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::world::{World, wish};

struct Served {
    world: World,
    address: SocketAddr,
    client: TlsConnector,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// A server's own certificate, its key, and what whoever believes it believes.
pub fn localhost() -> (CertificateDer<'static>, PrivateKeyDer<'static>, RootCertStore) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = pair.cert.der().clone();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    (certificate, key, roots)
}

async fn served() -> Served {
    let world = World::new().await;
    let (certificate, key, roots) = localhost();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(());
    let task = tokio::spawn(serve(listener, Arc::new(server), world.router.clone(), stopped));
    Served { world, address, client: TlsConnector::from(Arc::new(client)), stop, task }
}

impl Served {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        self.client.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap()
    }

    /// Sends it, and reads until the server closes.
    async fn exchange(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        // A server that has read enough may close before the rest is sent.
        let _ = stream.write_all(text.as_bytes()).await;
        read_all(&mut stream).await
    }
}

async fn read_all(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    read.expect("the server closes").unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_come_over_tls_and_the_peer_is_known() {
    let served = served().await;
    let alive = served.exchange("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(alive.starts_with("HTTP/1.1 200 OK\r\n") && alive.ends_with("ok\n"), "{alive}");
    let metrics = served.exchange("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "the peer is this machine: {metrics}");
    let body = wish("lab").to_string();
    let (bearer, length) = (&served.world.bearers["carol"], body.len());
    let asked = format!(
        "POST /v1/requests HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let granted = served.exchange(&asked).await;
    assert!(granted.starts_with("HTTP/1.1 201 Created\r\n"), "{granted}");
    assert!(granted.contains("\"outcome\":\"granted\""), "{granted}");
}

/// 431; or nothing, where closing on what wasn't read overtook the answer.
fn is_too_much(answer: &str) {
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_tls_or_too_much_is_refused() {
    let served = served().await;
    let mut plain = TcpStream::connect(served.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), plain.read_to_end(&mut answer)).await;
    read.expect("the server closes").unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP/"), "plaintext isn't answered");
    let long = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    let answer = served.exchange(&long).await;
    is_too_much(&answer);
    let fields: String = (0..100).map(|n| format!("X{n}: y\r\n")).collect();
    let answer = served.exchange(&format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).await;
    is_too_much(&answer);
    let claimed = "POST /v1/signin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
                   Content-Length: 99999999\r\n\r\n";
    let answer = served.exchange(claimed).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "it isn't waited for what is too long: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_streams_and_waits_and_closes() {
    let served = served().await;
    let made = served.world.post("carol", "/v1/requests", wish("orders")).await.ok().json();
    let bearer = &served.world.bearers["carol"];
    let mut waits = Vec::new();
    for path in ["/v1/events".to_owned(), format!("/v1/requests/{}?wait_s=60", made["request"]["id"].as_str().unwrap())]
    {
        let mut stream = served.connect().await;
        let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        waits.push(stream);
    }
    let mut idle = served.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    // The stream has begun once its head is here.
    waits[0].read_exact(&mut head).await.unwrap();
    served.stop.send(()).unwrap();
    served.task.await.unwrap();
    for stream in &mut waits {
        read_all(stream).await;
    }
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}
