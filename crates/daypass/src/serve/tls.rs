//! TLS, always: an authority of our own, made at the first start, and a certificate under it made at each start.

use std::{io, net::IpAddr, path::Path, sync::Arc};

use daypass_seal::MasterKey;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::Zeroizing;

use super::folders::private_file;

/// What the server shows who it is by.
pub struct Identity {
    /// The authority's certificate, PEM: what clients keep.
    pub authority_pem: String,
    /// The authority's certificate, DER: what a set-up token pins.
    pub authority: CertificateDer<'static>,
    /// The certificate that the server shows.
    pub certificate: CertificateDer<'static>,
    /// For listeners.
    pub config: Arc<ServerConfig>,
    /// For the listener that asks workloads for their certificates.
    pub workloads: Arc<ServerConfig>,
}

/// Why there is no TLS, so nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read or written.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        why: io::Error,
    },
    /// The authority's key can't be opened.
    #[error(
        "the authority's key in {path} can't be opened: {why}. It was sealed under another sealing key, or damaged"
    )]
    Sealed {
        /// Which.
        path: String,
        /// Why.
        why: daypass_seal::OpenError,
    },
    /// A certificate can't be made.
    #[error("a certificate can't be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// The authority's certificate can't be read.
    #[error("the authority's certificate can't be read: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
}

/// The server's identity; its authority is made at the first start.
pub fn identity(data: &Path, keys: &MasterKey, nonce: [u8; 12], names: &[String]) -> Result<Identity, TlsError> {
    let authority = authority(data, keys, nonce)?;
    let authority_pem = authority.pem;
    // The same parameters as the authority's own certificate has: what its issuing needs of them is name and key.
    let issuer = Issuer::new(authority_params(), authority.key);
    // ECDSA P-256: libpq can't channel-bind to Ed25519.
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut subjects = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    subjects.extend(names.iter().cloned());
    let mut params = CertificateParams::new(subjects)?;
    params.distinguished_name = named("Daypass");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    validity(&mut params, 90);
    let certificate = params.signed_by(&key, &issuer)?;
    let certificate = certificate.der().clone();
    let authority = CertificateDer::from_pem_slice(authority_pem.as_bytes())?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // The authority goes along: a client with a set-up token finds in it what the token pins.
    let chain = vec![certificate.clone(), authority.clone()];
    let workloads =
        daypass_control::possession::for_workloads(Arc::clone(&provider), chain.clone(), private.clone_key())?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    let (config, workloads) = (Arc::new(config), Arc::new(workloads));
    Ok(Identity { authority_pem, authority, certificate, config, workloads })
}

struct Authority {
    pem: String,
    key: KeyPair,
}

fn authority(data: &Path, keys: &MasterKey, nonce: [u8; 12]) -> Result<Authority, TlsError> {
    let (pem_path, key_path) = (data.join("authority.pem"), data.join("authority.key.sealed"));
    let file = |path: &Path, why| TlsError::File { path: path.display().to_string(), why };
    let sealing = keys.sealing_key("authority key", b"");
    match (std::fs::read_to_string(&pem_path), std::fs::read(&key_path)) {
        (Ok(pem), Ok(sealed)) => {
            let opened = sealing
                .open(b"authority key", &sealed)
                .map_err(|why| TlsError::Sealed { path: key_path.display().to_string(), why })?;
            let key = KeyPair::try_from(opened.as_slice())?;
            Ok(Authority { pem, key })
        }
        (Err(a), _) | (_, Err(a)) if a.kind() != io::ErrorKind::NotFound => Err(file(&pem_path, a)),
        _ => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            let der = Zeroizing::new(key.serialize_der());
            let mut params = authority_params();
            validity(&mut params, 3650);
            let issued = CertifiedIssuer::self_signed(params, &key)?;
            let pem = issued.pem();
            drop(issued);
            let sealed = sealing.seal(nonce, b"authority key", &der);
            private_file(&key_path, &sealed).map_err(|why| file(&key_path, why))?;
            private_file(&pem_path, pem.as_bytes()).map_err(|why| file(&pem_path, why))?;
            Ok(Authority { pem, key })
        }
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name = named("Daypass authority");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From yesterday, so that a client whose clock is a little behind believes it.
fn validity(params: &mut CertificateParams, days: i64) {
    let now = rcgen::date_time_ymd(1970, 1, 1)
        + std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let day = std::time::Duration::from_secs(86_400);
    params.not_before = now - day;
    params.not_after = now + day * u32::try_from(days).unwrap_or(1);
}

/// Whether a text can stand in a certificate as a subject: a DNS name or an address.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'*')))
}
