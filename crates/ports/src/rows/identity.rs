//! How one comes in: sign-ins and tokens, what they rest on, what one proves oneself by.

use daypass_domain::{Digest, Name, PrincipalId, SignInId, Time, TokenId, principal::SecondFactor, trust::Attributes};
use serde::{Deserialize, Serialize};

use super::key;
use crate::record::{Due, Kind, Stored};

/// What an API token may do. It never approves, whatever it may do else (I8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// See what its principal may see.
    Read,
    /// Ask for access, use it, give it back.
    Request,
    /// Administer, where its principal is an administrator.
    Administer,
    /// Say who is in the directory whose connector its principal is, over SCIM.
    Scim,
    /// Ask over AuthZEN who has access.
    Decide,
}

impl TokenScope {
    /// As tokens, documents and refusals write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Request => "request",
            Self::Administer => "administer",
            Self::Scim => "scim",
            Self::Decide => "decide",
        }
    }
}

/// An API token: hashed, scoped, expiring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub principal: PrincipalId,
    /// SHA-256 of the secret (which has 256 random bits, so no slow hash is needed).
    pub hash: Digest,
    /// What it may do.
    pub scopes: std::collections::BTreeSet<TokenScope>,
    /// Until when.
    pub expires: Time,
    /// What it was given for.
    #[serde(default, skip_serializing_if = "TokenOrigin::is_made")]
    pub origin: TokenOrigin,
}

/// What a token was given for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum TokenOrigin {
    /// A person made it.
    #[default]
    Made,
    /// A workload brought a token of its own (RFC 8693).
    Exchanged {
        /// Under which trust: it is good while that stands.
        trust: Digest,
        /// What that said, of what policy reads.
        claims: Attributes,
        /// SHA-256 of the certificate that it was given for, and is good with alone (RFC 8705, 3).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<Digest>,
    },
}

impl TokenOrigin {
    /// Whether a person made it.
    #[must_use]
    pub fn is_made(&self) -> bool {
        *self == Self::Made
    }

    /// Whether it may come with this certificate, or with none: what is bound to one comes with that one only.
    #[must_use]
    pub fn comes_with(&self, shown: Option<&Digest>) -> bool {
        match self {
            Self::Made | Self::Exchanged { certificate: None, .. } => true,
            Self::Exchanged { certificate: Some(bound), .. } => shown == Some(bound),
        }
    }
}

impl Stored for Token {
    const KIND: Kind = Kind::Token;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::HASH, self.hash.to_string()), (key::PRINCIPAL, self.principal.to_string())]
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
    }
}

/// What keeps the secret of a sign-in, and so how it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kept_by", rename_all = "snake_case")]
pub enum KeptBy {
    /// A program, which sends it as a bearer secret: what `daypass login` makes.
    #[default]
    Program,
    /// A browser, as a cookie that no script can read: what the page to sign in makes.
    Browser,
}

/// A sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Whose.
    pub principal: PrincipalId,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// What keeps the secret.
    #[serde(default)]
    pub kept_by: KeptBy,
    /// The second factor that was shown in it.
    pub second_factor: SecondFactor,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub expires: Time,
    /// On whose word.
    #[serde(default, skip_serializing_if = "SignInWord::is_own")]
    pub word: SignInWord,
}

/// On whose word somebody is signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum SignInWord {
    /// Ours: a password.
    #[default]
    Own,
    /// A provider's. Digests, since what it calls people is theirs (I9).
    Provider {
        /// Which, by what it is called here.
        provider: Name,
        /// Of issuer and subject.
        subject: Digest,
        /// Of issuer and session, where the provider names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Digest>,
    },
}

impl SignInWord {
    /// Whether it is ours.
    #[must_use]
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

impl Stored for SignIn {
    const KIND: Kind = Kind::SignIn;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![(key::HASH, self.hash.to_string()), (key::PRINCIPAL, self.principal.to_string())];
        match &self.word {
            SignInWord::Own => {}
            SignInWord::Provider { subject, session, .. } => {
                keys.push((key::SUBJECT, subject.to_string()));
                keys.extend(session.map(|session| (key::PROVIDER_SESSION, session.to_string())));
            }
        }
        keys
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
    }
}

/// Whom a provider knows as whom: made at their first sign-in by it. Its id is a digest of issuer and subject, which never
/// changes at the provider, while names and addresses there do (OpenID Connect Core 1.0, 5.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Of issuer and subject.
    pub subject: Digest,
    /// Of the issuer alone: one person has one account there.
    pub issuer: Digest,
    /// Who that is here.
    pub principal: PrincipalId,
}

impl Stored for Link {
    const KIND: Kind = Kind::Setting;
    fn row_id(&self) -> String {
        format!("link {}", self.subject)
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::LINKED, self.principal.to_string())]
    }
}

/// Whose word is taken, as it was declared. There is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustDocument {
    /// What was declared, TOML.
    pub text: String,
    /// Its digest.
    pub digest: Digest,
}

impl TrustDocument {
    /// Its row id.
    pub const ID: &str = "trust";
}

impl Stored for TrustDocument {
    const KIND: Kind = Kind::Setting;
    fn row_id(&self) -> String {
        Self::ID.to_owned()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// A single-use code that lets somebody set their first password: the set-up token, and every invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// For whom. The set-up token's principal is made with it.
    pub principal: PrincipalId,
    /// The name, for the one who takes it up.
    pub name: Name,
    /// SHA-256 of the code.
    pub hash: Digest,
    /// Until when.
    pub expires: Time,
}

impl Stored for Invitation {
    const KIND: Kind = Kind::Setting;
    fn row_id(&self) -> String {
        format!("invitation {}", self.hash)
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![("invitation", self.principal.to_string())]
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
    }
}
