//! The life of a request: pending, then granted, denied, forbidden, withdrawn or expired.
//!
//! | state | approve | confirm | look | withdraw approval | deny | withdraw | expire | grant | forbid |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | pending | pending | pending | pending | pending | denied | withdrawn | expired | granted | forbidden |
//! | granted | | | | granted (the grant is judged again) | | | | | |
//! | the others | | | | | | | | | |

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, GrantId, Name, PayloadId, PrincipalId, RequestId, ResourceId, Span, Time,
    approval::{Approval, Narrowing},
    confirmation::{Confirmation, Confirmed},
    grant::Refusal,
    principal::Person,
    statement::{Looked, Wants},
    trust::Attributes,
};

/// A wish for a role on a resource, for a reason and a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What is asked.
    pub asked: Asked,
    /// The definition of the role when it was asked for (I8).
    pub role_digest: Digest,
    /// When it was made.
    pub made: Time,
    /// Where it stands.
    pub state: RequestState,
    /// Who has said yes, in the order of their saying it. Kept when it is granted: they are held facts (I2).
    pub approvals: Vec<Approval>,
    /// What the target said of its statement, if it is for one. No part of what is asked: looking voids no approval.
    #[serde(default, skip_serializing_if = "Looked::is_never")]
    pub looked: Looked,
    /// Whether the owner of the workload that asks has confirmed it. A held fact too (I2), and no approval (I8).
    #[serde(default, skip_serializing_if = "Confirmed::is_never")]
    pub confirmed: Confirmed,
}

/// What is asked: fixed at the act (I2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asks.
    pub requester: PrincipalId,
    /// The person behind the requester.
    pub requester_person: Person,
    /// Who shall hold the grant: the requester, or somebody else.
    pub beneficiary: PrincipalId,
    /// The person behind the beneficiary.
    pub beneficiary_person: Person,
    /// On what.
    pub resource: ResourceId,
    /// Which of its roles.
    pub role: Name,
    /// For how long, from the start of the grant.
    pub duration: Span,
    /// From when.
    pub start: Start,
    /// What for, by code.
    pub purpose: Purpose,
    /// The ticket that it belongs to, as that system names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketRef>,
    /// The reason: where it is kept, since rows hold no free text (I9).
    pub reason: Reason,
    /// How old the second factor was, in seconds, when it was asked; nothing when none was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_age_s: Option<i64>,
    /// What it is for: sessions, or one statement.
    #[serde(default, skip_serializing_if = "Wants::is_sessions")]
    pub wants: Wants,
    /// What the token said by which a workload asked: of a person nothing. Names and identifiers, never free text (I9).
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub claims: Attributes,
}

/// The reason for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// None was given.
    Missing,
    /// One was given, and is kept there.
    Kept {
        /// Where.
        at: PayloadId,
        /// Its digest, so that an approval covers it.
        digest: Digest,
    },
}

/// When a grant shall start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "start", rename_all = "snake_case")]
pub enum Start {
    /// As soon as it is given.
    AtOnce,
    /// Then.
    At {
        /// When.
        time: Time,
    },
}

/// What access is for (HIPAA 45 CFR 164.506, GDPR Art. 5(1)(b)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Running what runs.
    Operations,
    /// Something is broken.
    Incident,
    /// A planned change.
    Change,
    /// Helping a customer, patient or user.
    Support,
    /// Treatment of a patient.
    Treatment,
    /// Payment.
    Payment,
    /// An audit or a legal duty.
    Compliance,
    /// Reports and analyses.
    Analytics,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Operations,
        Self::Incident,
        Self::Change,
        Self::Support,
        Self::Treatment,
        Self::Payment,
        Self::Compliance,
        Self::Analytics,
    ];

    /// As written in policies and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Incident => "incident",
            Self::Change => "change",
            Self::Support => "support",
            Self::Treatment => "treatment",
            Self::Payment => "payment",
            Self::Compliance => "compliance",
            Self::Analytics => "analytics",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A ticket's key in its own system: 1 to 64 of letters, digits and `. _ - # / :`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketRef(String);

/// Why a text can't refer to a ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't be a ticket reference: use 1 to 64 letters, digits and . _ - # / :, like OPS-1234")]
pub struct BadTicketRef(pub String);

impl TryFrom<String> for TicketRef {
    type Error = BadTicketRef;
    fn try_from(text: String) -> Result<Self, BadTicketRef> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'#' | b'/' | b':');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
            return Err(BadTicketRef(text.chars().take(64).flat_map(char::escape_default).collect()));
        }
        Ok(Self(text))
    }
}

impl From<TicketRef> for String {
    fn from(ticket: TicketRef) -> Self {
        ticket.0
    }
}

impl fmt::Display for TicketRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestState {
    /// It waits for what is missing.
    Pending {
        /// Until when.
        expires: Time,
    },
    /// It was granted.
    Granted {
        /// The grant that answers it.
        grant: GrantId,
        /// When.
        at: Time,
    },
    /// A person said no.
    Denied {
        /// Who.
        by: PrincipalId,
        /// When.
        at: Time,
        /// Where their note is kept.
        note: PayloadId,
    },
    /// Policy said no, whatever else may come.
    Forbidden {
        /// When.
        at: Time,
        /// The policies that forbid it.
        policies: Vec<String>,
    },
    /// The requester took it back.
    Withdrawn {
        /// When.
        at: Time,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Time,
    },
}

/// What may happen to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEvent {
    /// Somebody says yes.
    Approve {
        /// Their approval.
        approval: Approval,
        /// The person behind the approver.
        person: Person,
    },
    /// The owner of the workload that asks stands by it.
    Confirm {
        /// Their word.
        confirmation: Confirmation,
        /// The person behind them.
        person: Person,
    },
    /// The target was asked what its statement would cost.
    Look(Looked),
    /// Somebody takes their yes back.
    WithdrawApproval {
        /// Who.
        approver: PrincipalId,
    },
    /// Somebody says no.
    Deny {
        /// Who.
        by: PrincipalId,
        /// The person behind them.
        person: Person,
        /// Where their note is kept.
        note: PayloadId,
    },
    /// The requester takes it back.
    Withdraw,
    /// Its time is up.
    Expire,
    /// Policy permits it.
    Grant(GrantId),
    /// Policy forbids it.
    Forbid(Vec<String>),
}

impl RequestEvent {
    const fn word(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "be approved",
            Self::Confirm { .. } => "be confirmed",
            Self::Look(_) => "be looked at",
            Self::WithdrawApproval { .. } => "lose an approval",
            Self::Deny { .. } => "be denied",
            Self::Withdraw => "be withdrawn",
            Self::Expire => "expire",
            Self::Grant(_) => "be granted",
            Self::Forbid(_) => "be forbidden",
        }
    }
}

impl RequestState {
    /// One word for logs, tables and refusals.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Granted { .. } => "granted",
            Self::Denied { .. } => "denied",
            Self::Forbidden { .. } => "forbidden",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Expired { .. } => "expired",
        }
    }
}

impl Asked {
    /// What an approval names (I8).
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_value("request", self)
    }
}

impl Request {
    /// Whether it waits for somebody's answer.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match self.state {
            RequestState::Pending { .. } => true,
            RequestState::Granted { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => false,
        }
    }

    /// What `event` makes of this request at `now`.
    ///
    /// # Errors
    /// A refusal that names the state and the event.
    pub fn apply(self, event: RequestEvent, now: Time) -> Result<Self, Refusal> {
        let state = self.state.word();
        let word = event.word();
        let refuse = |why| Err(Refusal { machine: "request", state, event: word, why });
        match (&self.state, event) {
            (RequestState::Pending { expires }, RequestEvent::Approve { approval, person }) => {
                if now >= *expires {
                    return refuse("its time is up");
                }
                if self.is_party(person) {
                    return refuse("nobody approves what they asked for or would hold"); // I8
                }
                if approval.request_digest != self.asked.digest() || approval.role_digest != self.role_digest {
                    return refuse("it has changed since the approver looked at it"); // I8
                }
                if self.approvals.iter().any(|a| a.approver == approval.approver) {
                    return refuse("this person has approved it already"); // I8
                }
                if approval.narrowing.duration.is_some_and(|d| d > self.asked.duration || d == Span::ZERO) {
                    return refuse("an approver can only shorten the time");
                }
                let mut approvals = self.approvals;
                approvals.push(approval);
                Ok(Self { approvals, ..self })
            }
            (RequestState::Pending { expires }, RequestEvent::Confirm { confirmation, person }) => {
                if now >= *expires {
                    return refuse("its time is up");
                }
                if !self.is_confirmed_by(person) || confirmation.by != person.id() {
                    return refuse("only the owner of the workload that asks confirms it"); // I8
                }
                if confirmation.request_digest != self.asked.digest() || confirmation.role_digest != self.role_digest {
                    return refuse("it has changed since its owner looked at it"); // I8
                }
                if !self.confirmed.is_never() {
                    return refuse("its owner has confirmed it already");
                }
                Ok(Self { confirmed: Confirmed::Then(confirmation), ..self })
            }
            (RequestState::Pending { .. }, RequestEvent::Look(looked)) => {
                if self.asked.wants.is_sessions() {
                    return refuse("it is for sessions, not for one statement");
                }
                Ok(Self { looked, ..self })
            }
            (
                RequestState::Pending { .. } | RequestState::Granted { .. },
                RequestEvent::WithdrawApproval { approver },
            ) => {
                let before = self.approvals.len();
                let approvals: Vec<_> = self.approvals.into_iter().filter(|a| a.approver != approver).collect();
                if approvals.len() == before {
                    return refuse("this person hasn't approved it");
                }
                Ok(Self { approvals, ..self })
            }
            (RequestState::Pending { .. }, RequestEvent::Deny { by, person, note }) => {
                if self.is_party(person) {
                    return refuse("it is yours: withdraw it instead");
                }
                Ok(Self { state: RequestState::Denied { by, at: now, note }, ..self })
            }
            (RequestState::Pending { .. }, RequestEvent::Withdraw) => {
                Ok(Self { state: RequestState::Withdrawn { at: now }, ..self })
            }
            (RequestState::Pending { expires }, RequestEvent::Expire) => {
                if now < *expires {
                    return refuse("its time isn't up");
                }
                Ok(Self { state: RequestState::Expired { at: now }, ..self })
            }
            (RequestState::Pending { expires }, RequestEvent::Grant(grant)) => {
                if now >= *expires {
                    return refuse("its time is up");
                }
                Ok(Self { state: RequestState::Granted { grant, at: now }, ..self })
            }
            (RequestState::Pending { .. }, RequestEvent::Forbid(policies)) => {
                Ok(Self { state: RequestState::Forbidden { at: now, policies }, ..self })
            }
            (RequestState::Granted { .. }, RequestEvent::Withdraw | RequestEvent::Deny { .. }) => {
                refuse("there is a grant already: release or revoke that")
            }
            (
                RequestState::Granted { .. },
                RequestEvent::Approve { .. }
                | RequestEvent::Confirm { .. }
                | RequestEvent::Look(_)
                | RequestEvent::Expire
                | RequestEvent::Grant(_)
                | RequestEvent::Forbid(_),
            ) => refuse("it is granted already"),
            (
                RequestState::Denied { .. }
                | RequestState::Forbidden { .. }
                | RequestState::Withdrawn { .. }
                | RequestState::Expired { .. },
                RequestEvent::Approve { .. }
                | RequestEvent::Confirm { .. }
                | RequestEvent::Look(_)
                | RequestEvent::WithdrawApproval { .. }
                | RequestEvent::Deny { .. }
                | RequestEvent::Withdraw
                | RequestEvent::Expire
                | RequestEvent::Grant(_)
                | RequestEvent::Forbid(_),
            ) => refuse("it is over: ask again"),
        }
    }

    /// Whether a person asked for it or would hold it: then they never approve it. // I8
    #[must_use]
    pub fn is_party(&self, person: Person) -> bool {
        self.asked.requester_person == person || self.asked.beneficiary_person == person
    }

    /// Whether this person's confirmation is one that the request may wait for: a workload of theirs would hold it, and
    /// nobody else asks. // I8
    #[must_use]
    pub fn is_confirmed_by(&self, person: Person) -> bool {
        let Asked { requester_person, beneficiary, beneficiary_person, .. } = &self.asked;
        // Who is behind a user is that user.
        let of_a_workload = beneficiary_person.id() != *beneficiary;
        of_a_workload && *beneficiary_person == person && *requester_person == person
    }

    /// What the approvers made of what was asked: the shortest time, and the narrower role if one was picked (the last
    /// one picked).
    #[must_use]
    pub fn narrowed(&self) -> (Span, Name) {
        let mut duration = self.asked.duration;
        let mut role = self.asked.role.clone();
        for Narrowing { duration: shorter, role: narrower } in self.approvals.iter().map(|a| &a.narrowing) {
            duration = shorter.map_or(duration, |d| d.min(duration));
            role = narrower.as_ref().map_or(role, |picked| picked.role.clone());
        }
        (duration, role)
    }
}
