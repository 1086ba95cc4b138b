//! An authenticator in software, with the browser around it: what a person's passkey says, and what a thief's could.
//!
//! It speaks just enough of W3C Web Authentication, Level 3: ES256 keys, no attestation (6.5, 7.1, 7.2).

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A person's authenticator, and what it says.
pub struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    /// The origin of the page that asks.
    pub origin: String,
    /// The counter that it says next.
    pub counter: u32,
    /// What it checked.
    pub checked: Checked,
}

/// What an authenticator checked before it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// That somebody touched it.
    Presence,
    /// That it is its owner.
    Owner,
}

/// User present, user verified, attested credential data (6.1).
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

impl Authenticator {
    /// A new key, for pages of this origin.
    #[must_use]
    pub fn at(origin: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("a key");
        let id = digest(&SHA256, key.public_key().as_ref()).as_ref().to_vec();
        Self { key, id, origin: origin.to_owned(), counter: 1, checked: Checked::Owner }
    }

    /// Answers `navigator.credentials.create`.
    pub fn create(&mut self, options: &Value) -> String {
        let site = options["rp"]["id"].as_str().expect("a relying party").to_owned();
        let mut data = self.data(&site, ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("short").to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt\x64none\x67attStmt\xa0\x68authData");
        object.push(0x59);
        object.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
        object.extend(&data);
        let client = self.client("webauthn.create", options);
        self.answer(json!({
            "clientDataJSON": BASE64URL_NOPAD.encode(&client),
            "attestationObject": BASE64URL_NOPAD.encode(&object),
            "transports": ["internal"],
        }))
    }

    /// Answers `navigator.credentials.get`.
    pub fn get(&mut self, options: &Value) -> String {
        let site = options["rpId"].as_str().expect("a relying party").to_owned();
        let data = self.data(&site, 0);
        let client = self.client("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, &client).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.answer(json!({
            "clientDataJSON": BASE64URL_NOPAD.encode(&client),
            "authenticatorData": BASE64URL_NOPAD.encode(&data),
            "signature": BASE64URL_NOPAD.encode(signature.as_ref()),
        }))
    }

    fn answer(&self, response: Value) -> String {
        let id = BASE64URL_NOPAD.encode(&self.id);
        let answer = json!({"id": id, "rawId": id, "type": "public-key", "response": response,
            "clientExtensionResults": {}});
        answer.to_string()
    }

    /// The authenticator data up to the counter, which goes on.
    fn data(&mut self, site: &str, more: u8) -> Vec<u8> {
        let checked = match self.checked {
            Checked::Presence => PRESENT,
            Checked::Owner => PRESENT | VERIFIED,
        };
        let mut data = digest(&SHA256, site.as_bytes()).as_ref().to_vec();
        data.push(checked | more);
        data.extend(self.counter.to_be_bytes());
        self.counter += 1;
        data
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["challenge"];
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false})
            .to_string()
            .into_bytes()
    }

    /// {1: 2, 3: -7, -1: 1, -2: x, -3: y} (RFC 9053, 7.1.1).
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
        key.extend(&point[1..33]);
        key.extend([0x22, 0x58, 0x20]);
        key.extend(&point[33..65]);
        key
    }
}
