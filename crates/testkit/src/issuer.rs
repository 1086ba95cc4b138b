//! An issuer of tokens whose key stands in the trust document, and tokens of its jobs.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// What it calls itself.
pub const ISSUER: &str = "https://token.ci.example";
/// For whom its tokens are.
pub const AUDIENCE: &str = "https://daypass.example";

/// An issuer, with a key of its own.
pub struct Issuer(EcdsaKeyPair);

impl Issuer {
    /// With a key that nobody else has.
    #[must_use]
    pub fn fresh() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref()).unwrap())
    }

    /// A JWK set.
    #[must_use]
    pub fn keys(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (BASE64URL_NOPAD.encode(&point[1..33]), BASE64URL_NOPAD.encode(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "one"}]}).to_string()
    }

    /// A trust under which tokens for acme/shop are those of this workload.
    #[must_use]
    pub fn trust(&self, workload: &str, repository: &str) -> String {
        format!(
            "[[workload]]\nworkload = '{workload}'\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\n\
             algorithms = ['ES256']\nmatch = {{ repository = '{repository}' }}\n\
             attributes = {{ branch = 'ref' }}\nkeys = '{}'\n",
            self.keys()
        )
    }

    /// A token of a job, of `now` in seconds.
    #[must_use]
    pub fn token(&self, now: i64, repository: &str, branch: &str) -> String {
        self.sign(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": format!("repo:{repository}"), "iat": now, "exp": now + 300,
            "repository": repository, "ref": branch,
        }))
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": "one", "typ": "JWT"}).to_string();
        let signed = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(header.as_bytes()),
            BASE64URL_NOPAD.encode(claims.to_string().as_bytes())
        );
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}
