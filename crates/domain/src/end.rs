//! How access ends, and what is known of the end.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, Name, PayloadId, PrincipalId, RequestId, Time};

/// Why a grant ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum EndCause {
    /// Its time was up.
    Deadline,
    /// Its holder gave it back.
    Released {
        /// The holder, or a workload of theirs.
        by: PrincipalId,
    },
    /// Somebody took it.
    Revoked {
        /// Who.
        by: PrincipalId,
        /// Where their reason is kept.
        reason: PayloadId,
    },
    /// Its holder, or the owner of the workload that held it, was disabled.
    Disabled {
        /// Who was disabled.
        principal: PrincipalId,
    },
    /// A transmitter of signals said that its holder's sessions or credentials are revoked.
    Signalled {
        /// Which.
        transmitter: Name,
    },
    /// A fact that it depended on is gone (I2).
    FactGone {
        /// Which.
        fact: HeldFact,
    },
    /// The policies changed, and the new ones don't permit it.
    PolicyChanged {
        /// The digest of the new policy set.
        policy: Digest,
    },
    /// The role or the resource was changed or removed under it.
    RoleChanged,
    /// It was for one statement, and that is over.
    StatementOver,
    /// The data folder was restored from a backup: nothing that was live then is live now.
    Restored,
}

/// A fact that must stay true while a grant lives (I2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum HeldFact {
    /// An approval was withdrawn, or its giver is no longer entitled to give it.
    Approval {
        /// The request that it was for.
        request: RequestId,
    },
    /// Membership in a group, an attribute, an hour of the day: whatever policy read and now reads differently.
    Judged,
}

impl EndCause {
    /// One word for logs and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Released { .. } => "released",
            Self::Revoked { .. } => "revoked",
            Self::Disabled { .. } => "disabled",
            Self::Signalled { .. } => "signalled",
            Self::FactGone { .. } => "fact_gone",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::RoleChanged => "role_changed",
            Self::StatementOver => "statement_over",
            Self::Restored => "restored",
        }
    }
}

/// What the client at the other end is told. Never who or why in free text: that stays in the ledger.
impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "the time of the grant is up",
            Self::Released { .. } => "the grant was released by its holder",
            Self::Revoked { .. } => "the grant was revoked",
            Self::Disabled { .. } => "the account was disabled",
            Self::Signalled { .. } => "the identity provider revoked the sign-in",
            Self::FactGone { fact: HeldFact::Approval { .. } } => "an approval that the grant rests on was withdrawn",
            Self::FactGone { fact: HeldFact::Judged } => "a fact that the grant rests on no longer holds",
            Self::PolicyChanged { .. } => "the policies changed and no longer permit it",
            Self::RoleChanged => "the role or its resource was changed",
            Self::StatementOver => "the one statement of the grant is over",
            Self::Restored => "the server was restored from a backup",
        })
    }
}

/// What is known of the end at the target (I5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum EndConfirmation {
    /// No login was ever made for the grant, so there was nothing to end.
    NothingMade,
    /// The login is gone, no backend of it is left, nothing remains of it.
    Clean,
    /// The login is gone; what it owned belongs to the role's declared owner.
    Kept {
        /// How many objects.
        objects: u32,
        /// Where their list is kept.
        list: PayloadId,
    },
    /// The login is gone; something remains that nobody declared.
    Residue {
        /// How many things.
        items: u32,
        /// Where their list is kept.
        list: PayloadId,
    },
}

/// Where an ending stands at the target. `Unknown` isn't an end: it is tried again until it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum EndProgress {
    /// The cut was ordered: NOLOGIN, terminate, scan.
    Cutting,
    /// No backend is left and the residue list is durable; the drop may go on (I5).
    Listed {
        /// The confirmation that a successful drop will carry.
        found: EndConfirmation,
    },
    /// The target couldn't be reached, or refused.
    Unknown {
        /// When it was last tried.
        tried: Time,
        /// How often.
        times: u32,
    },
}
