//! The client's side: we prove to a target that we know the ephemeral login's password, and it proves that it knows the verifier.

use std::fmt;

use data_encoding::BASE64;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::crypto::{self, KEY_LEN, Key};
use super::message::{attribute, base64, check_nonce, text};
use super::{ITERATIONS_MAX, Mechanism, Nonce, ScramError};

/// The longest salt accepted from a server, in bytes.
const SALT_LEN_MAX: usize = 1024;
/// The longest error text kept from a server, in characters.
const REFUSAL_LEN_MAX: usize = 200;

/// What we do about channel binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientBinding {
    /// We can't (no TLS, or a certificate without a hash): flag `n`.
    Unsupported,
    /// We can, but the server didn't offer SCRAM-SHA-256-PLUS: flag `y`, which lets an honest server see a removed offer.
    NotOffered,
    /// SCRAM-SHA-256-PLUS with this `tls-server-end-point` hash of the server's certificate.
    ServerEndPoint(Vec<u8>),
}

impl ClientBinding {
    /// The mechanism that goes with it.
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Unsupported | Self::NotOffered => Mechanism::ScramSha256,
            Self::ServerEndPoint(_) => Mechanism::ScramSha256Plus,
        }
    }

    fn header(&self) -> &'static str {
        match self {
            Self::Unsupported => "n,,",
            Self::NotOffered => "y,,",
            Self::ServerEndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    fn data(&self) -> &[u8] {
        match self {
            Self::Unsupported | Self::NotOffered => &[],
            Self::ServerEndPoint(hash) => hash,
        }
    }
}

/// A password, wiped when it goes.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<Vec<u8>>);

impl ClientSecret {
    /// From the password's bytes.
    pub fn password(password: &[u8]) -> Self {
        Self(Zeroizing::new(password.to_vec()))
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

/// Waits for the server's challenge.
#[derive(Debug)]
pub struct ClientExchange {
    secret: ClientSecret,
    nonce: Nonce,
    binding: ClientBinding,
    first_bare: String,
}

/// Waits for the server's signature.
pub struct ClientVerifying {
    signature: Key,
}

impl ClientExchange {
    /// Gives the exchange and its `client-first-message` to send. `nonce` is fresh. The user name in the message stays empty:
    /// PostgreSQL takes the startup packet's.
    pub fn start(secret: ClientSecret, nonce: Nonce, binding: ClientBinding) -> (Self, Vec<u8>) {
        Self::start_as("", secret, nonce, binding)
    }

    fn start_as(name: &str, secret: ClientSecret, nonce: Nonce, binding: ClientBinding) -> (Self, Vec<u8>) {
        let first_bare = format!("n={name},r={}", nonce.as_str());
        let message = format!("{}{first_bare}", binding.header());
        (Self { secret, nonce, binding, first_bare }, message.into_bytes())
    }

    /// Takes `server-first-message`, and gives `client-final-message` to send.
    ///
    /// # Errors
    /// Malformed messages; a nonce that doesn't extend ours; [`ScramError::Iterations`].
    pub fn server_first(self, message: &[u8]) -> Result<(ClientVerifying, Vec<u8>), ScramError> {
        let message = text(message)?;
        let mut parts = message.split(',');
        let nonce = attribute(&mut parts, "r", "server-first has no nonce (mandatory extensions aren't supported)")?;
        check_nonce(nonce)?;
        let salt = base64(attribute(&mut parts, "s", "server-first has no salt")?, "the salt isn't base64")?;
        let iterations = attribute(&mut parts, "i", "server-first has no iteration count")?;
        let iterations = self.check(nonce, &salt, iterations)?;

        let salted = crypto::salted_password(&self.secret.0, &salt, iterations)?;
        let (client_key, server_key) = crypto::keys(&salted);
        let stored_key = crypto::hash(client_key.as_slice());
        let mut bound = self.binding.header().as_bytes().to_vec();
        bound.extend_from_slice(self.binding.data());
        let without_proof = format!("c={},r={nonce}", BASE64.encode(&bound));
        let auth = [self.first_bare.as_bytes(), b",", message.as_bytes(), b",", without_proof.as_bytes()];
        let proof = crypto::xor(&client_key, &crypto::hmac(stored_key.as_slice(), &auth));
        let signature = crypto::hmac(server_key.as_slice(), &auth);
        let last = format!("{without_proof},p={}", BASE64.encode(proof.as_slice()));
        Ok((ClientVerifying { signature }, last.into_bytes()))
    }

    fn check(&self, nonce: &str, salt: &[u8], iterations: &str) -> Result<u32, ScramError> {
        // The server must add to our nonce, else a recorded exchange could be played back.
        if nonce.strip_prefix(self.nonce.as_str()).is_none_or(str::is_empty) {
            return Err(ScramError::NonceMismatch);
        }
        if salt.is_empty() || salt.len() > SALT_LEN_MAX {
            return Err(ScramError::Malformed("the salt is empty or too long"));
        }
        let count: u64 = iterations.parse().map_err(|_| ScramError::Malformed("the iteration count isn't a number"))?;
        u32::try_from(count)
            .ok()
            .filter(|count| (1..=ITERATIONS_MAX).contains(count))
            .ok_or(ScramError::Iterations(count))
    }
}

impl ClientVerifying {
    /// Takes `server-final-message`: `Ok` means that the server knows this login's verifier.
    ///
    /// # Errors
    /// [`ScramError::WrongServerSignature`], [`ScramError::ServerRefused`], or a malformed message.
    pub fn server_final(self, message: &[u8]) -> Result<(), ScramError> {
        let message = text(message)?;
        if let Some(error) = message.strip_prefix("e=") {
            return Err(ScramError::ServerRefused(error.chars().take(REFUSAL_LEN_MAX).collect()));
        }
        let value = attribute(&mut message.split(','), "v", "server-final has no signature")?;
        let signature: [u8; KEY_LEN] = base64(value, "the signature isn't base64")?
            .try_into()
            .map_err(|_| ScramError::Malformed("the signature isn't 32 bytes"))?;
        if bool::from(signature.ct_eq(self.signature.as_slice())) {
            Ok(())
        } else {
            Err(ScramError::WrongServerSignature)
        }
    }
}

impl fmt::Debug for ClientVerifying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientVerifying(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn rfc_client() -> ClientExchange {
        let nonce = Nonce::from_text("rOprNGfwEbeRWgbNEkqO").unwrap();
        let (client, first) =
            ClientExchange::start_as("user", ClientSecret::password(b"pencil"), nonce, ClientBinding::Unsupported);
        assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        client
    }

    #[test]
    fn rfc_7677_section_3() {
        let (client, last) = rfc_client().server_first(CHALLENGE.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(last).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(client.server_final(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_verifier_is_found() {
        for (last, error) in [
            ("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ScramError::WrongServerSignature),
            ("e=invalid-proof", ScramError::ServerRefused("invalid-proof".into())),
            ("v=AAAA", ScramError::Malformed("the signature isn't 32 bytes")),
            ("", ScramError::Malformed("server-final has no signature")),
        ] {
            let (client, _) = rfc_client().server_first(CHALLENGE.as_bytes()).unwrap();
            assert_eq!(client.server_final(last.as_bytes()), Err(error), "{last}");
        }
    }

    #[test]
    fn hostile_challenges_are_refused() {
        for (from, to, error) in [
            ("i=4096", "i=0", ScramError::Iterations(0)),
            ("i=4096", "i=4000000000", ScramError::Iterations(4_000_000_000)),
            ("i=4096", "i=x", ScramError::Malformed("the iteration count isn't a number")),
            ("r=rOpr", "r=sOpr", ScramError::NonceMismatch),
            ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "", ScramError::NonceMismatch),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", "", ScramError::Malformed("the salt is empty or too long")),
            (
                "r=",
                "m=x,r=",
                ScramError::Malformed("server-first has no nonce (mandatory extensions aren't supported)"),
            ),
        ] {
            let result = rfc_client().server_first(CHALLENGE.replace(from, to).as_bytes());
            assert_eq!(result.err(), Some(error), "{from} -> {to}");
        }
    }
}
