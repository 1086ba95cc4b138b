//! What a server keeps instead of a password.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::crypto::{self, KEY_LEN};
use super::{ITERATIONS_MAX, ScramError};

/// The iterations of PostgreSQL's default, and of every verifier that we make: the passwords are random, so more would only
/// slow connecting. A mock verifier must show the same number as a real one.
pub const DEFAULT_ITERATIONS: u32 = 4096;

/// The longest salt accepted in a verifier's text, in bytes; PostgreSQL's are 16.
const SALT_LEN_MAX: usize = 64;

/// What a server keeps to check a SCRAM-SHA-256 proof. It doesn't give the password, nor a login.
///
/// Its text, in serde too, is PostgreSQL's: `SCRAM-SHA-256$iterations:salt$stored:server`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ScramVerifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; KEY_LEN],
    server_key: [u8; KEY_LEN],
    #[zeroize(skip)]
    standing: Standing,
}

/// Whether a proof can succeed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Of a principal that exists.
    Real,
    /// Of nobody: every proof is wrong.
    Mock,
}

impl ScramVerifier {
    /// The verifier of a password, with a salt of 16 fresh random bytes.
    ///
    /// # Errors
    /// [`ScramError::Iterations`] when the count is zero or above [`ITERATIONS_MAX`].
    pub fn from_password(password: &[u8], salt: [u8; 16], iterations: u32) -> Result<Self, ScramError> {
        let salted = crypto::salted_password(password, &salt, iterations)?;
        let (client_key, server_key) = crypto::keys(&salted);
        Ok(Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: *crypto::hash(client_key.as_slice()),
            server_key: *server_key,
            standing: Standing::Real,
        })
    }

    /// The text that `CREATE ROLE ... PASSWORD` takes, so that no password travels or is logged.
    pub fn to_postgres(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            BASE64.encode(&self.salt),
            BASE64.encode(&self.stored_key),
            BASE64.encode(&self.server_key),
        ))
    }

    /// How many times PBKDF2 goes round.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn stored_key(&self) -> &[u8; KEY_LEN] {
        &self.stored_key
    }

    pub(super) fn server_key(&self) -> &[u8; KEY_LEN] {
        &self.server_key
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing
    }
}

/// The verifier that an unknown user meets: the same salt at each try, so that it looks like a real one, and no proof fits.
///
/// `secret` is the installation's own, and stays the same over restarts: a salt that changes would tell that the user doesn't exist.
pub fn mock_verifier(secret: &[u8; 32], user: &str) -> ScramVerifier {
    let salt = crypto::hmac(secret, &[b"daypass mock salt", user.as_bytes()]);
    ScramVerifier {
        iterations: DEFAULT_ITERATIONS,
        salt: salt[..16].to_vec(),
        // Nobody knows a preimage of this, so it wouldn't verify even as text, where the standing is lost.
        stored_key: *crypto::hmac(secret, &[b"daypass mock stored key", user.as_bytes()]),
        server_key: *crypto::hmac(secret, &[b"daypass mock server key", user.as_bytes()]),
        standing: Standing::Mock,
    }
}

impl FromStr for ScramVerifier {
    type Err = ScramError;

    fn from_str(text: &str) -> Result<Self, ScramError> {
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or(ScramError::BadVerifier("another mechanism"))?;
        let (front, keys) = rest.split_once('$').ok_or(ScramError::BadVerifier("no keys"))?;
        let (iterations, salt) = front.split_once(':').ok_or(ScramError::BadVerifier("no salt"))?;
        let (stored, server) = keys.split_once(':').ok_or(ScramError::BadVerifier("no server key"))?;
        let iterations = iterations.parse().map_err(|_| ScramError::BadVerifier("the iterations aren't a number"))?;
        if !(1..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Iterations(u64::from(iterations)));
        }
        let salt = BASE64.decode(salt.as_bytes()).map_err(|_| ScramError::BadVerifier("the salt isn't base64"))?;
        if salt.is_empty() || salt.len() > SALT_LEN_MAX {
            return Err(ScramError::BadVerifier("the salt is empty or too long"));
        }
        Ok(Self { iterations, salt, stored_key: key(stored)?, server_key: key(server)?, standing: Standing::Real })
    }
}

fn key(text: &str) -> Result<[u8; KEY_LEN], ScramError> {
    let bytes =
        Zeroizing::new(BASE64.decode(text.as_bytes()).map_err(|_| ScramError::BadVerifier("a key isn't base64"))?);
    bytes.as_slice().try_into().map_err(|_| ScramError::BadVerifier("a key isn't 32 bytes"))
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramVerifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl PartialEq for ScramVerifier {
    fn eq(&self, other: &Self) -> bool {
        let same = self.iterations.ct_eq(&other.iterations)
            & self.salt.ct_eq(&other.salt)
            & self.stored_key.ct_eq(&other.stored_key)
            & self.server_key.ct_eq(&other.server_key);
        self.standing == other.standing && bool::from(same)
    }
}

impl Eq for ScramVerifier {}

impl Serialize for ScramVerifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_postgres())
    }
}

impl<'de> Deserialize<'de> for ScramVerifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_postgresqls_and_comes_back() {
        let verifier = ScramVerifier::from_password(b"pencil", *b"0123456789abcdef", 4096).unwrap();
        let text = verifier.to_postgres();
        assert!(text.starts_with("SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$"), "{}", *text);
        assert_eq!(text.parse::<ScramVerifier>().unwrap(), verifier);
        let json = serde_json::to_string(&verifier).unwrap();
        assert_eq!(json, format!("\"{}\"", *text));
        assert_eq!(serde_json::from_str::<ScramVerifier>(&json).unwrap(), verifier);
    }

    /// The verifier for the password, salt and count of RFC 7677, section 3: its exchange fixes both keys.
    #[test]
    fn keys_are_rfc_7677s() {
        let salt: [u8; 16] = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = ScramVerifier::from_password(b"pencil", salt, 4096).unwrap();
        assert_eq!(
            *verifier.to_postgres(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        );
    }

    #[test]
    fn bad_texts_are_refused() {
        let good = ScramVerifier::from_password(b"pencil", [1; 16], 4096).unwrap().to_postgres();
        for bad in [
            "",
            "md5abc",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$4096:AQEB$x",
            &good.replace("4096", "0"),
            &good.replace("4096", "4294967295"),
            &good.replace("4096", "-1"),
            &good.replace("4096", "99999999999"),
            &format!("{}AA==", *good),
            &good[..good.len() - 4],
        ] {
            assert!(bad.parse::<ScramVerifier>().is_err(), "{bad}");
        }
    }

    #[test]
    fn mock_is_stable_and_differs_by_user_and_secret() {
        assert_eq!(mock_verifier(&[1; 32], "eve"), mock_verifier(&[1; 32], "eve"));
        assert_ne!(mock_verifier(&[1; 32], "eve").salt(), mock_verifier(&[1; 32], "bob").salt());
        assert_ne!(mock_verifier(&[1; 32], "eve").salt(), mock_verifier(&[2; 32], "eve").salt());
    }

    #[test]
    fn debug_shows_no_key() {
        let verifier = ScramVerifier::from_password(b"pencil", [1; 16], 4096).unwrap();
        assert_eq!(format!("{verifier:?}"), "ScramVerifier { iterations: 4096, .. }");
    }
}
