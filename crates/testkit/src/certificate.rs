//! A certificate for `localhost` that signs itself: whoever is told to believe it does, and nobody else.

use std::{fs, path::Path};

use rcgen::{CertificateParams, KeyPair};

/// Where it was written.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate: also what to believe.
    pub certificate: std::path::PathBuf,
    /// Its key.
    pub key: std::path::PathBuf,
}

impl Certificate {
    /// Makes one, in files of a folder.
    ///
    /// # Panics
    /// When it can't be made or written.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let made = Self { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        fs::write(&made.certificate, certificate.pem()).unwrap();
        fs::write(&made.key, key.serialize_pem()).unwrap();
        made
    }
}
