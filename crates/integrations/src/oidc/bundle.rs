//! A SPIFFE trust domain's authorities: declared, or fetched from its bundle endpoint (profile `https_web`) and kept for as
//! long as it says. Whatever the endpoint answers is the truth: an authority that it withdrew is refused after that at the
//! latest, while it answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use daypass_domain::trust::{Bundle, Issuer, IssuerUrl, Keys};
use daypass_ports::identity::IdentityError;
use daypass_wire::spiffe::Bundle as Said;
use rustls::pki_types::CertificateDer;
use tokio::sync::Mutex;

use super::{Oidc, check::refused, fetch::unusable, keys::KeySet, remembered};

/// How often an endpoint is asked again, whatever it says of that.
const HINT_LEAST: Duration = Duration::from_secs(10);
const HINT_MOST: Duration = Duration::from_secs(3600);

/// What is known of one endpoint.
#[derive(Default)]
pub(super) struct KnownBundle {
    /// Held while one asks, so that a thousand workloads at once make one question.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    held: Option<(Instant, Arc<Authorities>)>,
    /// When it was last asked, whatever came of it.
    asked: Option<Instant>,
}

/// Who signs in a trust domain.
pub(super) struct Authorities {
    pub certificates: Vec<CertificateDer<'static>>,
    pub keys: KeySet,
    hint: Option<u64>,
}

impl Authorities {
    fn of(said: Said) -> Self {
        let certificates = said.x509.into_iter().map(CertificateDer::from).collect();
        Self { certificates, keys: KeySet::of(&said.jwt), hint: said.refresh_hint_s }
    }
}

impl Oidc {
    /// The authorities of a trust domain. Where those that are known don't do for what was shown, there may be new ones: it
    /// is asked anew, at most so often.
    pub(super) async fn authorities(
        &self,
        bundle: &Bundle,
        does: impl Fn(&Authorities) -> bool + Send + Sync,
    ) -> Result<Arc<Authorities>, IdentityError> {
        let (url, authorities) = match bundle {
            Bundle::Given(text) => {
                let said = Said::parse(text).map_err(|e| refused(format!("the bundle of its trust domain: {e}")))?;
                return Ok(Arc::new(Authorities::of(said)));
            }
            Bundle::Endpoint { url, authorities } => (url, authorities),
        };
        let place = place(url, authorities.as_ref());
        let known = self.known_bundle(&place);
        let mut inner = known.inner.lock().await;
        let asked = inner.asked.is_some_and(|at| at.elapsed() < self.ages.again);
        if let Some((at, held)) = &inner.held {
            let usual = fresh(held.hint, self.ages.fresh);
            // Just asked in vain, it isn't asked by everybody in turn: what is known stands, as while it is away.
            let good = if asked { usual + self.ages.stale } else { usual };
            if at.elapsed() < good && (asked || does(held)) {
                return Ok(Arc::clone(held));
            }
        }
        inner.asked = Some(Instant::now());
        match self.fetch_bundle(&place).await {
            Ok(authorities) => {
                inner.held = Some((Instant::now(), Arc::clone(&authorities)));
                Ok(authorities)
            }
            Err(error) => match &inner.held {
                Some((at, held))
                    if at.elapsed() < fresh(held.hint, self.ages.fresh) + self.ages.stale && does(held) =>
                {
                    tracing::warn!(endpoint = %place.url, %error, "a bundle can't be had; the authorities known are used");
                    Ok(Arc::clone(held))
                }
                Some(_) | None => Err(error),
            },
        }
    }

    async fn fetch_bundle(&self, place: &Issuer) -> Result<Arc<Authorities>, IdentityError> {
        let document = self.fetcher.get(place, &place.url).await?;
        let said = Said::read(&document).map_err(|e| unusable(place, format!("it is no SPIFFE bundle: {e}")))?;
        Ok(Arc::new(Authorities::of(said)))
    }

    fn known_bundle(&self, place: &Issuer) -> Arc<KnownBundle> {
        remembered(&self.bundles, format!("{}\n{:?}", place.url, place.authorities))
    }
}

/// The endpoint, as somebody who is asked: it signs no tokens by its own name.
fn place(url: &IssuerUrl, authorities: Option<&String>) -> Issuer {
    Issuer { url: url.clone(), algorithms: [].into(), keys: Keys::Discovered, authorities: authorities.cloned() }
}

/// How long a bundle is used without asking again.
fn fresh(hint: Option<u64>, otherwise: Duration) -> Duration {
    hint.map_or(otherwise, |seconds| Duration::from_secs(seconds).clamp(HINT_LEAST, HINT_MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_says_how_often_it_is_asked_within_reason() {
        let usual = Duration::from_secs(300);
        assert_eq!(fresh(None, usual), usual);
        assert_eq!(fresh(Some(600), usual), Duration::from_secs(600));
        assert_eq!(fresh(Some(0), usual), HINT_LEAST);
        assert_eq!(fresh(Some(u64::MAX), usual), HINT_MOST);
    }
}
