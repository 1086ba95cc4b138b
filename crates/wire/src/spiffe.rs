//! The bundle of a SPIFFE trust domain: its authorities, as a JWK set (SPIFFE Trust Domain and Bundle, 4).
//!
//! Keys for certificates and keys for tokens are apart (`use`), so one is never taken for the other. What can't be used is
//! skipped, as the text says: fewer authorities sign less. A bundle without any is one of a domain that trusts nobody any
//! more, and is understood.

use data_encoding::BASE64;
use serde_json::Value;

/// The longest bundle, in bytes.
pub const BUNDLE_MAX: usize = 256 << 10;
/// How many keys it has at most: authorities overlap while they rotate, so there are a few.
const KEYS_MAX: usize = 100;

/// A trust domain's authorities.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    /// The certificates that X.509-SVIDs may be of, DER. Nobody has read them yet.
    pub x509: Vec<Vec<u8>>,
    /// The keys that JWT-SVIDs may be signed by, each a JWK with a `kid`, without its `use`.
    pub jwt: Vec<Value>,
    /// How often it wants to be asked again, in seconds, where it says so.
    pub refresh_hint_s: Option<u64>,
}

/// Why a document is no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    /// It isn't JSON that says everything once, or too long.
    #[error("it isn't at most {BUNDLE_MAX} bytes of JSON that says everything once")]
    NotJson,
    /// It is no JWK set.
    #[error("it has no `keys`, or more than {KEYS_MAX}")]
    NoKeys,
}

impl Bundle {
    /// Reads a bundle's text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, BadBundle> {
        if text.len() > BUNDLE_MAX {
            return Err(BadBundle::NotJson);
        }
        Self::read(&super::jwt::strict(text.as_bytes()).ok_or(BadBundle::NotJson)?)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(document: &Value) -> Result<Self, BadBundle> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or(BadBundle::NoKeys)?;
        if keys.len() > KEYS_MAX {
            return Err(BadBundle::NoKeys);
        }
        let hint = document.get("spiffe_refresh_hint").and_then(Value::as_u64);
        let mut bundle = Self { refresh_hint_s: hint, ..Self::default() };
        for key in keys {
            match key.get("use").and_then(Value::as_str) {
                Some("x509-svid") => bundle.x509.extend(certificate(key)),
                Some("jwt-svid") => bundle.jwt.extend(named(key)),
                // Of a later version of the text, or of nobody: ignored, as it says.
                Some(_) | None => {}
            }
        }
        Ok(bundle)
    }

    /// Whether anybody could be believed by it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.x509.is_empty() && self.jwt.is_empty()
    }
}

/// The one certificate of an authority (4.2.2).
fn certificate(key: &Value) -> Option<Vec<u8>> {
    match key.get("x5c")?.as_array()?.as_slice() {
        [one] => BASE64.decode(one.as_str()?.as_bytes()).ok(),
        [] | [_, _, ..] => None,
    }
}

/// A key for tokens, by which they name it (4.2.3).
fn named(key: &Value) -> Option<Value> {
    let mut fields = key.as_object()?.clone();
    fields.get("kid")?.as_str().filter(|kid| !kid.is_empty())?;
    fields.remove("use");
    Some(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_for_what_they_say_and_others_are_skipped() {
        let bundle = Bundle::read(&json!({
            "spiffe_sequence": 12, "spiffe_refresh_hint": 600,
            "keys": [
                {"kty": "EC", "use": "x509-svid", "crv": "P-256", "x5c": ["AQID"]},
                {"kty": "EC", "use": "x509-svid", "x5c": ["AQID", "BAUG"]},
                {"kty": "EC", "use": "x509-svid", "x5c": []},
                {"kty": "EC", "use": "x509-svid", "x5c": ["?"]},
                {"kty": "EC", "use": "x509-svid"},
                {"kty": "EC", "use": "jwt-svid", "kid": "one", "crv": "P-256"},
                {"kty": "EC", "use": "jwt-svid", "crv": "P-256"},
                {"kty": "EC", "use": "jwt-svid", "kid": ""},
                {"kty": "EC", "use": "sig", "kid": "two"},
                {"kty": "EC", "kid": "three"},
                7,
            ]
        }))
        .unwrap();
        assert_eq!(bundle.x509, [[1, 2, 3]]);
        assert_eq!(bundle.jwt, [json!({"kty": "EC", "kid": "one", "crv": "P-256"})]);
        assert_eq!(bundle.refresh_hint_s, Some(600));
    }

    #[test]
    fn a_domain_that_trusts_nobody_any_more_says_so() {
        let empty = Bundle::parse(r#"{"keys": []}"#).unwrap();
        assert!(empty.is_empty());
        assert_eq!(empty.refresh_hint_s, None);
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let many = json!({"keys": vec![json!({}); 101]}).to_string();
        let long = format!(r#"{{"keys": [], "x": "{}"}}"#, "y".repeat(BUNDLE_MAX));
        for (text, why) in [
            ("", BadBundle::NotJson),
            ("[]", BadBundle::NoKeys),
            (r#"{"keys": {}}"#, BadBundle::NoKeys),
            (r#"{"keys": [], "keys": []}"#, BadBundle::NotJson),
            (many.as_str(), BadBundle::NoKeys),
            (long.as_str(), BadBundle::NotJson),
        ] {
            assert_eq!(Bundle::parse(text), Err(why), "{}", &text[..text.len().min(40)]);
        }
    }
}
