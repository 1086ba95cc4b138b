//! Set-up, signing in, and one's own factors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PrincipalId, SecretText, Timestamp, people::PrincipalKind, tokens::TokenScope};

/// Makes the first administrator: `POST /v1/setup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// The set-up token that the server showed at its start.
    pub code: SecretText,
    /// The name of the first administrator.
    pub name: String,
    /// Their password.
    pub password: SecretText,
}

/// Takes an invitation up: `POST /v1/invitations/accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The code; one that came in two halves is both with a dot between, in either order.
    pub code: SecretText,
    /// The first password.
    pub password: SecretText,
}

/// Who can sign in now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Their id.
    pub principal: PrincipalId,
    /// Their name: what to sign in with.
    pub name: String,
}

/// Signs in: `POST /v1/signin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Who.
    pub name: String,
    /// Their password.
    pub password: SecretText,
    /// What their authenticator shows, where a second factor is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A sign-in. Its secrets are shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Who.
    pub principal: PrincipalId,
    /// What to send as `Authorization: Bearer`.
    pub token: SecretText,
    /// What a database client gives as its user name.
    pub connection_user: String,
    /// What it gives as its password. It opens nothing by itself.
    pub connection_secret: SecretText,
    /// Until when both are good.
    pub expires: Timestamp,
    /// When a second factor was shown, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_at: Option<Timestamp>,
    /// Where clients connect: `host:port`, at least one.
    pub gateway: Vec<String>,
    /// The verifier key of the ledger, as a C2SP vkey: keep the first that you see.
    pub log_key: String,
}

/// Shows the second factor again: `POST /v1/signin/second-factor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// What the authenticator shows.
    pub code: String,
}

/// The second factor was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondFactorShown {
    /// When.
    pub at: Timestamp,
}

/// Another password: `POST /v1/me/password`. One's other sign-ins end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The one until now.
    pub old: SecretText,
    /// The one from now on.
    pub new: SecretText,
}

/// Begins to enrol a second factor: `POST /v1/me/totp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolTotp {
    /// The password once more.
    pub password: SecretText,
}

/// What to put into an authenticator. Shown once; it counts once a code was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpEnrolment {
    /// The secret in base32, to type.
    pub secret: SecretText,
    /// The same as an `otpauth://` address.
    pub uri: SecretText,
}

/// The secret that a client proves at the gateway: `POST /v1/me/connection-secret`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionSecret {
    /// What it gives as its user name.
    pub user: String,
    /// What it gives as its password. It opens nothing by itself.
    pub secret: SecretText,
    /// Until when it is good.
    pub expires: Timestamp,
    /// Where clients connect: `host:port`, at least one.
    pub gateway: Vec<String>,
}

/// Who calls: `GET /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Their id.
    pub principal: PrincipalId,
    /// Their name.
    pub name: String,
    /// What they are.
    pub kind: PrincipalKind,
    /// The groups that they are in.
    pub groups: Vec<String>,
    /// What they call by.
    pub via: Via,
    /// What that allows.
    pub scopes: Vec<TokenScope>,
    /// Whether changes to what decisions read need a second administrator yet.
    pub four_eyes: FourEyes,
}

/// What somebody calls by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum Via {
    /// A sign-in of a person.
    SignIn {
        /// When a second factor was last shown in it, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        second_factor_at: Option<Timestamp>,
    },
    /// An API token.
    Token,
}

/// Whether changes to what decisions read need a second administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "four_eyes", rename_all = "snake_case")]
pub enum FourEyes {
    /// There has never been a second administrator: one alone can change everything.
    NotYet,
    /// They do.
    Since {
        /// Since when.
        at: Timestamp,
    },
}
