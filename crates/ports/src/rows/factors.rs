//! What a principal proves itself by: a password, second factors, recovery codes, and the secret of its clients.

use std::collections::BTreeSet;

use daypass_domain::{Digest, Name, PasskeyId, PrincipalId, Time};
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Stored};
use crate::webauthn::Credential;

/// What a principal proves itself by. One row a principal; its id is the principal's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// Whose.
    pub principal: PrincipalId,
    /// Argon2id, as a PHC string; none until the invitation was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The TOTP secret, sealed, in base64; none until it was enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<Totp>,
    /// The passkeys, in the order in which they were enrolled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<Passkey>,
    /// The recovery codes that weren't used yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_codes: Vec<RecoveryCode>,
    /// Whether the account is barred until a second factor is enrolled anew.
    #[serde(default)]
    pub bar: Bar,
    /// The personal connection secret, while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionSecret>,
}

/// How many recovery codes are made at once.
pub const RECOVERY_CODES: usize = 10;

/// Whether an account is barred because its second factors were reset. // I12
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "bar", rename_all = "snake_case")]
pub enum Bar {
    /// It isn't.
    #[default]
    None,
    /// Whoever signs in may look, and enrol a second factor, and nothing else.
    UntilEnrolled {
        /// When they were reset.
        since: Time,
    },
    /// Whoever signs in may look, and show or enrol a second factor, and nothing else: a signal said that a credential of
    /// theirs is revoked.
    UntilShown {
        /// When it was revoked. What was shown before counts for nothing.
        since: Time,
    },
}

impl Bar {
    /// What is left of it once a second factor was shown at that time.
    #[must_use]
    pub fn after_showing(self, at: Time) -> Self {
        match self {
            Self::UntilShown { since } if since <= at => Self::None,
            Self::None | Self::UntilEnrolled { .. } | Self::UntilShown { .. } => self,
        }
    }

    /// What it becomes when a credential was revoked at that time: what is stricter stays.
    #[must_use]
    pub fn after_revoking(self, at: Time) -> Self {
        match self {
            Self::UntilEnrolled { .. } => self,
            Self::None => Self::UntilShown { since: at },
            Self::UntilShown { since } => Self::UntilShown { since: since.max(at) },
        }
    }
}

/// A way to show a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A passkey (WebAuthn), on a page.
    Passkey,
    /// A code of an authenticator (TOTP).
    Totp,
    /// A recovery code, good once.
    RecoveryCode,
}

/// A TOTP factor (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The secret, sealed, in base64.
    pub sealed: String,
    /// The last time step that was used: none is good twice (RFC 6238, 5.2).
    pub last_step: u64,
    /// Whether a first code was shown: before that it doesn't count as a factor.
    pub confirmed: Enrolment,
}

/// Whether a factor's first code was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolment {
    /// The secret was given; no code was shown yet.
    Begun,
    /// It counts.
    Done,
}

/// A passkey: a public key of an authenticator. Nothing in it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its id here.
    pub id: PasskeyId,
    /// What its owner calls it.
    pub name: Name,
    /// What it is recognized by, with its sign counter where it has one.
    pub credential: Credential,
    /// When it was enrolled.
    pub enrolled: Time,
    /// When it was last shown.
    pub last: PasskeyUse,
}

/// When a passkey was last shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "used", rename_all = "snake_case")]
pub enum PasskeyUse {
    /// Not since it was enrolled.
    Never,
    /// Then.
    At {
        /// When.
        at: Time,
    },
}

/// A recovery code that wasn't used yet. A used one is taken out of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCode {
    /// A hash of the code, keyed by its owner's key: the code has 128 random bits, so a fast hash is enough.
    pub hash: Digest,
}

impl Factors {
    /// Of a principal that can prove nothing yet.
    #[must_use]
    pub fn none_of(principal: PrincipalId) -> Self {
        Self {
            principal,
            password: None,
            totp: None,
            passkeys: Vec::new(),
            recovery_codes: Vec::new(),
            bar: Bar::None,
            connection: None,
        }
    }

    /// Whether a TOTP factor counts.
    #[must_use]
    pub fn has_totp(&self) -> bool {
        self.totp.as_ref().is_some_and(|totp| totp.confirmed == Enrolment::Done)
    }

    /// Whether a second factor is enrolled. Recovery codes are none: they stand in for one.
    #[must_use]
    pub fn has_second_factor(&self) -> bool {
        self.has_totp() || !self.passkeys.is_empty()
    }

    /// The ways in which a second factor can be shown; none where none is enrolled.
    #[must_use]
    pub fn ways(&self) -> BTreeSet<Way> {
        let mut ways = BTreeSet::new();
        if !self.has_second_factor() {
            return ways;
        }
        if !self.passkeys.is_empty() {
            ways.insert(Way::Passkey);
        }
        if self.has_totp() {
            ways.insert(Way::Totp);
        }
        if !self.recovery_codes.is_empty() {
            ways.insert(Way::RecoveryCode);
        }
        ways
    }

    /// The credentials of the passkeys.
    #[must_use]
    pub fn credentials(&self) -> Vec<Credential> {
        self.passkeys.iter().map(|passkey| passkey.credential.clone()).collect()
    }
}

/// The secret that a client proves at the gateway. It opens nothing by itself (I6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSecret {
    /// The secret, sealed, in base64: a second sign-in gets the same, so that every saved connection goes on working.
    pub sealed: String,
    /// What a client must satisfy: a SCRAM-SHA-256 verifier in PostgreSQL's form.
    pub verifier: String,
    /// Until when.
    pub expires: Time,
}

impl Stored for Factors {
    const KIND: Kind = Kind::Factors;
    fn row_id(&self) -> String {
        self.principal.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_before_passkeys_reads_and_is_not_barred() {
        let id = PrincipalId::new(Time::from_micros(0), [1; 10]);
        let old = serde_json::json!({"principal": id, "password": "x"});
        let read: Factors = serde_json::from_value(old).unwrap();
        assert_eq!((read.bar, read.ways()), (Bar::None, BTreeSet::new()));
    }

    #[test]
    fn what_was_shown_before_a_credential_was_revoked_lifts_no_bar() {
        let at = Time::from_micros;
        let barred = Bar::None.after_revoking(at(10));
        assert_eq!(barred.after_showing(at(9)), barred);
        assert_eq!(barred.after_showing(at(10)), Bar::None);
        assert_eq!(barred.after_revoking(at(5)), barred, "an older word lifts nothing");
        let reset = Bar::UntilEnrolled { since: at(1) };
        assert_eq!((reset.after_revoking(at(10)), reset.after_showing(at(20))), (reset, reset));
    }

    #[test]
    fn recovery_codes_alone_are_no_second_factor() {
        let id = PrincipalId::new(Time::from_micros(0), [1; 10]);
        let code = RecoveryCode { hash: Digest::of(b"x") };
        let only = Factors { recovery_codes: vec![code], ..Factors::none_of(id) };
        assert!(!only.has_second_factor() && only.ways().is_empty());
    }
}
