//! A certificate for a throwaway server: ECDSA P-256 under an authority of its own, so that verifying, pinning and
//! channel binding (RFC 5929 needs a hash in the signature, which Ed25519 doesn't name) can all be tried.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::ScratchError;

/// What a server shows, and what its clients believe.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    /// PEM of the authority.
    pub(crate) authority: String,
    /// PEM of the server's certificate.
    pub(crate) pem: String,
    /// The same in DER.
    pub(crate) der: Vec<u8>,
    /// PEM of the server's key.
    pub(crate) key: String,
}

impl Certificate {
    /// For `localhost` and the loopback addresses. The authority's key isn't kept.
    pub(crate) fn make() -> Result<Self, ScratchError> {
        Self::try_make().map_err(|error| ScratchError::Certificate(error.to_string()))
    }

    fn try_make() -> Result<Self, rcgen::Error> {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(DnType::CommonName, "a throwaway authority");
        let root_key = KeyPair::generate()?;
        let authority = root.self_signed(&root_key)?.pem();

        let mut leaf = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(str::to_owned))?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &Issuer::new(root, root_key))?;
        Ok(Self { authority, pem: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_pem() })
    }
}
