//! One's own second factors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PasskeyId, SecretText, Timestamp};

/// One's second factors: `GET /v1/me/factors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorList {
    /// In which ways one can be shown; empty where none is enrolled.
    pub ways: Vec<Way>,
    /// The passkeys.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_codes: u32,
    /// Whether the account is barred.
    pub bar: Bar,
}

/// A way to show a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FactorWay)]
pub enum Way {
    /// A passkey, on a page.
    Passkey,
    /// A code of an authenticator (TOTP).
    Totp,
    /// A recovery code, good once.
    RecoveryCode,
}

/// Whether an account is barred because its second factors were reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "bar", rename_all = "snake_case")]
pub enum Bar {
    /// It isn't.
    None,
    /// It may look, and enrol a second factor, and nothing else.
    UntilEnrolled {
        /// When they were reset.
        since: Timestamp,
    },
    /// It may look, and show or enrol a second factor, and nothing else: a credential was revoked.
    UntilShown {
        /// When it was.
        since: Timestamp,
    },
}

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passkey {
    /// Its id.
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: String,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// When it was last shown; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
}

/// Begins to enrol a passkey: `POST /v1/me/passkeys`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginPasskey {
    /// One's password; needed when one signed in more than five minutes ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
}

/// What a browser is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyOptions {
    /// `PublicKeyCredentialCreationOptionsJSON` (W3C Web Authentication, Level 3).
    #[schema(value_type = Object)]
    pub options: serde_json::Value,
}

/// Finishes it: `POST /v1/me/passkeys/finish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishPasskey {
    /// What it is called: lower-case letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// `RegistrationResponseJSON` (W3C Web Authentication, Level 3).
    #[schema(value_type = Object)]
    pub answer: serde_json::Value,
}

/// A passkey that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyEnrolled {
    /// Its id.
    pub id: PasskeyId,
}

/// Recovery codes, shown once: `POST /v1/me/recovery-codes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each is good once.
    pub codes: Vec<SecretText>,
}
