//! Whoever says who somebody is: identity providers and issuers of tokens, over the network.

use std::collections::BTreeMap;

use async_trait::async_trait;
use daypass_domain::{
    Span, Time,
    trust::{Bundle, Claims, Issuer, IssuerUrl, SpiffeId, TrustDomain},
};
use daypass_wire::secevent::poll::{Answered, Asked};

use crate::{secret::Secret, signals::Listener};

/// How far another's clock may be from ours, either way.
pub const CLOCK_SKEW: Span = Span::from_secs(60);

/// Asks issuers for their keys, and providers who somebody is.
///
/// An attacker holding this can be anybody whom an issuer may name.
#[async_trait]
pub trait Identity: Send + Sync {
    /// What a token says, once it is known to be signed by the issuer, for this audience, and of this time.
    ///
    /// # Errors
    /// [`IdentityError`] says whether the token is no good, or the issuer's keys can't be had.
    async fn verify(&self, issuer: &Issuer, expected: &Expected<'_>, token: &str) -> Result<Claims, IdentityError>;

    /// Whom a JWT-SVID names, once it is known to be signed by its trust domain, for this audience, and of this time.
    ///
    /// # Errors
    /// As [`Identity::verify`].
    async fn verify_jwt_svid(
        &self,
        domains: &BTreeMap<TrustDomain, Bundle>,
        expected: &Expected<'_>,
        token: &str,
    ) -> Result<SpiffeId, IdentityError>;

    /// Whom an X.509-SVID names, once its chain is known to end at an authority of its trust domain, at this time. Whoever
    /// asks has seen that its key is held by who shows it.
    ///
    /// # Errors
    /// As [`Identity::verify`].
    async fn verify_x509_svid(
        &self,
        domains: &BTreeMap<TrustDomain, Bundle>,
        now: Time,
        chain: &[Vec<u8>],
    ) -> Result<X509Svid, IdentityError>;

    /// Where a browser goes to sign in (OpenID Connect Core 1.0, 3.1.2.1).
    ///
    /// # Errors
    /// When the provider can't be reached, or can't do what is needed.
    async fn authorize(&self, client: &Client<'_>, asked: &Authorization<'_>) -> Result<String, IdentityError>;

    /// Who came back with a code: the ID token's claims, with what the provider says of them elsewhere.
    ///
    /// # Errors
    /// When the provider refuses the code, or what it says doesn't hold.
    async fn redeem(&self, client: &Client<'_>, code: &Code<'_>, now: Time) -> Result<Claims, IdentityError>;

    /// Begins a sign-in on another device (RFC 8628).
    ///
    /// # Errors
    /// When the provider can't be reached, or doesn't offer it.
    async fn begin_device(&self, client: &Client<'_>) -> Result<Device, IdentityError>;

    /// Asks once whether somebody signed in on the other device.
    ///
    /// # Errors
    /// When they refused, the time is up, or what the provider says doesn't hold.
    async fn poll_device(&self, client: &Client<'_>, code: &Secret, now: Time) -> Result<Polled, IdentityError>;

    /// Asks a transmitter for signals, and tells it what became of those that came before (RFC 8936).
    ///
    /// # Errors
    /// When it can't be reached, says no, or answers what can't be used.
    async fn poll_signals(&self, by: &Listener<'_>, at: &IssuerUrl, asked: &Asked) -> Result<Answered, IdentityError>;

    /// Asks a transmitter to send a signal that says this state (SSF 1.0, "Verification").
    ///
    /// # Errors
    /// When it can't be reached, says no, or doesn't offer it.
    async fn ask_to_verify(&self, by: &Listener<'_>, stream: &str, state: &str) -> Result<(), IdentityError>;
}

/// What a token must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What kind.
    pub kind: TokenKind,
    /// For whom.
    pub audience: &'a str,
    /// The time, in authority time.
    pub now: Time,
}

/// What kind a token is: one of one kind never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Of a person who signed in (OpenID Connect Core 1.0, 2).
    IdToken,
    /// Of a job or a service account.
    Workload,
    /// Of a SPIFFE workload (JWT-SVID).
    JwtSvid,
    /// That somebody signed out (OpenID Connect Back-Channel Logout 1.0, 2.4).
    Logout,
    /// That something happened to somebody (RFC 8417).
    Signal,
}

/// A certificate that says who a SPIFFE workload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509Svid {
    /// Who.
    pub id: SpiffeId,
    /// Until when.
    pub ends: Time,
}

/// Daypass, as a provider knows it.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The provider.
    pub issuer: &'a Issuer,
    /// Its name for us.
    pub id: &'a str,
    /// Our secret there, if we have one.
    pub secret: Option<&'a Secret>,
    /// What is asked for beside `openid`.
    pub scopes: &'a std::collections::BTreeSet<String>,
    /// The claims that are needed: when the ID token lacks one, the userinfo endpoint is asked.
    pub needs: &'a [&'a str],
}

/// What a browser is sent to a provider with.
#[derive(Debug, Clone, Copy)]
pub struct Authorization<'a> {
    /// Where it comes back to.
    pub redirect_uri: &'a str,
    /// What it comes back with, so that nobody is signed in as somebody else.
    pub state: &'a str,
    /// What must be in the ID token, so that none is used twice.
    pub nonce: &'a str,
    /// The digest of what only we know (RFC 7636, S256).
    pub challenge: &'a str,
    /// How long ago they may have signed in there; then the provider says when that was.
    pub max_age: Option<Span>,
}

/// A code that a browser came back with.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// It.
    pub code: &'a Secret,
    /// What only we know (RFC 7636).
    pub verifier: &'a Secret,
    /// Where it came back to.
    pub redirect_uri: &'a str,
    /// What must be in the ID token.
    pub nonce: &'a str,
    /// Whose answer it says it is, where it says so (RFC 9207): it must be of the provider that was gone to.
    pub said: Option<&'a str>,
}

/// A sign-in on another device.
#[derive(Debug)]
pub struct Device {
    /// What we ask by.
    pub code: Secret,
    /// What the person types there.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// How often to ask.
    pub interval: Span,
    /// How long it takes at most.
    pub lasts: Span,
}

/// What came of asking once.
#[derive(Debug)]
pub enum Polled {
    /// Nothing yet; ask again after this long.
    NotYet(Span),
    /// Somebody signed in.
    Done(Claims),
}

/// Why nobody is known by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The token is no good. Never what is in it.
    #[error("the token is refused: {0}")]
    Refused(String),
    /// The issuer can't be reached, or doesn't answer in time.
    #[error("{issuer} can't be reached: {why}")]
    Unreachable {
        /// Who.
        issuer: IssuerUrl,
        /// What the system said.
        why: String,
    },
    /// The issuer answers, and the answer can't be used.
    #[error("{issuer} answers what can't be used: {why}")]
    Unusable {
        /// Who.
        issuer: IssuerUrl,
        /// Why.
        why: String,
    },
    /// The provider says no.
    #[error("{issuer} says no: {why}")]
    Denied {
        /// Who.
        issuer: IssuerUrl,
        /// Its word (RFC 6749, 5.2), cut and escaped.
        why: String,
    },
}
