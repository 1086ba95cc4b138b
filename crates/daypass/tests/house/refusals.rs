//! What a client of a database is told at the door: SQLSTATE, detail and hint of each refusal.

use std::{
    fs,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_postgres::{
    Config, NoTls, Socket,
    config::SslMode,
    error::DbError,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};

use crate::{
    web,
    world::{Person, World, busy, until},
};

/// The parts of a refusal that programs and people go by.
#[derive(Debug)]
struct Refused {
    code: String,
    message: String,
    detail: String,
    hint: String,
}

impl Refused {
    fn of(error: &DbError) -> Self {
        assert_eq!(error.severity(), "FATAL", "{error:?}");
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().unwrap_or_default().to_owned(),
            hint: error.hint().unwrap_or_default().to_owned(),
        }
    }

    /// It has this code, says these words in its message, why in its detail, and these in its hint.
    fn is(&self, code: &str, message: &str, hint: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.message.contains(message) && self.hint.contains(hint), "{self:?}");
        assert!(!self.detail.is_empty(), "{self:?}");
    }
}

/// The secret that a person's passfile holds.
fn secret(person: &Person) -> String {
    let passfile = fs::read_to_string(person.profile.join("pgpass")).unwrap();
    passfile.lines().next().unwrap().rsplit(':').next().unwrap().to_owned()
}

fn connect(world: &World, user: &str, database: &str, secret: &str) -> Result<(), Refused> {
    let mut config = Config::new();
    config.host("localhost").hostaddr("127.0.0.1".parse().unwrap()).port(world.gateway);
    config.user(user).dbname(database).password(secret).ssl_mode(SslMode::Require);
    let tls = Tls(Arc::new(web::tls(&fs::read(world.authority()).unwrap())));
    outcome(config, tls)
}

fn outcome<T: MakeTlsConnect<Socket>>(config: Config, tls: T) -> Result<(), Refused> {
    let connected = tokio::runtime::Runtime::new().unwrap().block_on(async { config.connect(tls).await.map(drop) });
    connected.map_err(|error| Refused::of(error.as_db_error().unwrap_or_else(|| panic!("{error:?}"))))
}

#[test]
fn each_refusal_has_its_code_its_reason_and_what_to_do_next() {
    let mut world = World::new();
    let alice = world.person("alice");
    let limited =
        world.resources().replace("[resource.labels]", "[resource.limits]\nsessions = 1\n\n[resource.labels]");
    fs::write(world.path("limited.toml"), limited).unwrap();
    world.person("ada").ok(&["apply", "-f", &world.path("limited.toml")]);
    let secret = secret(&alice);
    let refused = |world: &World, user: &str, database: &str, secret: &str| {
        connect(world, user, database, secret).expect_err("it must be refused")
    };

    refused(&world, "alice", "orders", &secret).is("28000", "no access to \"orders\"", "daypass request orders");
    refused(&world, "alice", "nothing", &secret).is("3D000", "no resource \"nothing\"", "daypass resources");
    // Who it is that isn't known, nobody learns.
    let wrong = refused(&world, "alice", "orders", "not it");
    let unknown = refused(&world, "mallory", "orders", "not it");
    wrong.is("28P01", "password authentication failed for user \"alice\"", "daypass login");
    assert_eq!(
        format!("{unknown:?}"),
        format!("{wrong:?}").replace("alice", "mallory"),
        "an unknown user is told another thing"
    );

    world.grant("readonly");
    assert!(connect(&world, "alice", "orders", &secret).is_ok());
    world.grant("readwrite");
    refused(&world, "alice", "orders", &secret).is("28000", "several roles", "in the user name");
    until("the first session is closed", || connect(&world, "alice:readonly", "orders", &secret).ok());
    let string = alice.ok(&["connect", "orders", "--role", "readonly", "--print"]);
    until("the session is closed", || (world.backends() == 0).then_some(()));
    let mut held = alice.psql_to(string.trim(), &["-c", "SELECT pg_sleep(3600)"]).spawn().unwrap();
    until("it runs", || (world.backends() == 1).then_some(()));
    refused(&world, "alice:readonly", "orders", &secret).is("53300", "access refused", "daypass sessions");
    held.kill().unwrap();
    held.wait().unwrap();

    until("the session is closed", || connect(&world, "alice:readonly", "orders", &secret).ok());
    world.postgres.kill();
    let away = until("the target is known to be away", || {
        connect(&world, "alice:readonly", "orders", &secret).err().filter(|refused| refused.code != "53300")
    });
    away.is("08001", "orders", "daypass doctor orders");
    world.postgres.restart().unwrap();
}

#[test]
fn what_is_not_spoken_here_is_refused_before_anybody_proves_anything() {
    let world = World::new();
    let mut config = Config::new();
    config.host("localhost").hostaddr("127.0.0.1".parse().unwrap()).port(world.gateway);
    config.user("alice").dbname("orders").password("anything").ssl_mode(SslMode::Disable);
    let plain = outcome(config, NoTls).expect_err("plaintext is refused");
    plain.is("28000", "without TLS", "sslmode=verify-full");

    let replication = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(startup(&world, &[("user", "alice"), ("database", "orders"), ("replication", "database")]));
    replication.is("0A000", "replication", "");
}

#[test]
fn a_hundred_wrong_secrets_are_told_to_wait() {
    let world = World::new();
    let alice = world.person("alice");
    world.grant("readonly");
    let held = busy(&world, &alice, "orders");
    let mut codes = Vec::new();
    let waits = (0..100).find_map(|_| {
        let refused = connect(&world, "alice", "orders", "not it").unwrap_err();
        codes.push(refused.code.clone());
        (refused.code != "28P01").then_some(refused)
    });
    waits.unwrap_or_else(|| panic!("{codes:?}")).is("28000", "too many failed attempts, wait", "daypass login");
    assert!(codes.len() > 10, "{codes:?}");
    // Who is in isn't put out by it.
    assert_eq!(world.backends(), 1);
    let mut held = held;
    held.kill().unwrap();
    held.wait().unwrap();
}

/// What the gateway says to a startup message of these parameters, with TLS and before any proof.
async fn startup(world: &World, parameters: &[(&str, &str)]) -> Refused {
    let mut tcp = TcpStream::connect(("127.0.0.1", world.gateway)).await.unwrap();
    // SSLRequest: its length and its code (PostgreSQL, "Message Formats").
    tcp.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), b'S');
    let mut tls = Tls(Arc::new(web::tls(&fs::read(world.authority()).unwrap()))).over(tcp).await.unwrap();
    let mut body = vec![0, 3, 0, 0];
    for (name, value) in parameters {
        body.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    body.push(0);
    tls.write_all(&(u32::try_from(body.len()).unwrap() + 4).to_be_bytes()).await.unwrap();
    tls.write_all(&body).await.unwrap();
    assert_eq!(tls.read_u8().await.unwrap(), b'E');
    let mut fields = vec![0; tls.read_u32().await.unwrap() as usize - 4];
    tls.read_exact(&mut fields).await.unwrap();
    let field = |kind: u8| {
        let found = fields.split(|byte| *byte == 0).find(|field| field.first() == Some(&kind));
        String::from_utf8(found.map(|field| field[1..].to_vec()).unwrap_or_default()).unwrap()
    };
    Refused { code: field(b'C'), message: field(b'M'), detail: field(b'D'), hint: field(b'H') }
}

/// TLS for tokio-postgres, which knows no rustls.
#[derive(Clone)]
struct Tls(Arc<rustls::ClientConfig>);

impl Tls {
    async fn over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<S>> {
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.0));
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
    }
}

struct Stream(tokio_rustls::client::TlsStream<Socket>);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Stream;
    type TlsConnect = Self;
    type Error = std::io::Error;
    fn make_tls_connect(&mut self, _: &str) -> std::io::Result<Self> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Tls {
    type Stream = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send>>;
    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move { self.over(stream).await.map(Stream) })
    }
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
