//! Workloads show certificates, over real mutual TLS; everybody else is undisturbed.

use std::{net::SocketAddr, sync::Arc};

use axum::http::Method;
use daypass_control::{possession, serve};
use daypass_testkit::spiffe::{Domain, Made};
use rustls::{
    ClientConfig, DEFAULT_VERSIONS, HandshakeKind, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
    client::ResolvesClientCert,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    sign::CertifiedKey,
    version::TLS12,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    over_tls::localhost,
    world::{Ask, World},
};

const NIGHTLY: &str = "/ns/shop/sa/nightly";
const CREDENTIALS: &str = "grant_type=client_credentials";

/// Both listeners of a server.
struct Served {
    world: World,
    domain: Domain,
    everybody: SocketAddr,
    workloads: SocketAddr,
    roots: RootCertStore,
    _stop: watch::Sender<()>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

async fn served() -> Served {
    let world = World::new().await;
    let domain = Domain::new("prod.example.org", world.app.time().micros() / 1_000_000);
    world.post("alice", "/v1/workloads", json!({"name": "nightly", "owner": "alice"})).await.ok();
    let text = domain.trust("nightly", &[NIGHTLY], "https://daypass.example");
    world.post("alice", "/v1/trust/apply", json!({"file": "t.toml", "mode": "apply", "text": text})).await.ok();
    let (certificate, key, roots) = localhost();
    let chain = vec![certificate];
    let plain = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let plain = plain.with_no_client_auth().with_single_cert(chain.clone(), key.clone_key()).unwrap();
    let asking = possession::for_workloads(provider(), chain, key).unwrap();
    let (stop, stopped) = watch::channel(());
    let mut at = Vec::new();
    for tls in [plain, asking] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        at.push(listener.local_addr().unwrap());
        tokio::spawn(serve(listener, Arc::new(tls), world.router.clone(), stopped.clone()));
    }
    Served { world, domain, everybody: at[0], workloads: at[1], roots, _stop: stop }
}

/// Shows this certificate with this key, whether they fit or not, and remembers nothing.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
    fn has_certs(&self) -> bool {
        true
    }
}

/// Has no certificate to show.
#[derive(Debug)]
struct ShowsNone;

impl ResolvesClientCert for ShowsNone {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }
    fn has_certs(&self) -> bool {
        false
    }
}

/// Is never to be asked for a certificate.
#[derive(Debug)]
struct IsNeverAsked;

impl ResolvesClientCert for IsNeverAsked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        panic!("it was asked for a certificate, and a browser would ask its person");
    }
    fn has_certs(&self) -> bool {
        true
    }
}

fn showing(chain: &[Vec<u8>], key: &[u8]) -> Arc<dyn ResolvesClientCert> {
    let chain = chain.iter().map(|one| CertificateDer::from(one.clone())).collect();
    let key = PrivateKeyDer::try_from(key.to_vec()).unwrap();
    let key = provider().key_provider.load_private_key(key).unwrap();
    Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key))))
}

fn of(made: &Made) -> Arc<dyn ResolvesClientCert> {
    showing(&made.chain, &made.key)
}

async fn connected(client: &TlsConnector, at: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(at).await.unwrap();
    client.connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

impl Served {
    /// A client that shows itself so, and speaks these versions.
    fn client(&self, who: Arc<dyn ResolvesClientCert>, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
        let tls = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        TlsConnector::from(Arc::new(tls.with_root_certificates(self.roots.clone()).with_client_cert_resolver(who)))
    }

    /// Sends a request, and reads the answer; nothing where the handshake fails.
    async fn asks(&self, at: SocketAddr, who: Arc<dyn ResolvesClientCert>, request: &str) -> Option<(u16, Value)> {
        let mut stream = connected(&self.client(who, DEFAULT_VERSIONS), at).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        // Of TLS 1.3, a server's no to a certificate is heard here.
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    async fn token(&self, at: SocketAddr, who: Arc<dyn ResolvesClientCert>, form: &str) -> Option<(u16, Value)> {
        let request = format!(
            "POST /v1/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        self.asks(at, who, &request).await
    }

    async fn me(&self, at: SocketAddr, who: Arc<dyn ResolvesClientCert>, bearer: &str) -> (u16, Value) {
        let request = format!(
            "GET /v1/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        );
        self.asks(at, who, &request).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workload_shows_its_certificate_and_its_token_goes_with_it_alone() {
    let served = served().await;
    let made = served.domain.svid(NIGHTLY);
    let (status, got) = served.token(served.workloads, of(&made), CREDENTIALS).await.unwrap();
    assert_eq!((status, got["workload"].as_str()), (200, Some("nightly")), "{got}");
    let bearer = got["access_token"].as_str().unwrap();
    let (status, me) = served.me(served.workloads, of(&made), bearer).await;
    assert_eq!((status, me["name"].as_str()), (200, Some("nightly")), "{me}");
    // Another certificate of the same workload, and none.
    let (status, problem) = served.me(served.workloads, of(&served.domain.svid(NIGHTLY)), bearer).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("bound_token")), "{problem}");
    let (status, problem) = served.me(served.everybody, Arc::new(IsNeverAsked), bearer).await;
    assert_eq!((status, problem["code"].as_str()), (401, Some("bound_token")), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_without_its_key_opens_no_connection() {
    let served = served().await;
    let (one, another) = (served.domain.svid(NIGHTLY), served.domain.svid(NIGHTLY));
    let stolen = showing(&one.chain, &another.key);
    assert_eq!(served.token(served.workloads, stolen, CREDENTIALS).await, None);
    // A stranger's certificate opens one, and is good for nothing there.
    let stranger = Domain::new("prod.example.org", served.world.app.time().micros() / 1_000_000);
    let (status, problem) = served.token(served.workloads, of(&stranger.svid(NIGHTLY)), CREDENTIALS).await.unwrap();
    assert_eq!((status, problem["code"].as_str()), (401, Some("invalid_grant")), "{problem}");
    // Nor is anybody in by a certificate alone.
    let (status, _) = served.me(served.workloads, of(&one), "").await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_listener_for_workloads_demands_a_certificate_on_each_connection_and_hides_it() {
    let served = served().await;
    assert_eq!(served.token(served.workloads, Arc::new(ShowsNone), CREDENTIALS).await, None);
    let made = served.domain.svid(NIGHTLY);
    // Before TLS 1.3 certificates go in the clear.
    let old = served.client(of(&made), &[&TLS12]);
    assert!(connected(&old, served.workloads).await.is_err());
    connected(&old, served.everybody).await.unwrap();
    // A session that was resumed would show none.
    let client = served.client(of(&made), DEFAULT_VERSIONS);
    for (at, resumed) in [(served.everybody, true), (served.workloads, false)] {
        let mut last = None;
        for _ in 0..2 {
            let mut stream = connected(&client, at).await.unwrap();
            let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            last = stream.get_ref().1.handshake_kind();
        }
        assert_eq!(last == Some(HandshakeKind::Resumed), resumed, "{last:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_else_is_not_asked_for_a_certificate() {
    let served = served().await;
    let bearer = &served.world.bearers["alice"];
    let (status, me) = served.me(served.everybody, Arc::new(IsNeverAsked), bearer).await;
    assert_eq!((status, me["name"].as_str()), (200, Some("alice")), "{me}");
    let (status, problem) = served.token(served.everybody, Arc::new(IsNeverAsked), CREDENTIALS).await.unwrap();
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_client")), "{problem}");
    assert!(problem["next"].as_str().unwrap().contains("server.toml"), "{problem}");
    // In process there is no handshake, and so no certificate.
    let ask = Ask { form: Some(CREDENTIALS.to_owned()), ..Ask::new(Method::POST, "/v1/token") };
    assert_eq!(served.world.ask(ask).await.word(), "400 invalid_client");
}
