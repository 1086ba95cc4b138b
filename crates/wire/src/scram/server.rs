//! The server's side: a client proves that it knows a password.

use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use super::crypto::{self, KEY_LEN};
use super::message::{attribute, base64, check_nonce, text};
use super::verifier::Standing;
use super::{Mechanism, Nonce, ScramError, ScramVerifier};

/// What we offer of channel binding, and what we insist on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerBinding {
    /// There is no TLS, or our certificate names no hash: only SCRAM-SHA-256 is offered.
    Unavailable,
    /// SCRAM-SHA-256-PLUS is offered with this `tls-server-end-point` hash, and a client that doesn't know it may do without.
    Offered(Vec<u8>),
    /// Only SCRAM-SHA-256-PLUS is offered, with this hash.
    Required(Vec<u8>),
}

impl ServerBinding {
    /// The mechanisms to offer, best first.
    pub fn mechanisms(&self) -> &'static [Mechanism] {
        match self {
            Self::Unavailable => &[Mechanism::ScramSha256],
            Self::Offered(_) => &[Mechanism::ScramSha256Plus, Mechanism::ScramSha256],
            Self::Required(_) => &[Mechanism::ScramSha256Plus],
        }
    }

    fn hash(&self) -> Option<&[u8]> {
        match self {
            Self::Unavailable => None,
            Self::Offered(hash) | Self::Required(hash) => Some(hash),
        }
    }
}

/// Waits for the client's first message.
#[derive(Debug)]
pub struct ServerExchange {
    verifier: ScramVerifier,
    nonce: Nonce,
    binding: ServerBinding,
}

/// Waits for the client's proof.
#[derive(Debug)]
pub struct AwaitingFinal {
    verifier: ScramVerifier,
    /// The client's nonce and ours.
    nonce: String,
    /// What `c=` must hold, decoded.
    binding: Vec<u8>,
    client_first_bare: String,
    server_first: String,
}

impl ServerExchange {
    /// For one user. `nonce` is fresh.
    pub fn new(verifier: ScramVerifier, nonce: Nonce, binding: ServerBinding) -> Self {
        Self { verifier, nonce, binding }
    }

    /// Takes `client-first-message`, and gives `server-first-message` to send.
    ///
    /// The user name inside is ignored, as PostgreSQL does: the startup packet's counts.
    ///
    /// # Errors
    /// Malformed messages; a channel binding that doesn't fit the mechanism; [`ScramError::Downgrade`] when the client was told that
    /// there is no channel binding.
    pub fn client_first(self, mechanism: Mechanism, message: &[u8]) -> Result<(AwaitingFinal, Vec<u8>), ScramError> {
        let message = text(message)?;
        let (header, bare) = split_header(message)?;
        let binding = self.expected_binding(mechanism, header)?;

        let mut parts = bare.split(',');
        attribute(&mut parts, "n", "client-first has no user name (mandatory extensions aren't supported)")?;
        let client_nonce = attribute(&mut parts, "r", "client-first has no nonce")?;
        check_nonce(client_nonce)?;

        let nonce = format!("{client_nonce}{}", self.nonce.as_str());
        let server_first =
            format!("r={nonce},s={},i={}", BASE64.encode(self.verifier.salt()), self.verifier.iterations());
        let next = AwaitingFinal {
            verifier: self.verifier,
            nonce,
            binding,
            client_first_bare: bare.to_owned(),
            server_first: server_first.clone(),
        };
        Ok((next, server_first.into_bytes()))
    }

    /// What the client must repeat in its final message: the GS2 header, and the certificate's hash when bound.
    fn expected_binding(&self, mechanism: Mechanism, header: &str) -> Result<Vec<u8>, ScramError> {
        let flag = header.split(',').next().unwrap_or_default();
        let mut expected = header.as_bytes().to_vec();
        match (mechanism, flag, self.binding.hash()) {
            (Mechanism::ScramSha256Plus, "p=tls-server-end-point", Some(hash)) => expected.extend_from_slice(hash),
            (Mechanism::ScramSha256Plus, _, _) => return Err(ScramError::BindingUnsupported),
            (Mechanism::ScramSha256, "y", Some(_)) => return Err(ScramError::Downgrade),
            (Mechanism::ScramSha256, "y" | "n", _) => {}
            (Mechanism::ScramSha256, _, _) => return Err(ScramError::BindingUnsupported),
        }
        match (&self.binding, mechanism) {
            (ServerBinding::Required(_), Mechanism::ScramSha256) => Err(ScramError::BindingRequired),
            (ServerBinding::Required(_), Mechanism::ScramSha256Plus)
            | (ServerBinding::Offered(_) | ServerBinding::Unavailable, _) => Ok(expected),
        }
    }
}

/// The GS2 header with its two commas, and what follows.
fn split_header(message: &str) -> Result<(&str, &str), ScramError> {
    const WHAT: ScramError = ScramError::Malformed("client-first has no GS2 header");
    let first = message.find(',').ok_or(WHAT)?;
    let second = message[first + 1..].find(',').ok_or(WHAT)? + first + 1;
    if second != first + 1 {
        return Err(ScramError::Malformed("an authorization identity isn't supported"));
    }
    Ok((&message[..=second], &message[second + 1..]))
}

impl AwaitingFinal {
    /// Takes `client-final-message`; success gives `server-final-message` to send.
    ///
    /// # Errors
    /// [`ScramError::WrongProof`] for a wrong password and for a mock verifier alike; a binding or nonce that isn't this exchange's.
    pub fn client_final(self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let message = text(message)?;
        let (without_proof, proof) =
            message.rsplit_once(",p=").ok_or(ScramError::Malformed("client-final has no proof"))?;
        let mut parts = without_proof.split(',');
        let binding = attribute(&mut parts, "c", "client-final has no channel binding")?;
        let binding = base64(binding, "the channel binding isn't base64")?;
        let nonce = attribute(&mut parts, "r", "client-final has no nonce")?;
        let proof: [u8; KEY_LEN] = base64(proof, "the proof isn't base64")?
            .try_into()
            .map_err(|_| ScramError::Malformed("the proof isn't 32 bytes"))?;

        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(ScramError::NonceMismatch);
        }
        if !bool::from(binding.ct_eq(&self.binding)) {
            return Err(ScramError::BindingMismatch);
        }
        let auth =
            [self.client_first_bare.as_bytes(), b",", self.server_first.as_bytes(), b",", without_proof.as_bytes()];
        let signature = crypto::hmac(self.verifier.stored_key(), &auth);
        let client_key = crypto::xor(&proof, &signature);
        let fits = crypto::hash(client_key.as_slice()).ct_eq(self.verifier.stored_key());
        // The same work is done for a mock verifier up to here, so that time doesn't tell.
        match self.verifier.standing() {
            Standing::Real if bool::from(fits) => {
                let signature = crypto::hmac(self.verifier.server_key(), &auth);
                Ok(format!("v={}", BASE64.encode(signature.as_slice())).into_bytes())
            }
            Standing::Real | Standing::Mock => Err(ScramError::WrongProof),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const FINAL: &str =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn rfc_server(binding: ServerBinding) -> ServerExchange {
        let salt: [u8; 16] = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = ScramVerifier::from_password(b"pencil", salt, 4096).unwrap();
        ServerExchange::new(verifier, Nonce::from_text("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0").unwrap(), binding)
    }

    #[test]
    fn rfc_7677_section_3() {
        let (server, challenge) =
            rfc_server(ServerBinding::Unavailable).client_first(Mechanism::ScramSha256, FIRST).unwrap();
        assert_eq!(
            challenge,
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = server.client_final(FINAL.as_bytes()).unwrap();
        assert_eq!(last, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn tampered_finals_are_refused() {
        for (from, to, error) in [
            ("p=dHzb", "p=eHzb", ScramError::WrongProof),
            ("F$k0", "F$k1", ScramError::NonceMismatch),
            ("c=biws", "c=eSws", ScramError::BindingMismatch),
            (",p=", ",x=1,p=", ScramError::WrongProof),
            (",p=", ",q=", ScramError::Malformed("client-final has no proof")),
            ("VQ=", "V", ScramError::Malformed("the proof isn't base64")),
        ] {
            let (server, _) =
                rfc_server(ServerBinding::Unavailable).client_first(Mechanism::ScramSha256, FIRST).unwrap();
            assert_eq!(server.client_final(FINAL.replace(from, to).as_bytes()), Err(error), "{from} -> {to}");
        }
    }

    #[test]
    fn flags_and_mechanisms_must_fit_what_is_offered() {
        let none = ServerBinding::Unavailable;
        let offered = ServerBinding::Offered(vec![9; 32]);
        let required = ServerBinding::Required(vec![9; 32]);
        let plain = Mechanism::ScramSha256;
        let plus = Mechanism::ScramSha256Plus;
        let end_point = "p=tls-server-end-point";
        for (binding, mechanism, flag, expected) in [
            (&none, plain, "n", None),
            (&none, plain, "y", None),
            (&none, plus, end_point, Some(ScramError::BindingUnsupported)),
            (&offered, plain, "n", None),
            (&offered, plain, "y", Some(ScramError::Downgrade)),
            (&offered, plain, end_point, Some(ScramError::BindingUnsupported)),
            (&offered, plus, end_point, None),
            (&offered, plus, "p=tls-unique", Some(ScramError::BindingUnsupported)),
            (&offered, plus, "n", Some(ScramError::BindingUnsupported)),
            (&offered, plus, "y", Some(ScramError::BindingUnsupported)),
            (&required, plain, "n", Some(ScramError::BindingRequired)),
            (&required, plain, "y", Some(ScramError::Downgrade)),
            (&required, plus, end_point, None),
        ] {
            let first = format!("{flag},,n=,r=abc");
            let result = rfc_server(binding.clone()).client_first(mechanism, first.as_bytes());
            assert_eq!(result.err(), expected, "{binding:?} {mechanism:?} {flag}");
        }
    }

    #[test]
    fn malformed_firsts_are_refused() {
        for first in [
            &b""[..],
            b"n",
            b"n,",
            b"n,,",
            b"n,a=bob,n=,r=abc",
            b"n,,r=abc",
            b"n,,m=x,n=,r=abc",
            b"n,,n=,r=",
            b"n,,n=,r=a\x01b",
            b"n,,n=,r=\xff",
            b"z,,n=,r=abc",
        ] {
            assert!(
                rfc_server(ServerBinding::Unavailable).client_first(Mechanism::ScramSha256, first).is_err(),
                "{first:?}"
            );
        }
    }
}
