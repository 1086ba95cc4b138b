//! The API without a command line: as a monitor, or somebody with a program of their own, sees it.

use std::{fs, sync::Arc};

use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::world::World;

/// TLS as a client does it that believes this authority and nobody else.
pub fn tls(authority: &[u8]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    tls.with_root_certificates(roots).with_no_client_auth()
}

pub fn client(authority: &[u8]) -> reqwest::Client {
    reqwest::Client::builder().tls_backend_preconfigured(tls(authority)).no_proxy().build().unwrap()
}

/// What the server answers to a GET: its status and its body.
pub fn get(world: &World, path: &str) -> (u16, String) {
    let authority = fs::read(world.authority()).unwrap();
    let url = format!("{}{path}", world.url());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let answer = client(&authority).get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}
