//! A SPIFFE trust domain with real authorities, and what it signs: certificates and tokens, good ones and others.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

/// A trust domain.
pub struct Domain {
    name: String,
    now: u64,
    authority: CertifiedIssuer<'static, KeyPair>,
    /// Signs workloads' certificates in the authority's place.
    below: CertifiedIssuer<'static, KeyPair>,
    /// The same, for URIs of this domain alone.
    narrowed: CertifiedIssuer<'static, KeyPair>,
    tokens: EcdsaKeyPair,
}

/// Who signs a workload's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The authority that stands in the bundle.
    Authority,
    /// One below it, whose certificate goes along.
    Below,
    /// One below it that is bound to URIs of the domain, as a workload's is.
    Narrowed,
}

/// A workload's certificate to be. What [`Domain::leaf`] makes is good.
pub struct Leaf {
    /// The URIs that it names.
    pub uris: Vec<String>,
    /// Whether it is an authority.
    pub is: IsCa,
    /// What its key is for.
    pub usages: Vec<KeyUsagePurpose>,
    /// And more of that.
    pub extended: Vec<ExtendedKeyUsagePurpose>,
    /// Since when, in seconds from now.
    pub since: i64,
    /// Until when.
    pub until: i64,
    /// Who signs it.
    pub by: By,
}

/// A certificate with its chain, and its key.
pub struct Made {
    /// The workload's own first, DER.
    pub chain: Vec<Vec<u8>>,
    /// The same, PEM.
    pub chain_pem: String,
    /// PKCS #8, DER.
    pub key: Vec<u8>,
    /// The same, PEM.
    pub key_pem: String,
}

fn params(common_name: &str, is: IsCa, usages: Vec<KeyUsagePurpose>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.is_ca = is;
    params.key_usages = usages;
    params
}

impl Domain {
    /// With authorities of its own, at a time in seconds.
    #[must_use]
    pub fn new(name: &str, now: i64) -> Self {
        let now = u64::try_from(now).unwrap();
        let signs = || vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let signer = |name: &str, below: u8| {
            let mut to_be = params(name, IsCa::Ca(BasicConstraints::Constrained(below)), signs());
            within(&mut to_be, now - 86_400, now + 86_400);
            to_be
        };
        let authority = signer("the authority", 1);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let signed = |to_be| CertifiedIssuer::signed_by(to_be, KeyPair::generate().unwrap(), &authority).unwrap();
        let below = signed(signer("one below", 0));
        let mut narrowed = signer("one narrowed", 0);
        narrowed.custom_extensions.push(only_uris_of(name));
        let narrowed = signed(narrowed);
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let tokens = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let tokens = EcdsaKeyPair::from_pkcs8(algorithm, tokens.as_ref()).unwrap();
        Self { name: name.to_owned(), now, authority, below, narrowed, tokens }
    }

    /// `spiffe://` the domain and this path.
    #[must_use]
    pub fn id(&self, path: &str) -> String {
        format!("spiffe://{}{path}", self.name)
    }

    /// Its bundle, as it publishes it.
    #[must_use]
    pub fn bundle(&self) -> Value {
        let point = self.tokens.public_key().as_ref();
        let (x, y) = (BASE64URL_NOPAD.encode(&point[1..33]), BASE64URL_NOPAD.encode(&point[33..]));
        json!({
            "spiffe_sequence": 1, "spiffe_refresh_hint": 300,
            "keys": [
                {"kty": "EC", "use": "x509-svid", "crv": "P-256", "x5c": [BASE64.encode(self.authority.der())]},
                {"kty": "EC", "use": "jwt-svid", "kid": "one", "crv": "P-256", "x": x, "y": y},
            ],
        })
    }

    /// The document that takes its word for one workload, by this bundle.
    #[must_use]
    pub fn trust(&self, workload: &str, ids: &[&str], audience: &str) -> String {
        let ids: Vec<String> = ids.iter().map(|path| format!("'{}'", self.id(path))).collect();
        format!(
            "[trust_domain.'{}']\nbundle = '''{}'''\n[[workload]]\nworkload = '{workload}'\nspiffe_id = [{}]\n\
             audience = '{audience}'\n",
            self.name,
            self.bundle(),
            ids.join(", ")
        )
    }

    /// A good certificate to be, for a path.
    #[must_use]
    pub fn leaf(&self, path: &str) -> Leaf {
        Leaf {
            uris: vec![self.id(path)],
            is: IsCa::NoCa,
            usages: vec![KeyUsagePurpose::DigitalSignature],
            extended: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            since: -10,
            until: 3_600,
            by: By::Authority,
        }
    }

    /// Signs it, whatever it says.
    #[must_use]
    pub fn sign(&self, leaf: Leaf) -> Made {
        let mut to_be = params("a workload", leaf.is, leaf.usages);
        to_be.subject_alt_names = leaf.uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap())).collect();
        to_be.extended_key_usages = leaf.extended;
        let then = |seconds: i64| self.now.saturating_add_signed(seconds);
        within(&mut to_be, then(leaf.since), then(leaf.until));
        let key = KeyPair::generate().unwrap();
        let (issuer, goes_along) = match leaf.by {
            By::Authority => (&self.authority, false),
            By::Below => (&self.below, true),
            By::Narrowed => (&self.narrowed, true),
        };
        let own = to_be.signed_by(&key, issuer).unwrap();
        let (mut chain, mut chain_pem) = (vec![own.der().to_vec()], own.pem());
        if goes_along {
            chain.push(issuer.der().to_vec());
            chain_pem.push_str(&issuer.pem());
        }
        Made { chain, chain_pem, key: key.serialize_der(), key_pem: key.serialize_pem() }
    }

    /// A good certificate.
    #[must_use]
    pub fn svid(&self, path: &str) -> Made {
        self.sign(self.leaf(path))
    }

    /// The claims of a good token.
    #[must_use]
    pub fn claims(&self, path: &str, audience: &str) -> Value {
        json!({"sub": self.id(path), "aud": [audience], "iat": self.now, "exp": self.now + 300})
    }

    /// A good token.
    #[must_use]
    pub fn jwt_svid(&self, path: &str, audience: &str) -> String {
        self.token(&json!({"alg": "ES256", "kid": "one", "typ": "JWT"}), &self.claims(path, audience))
    }

    /// A token that says this, signed by the domain.
    #[must_use]
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.tokens.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    /// The public key that signs tokens, as whoever confuses kinds of keys would use it.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.tokens.public_key().as_ref().to_vec()
    }
}

/// A critical constraint of names (RFC 5280, 4.2.1.10): URIs of this host, which is short.
fn only_uris_of(domain: &str) -> CustomExtension {
    let part = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
    let permitted = part(0xa0, &part(0x30, &part(0x86, domain.as_bytes())));
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], part(0x30, &permitted));
    extension.set_criticality(true);
    extension
}

fn within(params: &mut CertificateParams, from: u64, to: u64) {
    let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (params.not_before, params.not_after) = (at(from), at(to));
}
