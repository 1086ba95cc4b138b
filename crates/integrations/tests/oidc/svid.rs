//! SPIFFE workloads: certificates and tokens of a real trust domain, and everything that isn't one.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use daypass_domain::{
    Time,
    trust::{Bundle, SpiffeId, TrustDomain},
};
use daypass_integrations::oidc::{Ages, Oidc};
use daypass_ports::identity::{Expected, Identity as _, IdentityError, TokenKind, X509Svid};
use daypass_testkit::spiffe::{By, Domain, Leaf};
use jsonwebtoken::{Algorithm as Alg, EncodingKey};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, EAGER, NOW, World, http, sign};

const PATH: &str = "/ns/shop/sa/nightly";

type Domains = BTreeMap<TrustDomain, Bundle>;

fn given(all: &[(&str, &Domain)]) -> Domains {
    all.iter().map(|(name, domain)| (name.parse().unwrap(), Bundle::Given(domain.bundle().to_string()))).collect()
}

fn prod() -> (Domain, Domains) {
    let domain = Domain::new("prod.example.org", NOW);
    let domains = given(&[("prod.example.org", &domain)]);
    (domain, domains)
}

async fn certificate(oidc: &Oidc, domains: &Domains, chain: &[Vec<u8>]) -> Result<X509Svid, IdentityError> {
    oidc.verify_x509_svid(domains, Time::from_micros(NOW * 1_000_000), chain).await
}

async fn token(oidc: &Oidc, domains: &Domains, token: &str) -> Result<SpiffeId, IdentityError> {
    let now = Time::from_micros(NOW * 1_000_000);
    let expected = Expected { kind: TokenKind::JwtSvid, audience: AUDIENCE, now };
    oidc.verify_jwt_svid(domains, &expected, token).await
}

fn refusal<T: std::fmt::Debug>(said: Result<T, IdentityError>) -> String {
    match said {
        Err(IdentityError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn eager() -> Oidc {
    Oidc::new(EAGER)
}

#[tokio::test]
async fn a_certificate_of_its_domain_says_who_and_until_when() {
    let (domain, domains) = prod();
    let svid = certificate(&eager(), &domains, &domain.svid(PATH).chain).await.unwrap();
    assert_eq!(svid.id.to_string(), domain.id(PATH));
    assert_eq!(svid.ends, Time::from_micros((NOW + 3_600) * 1_000_000));
    // Through one below the authority, which goes along; without it, nobody knows who signed.
    let through = domain.sign(Leaf { by: By::Below, ..domain.leaf(PATH) });
    certificate(&eager(), &domains, &through.chain).await.unwrap();
    assert!(refusal(certificate(&eager(), &domains, &through.chain[..1]).await).contains("no authority"));
    // Whether it says what it is for is its own business, as long as it says nothing else.
    let silent = domain.sign(Leaf { extended: Vec::new(), ..domain.leaf(PATH) });
    certificate(&eager(), &domains, &silent.chain).await.unwrap();
    let explicit = domain.sign(Leaf { is: IsCa::ExplicitNoCa, ..domain.leaf(PATH) });
    certificate(&eager(), &domains, &explicit.chain).await.unwrap();
}

#[tokio::test]
async fn what_is_no_certificate_of_a_workload_is_refused_and_said() {
    let (domain, domains) = prod();
    let leaf = || domain.leaf(PATH);
    let two = vec![domain.id(PATH), domain.id("/another")];
    let cases = [
        (Leaf { uris: two, ..leaf() }, "names 2 URIs"),
        (Leaf { uris: Vec::new(), ..leaf() }, "names 0 URIs"),
        (Leaf { uris: vec!["https://prod.example.org/a".into()], ..leaf() }, "no SPIFFE ID"),
        (Leaf { uris: vec!["spiffe://prod.example.org/../a".into()], ..leaf() }, "no SPIFFE ID"),
        (Leaf { uris: vec!["spiffe://PROD.example.org/a".into()], ..leaf() }, "no SPIFFE ID"),
        (Leaf { uris: vec!["spiffe://other.example.org/a".into()], ..leaf() }, "nobody declared the trust domain"),
        (Leaf { is: IsCa::Ca(BasicConstraints::Unconstrained), ..leaf() }, "is an authority's"),
        (
            Leaf { usages: vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign], ..leaf() },
            "is an authority's",
        ),
        (
            Leaf { usages: vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign], ..leaf() },
            "is an authority's",
        ),
        (Leaf { usages: vec![KeyUsagePurpose::KeyEncipherment], ..leaf() }, "isn't for signatures"),
        (Leaf { usages: Vec::new(), ..leaf() }, "doesn't say what its key is for"),
        (Leaf { extended: vec![ExtendedKeyUsagePurpose::ServerAuth], ..leaf() }, "extended key usage"),
        (Leaf { until: -1, ..leaf() }, "has expired"),
        (Leaf { since: 60, ..leaf() }, "isn't good yet"),
        (Leaf { by: By::Narrowed, ..leaf() }, "its chain doesn't hold"),
    ];
    for (to_be, words) in cases {
        let uris = to_be.uris.clone();
        let why = refusal(certificate(&eager(), &domains, &domain.sign(to_be).chain).await);
        assert!(why.contains(words), "{uris:?} {words}: {why}");
    }
    let good = domain.svid(PATH).chain;
    for (chain, words) in [
        (Vec::new(), "no certificate"),
        (vec![b"nonsense".to_vec()], "can't be read"),
        (vec![[good[0].as_slice(), b"x"].concat()], "can't be read"),
        (vec![vec![0x30; 20 << 10]], "too long"),
        (vec![good[0].clone(); 9], "more than 8"),
    ] {
        let why = refusal(certificate(&eager(), &domains, &chain).await);
        assert!(why.contains(words), "{words}: {why}");
    }
}

#[tokio::test]
async fn a_domain_signs_for_itself_alone() {
    let (prod, stage) = (Domain::new("prod.example.org", NOW), Domain::new("stage.example.org", NOW));
    let both = given(&[("prod.example.org", &prod), ("stage.example.org", &stage)]);
    let oidc = eager();
    certificate(&oidc, &both, &stage.svid(PATH).chain).await.unwrap();
    // The authority of one, in the name of the other: known, and not for that.
    let forged = stage.sign(Leaf { uris: vec![prod.id(PATH)], ..stage.leaf(PATH) });
    assert!(refusal(certificate(&oidc, &both, &forged.chain).await).contains("no authority of its trust domain"));
    let header = json!({"alg": "ES256", "kid": "one"});
    let forged = stage.token(&header, &prod.claims(PATH, AUDIENCE));
    assert!(refusal(token(&oidc, &both, &forged).await).contains("signature"));
    // A workload's own certificate signs nobody else's, whoever signed it.
    let mut chain = prod.svid("/a").chain;
    chain.extend(prod.svid("/b").chain);
    certificate(&oidc, &both, &chain).await.unwrap();
    chain.swap(0, 1);
    assert_eq!(certificate(&oidc, &both, &chain).await.unwrap().id.path(), "/b");
}

#[tokio::test]
async fn a_token_of_its_domain_says_who() {
    let (domain, domains) = prod();
    let good = domain.jwt_svid(PATH, AUDIENCE);
    assert_eq!(token(&eager(), &domains, &good).await.unwrap().to_string(), domain.id(PATH));
    for header in [
        json!({"alg": "ES256", "kid": "one"}),
        json!({"alg": "ES256", "kid": "one", "typ": "JOSE"}),
        json!({"alg": "ES256"}),
    ] {
        token(&eager(), &domains, &domain.token(&header, &domain.claims(PATH, AUDIENCE))).await.unwrap();
    }
    // SPIFFE demands the end, and not the beginning.
    let mut claims = domain.claims(PATH, AUDIENCE);
    claims.as_object_mut().unwrap().remove("iat");
    token(&eager(), &domains, &domain.token(&json!({"alg": "ES256", "kid": "one"}), &claims)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_token_of_a_workload_is_refused_and_said() {
    let (domain, domains) = prod();
    let but = |other: Value| {
        let mut claims = domain.claims(PATH, AUDIENCE);
        for (name, value) in other.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let header = json!({"alg": "ES256", "kid": "one", "typ": "JWT"});
    for (claims, words) in [
        (but(json!({"aud": "https://other.example"})), "another audience"),
        (but(json!({"aud": null})), "another audience"),
        (but(json!({"exp": null})), "no `exp`"),
        (but(json!({"exp": NOW - 61})), "expired"),
        (but(json!({"exp": NOW + 90_000})), "more than a day"),
        (but(json!({"iat": null, "exp": NOW + 90_000})), "more than a day"),
        (but(json!({"nbf": NOW + 120})), "isn't good yet"),
        (but(json!({"sub": "nightly"})), "no SPIFFE ID"),
        (but(json!({"sub": null})), "no SPIFFE ID"),
        (but(json!({"sub": "spiffe://prod.example.org/a/../b"})), "no SPIFFE ID"),
        (but(json!({"sub": "spiffe://other.example.org/a"})), "nobody declared the trust domain"),
        (but(json!({"events": {}})), "of its kind"),
    ] {
        let why = refusal(token(&eager(), &domains, &domain.token(&header, &claims)).await);
        assert!(why.contains(words), "{claims}: {why}");
    }
    let claims = domain.claims(PATH, AUDIENCE);
    for (header, words) in [
        (json!({"alg": "none"}), "isn't signed by what"),
        (json!({"alg": "HS256", "kid": "one"}), "isn't signed by what"),
        (json!({"alg": "EdDSA", "kid": "one"}), "isn't signed by what"),
        (json!({"alg": "ES384", "kid": "one"}), "no such key"),
        (json!({"alg": "ES256", "kid": "two"}), "no such key"),
        (json!({"alg": "ES256", "kid": "one", "typ": "logout+jwt"}), "another kind"),
        (json!({"alg": "ES256", "kid": "one", "crit": ["x"]}), "extensions"),
    ] {
        let why = refusal(token(&eager(), &domains, &domain.token(&header, &claims)).await);
        assert!(why.contains(words), "{header}: {why}");
    }
    // The public key as a shared secret, said and unsaid.
    let secret = EncodingKey::from_secret(&domain.public_key());
    for alg in ["HS256", "ES256"] {
        let head = json!({"alg": alg, "kid": "one"}).to_string();
        refusal(token(&eager(), &domains, &sign(&head, &claims.to_string(), &secret, Alg::HS256)).await);
    }
}

#[tokio::test]
async fn keys_for_certificates_and_keys_for_tokens_are_apart() {
    let domain = Domain::new("prod.example.org", NOW);
    let only = |what: &str| {
        let mut bundle = domain.bundle();
        bundle["keys"].as_array_mut().unwrap().retain(|key| key["use"] == what);
        Domains::from([("prod.example.org".parse().unwrap(), Bundle::Given(bundle.to_string()))])
    };
    let (chain, jwt) = (domain.svid(PATH).chain, domain.jwt_svid(PATH, AUDIENCE));
    certificate(&eager(), &only("x509-svid"), &chain).await.unwrap();
    assert!(refusal(token(&eager(), &only("x509-svid"), &jwt).await).contains("no such key"));
    token(&eager(), &only("jwt-svid"), &jwt).await.unwrap();
    assert!(refusal(certificate(&eager(), &only("jwt-svid"), &chain).await).contains("no authority"));
}

/// A domain whose bundle is at an endpoint.
fn at_endpoint(world: &World, domain: &Domain) -> Domains {
    saying(world, &domain.bundle())
}

/// The same, where the endpoint doesn't say how often it wants to be asked.
fn silent(world: &World, domain: &Domain) -> Domains {
    let mut bundle = domain.bundle();
    bundle.as_object_mut().unwrap().remove("spiffe_refresh_hint").unwrap();
    saying(world, &bundle)
}

fn saying(world: &World, bundle: &Value) -> Domains {
    world.answer("/bundle", &http(&bundle.to_string()));
    let url = format!("{}/bundle", world.url).parse().unwrap();
    [("prod.example.org".parse().unwrap(), Bundle::Endpoint { url, authorities: None })].into()
}

#[tokio::test]
async fn authorities_that_rotate_are_fetched_when_something_shows_them() {
    let world = World::new(EAGER).await;
    let old = Domain::new("prod.example.org", NOW);
    let domains = at_endpoint(&world, &old);
    certificate(&world.oidc, &domains, &old.svid(PATH).chain).await.unwrap();
    token(&world.oidc, &domains, &old.jwt_svid(PATH, AUDIENCE)).await.unwrap();
    let new = Domain::new("prod.example.org", NOW);
    at_endpoint(&world, &new);
    certificate(&world.oidc, &domains, &new.svid(PATH).chain).await.unwrap();
    // The old one was withdrawn, and is no good.
    refusal(certificate(&world.oidc, &domains, &old.svid(PATH).chain).await);
    refusal(token(&world.oidc, &domains, &old.jwt_svid(PATH, AUDIENCE)).await);
}

#[tokio::test]
async fn strangers_make_few_questions() {
    let world = World::new(Ages { again: Duration::from_secs(3600), ..EAGER }).await;
    let (domain, stranger) = (Domain::new("prod.example.org", NOW), Domain::new("prod.example.org", NOW));
    let domains = at_endpoint(&world, &domain);
    certificate(&world.oidc, &domains, &domain.svid(PATH).chain).await.unwrap();
    // Asked again now, it would say something else.
    at_endpoint(&world, &stranger);
    for _ in 0..20 {
        refusal(certificate(&world.oidc, &domains, &stranger.svid(PATH).chain).await);
    }
}

#[tokio::test]
async fn an_outage_ends_nothing_for_a_while() {
    let domain = Domain::new("prod.example.org", NOW);
    let chain = domain.svid(PATH).chain;
    // Known, and so old that it is asked again: in vain.
    let world = World::new(Ages { fresh: Duration::ZERO, ..EAGER }).await;
    let domains = silent(&world, &domain);
    certificate(&world.oidc, &domains, &chain).await.unwrap();
    world.served.away.store(true, Ordering::Relaxed);
    certificate(&world.oidc, &domains, &chain).await.unwrap();
    // Whoever they didn't sign for may be of a new one, which nobody can see now.
    let stranger = Domain::new("prod.example.org", NOW);
    let error = certificate(&world.oidc, &domains, &stranger.svid(PATH).chain).await.unwrap_err();
    assert!(matches!(error, IdentityError::Unreachable { .. }), "{error}");
    // Never known, or for too long.
    let nobody = World::new(EAGER).await;
    let forgetful = World::new(Ages { fresh: Duration::ZERO, stale: Duration::ZERO, ..EAGER }).await;
    let of_forgetful = silent(&forgetful, &domain);
    certificate(&forgetful.oidc, &of_forgetful, &chain).await.unwrap();
    for (world, domains) in [(&nobody, silent(&nobody, &domain)), (&forgetful, of_forgetful)] {
        world.served.away.store(true, Ordering::Relaxed);
        let error = certificate(&world.oidc, &domains, &chain).await.unwrap_err();
        assert!(matches!(error, IdentityError::Unreachable { .. }), "{error}");
    }
    // Nor does each wait in turn for one that doesn't answer: it is asked seldom, and would say something else now.
    let patient = World::new(Ages { fresh: Duration::ZERO, again: Duration::from_secs(3600), ..EAGER }).await;
    let domains = silent(&patient, &domain);
    certificate(&patient.oidc, &domains, &chain).await.unwrap();
    silent(&patient, &stranger);
    certificate(&patient.oidc, &domains, &chain).await.unwrap();
}

#[tokio::test]
async fn what_an_endpoint_answers_must_be_a_bundle() {
    let domain = Domain::new("prod.example.org", NOW);
    for (answer, words) in [
        (http("[]"), "no SPIFFE bundle"),
        (http(r#"{"keys": [], "keys": []}"#), "says everything once"),
        (http(&json!({"keys": vec![json!({}); 101]}).to_string()), "no SPIFFE bundle"),
        ("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n".to_owned(), "redirect"),
    ] {
        let world = World::new(EAGER).await;
        let domains = at_endpoint(&world, &domain);
        world.answer("/bundle", &answer);
        let error = certificate(&world.oidc, &domains, &domain.svid(PATH).chain).await.unwrap_err();
        assert!(matches!(error, IdentityError::Unusable { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    // A domain that trusts nobody any more says so, and is believed.
    let world = World::new(EAGER).await;
    let domains = at_endpoint(&world, &domain);
    certificate(&world.oidc, &domains, &domain.svid(PATH).chain).await.unwrap();
    world.answer("/bundle", &http(r#"{"keys": []}"#));
    let fresh = eager();
    assert!(refusal(certificate(&fresh, &domains, &domain.svid(PATH).chain).await).contains("no authority"));
}
