//! A transmitter of shared signals: a key of its own, an address that its keys are at, and tokens of what happened.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// For whom its signals are.
pub const AUDIENCE: &str = "https://daypass.example";
/// What every event's URI begins with.
pub const EVENTS: &str = "https://schemas.openid.net/secevent/";

/// A transmitter that serves what it says of itself and its keys on this machine, until the process ends.
pub struct Transmitter {
    key: EcdsaKeyPair,
    /// What it calls itself.
    pub issuer: String,
}

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// By the transmitter's key.
    Well,
    /// By a key that isn't its.
    ByAnother,
    /// By nothing, which it says.
    NotAtAll,
    /// By its public key, as if that were a secret.
    ByThePublicKey,
}

impl Transmitter {
    /// With a key that nobody else has.
    #[must_use]
    pub fn start() -> Self {
        let key = pair();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let document = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string();
        let keys = keys(&key);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && socket.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let body = if head.starts_with(b"GET /keys ") { &keys } else { &document };
                let _ = write!(
                    socket,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { key, issuer }
    }

    /// What a token of it says, of `now` in seconds: that this happened to this subject.
    #[must_use]
    pub fn claims(&self, now: i64, jti: &str, subject: Value, event: &str, fields: Value) -> Value {
        json!({
            "iss": self.issuer, "aud": AUDIENCE, "iat": now, "jti": jti, "sub_id": subject,
            "events": {format!("{EVENTS}{event}"): fields},
        })
    }

    /// A token that says this.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.sign(r#"{"alg":"ES256","kid":"one","typ":"secevent+jwt"}"#, &claims.to_string(), Signed::Well)
    }

    /// A token of this header and these claims, as text, so that a test may write what no library would.
    #[must_use]
    pub fn sign(&self, header: &str, claims: &str, signed: Signed) -> String {
        let text =
            format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
        let by = |key: &EcdsaKeyPair| key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec();
        let signature = match signed {
            Signed::Well => by(&self.key),
            Signed::ByAnother => by(&pair()),
            Signed::NotAtAll => Vec::new(),
            Signed::ByThePublicKey => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, self.key.public_key().as_ref());
                hmac::sign(&secret, text.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{text}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

fn pair() -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref()).unwrap()
}

fn keys(key: &EcdsaKeyPair) -> String {
    let point = key.public_key().as_ref();
    let (x, y) = (BASE64URL_NOPAD.encode(&point[1..33]), BASE64URL_NOPAD.encode(&point[33..]));
    json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "one", "use": "sig", "alg": "ES256"}]})
        .to_string()
}
