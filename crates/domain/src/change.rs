//! A change to what decisions read (I12): proposed by one administrator, committed by another.

use serde::{Deserialize, Serialize};

use crate::{ChangeId, Digest, PayloadId, PrincipalId, Time, grant::Refusal, principal::Person};

/// A change to what decisions read: policies, labels, addresses, role definitions, groups, second factors. // I12
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// Who proposed it.
    pub proposer: PrincipalId,
    /// The person behind the proposer.
    pub proposer_person: Person,
    /// What kind of thing it changes, in one word, for tables.
    pub subject: String,
    /// The digest of exactly what will be done.
    pub digest: Digest,
    /// Where exactly what will be done is kept.
    pub content: PayloadId,
    /// When it was proposed.
    pub made: Time,
    /// Where it stands.
    pub state: ChangeState,
}

/// Where a change stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// It waits for another administrator.
    Pending {
        /// Until when.
        expires: Time,
    },
    /// Another administrator approved it, and it was done.
    Committed {
        /// Who approved it.
        approver: PrincipalId,
        /// When.
        at: Time,
    },
    /// Somebody said no, or the proposer took it back.
    Rejected {
        /// Who.
        by: PrincipalId,
        /// When.
        at: Time,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Time,
    },
}

/// What may happen to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeEvent {
    /// Another administrator approves exactly this content.
    Approve {
        /// Who.
        by: PrincipalId,
        /// The person behind them.
        person: Person,
        /// The digest of what they looked at.
        digest: Digest,
    },
    /// Somebody says no, or the proposer takes it back.
    Reject {
        /// Who.
        by: PrincipalId,
    },
    /// Its time is up.
    Expire,
}

impl ChangeState {
    /// One word for logs, tables and refusals.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Committed { .. } => "committed",
            Self::Rejected { .. } => "rejected",
            Self::Expired { .. } => "expired",
        }
    }
}

impl Change {
    /// What `event` makes of this change at `now`.
    ///
    /// # Errors
    /// A refusal that names the state and the event.
    pub fn apply(self, event: ChangeEvent, now: Time) -> Result<Self, Refusal> {
        let state = self.state.word();
        let word = match event {
            ChangeEvent::Approve { .. } => "be approved",
            ChangeEvent::Reject { .. } => "be rejected",
            ChangeEvent::Expire => "expire",
        };
        let refuse = |why| Err(Refusal { machine: "change", state, event: word, why });
        let next = match (&self.state, event) {
            (ChangeState::Pending { expires }, ChangeEvent::Approve { by, person, digest }) => {
                if now >= *expires {
                    return refuse("its time is up");
                }
                if person == self.proposer_person {
                    return refuse("another administrator must approve what you proposed"); // I12
                }
                if digest != self.digest {
                    return refuse("it isn't what the approver looked at");
                }
                ChangeState::Committed { approver: by, at: now }
            }
            (ChangeState::Pending { .. }, ChangeEvent::Reject { by }) => ChangeState::Rejected { by, at: now },
            (ChangeState::Pending { expires }, ChangeEvent::Expire) => {
                if now < *expires {
                    return refuse("its time isn't up");
                }
                ChangeState::Expired { at: now }
            }
            (
                ChangeState::Committed { .. } | ChangeState::Rejected { .. } | ChangeState::Expired { .. },
                ChangeEvent::Approve { .. } | ChangeEvent::Reject { .. } | ChangeEvent::Expire,
            ) => return refuse("it is over"),
        };
        Ok(Self { state: next, ..self })
    }
}
