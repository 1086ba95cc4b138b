//! What shows who a SPIFFE workload is: a token (JWT-SVID) or a certificate (X.509-SVID). Its trust domain's authorities
//! sign it, and nobody else's.

use std::{collections::BTreeMap, sync::Arc};

use daypass_domain::{
    Time,
    trust::{Algorithm, Bundle, Claims, SpiffeId, TrustDomain},
};
use daypass_ports::identity::{Expected, IdentityError, TokenKind, X509Svid};
use daypass_wire::jwt::Unverified;
use rustls::{
    CertificateError, RootCertStore,
    pki_types::{CertificateDer, UnixTime},
    server::WebPkiClientVerifier,
};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{
    Oidc,
    bundle::Authorities,
    check::{addressed, in_time, of_kind, refused, signed_by, typed},
};

/// What JWT-SVIDs are signed by (JWT-SVID, 2.1), of what we can check.
const SIGNED_BY: [Algorithm; 8] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
];
/// How many certificates a chain has at most, and how long one is at most, in bytes.
const CHAIN_MAX: usize = 8;
const CERTIFICATE_MAX: usize = 16 << 10;

/// Whom a token names, once all of it is checked.
pub(super) async fn of_token(
    oidc: &Oidc,
    domains: &BTreeMap<TrustDomain, Bundle>,
    expected: &Expected<'_>,
    token: &str,
) -> Result<SpiffeId, IdentityError> {
    let read = Unverified::parse(token).map_err(|e| refused(e.to_string()))?;
    // Before anything is fetched: whoever sends what can't be good causes no traffic.
    let algorithm = Algorithm::named(&read.header.alg).filter(|algorithm| SIGNED_BY.contains(algorithm));
    let algorithm = algorithm.ok_or_else(|| refused("it isn't signed by what JWT-SVIDs are signed by"))?;
    typed(&read.header, TokenKind::JwtSvid)?;
    let claims = Claims::new(read.claims.clone());
    let id: SpiffeId = claims
        .text("sub")
        .unwrap_or_default()
        .parse()
        .map_err(|e| refused(format!("its subject is no SPIFFE ID: {e}")))?;
    let bundle = of_domain(domains, &id)?;
    in_time(&claims, expected)?;
    addressed(&claims, expected)?;
    of_kind(&claims, TokenKind::JwtSvid)?;
    let kid = read.header.kid.as_deref();
    let has_key = |authorities: &Authorities| !authorities.keys.fitting(algorithm, kid).is_empty();
    let authorities = oidc.authorities(bundle, has_key).await?;
    signed_by(&read, algorithm, &authorities.keys.fitting(algorithm, kid))?;
    Ok(id)
}

/// Whom a chain of certificates names, the workload's own first, once all of it is checked.
pub(super) async fn of_certificates(
    oidc: &Oidc,
    domains: &BTreeMap<TrustDomain, Bundle>,
    now: Time,
    chain: &[Vec<u8>],
) -> Result<X509Svid, IdentityError> {
    let (leaf, rest) = chain.split_first().ok_or_else(|| refused("there is no certificate"))?;
    if chain.len() > CHAIN_MAX || chain.iter().any(|one| one.len() > CERTIFICATE_MAX) {
        return Err(refused(format!("its chain has more than {CHAIN_MAX} certificates, or one is too long")));
    }
    let svid = read(leaf)?;
    let bundle = of_domain(domains, &svid.id)?;
    let leaf = CertificateDer::from(leaf.as_slice());
    let rest: Vec<CertificateDer<'_>> = rest.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
    let at = u64::try_from(now.micros() / 1_000_000).unwrap_or(0);
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at));
    let judged = |authorities: &Authorities| chained(&authorities.certificates, &leaf, &rest, at);
    let authorities = oidc.authorities(bundle, |held| !matches!(judged(held), Err(Broken::Unknown))).await?;
    judged(&authorities).map_err(|broken| refused(broken.words()))?;
    Ok(svid)
}

fn of_domain<'a>(domains: &'a BTreeMap<TrustDomain, Bundle>, id: &SpiffeId) -> Result<&'a Bundle, IdentityError> {
    domains.get(id.domain()).ok_or_else(|| refused(format!("nobody declared the trust domain {}", id.domain())))
}

/// What a workload's own certificate says (X.509-SVID, 5.2), before anybody knows who signed it.
fn read(der: &[u8]) -> Result<X509Svid, IdentityError> {
    let bad = || refused("its certificate can't be read");
    let (after, certificate) = X509Certificate::from_der(der).map_err(|_| bad())?;
    if !after.is_empty() {
        return Err(bad());
    }
    let names = certificate.subject_alternative_name().map_err(|_| bad())?;
    let names: Vec<&GeneralName<'_>> = names.iter().flat_map(|names| &names.value.general_names).collect();
    // One that can't be read may be a second URI to somebody else.
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(bad());
    }
    let uri = |name: &&GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        // Other names are allowed beside it, and mean nothing here. Another crate's enum, which grows.
        _ => None,
    };
    let uris: Vec<String> = names.iter().filter_map(uri).collect();
    let [uri] = uris.as_slice() else {
        return Err(refused(format!("its certificate names {} URIs, and an X.509-SVID names one", uris.len())));
    };
    let id: SpiffeId = uri.parse().map_err(|e| refused(format!("its certificate names no SPIFFE ID: {e}")))?;
    let basic = certificate.basic_constraints().map_err(|_| bad())?;
    let usage = certificate.key_usage().map_err(|_| bad())?;
    let usage =
        usage.map(|usage| *usage.value).ok_or_else(|| refused("its certificate doesn't say what its key is for"))?;
    let signs_others = basic.is_some_and(|basic| basic.value.ca) || usage.key_cert_sign() || usage.crl_sign();
    if signs_others {
        return Err(refused("its certificate is an authority's, and authorities are no workloads"));
    }
    if !usage.digital_signature() {
        return Err(refused("its certificate's key isn't for signatures"));
    }
    let ends = certificate.validity().not_after.timestamp().saturating_mul(1_000_000);
    Ok(X509Svid { id, ends: Time::from_micros(ends) })
}

/// Why a chain doesn't hold.
enum Broken {
    /// No authority that is known signed it; a new one may have.
    Unknown,
    Otherwise(String),
}

impl Broken {
    fn words(self) -> String {
        match self {
            Self::Unknown => "no authority of its trust domain signed it".to_owned(),
            Self::Otherwise(why) => why,
        }
    }
}

/// Whether the chain ends at one of these authorities, at this time, and is for showing who a client is.
fn chained(
    authorities: &[CertificateDer<'static>],
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    at: UnixTime,
) -> Result<(), Broken> {
    let mut roots = RootCertStore::empty();
    // One that can't be used signs nothing.
    let (usable, _) = roots.add_parsable_certificates(authorities.iter().cloned());
    if usable == 0 {
        return Err(Broken::Unknown);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| Broken::Otherwise(e.to_string()))?;
    match verifier.verify_client_cert(leaf, rest, at) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InvalidCertificate(why)) => Err(broken(&why)),
        Err(other) => Err(Broken::Otherwise(format!("its chain doesn't hold: {other}"))),
    }
}

fn broken(why: &CertificateError) -> Broken {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Broken::Unknown,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Broken::Otherwise("its certificate, or one of its chain, has expired: get a new one".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Broken::Otherwise("its certificate isn't good yet: look at the clocks of both".to_owned())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Broken::Otherwise("its certificate isn't for showing who a client is (extended key usage)".to_owned())
        }
        // Another crate's enum, which grows.
        other => Broken::Otherwise(format!("its chain doesn't hold: {other}")),
    }
}
