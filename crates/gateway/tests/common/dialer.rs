//! Dialling as the real one does, in few lines.

use std::sync::Arc;

use async_trait::async_trait;
use daypass_domain::resource::{PostgresTarget, TargetTls};
use daypass_ports::dial::{DialError, DialSecurity, Dialed, Dialer};
use daypass_wire::scram::server_end_point;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub struct TestDialer;

#[async_trait]
impl Dialer for TestDialer {
    async fn dial(&self, target: &PostgresTarget) -> Result<Dialed, DialError> {
        let address = target.address.to_string();
        let unreachable =
            |error: std::io::Error| DialError::Unreachable { address: address.clone(), why: error.to_string() };
        let mut tcp =
            TcpStream::connect((target.address.host.as_str(), target.address.port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let TargetTls::Verify { authorities: Some(pem) } = &target.tls else {
            return Ok(Dialed { stream: Box::new(tcp), security: DialSecurity::LoopbackPlaintext });
        };
        tcp.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.map_err(unreachable)?;
        assert_eq!(tcp.read_u8().await.map_err(unreachable)?, b'S');
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let name = ServerName::try_from(target.address.host.clone()).unwrap();
        let tls = tls(roots, name, tcp, None).await.map_err(unreachable)?;
        let certificate = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first()).cloned();
        let server_end_point = certificate.and_then(|certificate| server_end_point(&certificate).ok());
        Ok(Dialed { stream: Box::new(tls), security: DialSecurity::Tls { server_end_point } })
    }
}

/// TLS under those roots.
pub async fn tls(
    roots: RootCertStore,
    name: ServerName<'static>,
    tcp: TcpStream,
    alpn: Option<&[u8]>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.map(<[u8]>::to_vec).into_iter().collect();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}
