//! One person's yes to one request (I8).

use serde::{Deserialize, Serialize};

use crate::{ApprovalId, Digest, Name, PrincipalId, Span, Time};

/// One person's yes to one request. It names the digests of the request and of the role's definition, so that any
/// change but a narrowing voids it. // I8
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Who gave it: always a user, never a workload or a token.
    pub approver: PrincipalId,
    /// When.
    pub at: Time,
    /// What was asked, when it was approved.
    pub request_digest: Digest,
    /// What the role gave, when it was approved.
    pub role_digest: Digest,
    /// What the approver made smaller.
    pub narrowing: Narrowing,
}

/// What an approver made smaller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// A shorter time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// A role that is declared narrower than the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Picked>,
}

/// A narrower role, as it was when it was picked: if its definition changes, the yes to it is void. // I8
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picked {
    /// Its name.
    pub role: Name,
    /// What it gave.
    pub digest: Digest,
}
