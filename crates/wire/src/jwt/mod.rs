//! Signed tokens in their compact form (RFC 7515, RFC 7519), read and not yet believed.
//!
//! A JSON object that says one thing twice means one thing to us and another to whoever reads it otherwise, so it is
//! refused (RFC 7515, 4). What a header says of where its key is to be found (`jku`, `jwk`, `x5u`, `x5c`) is never read:
//! keys come from the issuer. What a header says must be understood (`crit`) we don't understand, and refuse.

mod json;

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

pub use json::strict;

/// The longest token, in bytes: GitHub's have about 1,500, Entra's with two hundred groups about 9,000.
pub const TOKEN_MAX: usize = 16 << 10;
/// The longest header, decoded.
const HEADER_MAX: usize = 4 << 10;
/// The longest name of a key.
const KID_MAX: usize = 256;
/// How many claims a token has at most.
const CLAIMS_MAX: usize = 256;

/// A token that could be read. Nothing that it says is believed before its signature was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Unverified<'a> {
    /// What it says of its signature.
    pub header: Header,
    /// What it says.
    pub claims: BTreeMap<String, Value>,
    /// What is signed: the first two parts with the dot between.
    pub signed: &'a str,
    /// The signature, in base64url.
    pub signature: &'a str,
}

/// What a token says of its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The algorithm, as it is written.
    pub alg: String,
    /// Which of the issuer's keys.
    pub kid: Option<String>,
    /// What kind of token it is, in lower case, without `application/` (RFC 7515, 4.1.9).
    pub typ: Option<String>,
}

/// Why a text is no token that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is longer than [`TOKEN_MAX`].
    #[error("it is longer than {TOKEN_MAX} bytes")]
    TooLong,
    /// It hasn't three parts.
    #[error("it isn't three parts with dots between")]
    NotThreeParts,
    /// A part isn't base64url, or has padding.
    #[error("a part of it isn't base64url")]
    NotBase64,
    /// A part isn't JSON, isn't an object, or says something twice.
    #[error("a part of it isn't a JSON object that says everything once")]
    NotAnObject,
    /// The header lacks the algorithm, or says something in a wrong form.
    #[error("its header says `{0}` in no form that makes sense")]
    BadHeader(&'static str),
    /// The header demands that something be understood.
    #[error("its header demands that extensions be understood, and none is")]
    Critical,
    /// It says too much.
    #[error("it has more than {CLAIMS_MAX} claims")]
    TooManyClaims,
}

impl<'a> Unverified<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`BadToken`] says what is wrong with it; never what is in it.
    pub fn parse(token: &'a str) -> Result<Self, BadToken> {
        if token.len() > TOKEN_MAX {
            return Err(BadToken::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(head), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadToken::NotThreeParts);
        };
        let decoded = decode(head)?;
        if decoded.len() > HEADER_MAX {
            return Err(BadToken::BadHeader("everything"));
        }
        let header = Header::read(object(&decoded)?)?;
        let claims = object(&decode(body)?)?;
        if claims.len() > CLAIMS_MAX {
            return Err(BadToken::TooManyClaims);
        }
        decode(signature)?;
        let signed = &token[..head.len() + 1 + body.len()];
        Ok(Self { header, claims, signed, signature })
    }

    /// Who it says issued it. Good for finding whom to ask, and for nothing else.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }
}

impl Header {
    fn read(fields: BTreeMap<String, Value>) -> Result<Self, BadToken> {
        if fields.contains_key("crit") {
            return Err(BadToken::Critical);
        }
        let text = |name: &'static str| match fields.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= KID_MAX => Ok(Some(text.clone())),
            Some(_) => Err(BadToken::BadHeader(name)),
        };
        let alg = text("alg")?.ok_or(BadToken::BadHeader("alg"))?;
        let typ = text("typ")?.map(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/").map_or(typ.clone(), ToOwned::to_owned)
        });
        Ok(Self { alg, kid: text("kid")?, typ })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, BadToken> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| BadToken::NotBase64)
}

fn object(bytes: &[u8]) -> Result<BTreeMap<String, Value>, BadToken> {
    match strict(bytes) {
        Some(Value::Object(fields)) => Ok(fields.into_iter().collect()),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | None => {
            Err(BadToken::NotAnObject)
        }
    }
}
