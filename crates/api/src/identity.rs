//! Coming in on another's word: identity providers for people, tokens of their own for workloads; and whose word is taken.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Mode, SecretText, signin::SignedIn};

/// The grant type of [`TokenExchange`] (RFC 8693, 2.1).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The grant type of a workload that shows an X.509-SVID in the handshake (RFC 6749, 4.4; RFC 8705, 2.1): on the listener for
/// workloads only.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// The type of a workload's own token (RFC 8693, 3).
pub const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The same, of one that is an ID token.
pub const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";
/// The type of what it gets.
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A workload's own token for one of ours: `POST /v1/token`, as a form (RFC 8693, 2.1); or its X.509-SVID, which the
/// connection shows. What it doesn't know it ignores, as the RFC says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenExchange {
    /// `urn:ietf:params:oauth:grant-type:token-exchange`; or `client_credentials`, by a certificate.
    pub grant_type: String,
    /// The token that the workload has: to exchange it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token: Option<SecretText>,
    /// `urn:ietf:params:oauth:token-type:jwt`, or `...:id_token`: to exchange it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token_type: Option<String>,
    /// Which workload, where it could be several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Refused: nobody acts for another by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_token: Option<SecretText>,
}

/// What a workload gets (RFC 8693, 2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenExchanged {
    /// What to send as `Authorization: Bearer`.
    pub access_token: SecretText,
    /// `urn:ietf:params:oauth:token-type:access_token`.
    pub issued_token_type: String,
    /// `Bearer`.
    pub token_type: String,
    /// How long it is good, in seconds.
    pub expires_in: u32,
    /// What it may do, with spaces between.
    pub scope: String,
    /// Who it is.
    pub workload: String,
}

/// A provider that people sign in by: `GET /v1/signin/providers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// What it is called here.
    pub name: String,
    /// What people know it as.
    pub title: String,
}

/// Begins a sign-in by a provider: `POST /v1/signin/oidc/begin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginSignIn {
    /// Which; the only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How.
    pub way: SignInWay,
}

/// How somebody signs in by a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum SignInWay {
    /// In a browser on the same machine, which comes back to `http://127.0.0.1:PORT/callback` (RFC 8252).
    Loopback {
        /// The port that is listened on.
        port: u16,
    },
    /// On another device (RFC 8628).
    Device,
}

/// A sign-in by a provider that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "begun", rename_all = "snake_case")]
pub enum SignInBegun {
    /// In a browser.
    Browser {
        /// Where it goes.
        url: String,
        /// What finishes it.
        attempt: SecretText,
    },
    /// On another device.
    Device {
        /// What the person types there.
        user_code: String,
        /// Where.
        verification_uri: String,
        /// The same with the code in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verification_uri_complete: Option<String>,
        /// How often to ask whether it is finished.
        interval_s: u32,
        /// What finishes it.
        attempt: SecretText,
    },
}

/// Finishes a sign-in by a provider: `POST /v1/signin/oidc/finish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishSignIn {
    /// What was given when it was begun.
    pub attempt: SecretText,
    /// What the browser came back with; absent for another device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<CameBack>,
}

/// What a browser came back with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CameBack {
    /// `code`.
    pub code: SecretText,
    /// `state`.
    pub state: String,
    /// `iss`, where there is one (RFC 9207).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "finished", rename_all = "snake_case")]
pub enum SignInFinished {
    /// Nobody signed in on the other device yet.
    NotYet {
        /// Ask again after this long.
        interval_s: u32,
    },
    /// They are in.
    SignedIn {
        /// As this.
        signed_in: Box<SignedIn>,
    },
}

/// A provider says that somebody signed out: `POST /signin/oidc/logout`, as a form (Back-Channel Logout 1.0, 2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackChannelLogout {
    /// What says so.
    pub logout_token: SecretText,
}

/// Whose word is taken for who somebody is: `GET /v1/trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trust {
    /// As it was declared, TOML; empty when nobody's is.
    pub text: String,
}

/// Declares whose word is taken: `POST /v1/trust/apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyTrust {
    /// What the document is called, for messages.
    pub file: String,
    /// Its text, TOML.
    pub text: String,
    /// Whether to do it.
    pub mode: Mode,
}
