//! Passkeys, verified by `webauthn-rs` (W3C Web Authentication, Level 3).
//!
//! The relying party is the server's first DNS name, or `localhost`; an answer must come from a page of `https://` that
//! name, at the API's port or, behind something that forwards, at 443. User verification is required.

use daypass_ports::webauthn::{ANSWER_MAX, Begun, Ceremony, Credential, PasskeyError, Passkeys, Shown, Whom};
use serde::de::DeserializeOwned;
use url::Url;
use webauthn_rs::prelude::{
    Credential as Inside, CredentialID, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

/// What wrote a credential: this file, with `webauthn-rs` 0.6.
const FORMAT: &str = "webauthn-rs 0.6";

/// Verifies passkeys for one server.
pub struct WebAuthn(Webauthn);

impl WebAuthn {
    /// For a server of this DNS name, whose pages are at this port or at 443.
    ///
    /// # Errors
    /// When the name can't be a relying party's: an address can't.
    pub fn new(name: &str, port: u16) -> Result<Self, PasskeyError> {
        let cannot = |why: String| PasskeyError::Unavailable(format!("`{name}` can't be a passkey's site: {why}"));
        let origin = |text: String| Url::parse(&text).map_err(|e| cannot(e.to_string()));
        let (own, plain) = (origin(format!("https://{name}:{port}"))?, origin(format!("https://{name}"))?);
        let builder = WebauthnBuilder::new(name, &own).map_err(|e| cannot(e.to_string()))?;
        let built = builder.append_allowed_origin(&plain).rp_name("Daypass").build();
        Ok(Self(built.map_err(|e| cannot(e.to_string()))?))
    }
}

impl Passkeys for WebAuthn {
    fn begin_enrolment(&self, whom: &Whom, have: &[Credential]) -> Result<Begun, PasskeyError> {
        let excluded: Vec<CredentialID> = read_all(have)?.iter().map(|key| key.cred_id().clone()).collect();
        let id = Uuid::from_bytes(whom.id.bytes());
        let begun = self.0.start_passkey_registration(id, &whom.name, &whom.name, Some(excluded));
        let (challenge, state) = begun.map_err(refused)?;
        Ok(Begun { options: written(&challenge.public_key)?, ceremony: Ceremony::new(state) })
    }

    fn finish_enrolment(&self, ceremony: &Ceremony, answer: &str) -> Result<Credential, PasskeyError> {
        let state: &PasskeyRegistration = ceremony.kept().ok_or_else(other_ceremony)?;
        let answer: RegisterPublicKeyCredential = read_answer(answer)?;
        let passkey = self.0.finish_passkey_registration(&answer, state).map_err(refused)?;
        kept(&passkey)
    }

    fn begin_showing(&self, have: &[Credential]) -> Result<Begun, PasskeyError> {
        let (challenge, state) = self.0.start_passkey_authentication(&read_all(have)?).map_err(refused)?;
        Ok(Begun { options: written(&challenge.public_key)?, ceremony: Ceremony::new(state) })
    }

    fn finish_showing(&self, ceremony: &Ceremony, answer: &str, have: &[Credential]) -> Result<Shown, PasskeyError> {
        let state: &PasskeyAuthentication = ceremony.kept().ok_or_else(other_ceremony)?;
        let answer: PublicKeyCredential = read_answer(answer)?;
        let mut all = read_all(have)?;
        let which = all.iter().position(|key| key.cred_id().as_slice() == answer.get_credential_id());
        let which = which.ok_or_else(|| PasskeyError::Refused("no such passkey is enrolled any more".to_owned()))?;
        let result = match self.0.finish_passkey_authentication(&answer, state) {
            Ok(result) => result,
            Err(WebauthnError::CredentialPossibleCompromise) => return Err(PasskeyError::CounterWentBack { which }),
            Err(error) => return Err(refused(error)),
        };
        if !result.user_verified() {
            return Err(PasskeyError::NotVerified);
        }
        // The ceremony knows the counter of its beginning. Another may have been finished since.
        let before = Inside::from(all[which].clone()).counter;
        if (before > 0 || result.counter() > 0) && result.counter() <= before {
            return Err(PasskeyError::CounterWentBack { which });
        }
        all[which].update_credential(&result);
        Ok(Shown { which, credential: kept(&all[which])? })
    }
}

fn kept(passkey: &Passkey) -> Result<Credential, PasskeyError> {
    Ok(Credential { format: FORMAT.to_owned(), content: written(passkey)? })
}

fn read_all(have: &[Credential]) -> Result<Vec<Passkey>, PasskeyError> {
    have.iter().map(read).collect()
}

fn read(credential: &Credential) -> Result<Passkey, PasskeyError> {
    if credential.format != FORMAT {
        return Err(PasskeyError::Unreadable(format!("it is in the format `{}`", credential.format)));
    }
    serde_json::from_value(credential.content.clone()).map_err(|e| PasskeyError::Unreadable(e.to_string()))
}

fn written(what: &impl serde::Serialize) -> Result<serde_json::Value, PasskeyError> {
    serde_json::to_value(what).map_err(|e| PasskeyError::Unavailable(e.to_string()))
}

fn read_answer<T: DeserializeOwned>(text: &str) -> Result<T, PasskeyError> {
    if text.len() > ANSWER_MAX {
        return Err(PasskeyError::Refused(format!("it has more than {ANSWER_MAX} bytes")));
    }
    serde_json::from_str(text).map_err(|_| PasskeyError::Refused("it can't be read".to_owned()))
}

fn other_ceremony() -> PasskeyError {
    PasskeyError::Refused("it is one to another question".to_owned())
}

/// What the library says are fixed words: nothing of what came from outside is in them.
fn refused(error: WebauthnError) -> PasskeyError {
    if matches!(error, WebauthnError::UserNotVerified) {
        return PasskeyError::NotVerified;
    }
    PasskeyError::Refused(error.to_string())
}
