//! The owner's word for what their own workload asks (I8). It is no approval: it is counted in no quorum, and it suffices
//! only where the owner could have the same without anybody's approval.

use serde::{Deserialize, Serialize};

use crate::{Digest, PrincipalId, Time};

/// Whether the owner of the workload that asks has confirmed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "confirmed", rename_all = "snake_case")]
pub enum Confirmed {
    /// They haven't.
    #[default]
    Never,
    /// They have.
    Then(Confirmation),
}

/// The owner's word for one request of their workload. It names the digests of the request and of the role's definition,
/// as an approval does, so that any change voids it. // I8
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Who gave it: the owner, signed in; never a token.
    pub by: PrincipalId,
    /// When.
    pub at: Time,
    /// What was asked, when it was confirmed.
    pub request_digest: Digest,
    /// What the role gave, when it was confirmed.
    pub role_digest: Digest,
    /// How old the owner's second factor was, in seconds; nothing when none was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_age_s: Option<i64>,
}

impl Confirmed {
    /// Left out where it is written, so that rows of before read as they are.
    #[must_use]
    pub const fn is_never(&self) -> bool {
        match self {
            Self::Never => true,
            Self::Then(_) => false,
        }
    }

    /// The confirmation, if there is one.
    #[must_use]
    pub const fn given(&self) -> Option<&Confirmation> {
        match self {
            Self::Never => None,
            Self::Then(confirmation) => Some(confirmation),
        }
    }
}
