//! OpenID Connect, and SPIFFE: who somebody is, on another's word. One cache of keys for people, workloads and signals.
//!
//! | file | what |
//! | --- | --- |
//! | `fetch` | one bounded answer over HTTPS, without redirects |
//! | `discovery` | what an issuer says of itself (OpenID Connect Discovery 1.0) |
//! | `keys` | its keys, kept for a while, fetched again when they rotate |
//! | `check` | a token's signature, and then everything that it says (RFC 8725) |
//! | `flow` | authorization code, userinfo, device |
//! | `bundle` | a SPIFFE trust domain's authorities, kept for a while |
//! | `svid` | a SPIFFE workload's token or certificate, and everything that it says |
//! | `signals` | what a transmitter says of itself, and asking it for signals (SSF 1.0, RFC 8936) |
//!
//! An attacker who holds an issuer that is trusted can be whoever that trust lets it name, and nobody else. One who is on
//! the network learns nothing and changes nothing: TLS, no redirects, and every answer has a largest size and time.

mod bundle;
mod check;
mod discovery;
mod fetch;
mod flow;
mod keys;
mod signals;
mod svid;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use daypass_domain::{
    Time,
    trust::{Bundle, Claims, Issuer, IssuerUrl, SpiffeId, TrustDomain},
};
use daypass_ports::{
    identity::{Authorization, Client, Code, Device, Expected, Identity, IdentityError, Polled, X509Svid},
    secret::Secret,
    signals::Listener,
};
use daypass_wire::secevent::poll::{Answered, Asked};

use self::{bundle::KnownBundle, fetch::Fetcher, keys::Known};

/// How long what an issuer said is used.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// So long without asking again: a key that it withdrew is refused after this at the latest, while it answers.
    pub fresh: Duration,
    /// So long while it doesn't answer: those who are known stay known through an outage.
    pub stale: Duration,
    /// A key that isn't known makes us ask again, at most so often: whoever sends made-up names of keys makes us no client
    /// that hammers an issuer.
    pub again: Duration,
}

impl Default for Ages {
    fn default() -> Self {
        Self { fresh: Duration::from_secs(300), stale: Duration::from_secs(3600), again: Duration::from_secs(10) }
    }
}

/// How many issuers are remembered. Only those that an administrator declared are ever asked, so there are few.
const REMEMBERED: usize = 1_000;

/// Issuers and providers, over the network.
pub struct Oidc {
    fetcher: Fetcher,
    ages: Ages,
    known: Mutex<BTreeMap<String, Arc<Known>>>,
    bundles: Mutex<BTreeMap<String, Arc<KnownBundle>>>,
}

impl Oidc {
    /// With nothing known yet.
    #[must_use]
    pub fn new(ages: Ages) -> Self {
        Self { fetcher: Fetcher::default(), ages, known: Mutex::default(), bundles: Mutex::default() }
    }

    /// What is known of an issuer. Trust that was declared otherwise (other authorities, other keys) knows nothing yet.
    fn known(&self, issuer: &Issuer) -> Arc<Known> {
        remembered(&self.known, format!("{}\n{:?}\n{:?}", issuer.url, issuer.keys, issuer.authorities))
    }
}

/// What is known by this key.
fn remembered<T: Default>(all: &Mutex<BTreeMap<String, Arc<T>>>, key: String) -> Arc<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= REMEMBERED && !all.contains_key(&key) {
        all.clear();
    }
    Arc::clone(all.entry(key).or_default())
}

#[async_trait]
impl Identity for Oidc {
    async fn verify(&self, issuer: &Issuer, expected: &Expected<'_>, token: &str) -> Result<Claims, IdentityError> {
        check::verify(self, issuer, expected, token).await
    }

    async fn verify_jwt_svid(
        &self,
        domains: &BTreeMap<TrustDomain, Bundle>,
        expected: &Expected<'_>,
        token: &str,
    ) -> Result<SpiffeId, IdentityError> {
        svid::of_token(self, domains, expected, token).await
    }

    async fn verify_x509_svid(
        &self,
        domains: &BTreeMap<TrustDomain, Bundle>,
        now: Time,
        chain: &[Vec<u8>],
    ) -> Result<X509Svid, IdentityError> {
        svid::of_certificates(self, domains, now, chain).await
    }

    async fn authorize(&self, client: &Client<'_>, asked: &Authorization<'_>) -> Result<String, IdentityError> {
        flow::authorize(self, client, asked).await
    }

    async fn redeem(&self, client: &Client<'_>, code: &Code<'_>, now: Time) -> Result<Claims, IdentityError> {
        flow::redeem(self, client, code, now).await
    }

    async fn begin_device(&self, client: &Client<'_>) -> Result<Device, IdentityError> {
        flow::begin_device(self, client).await
    }

    async fn poll_device(&self, client: &Client<'_>, code: &Secret, now: Time) -> Result<Polled, IdentityError> {
        flow::poll_device(self, client, code, now).await
    }

    async fn poll_signals(&self, by: &Listener<'_>, at: &IssuerUrl, asked: &Asked) -> Result<Answered, IdentityError> {
        signals::poll(self, by, at, asked).await
    }

    async fn ask_to_verify(&self, by: &Listener<'_>, stream: &str, state: &str) -> Result<(), IdentityError> {
        signals::ask_to_verify(self, by, stream, state).await
    }
}
