//! A client that sends exactly the bytes that a test wants, and tokio-postgres.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use daypass_wire::{
    postgres::{
        back::{Back, Encryption, Errand, Login, Output, TlsBinding},
        error::PgError,
        frame::{Message, back, take_message},
        message::put,
    },
    scram::{ClientSecret, Nonce, server_end_point},
};
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::client::TlsStream;

use super::{House, authority::SECRET, dialer};

/// A logged in connection.
pub struct Raw {
    pub tls: TlsStream<TcpStream>,
    input: BytesMut,
    /// ParameterStatus and notices of the login.
    pub greeting: Bytes,
    pub process: i32,
    pub secret: Vec<u8>,
}

impl House {
    /// Connects as Alice, message by message.
    pub async fn raw(&self) -> Raw {
        self.raw_with(vec![]).await.unwrap()
    }

    pub async fn raw_with(&self, parameters: Vec<(Bytes, Bytes)>) -> Result<Raw, PgError> {
        self.knock(parameters).await.expect("the gateway hears")
    }

    /// The same; none when there is no place for one more connection.
    pub async fn knock(&self, parameters: Vec<(Bytes, Bytes)>) -> Option<Result<Raw, PgError>> {
        let mut tcp = TcpStream::connect(self.address()).await.unwrap();
        let login = Login {
            user: "alice".into(),
            secret: ClientSecret::password(SECRET.as_bytes()),
            database: "orders".into(),
            application_name: "raw".into(),
            parameters,
            nonce: Nonce::from_random([1; 18]),
        };
        let mut machine = Back::new(Errand::Login(login), Encryption::Required);
        let Some(Output::ToUpstream(bytes)) = machine.poll() else { panic!("SSLRequest") };
        tcp.write_all(&bytes).await.unwrap();
        machine.from_upstream(&[tcp.read_u8().await.ok()?]);
        let mut tls = self.tls(tcp, None).await.unwrap();
        let mut buffer = BytesMut::new();
        loop {
            while let Some(output) = machine.poll() {
                match output {
                    Output::ToUpstream(bytes) => tls.write_all(&bytes).await.unwrap(),
                    Output::StartTls => {
                        let hash = server_end_point(&self.certificate).unwrap();
                        machine.tls_started(TlsBinding::EndPoint(hash)).unwrap();
                    }
                    Output::Ready(ready) => {
                        let (process, secret) = (ready.key.backend_pid(), ready.key.secret().to_vec());
                        let input = machine.into_leftover();
                        return Some(Ok(Raw { tls, input, greeting: ready.parameters, process, secret }));
                    }
                    Output::Failed(error) => return Some(Err(error.to_client())),
                    Output::CancelSent => panic!("no cancel"),
                }
            }
            buffer.clear();
            assert!(tls.read_buf(&mut buffer).await.unwrap() > 0, "the gateway closed during the login");
            machine.from_upstream(&buffer);
        }
    }

    pub async fn tls(&self, tcp: TcpStream, alpn: Option<&[u8]>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        dialer::tls(roots, ServerName::try_from("localhost").unwrap(), tcp, alpn).await
    }

    /// Connects as Alice with tokio-postgres.
    pub async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = self.connect().await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub async fn connect(
        &self,
    ) -> Result<(tokio_postgres::Client, tokio_postgres::Connection<tokio_postgres::Socket, Tls>), tokio_postgres::Error>
    {
        let mut config = tokio_postgres::Config::new();
        config.host("localhost").hostaddr("127.0.0.1".parse().unwrap()).port(self.address().port());
        config.user("alice").password(SECRET).dbname("orders").ssl_mode(tokio_postgres::config::SslMode::Require);
        config.channel_binding(tokio_postgres::config::ChannelBinding::Require);
        config.connect(Connector(self.certificate.clone())).await
    }

    /// For cancel requests.
    pub fn connector(&self) -> Connector {
        Connector(self.certificate.clone())
    }
}

impl Raw {
    pub async fn send(&mut self, bytes: &[u8]) {
        self.tls.write_all(bytes).await.unwrap();
        self.tls.flush().await.unwrap();
    }

    /// The next message; none when the gateway closed.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = take_message(&mut self.input, 1 << 30).unwrap() {
                return Some(message);
            }
            if self.tls.read_buf(&mut self.input).await.ok().filter(|read| *read > 0).is_none() {
                assert!(self.input.is_empty(), "the gateway closed within a message");
                return None;
            }
        }
    }

    /// Messages up to and with ReadyForQuery.
    pub async fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await.expect("ReadyForQuery");
            messages.push(message);
            if messages.last().unwrap().tag == back::READY_FOR_QUERY {
                return messages;
            }
        }
    }

    /// Reads until a megabyte of a message is there.
    pub async fn some(&mut self) {
        while take_message(&mut self.input, 1 << 30).unwrap().is_some() || self.input.len() < 1 << 20 {
            assert!(self.tls.read_buf(&mut self.input).await.unwrap() > 0);
        }
    }

    /// Reads until the gateway closes: the last error that it said, and what there is of a message that it broke off.
    pub async fn broken_off(&mut self) -> (Option<PgError>, BytesMut) {
        let mut last = None;
        loop {
            while let Some(message) = take_message(&mut self.input, 1 << 30).unwrap() {
                assert!(last.is_none(), "nothing follows the last word");
                if message.tag == back::ERROR_RESPONSE {
                    last = Some(PgError::parse(&message.body).unwrap());
                }
            }
            if self.tls.read_buf(&mut self.input).await.ok().filter(|read| *read > 0).is_none() {
                return (last, self.input.split());
            }
        }
    }

    /// The last error before the gateway closes, if it says one.
    pub async fn last_error(&mut self) -> Option<PgError> {
        let mut last = None;
        while let Some(message) = self.next().await {
            if message.tag == back::ERROR_RESPONSE {
                last = Some(PgError::parse(&message.body).unwrap());
            }
        }
        last
    }
}

/// Query.
pub fn query(sql: &str) -> Bytes {
    let mut out = BytesMut::new();
    put(&mut out, b'Q', |out| {
        out.extend_from_slice(sql.as_bytes());
        out.extend_from_slice(&[0]);
    });
    out.freeze()
}

/// A message of this type.
pub fn message(tag: u8, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    put(&mut out, tag, |out| out.extend_from_slice(body));
    out.freeze()
}

/// The type bytes of messages.
pub fn tags(messages: &[Message]) -> String {
    messages.iter().map(|message| char::from(message.tag)).collect()
}

/// TLS for tokio-postgres.
#[derive(Clone)]
pub struct Connector(rustls_pki_types::CertificateDer<'static>);

pub struct Tls(TlsStream<TcpStreamOf>, Vec<u8>);
type TcpStreamOf = tokio_postgres::Socket;

impl MakeTlsConnect<TcpStreamOf> for Connector {
    type Stream = Tls;
    type TlsConnect = Self;
    type Error = std::io::Error;
    fn make_tls_connect(&mut self, _: &str) -> Result<Self, std::io::Error> {
        Ok(self.clone())
    }
}

impl TlsConnect<TcpStreamOf> for Connector {
    type Stream = Tls;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Tls>> + Send>>;
    fn connect(self, stream: TcpStreamOf) -> Self::Future {
        Box::pin(async move {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.clone()).unwrap();
            let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
            let tls = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
            Ok(Tls(tls, server_end_point(&self.0).unwrap()))
        })
    }
}

impl tokio_postgres::tls::TlsStream for Tls {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::tls_server_end_point(self.1.clone())
    }
}

impl AsyncRead for Tls {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Tls {
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
