//! An issuer: keys that rotate, documents that may lie, and a count of what it was asked.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use daypass_domain::{
    Time,
    trust::{Algorithm, Claims, Issuer, Keys},
};
use daypass_integrations::oidc::{Ages, Oidc};
use daypass_ports::identity::{Expected, Identity, IdentityError, TokenKind};
use jsonwebtoken::{Algorithm as Alg, EncodingKey, crypto};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

pub const AUDIENCE: &str = "https://daypass.example";
pub const NOW: i64 = 1_795_514_400;

/// A key that signs, and its public half as a JWK.
pub struct Pair {
    pkcs8: Vec<u8>,
    pub jwk: Value,
    pub point: Vec<u8>,
}

pub fn pair(kid: &str) -> Pair {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let point = key.public_key().as_ref().to_vec();
    let (x, y) = (BASE64URL_NOPAD.encode(&point[1..33]), BASE64URL_NOPAD.encode(&point[33..]));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"});
    Pair { pkcs8: pkcs8.as_ref().to_vec(), jwk, point }
}

impl Pair {
    /// A token with this header and these claims, as text, so that a test may write what no library would.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        sign(header, claims, &EncodingKey::from_ec_der(&self.pkcs8), Alg::ES256)
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

pub fn sign(header: &str, claims: &str, key: &EncodingKey, algorithm: Alg) -> String {
    let signed = format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
    format!("{signed}.{}", crypto::sign(signed.as_bytes(), key, algorithm).unwrap())
}

/// What it serves.
pub struct Served {
    /// The answer for a path, in full; a document that isn't there is made of the address and the keys.
    pub answers: Mutex<Vec<(String, String)>>,
    pub keys: Mutex<Vec<Value>>,
    pub keys_asked: AtomicUsize,
    pub codes_asked: AtomicUsize,
    pub away: AtomicBool,
}

pub struct World {
    pub served: Arc<Served>,
    pub url: String,
    pub key: Pair,
    pub oidc: Oidc,
}

/// Everything is asked anew, unless a test says otherwise.
pub const EAGER: Ages = Ages {
    fresh: std::time::Duration::from_secs(3600),
    stale: std::time::Duration::from_secs(7200),
    again: std::time::Duration::ZERO,
};

impl World {
    pub async fn new(ages: Ages) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = pair("one");
        let served = Arc::new(Served {
            answers: Mutex::default(),
            keys: Mutex::new(vec![key.jwk.clone()]),
            keys_asked: AtomicUsize::new(0),
            codes_asked: AtomicUsize::new(0),
            away: AtomicBool::new(false),
        });
        tokio::spawn(serve(listener, Arc::clone(&served), url.clone()));
        Self { served, url, key, oidc: Oidc::new(ages) }
    }

    /// What it says of itself, with this beside it; it signs people in.
    pub fn document(&self, more: Value) {
        let mut document = json!({
            "issuer": self.url, "jwks_uri": format!("{}/keys", self.url),
            "authorization_endpoint": format!("{}/auth", self.url), "token_endpoint": format!("{}/token", self.url),
            "userinfo_endpoint": format!("{}/me", self.url),
        });
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        self.answer("/.well-known/openid-configuration", &http(&document.to_string()));
    }

    /// Answers with this instead, whatever it is.
    pub fn answer(&self, path: &str, answer: &str) {
        self.served.answers.lock().unwrap().push((path.to_owned(), answer.to_owned()));
    }

    pub fn issuer(&self) -> Issuer {
        Issuer {
            url: self.url.parse().unwrap(),
            algorithms: [Algorithm::Es256, Algorithm::Rs256].into(),
            keys: Keys::Discovered,
            authorities: None,
        }
    }

    pub fn claims(&self) -> Value {
        json!({"iss": self.url, "aud": AUDIENCE, "sub": "job", "iat": NOW - 10, "exp": NOW + 300})
    }

    /// The claims with some of them otherwise; null takes one away.
    pub fn but(&self, other: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in other.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                _ => claims[name] = value.clone(),
            }
        }
        claims
    }

    pub fn good(&self) -> String {
        self.key.sign(&header(), &self.claims())
    }

    pub async fn says(&self, kind: TokenKind, token: &str) -> Result<Claims, IdentityError> {
        let expected = Expected { kind, audience: AUDIENCE, now: Time::from_micros(NOW * 1_000_000) };
        self.oidc.verify(&self.issuer(), &expected, token).await
    }

    /// Why a token of a workload is refused.
    pub async fn refuses(&self, token: &str) -> String {
        self.refuses_as(TokenKind::Workload, token).await
    }

    pub async fn refuses_as(&self, kind: TokenKind, token: &str) -> String {
        match self.says(kind, token).await {
            Err(IdentityError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    pub fn asked_for_keys(&self) -> usize {
        self.served.keys_asked.load(Ordering::Relaxed)
    }
}

pub fn header() -> Value {
    json!({"alg": "ES256", "kid": "one", "typ": "JWT"})
}

async fn serve(listener: TcpListener, served: Arc<Served>, url: String) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if socket.read_exact(&mut byte).await.is_err() {
                break;
            }
            head.push(byte[0]);
        }
        if served.away.load(Ordering::Relaxed) {
            continue;
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let _ = socket.write_all(answer(&served, &url, &path).as_bytes()).await;
    }
}

fn answer(served: &Served, url: &str, path: &str) -> String {
    if path == "/keys" {
        served.keys_asked.fetch_add(1, Ordering::Relaxed);
    }
    if path == "/token" {
        served.codes_asked.fetch_add(1, Ordering::Relaxed);
    }
    if let Some((_, text)) = served.answers.lock().unwrap().iter().rev().find(|(at, _)| at == path) {
        return text.clone();
    }
    let body = match path {
        "/.well-known/openid-configuration" => json!({"issuer": url, "jwks_uri": format!("{url}/keys")}),
        "/keys" => json!({"keys": *served.keys.lock().unwrap()}),
        other => panic!("nobody asks for {other}"),
    };
    http(&body.to_string())
}

pub fn http(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}
