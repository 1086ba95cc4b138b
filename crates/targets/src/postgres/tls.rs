//! How a client of a target checks that the server is who it should be.

use std::sync::{Arc, OnceLock};

use daypass_domain::{
    Digest,
    resource::{HostPort, TargetTls},
};
use daypass_ports::targets::TargetError;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

/// How to speak to a target.
#[derive(Debug, Clone)]
pub enum ClientTls {
    /// Without TLS: the target declares a loopback address.
    LoopbackPlaintext,
    /// With TLS.
    Tls {
        /// What is believed.
        config: Arc<ClientConfig>,
        /// Who the server must be.
        name: ServerName<'static>,
    },
}

/// What a declared `tls` means for one server of a target.
///
/// # Errors
/// [`TargetError::PlaintextRefused`] for an address that isn't loopback; [`TargetError::TlsRefused`] when the
/// authorities can't be read or the host can't be a server's name.
pub fn client_tls(tls: &TargetTls, address: &HostPort) -> Result<ClientTls, TargetError> {
    let bad = |why: String| TargetError::TlsRefused { address: address.to_string(), why };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?;
    let config = match tls {
        TargetTls::LoopbackPlaintext if address.is_loopback() => return Ok(ClientTls::LoopbackPlaintext),
        TargetTls::LoopbackPlaintext => {
            return Err(TargetError::PlaintextRefused { address: address.to_string() });
        }
        TargetTls::Verify { authorities } => {
            let roots = match authorities {
                Some(pem) => given(pem).map_err(bad)?,
                None => system().map_err(bad)?,
            };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        TargetTls::Pin { sha256 } => {
            let pinned = Arc::new(Pinned { sha256: *sha256, provider });
            builder.dangerous().with_custom_certificate_verifier(pinned).with_no_client_auth()
        }
    };
    let name = ServerName::try_from(address.host.clone()).map_err(|error| bad(error.to_string()))?;
    Ok(ClientTls::Tls { config: Arc::new(config), name })
}

fn given(pem: &str) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("the declared authorities aren't PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a declared authority isn't a certificate: {error}"))?;
    }
    if roots.is_empty() {
        return Err("the declared authorities hold no certificate".into());
    }
    Ok(Arc::new(roots))
}

/// The system's authorities, read once: reading them takes longer than a handshake.
fn system() -> Result<Arc<RootCertStore>, String> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err("this system has no certificate authorities; install `ca-certificates` or declare some".into());
    }
    Ok(roots.clone())
}

/// Believes exactly one certificate, whatever its names and dates. That the server holds its key is still checked: the
/// handshake's signature is verified as ever.
#[derive(Debug)]
struct Pinned {
    sha256: Digest,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Digest::of(end_entity);
        if seen == self.sha256 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::General(format!("its certificate's SHA-256 is {seen}, not the pinned {}", self.sha256)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_for_loopback_only() {
        let refused = client_tls(&TargetTls::LoopbackPlaintext, &"db.internal:5432".parse().unwrap());
        assert!(matches!(refused, Err(TargetError::PlaintextRefused { .. })));
        let fine = client_tls(&TargetTls::LoopbackPlaintext, &"[::1]:5432".parse().unwrap());
        assert!(matches!(fine, Ok(ClientTls::LoopbackPlaintext)));
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let tls = TargetTls::Verify { authorities: Some(pem.into()) };
            assert!(client_tls(&tls, &"db.internal:5432".parse().unwrap()).is_err(), "{pem:?}");
        }
    }
}
