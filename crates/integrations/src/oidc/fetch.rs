//! One answer over HTTPS: bounded in size and time, without redirects, from where it was asked and nowhere else.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use daypass_domain::trust::{Issuer, IssuerUrl};
use daypass_ports::identity::IdentityError;
use reqwest::{Client, RequestBuilder, StatusCode};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;

use crate::http::{Network, guard};

/// The longest answer that is read, in bytes: keys of a big provider have about 20 KiB.
const ANSWER_MAX: usize = 512 << 10;
/// How long an answer may take, all of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many different sets of authorities are kept ready.
const CLIENTS_MAX: usize = 100;

/// Fetches. One connection pool for each set of authorities.
#[derive(Default)]
pub(super) struct Fetcher {
    clients: Mutex<BTreeMap<(Option<String>, Via), Client>>,
}

/// How an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Via {
    /// Directly: it is on this machine.
    Loopback,
    /// By the proxy of the environment, if there is one: an administrator named the host, or the issuer is as private as it.
    Network,
    /// The same, to public addresses only: an issuer out there says where its things are, and doesn't get to say where in our
    /// own network we ask.
    Public,
}

/// An answer that is JSON.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Fetcher {
    /// Reads a document that must be there.
    pub(super) async fn get(&self, issuer: &Issuer, url: &IssuerUrl) -> Result<Value, IdentityError> {
        let answer = self.send(issuer, self.client(issuer, url).await?.get(url.as_str())).await?;
        if answer.status != StatusCode::OK {
            return Err(unusable(issuer, format!("{url} answers {}", answer.status)));
        }
        Ok(answer.body)
    }

    /// Reads with a bearer token.
    pub(super) async fn get_as(&self, issuer: &Issuer, url: &IssuerUrl, bearer: &str) -> Result<Value, IdentityError> {
        let answer = self.send(issuer, self.client(issuer, url).await?.get(url.as_str()).bearer_auth(bearer)).await?;
        if answer.status != StatusCode::OK {
            return Err(unusable(issuer, format!("{url} answers {}", answer.status)));
        }
        Ok(answer.body)
    }

    /// Sends a form. Any answer will do that is JSON: a no is one too.
    pub(super) async fn post(
        &self,
        issuer: &Issuer,
        url: &IssuerUrl,
        form: String,
        basic: Option<(String, String)>,
    ) -> Result<Answer, IdentityError> {
        let mut request = self.client(issuer, url).await?.post(url.as_str()).body(form);
        request =
            request.header("content-type", "application/x-www-form-urlencoded").header("accept", "application/json");
        if let Some((user, password)) = basic {
            request = request.basic_auth(user, Some(password));
        }
        self.send(issuer, request).await
    }

    /// Sends JSON, by a bearer token where we have one. What is answered is for the caller to read.
    pub(super) async fn post_json(
        &self,
        issuer: &Issuer,
        url: &IssuerUrl,
        body: &Value,
        bearer: Option<&str>,
    ) -> Result<(StatusCode, Vec<u8>), IdentityError> {
        let mut request = self.client(issuer, url).await?.post(url.as_str()).body(body.to_string());
        request = request.header("content-type", "application/json").header("accept", "application/json");
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        self.read(issuer, request).await
    }

    async fn send(&self, issuer: &Issuer, request: RequestBuilder) -> Result<Answer, IdentityError> {
        let (status, bytes) = self.read(issuer, request).await?;
        match daypass_wire::jwt::strict(&bytes) {
            Some(body) => Ok(Answer { status, body }),
            None => Err(unusable(issuer, format!("{status} and no JSON that says everything once"))),
        }
    }

    async fn read(&self, issuer: &Issuer, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), IdentityError> {
        let unreachable = |why: String| IdentityError::Unreachable { issuer: issuer.url.clone(), why };
        let asked = async {
            let mut response = request.send().await.map_err(|e| unreachable(innermost(&e)))?;
            let status = response.status();
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(innermost(&e)))? {
                if bytes.len() + chunk.len() > ANSWER_MAX {
                    return Err(unusable(issuer, format!("an answer of more than {ANSWER_MAX} bytes")));
                }
                bytes.extend_from_slice(&chunk);
            }
            // A gateway in front of it that answers with a page is an outage, not a word of the provider's.
            if status.is_server_error() {
                return Err(unreachable(format!("it answers {status}")));
            }
            if status.is_redirection() {
                return Err(unusable(issuer, "a redirect, and none is followed".to_owned()));
            }
            Ok((status, bytes))
        };
        let late = || unreachable(format!("no answer within {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| late())?
    }

    async fn client(&self, issuer: &Issuer, url: &IssuerUrl) -> Result<Client, IdentityError> {
        let via = via(issuer, url).await.ok_or_else(|| {
            unusable(issuer, "it is at a public address, and says that something of it is at a private one".to_owned())
        })?;
        let key = (issuer.authorities.clone(), via);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(issuer.authorities.as_deref(), via).map_err(|why| unusable(issuer, why))?;
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// How an address of an issuer is reached; nothing where it may not send us there.
async fn via(issuer: &Issuer, url: &IssuerUrl) -> Option<Via> {
    let ours = url.host() == issuer.url.host() || is_private(&issuer.url).await;
    let literal: Option<IpAddr> = url.host().parse().ok();
    match (ours, literal) {
        (true, _) if url.is_loopback() => Some(Via::Loopback),
        (true, _) => Some(Via::Network),
        (false, Some(ip)) if !guard::allowed(Network::Public, ip) => None,
        // A name is looked at when it is connected to, so that it can't mean another address then.
        (false, _) => Some(Via::Public),
    }
}

/// Whether an issuer is at private addresses only, like a cluster's own. One that can't be found out there (behind a proxy)
/// isn't.
async fn is_private(issuer: &IssuerUrl) -> bool {
    match tokio::net::lookup_host((issuer.host(), 443)).await {
        Ok(found) => {
            let found: Vec<_> = found.collect();
            !found.is_empty() && found.iter().all(|at| !guard::allowed(Network::Public, at.ip()))
        }
        Err(_) => false,
    }
}

fn build(authorities: Option<&str>, via: Via) -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|e| format!("its authorities can't be read: {e}"))?;
                roots.add(certificate).map_err(|e| format!("its authorities can't be used: {e}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("daypass/", env!("CARGO_PKG_VERSION")));
    let builder = match via {
        Via::Loopback => builder.no_proxy(),
        Via::Network => builder,
        Via::Public => builder.dns_resolver(Arc::new(guard::Resolver(Network::Public))),
    };
    builder.build().map_err(|e| e.to_string())
}

pub(super) fn unusable(issuer: &Issuer, why: String) -> IdentityError {
    IdentityError::Unusable { issuer: issuer.url.clone(), why }
}

/// reqwest's own words end before what matters.
fn innermost(error: &reqwest::Error) -> String {
    let mut why: &dyn std::error::Error = error;
    while let Some(source) = why.source() {
        why = source;
    }
    why.to_string().chars().take(200).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use daypass_domain::trust::{Algorithm, Keys};

    use super::*;

    fn issuer(url: &str) -> Issuer {
        let algorithms = [Algorithm::Rs256].into();
        Issuer { url: url.parse().unwrap(), algorithms, keys: Keys::Discovered, authorities: None }
    }

    #[tokio::test]
    async fn an_issuer_out_there_sends_us_nowhere_within() {
        let there = issuer("https://1.1.1.1/realm");
        let to = async |url: &str| via(&there, &url.parse().unwrap()).await;
        for within in
            ["https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::1]:6443/", "https://127.0.0.1/"]
        {
            assert_eq!(to(within).await, None, "{within}");
        }
        assert_eq!(to("https://1.1.1.1/keys").await, Some(Via::Network), "its own host");
        assert_eq!(to("https://8.8.8.8/keys").await, Some(Via::Public));
        // A name is refused when it turns out to be within.
        assert_eq!(to("https://localhost/keys").await, Some(Via::Public));
        let fetcher = Fetcher::default();
        let error = fetcher.get(&there, &"https://localhost:1/keys".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("private addresses only"), "{error}");
    }

    #[tokio::test]
    async fn an_issuer_of_our_own_network_may_send_us_about_in_it() {
        let cluster = issuer("https://10.96.0.1");
        let to = async |url: &str| via(&cluster, &url.parse().unwrap()).await;
        assert_eq!(to("https://10.0.0.7:6443/openid/v1/jwks").await, Some(Via::Network));
        assert_eq!(to("https://keys.example/").await, Some(Via::Network));
        let here = issuer("http://127.0.0.1:8080");
        assert_eq!(via(&here, &"http://127.0.0.1:8080/keys".parse().unwrap()).await, Some(Via::Loopback));
    }
}
