//! An issuer's keys: kept for a while, fetched again when a token names one that isn't known, never too often.

use std::{sync::Arc, time::Instant};

use daypass_domain::trust::{Algorithm, Issuer, Keys};
use daypass_ports::identity::IdentityError;
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    Oidc,
    discovery::{Discovered, discover},
    fetch::unusable,
    signals,
};

/// How many keys an issuer has at most.
const KEYS_MAX: usize = 100;

/// What is known of one issuer.
#[derive(Default)]
pub(super) struct Known {
    /// Held while one asks, so that a thousand tokens at once make one question.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    discovered: Option<(Instant, Discovered)>,
    keys: Option<(Instant, Arc<KeySet>)>,
    /// When keys were last asked for, whatever came of it.
    asked: Option<Instant>,
}

/// The keys of an issuer that can check a signature.
pub(super) struct KeySet(Vec<Key>);

/// A public key, and what it is good for.
pub(super) struct Key {
    kid: Option<String>,
    fits: Vec<Algorithm>,
    key: DecodingKey,
}

/// Who names a key that isn't known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// The issuer itself, whose answer we have asked for: the key is new.
    Issuer,
    /// Whoever sends us a token: names may be made up, so the issuer is asked seldom.
    Anybody,
}

impl Oidc {
    /// Where everything of an issuer is.
    pub(super) async fn discovered(&self, issuer: &Issuer) -> Result<Discovered, IdentityError> {
        let known = self.known(issuer);
        let mut inner = known.inner.lock().await;
        self.discovered_in(&mut inner, issuer).await
    }

    /// The same, asked anew: whoever is about to be sent there shouldn't be sent into the void.
    pub(super) async fn discovered_now(&self, issuer: &Issuer) -> Result<Discovered, IdentityError> {
        let discovered = discover(&self.fetcher, issuer).await?;
        self.known(issuer).inner.lock().await.discovered = Some((Instant::now(), discovered.clone()));
        Ok(discovered)
    }

    async fn discovered_in(&self, inner: &mut Inner, issuer: &Issuer) -> Result<Discovered, IdentityError> {
        if let Some((at, discovered)) = &inner.discovered
            && at.elapsed() < self.ages.fresh
        {
            return Ok(discovered.clone());
        }
        match discover(&self.fetcher, issuer).await {
            Ok(discovered) => {
                inner.discovered = Some((Instant::now(), discovered.clone()));
                Ok(discovered)
            }
            Err(error) => match &inner.discovered {
                Some((at, old)) if at.elapsed() < self.ages.stale => Ok(old.clone()),
                Some(_) | None => Err(error),
            },
        }
    }

    /// The keys of an issuer that could have made a signature by this algorithm, under this name when one is named.
    pub(super) async fn keys_for(
        &self,
        issuer: &Issuer,
        algorithm: Algorithm,
        kid: Option<&str>,
        by: NamedBy,
    ) -> Result<Vec<DecodingKey>, IdentityError> {
        if let Keys::Given(text) = &issuer.keys {
            let set = KeySet::read(&serde_json::from_str(text).unwrap_or_default());
            let set =
                set.ok_or_else(|| unusable(issuer, "the keys that are declared for it are no JWK set".to_owned()))?;
            return Ok(set.fitting(algorithm, kid));
        }
        let known = self.known(issuer);
        let mut inner = known.inner.lock().await;
        // A key that isn't known may be new: ask, unless that was just done for nobody in particular.
        let asked = match by {
            NamedBy::Issuer => false,
            NamedBy::Anybody => inner.asked.is_some_and(|at| at.elapsed() < self.ages.again),
        };
        // Just asked in vain, it isn't asked by everybody in turn: what is known stands, as while it is away.
        let good = if asked { self.ages.fresh.max(self.ages.stale) } else { self.ages.fresh };
        if let Some((at, set)) = &inner.keys
            && at.elapsed() < good
        {
            let fitting = set.fitting(algorithm, kid);
            if !fitting.is_empty() || asked {
                return Ok(fitting);
            }
        }
        inner.asked = Some(Instant::now());
        match self.fetch_keys(&mut inner, issuer).await {
            Ok(set) => {
                inner.keys = Some((Instant::now(), Arc::clone(&set)));
                Ok(set.fitting(algorithm, kid))
            }
            Err(error) => match &inner.keys {
                Some((at, set)) if at.elapsed() < self.ages.stale && !set.fitting(algorithm, kid).is_empty() => {
                    tracing::warn!(issuer = %issuer.url, %error, "an issuer's keys can't be had; those known are used");
                    Ok(set.fitting(algorithm, kid))
                }
                Some(_) | None => Err(error),
            },
        }
    }

    async fn fetch_keys(&self, inner: &mut Inner, issuer: &Issuer) -> Result<Arc<KeySet>, IdentityError> {
        let place = match &issuer.keys {
            Keys::Discovered | Keys::Given(_) => self.discovered_in(inner, issuer).await?.jwks,
            Keys::OfTransmitter => signals::discover(&self.fetcher, issuer).await?.jwks,
            Keys::At(place) => place.clone(),
        };
        let document = self.fetcher.get(issuer, &place).await?;
        let set = KeySet::read(&document);
        set.map(Arc::new).ok_or_else(|| unusable(issuer, "its keys are no JWK set of at most 100".to_owned()))
    }
}

impl KeySet {
    /// The keys of a set (RFC 7517, 5). One that we can't use is skipped, as the text says; a secret is never used.
    pub(super) fn read(document: &Value) -> Option<Self> {
        let listed = document.get("keys")?.as_array()?;
        (listed.len() <= KEYS_MAX).then(|| Self::of(listed))
    }

    /// Those of a list that we can use.
    pub(super) fn of(listed: &[Value]) -> Self {
        Self(listed.iter().filter_map(Key::read).collect())
    }

    pub(super) fn fitting(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<DecodingKey> {
        let named = |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        self.0.iter().filter(|k| k.fits.contains(&algorithm)).filter(named).map(|k| k.key.clone()).collect()
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let by_kind: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &Algorithm::ALL[..6],
            AlgorithmParameters::EllipticCurve(params) => match params.curve {
                EllipticCurve::P256 => &[Algorithm::Es256],
                EllipticCurve::P384 => &[Algorithm::Es384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(params) => match params.curve {
                EllipticCurve::Ed25519 => &[Algorithm::EdDsa],
                _ => return None,
            },
            // A shared secret: whoever can check by it can make tokens.
            AlgorithmParameters::OctetKey(_) => return None,
            // Another crate's enum, which grows.
            _ => return None,
        };
        let signs = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(_) => false,
        };
        let may_verify = jwk.common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
        // What the key says of itself binds it to one algorithm.
        let declared = value.get("alg").and_then(Value::as_str);
        let fits: Vec<Algorithm> =
            by_kind.iter().copied().filter(|a| declared.is_none_or(|said| said == a.as_str())).collect();
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (signs && may_verify && !fits.is_empty()).then(|| Self { kid: jwk.common.key_id, fits, key })
    }
}
