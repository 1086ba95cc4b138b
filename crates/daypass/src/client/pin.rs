//! Believing a server for the first time: by the digest of its authority in the set-up token, and by nothing else.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use sha2::{Digest, Sha256};

use crate::failure::{Exit, Failure};

/// TLS that believes what the authority signed, and nothing else.
pub fn under_authority(pem: &str) -> Result<ClientConfig, Failure> {
    Ok(builder()?.with_root_certificates(roots(pem)?).with_no_client_auth())
}

/// The same, showing who this is by a certificate where it is asked for.
pub fn under_authority_showing(pem: &str, svid: Svid) -> Result<ClientConfig, Failure> {
    let config = builder()?.with_root_certificates(roots(pem)?).with_client_auth_cert(svid.chain, svid.key);
    config.map_err(|e| Failure::setting(format!("the X.509-SVID's certificate and key don't fit: {e}")))
}

/// A certificate that says who a workload is, with its key.
pub struct Svid {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Svid {
    /// Of files, PEM: the certificate with its chain, and the key.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, Failure> {
        let bad = |path: &Path, why: &dyn std::fmt::Display| {
            Failure::new(
                Exit::Usage,
                format!("{}: {why}", path.display()),
                "SPIFFE's agent writes both files, PEM: `svid.pem` and `svid_key.pem` of spiffe-helper",
            )
        };
        let chain = CertificateDer::pem_file_iter(certificates).map_err(|e| bad(certificates, &e))?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|e| bad(certificates, &e))?;
        if chain.is_empty() {
            return Err(bad(certificates, &"there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, &e))?;
        Ok(Self { chain, key })
    }
}

fn roots(pem: &str) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| Failure::setting(format!("the authority's certificate: {e}")))?;
        roots.add(certificate).map_err(|e| Failure::setting(format!("the authority's certificate: {e}")))?;
    }
    Ok(roots)
}

/// TLS that believes a server whose chain has the authority with this digest in it, and whose own certificate that
/// authority signed for this name.
pub fn under_pin(pin: [u8; 32]) -> Result<(ClientConfig, Arc<Pinned>), Failure> {
    let verifier = Arc::new(Pinned { pin, provider: provider(), authority: Mutex::new(None) });
    let config =
        builder()?.dangerous().with_custom_certificate_verifier(Arc::clone(&verifier) as _).with_no_client_auth();
    Ok((config, verifier))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Failure> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(Failure::setting)
}

/// Looks for the pinned authority in what a server shows.
#[derive(Debug)]
pub struct Pinned {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
    authority: Mutex<Option<CertificateDer<'static>>>,
}

impl Pinned {
    /// The authority's certificate, PEM, once a server showed it.
    pub fn authority_pem(&self) -> Result<String, Failure> {
        let found = self.authority.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let der = found.ok_or_else(|| {
            Failure::new(Exit::Evidence, "the server didn't show its authority", "check the address and the token")
        })?;
        let body = data_encoding::BASE64.encode(&der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap_or_default()).collect();
        Ok(format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")))
    }

    fn verifier(&self, authority: &CertificateDer<'static>) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|e| rustls::Error::General(e.to_string()))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let pinned = intermediates.iter().find(|c| Sha256::digest(c).as_slice() == self.pin);
        let authority = pinned.ok_or_else(|| {
            rustls::Error::General("this isn't the server that the token was made by (its authority differs)".into())
        })?;
        let authority = authority.clone().into_owned();
        let verified =
            self.verifier(&authority)?.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)?;
        *self.authority.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(authority);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
