//! Administrator connections: made with care, kept warm, given back only when all went well.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use daypass_domain::{Digest, resource::HostPort};
use daypass_ports::{
    dial::{Conduit, DialSecurity, Dialed},
    targets::{Administration, TargetError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use tokio_postgres::{
    Client, Config, Row,
    config::{SslMode, SslNegotiation},
    tls::{ChannelBinding, TlsConnect, TlsStream},
    types::{FromSql, ToSql, Type},
};

use super::{dial::dial, error};

/// For the startup, authentication included.
const STARTUP: Duration = Duration::from_secs(10);
/// For an answer: more than the server's own limit, so that the server is asked to say why.
const ANSWER: Duration = Duration::from_secs(40);
/// A connection that nobody used for this long is closed.
const IDLE_MOST: Duration = Duration::from_secs(120);
/// No connection gets older, so that a rotated password or a new certificate comes to matter.
const AGE_MOST: Duration = Duration::from_secs(900);
/// Warm connections for one server and database.
const WARM_MOST: usize = 4;

/// `lock_timeout` is short, because whoever waits for a lock on somebody's table makes others wait behind it.
const SETTINGS: &str = "SET search_path = pg_catalog; SET statement_timeout = '30s'; SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '60s'; SET standard_conforming_strings = on; \
     SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'; \
     SET client_min_messages = warning; SET application_name = 'daypass administration'";

/// A parameter of a statement, with its type: so that nothing needs preparing, and asking takes one round trip.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Warm connections, by server, database and credential.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Digest, Vec<Session>>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    /// To the primary, in the administration's database.
    pub(super) async fn primary(&self, at: &Administration) -> Result<Session, TargetError> {
        self.take(at, &at.target.address, &at.target.database).await
    }

    /// To one server, in one database: a warm one, or a new one.
    pub(super) async fn take(
        &self,
        at: &Administration,
        server: &HostPort,
        database: &str,
    ) -> Result<Session, TargetError> {
        let key = Digest::of_value(
            "administrator connection",
            &(server, database, &at.target.administrator, &at.target.tls, Digest::of(at.password.expose().as_bytes())),
        );
        match self.warm(key) {
            Some(session) => Ok(session),
            None => Session::open(at, server, database, key).await,
        }
    }

    fn warm(&self, key: Digest) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = idle.get_mut(&key)?;
        std::iter::from_fn(|| sessions.pop()).find(Session::is_fresh)
    }

    /// Only for a connection that holds no lock, no transaction and no role: after an error, let it drop instead.
    pub(super) fn give_back(&self, mut session: Session) {
        session.used = Instant::now();
        if !session.is_fresh() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = idle.entry(session.key).or_default();
        if sessions.len() < WARM_MOST {
            sessions.push(session);
        }
    }

    /// Closes what has idled or lived too long.
    pub(super) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, sessions| {
            sessions.retain(Session::is_fresh);
            !sessions.is_empty()
        });
    }
}

/// A connection as the administrator. Dropping it ends it, and with it whatever it holds at the server.
pub(super) struct Session {
    client: Client,
    key: Digest,
    born: Instant,
    used: Instant,
    /// The server, for errors.
    pub(super) address: String,
    /// Like 150004.
    pub(super) version: u32,
    /// Its own process at the server.
    pub(super) pid: i32,
}

impl Session {
    async fn open(at: &Administration, server: &HostPort, database: &str, key: Digest) -> Result<Self, TargetError> {
        let address = server.to_string();
        let administrator = at.target.administrator.as_str();
        let dialed = dial(server, &at.target.tls).await?;
        let mut config = Config::new();
        config.user(administrator).password(at.password.expose()).dbname(database);
        let late = |_| TargetError::TimedOut { address: address.clone(), what: "let the administrator in" };
        let client = timeout(STARTUP, start(config, dialed)).await.map_err(late)?;
        let client = client.map_err(|error| error::startup(&address, administrator, &error))?;
        let now = Instant::now();
        let mut session = Self { client, key, born: now, used: now, address, version: 0, pid: 0 };
        session.run("take the administrator's settings", SETTINGS).await?;
        let sql = "SELECT current_setting('server_version_num')::int4, pg_backend_pid()";
        let row = session.row("tell its version", sql, &[]).await?;
        session.version = u32::try_from(session.get::<i32>(&row, 0)?).unwrap_or(0);
        session.pid = session.get(&row, 1)?;
        Ok(session)
    }

    fn is_fresh(&self) -> bool {
        !self.client.is_closed() && self.used.elapsed() < IDLE_MOST && self.born.elapsed() < AGE_MOST
    }

    /// Runs statements. They are one transaction unless they say otherwise.
    pub(super) async fn run(&self, what: &'static str, sql: &str) -> Result<(), TargetError> {
        let answer = timeout(ANSWER, self.client.batch_execute(sql)).await;
        self.judge(what, answer)
    }

    /// Asks, in one round trip.
    pub(super) async fn rows(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, TargetError> {
        let answer = timeout(ANSWER, self.client.query_typed(sql, parameters)).await;
        self.judge(what, answer)
    }

    /// Asks for what is one row by its nature.
    pub(super) async fn row(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Row, TargetError> {
        let answer = timeout(ANSWER, self.client.query_typed_one(sql, parameters)).await;
        self.judge(what, answer)
    }

    /// A column of a row.
    pub(super) fn get<'a, T: FromSql<'a>>(&self, row: &'a Row, column: usize) -> Result<T, TargetError> {
        row.try_get(column).map_err(|error| error::statement(&self.address, "answer in the types asked for", &error))
    }

    fn judge<T>(
        &self,
        what: &'static str,
        answer: Result<Result<T, tokio_postgres::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, TargetError> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(error::statement(&self.address, what, &error)),
            Err(_) => Err(TargetError::TimedOut { address: self.address.clone(), what }),
        }
    }
}

async fn start(mut config: Config, dialed: Dialed) -> Result<Client, tokio_postgres::Error> {
    let (mode, server_end_point) = match dialed.security {
        DialSecurity::LoopbackPlaintext => (SslMode::Disable, None),
        DialSecurity::Tls { server_end_point } => (SslMode::Require, server_end_point),
    };
    // Where there is TLS it stands already: "direct" makes the library call its connector at once.
    config.ssl_mode(mode).ssl_negotiation(SslNegotiation::Direct);
    let stream = Secured { stream: dialed.stream, server_end_point };
    let (client, connection) = config.connect_raw(stream, Standing).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A "connector" for a stream on which TLS stands already.
struct Standing;

impl TlsConnect<Secured> for Standing {
    type Stream = Secured;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Secured, Self::Error>>;

    fn connect(self, stream: Secured) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}

/// A stream that knows its server's certificate, for SCRAM-SHA-256-PLUS.
struct Secured {
    stream: Box<dyn Conduit>,
    server_end_point: Option<Vec<u8>>,
}

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.server_end_point {
            Some(hash) => ChannelBinding::tls_server_end_point(hash.clone()),
            None => ChannelBinding::none(),
        }
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
