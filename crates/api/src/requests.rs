//! Asking for access, and answering.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{GrantId, RequestId, Timestamp, grants::Grant, policy::Way, statements::Statement};

/// Asks for a role: `POST /v1/requests`. Also the body of `POST /v1/explain`, which only judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// On what, by name.
    pub resource: String,
    /// Which of its roles.
    pub role: String,
    /// For how long, from the start of the grant.
    pub duration_s: u32,
    /// From when; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// What for, by code; operations when absent.
    #[serde(default)]
    pub purpose: Purpose,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who shall hold it, by name, when not the requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneficiary: Option<String>,
    /// The one statement of SQL that it is for; absent when it is for sessions. At most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

/// What access is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Running what runs.
    #[default]
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

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answered {
    /// The request as it now stands.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
    /// The sequence number of the entry that records it.
    pub entry: u64,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[schema(as = RequestOutcome)]
pub enum Outcome {
    /// It is granted.
    Granted {
        /// The grant.
        grant: Box<Grant>,
    },
    /// It waits.
    Pending {
        /// For one of these ways.
        missing: Vec<Way>,
    },
    /// Policy says no.
    Refused {
        /// By which policies, or why else, in words.
        why: String,
        /// What would let it through if it were asked for otherwise.
        missing: Vec<Way>,
    },
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Who asks, by name.
    pub requester: String,
    /// Who would hold it, by name.
    pub beneficiary: String,
    /// Who answers for the workload that would hold it, by name; absent when a person would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// On what, by name.
    pub resource: String,
    /// Which role.
    pub role: String,
    /// What the role gives, in words.
    pub gives: String,
    /// For how long.
    pub duration_s: i64,
    /// From when; absent when at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// What for.
    pub purpose: Purpose,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The reason; absent when none was given, or it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The one statement that it is for; absent when it is for sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// The digest of what is asked: what an approver names.
    pub digest: String,
    /// When it was made.
    pub made: Timestamp,
    /// Where it stands.
    pub state: RequestState,
    /// Who has said yes.
    pub approvals: Vec<Approval>,
    /// That the workload's owner has confirmed it; absent when they haven't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// What would let it through, while it is pending: the ways.
    pub missing: Vec<Way>,
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestState {
    /// It waits.
    Pending {
        /// Until when.
        expires: Timestamp,
    },
    /// It was granted.
    Granted {
        /// The grant.
        grant: GrantId,
        /// When.
        at: Timestamp,
    },
    /// A person said no.
    Denied {
        /// Who, by name.
        by: String,
        /// When.
        at: Timestamp,
        /// Their note; absent when it was erased.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Policy said no.
    Forbidden {
        /// When.
        at: Timestamp,
        /// The policies.
        policies: Vec<String>,
    },
    /// The requester took it back.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Timestamp,
    },
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Who, by name.
    pub approver: String,
    /// When.
    pub at: Timestamp,
    /// The shorter time that they gave, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<i64>,
    /// The narrower role that they gave, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// The owner's word for what their workload asks. It is no approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirmation {
    /// Who, by name.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Which requests: `GET /v1/requests?which=`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhichRequests {
    /// One's own.
    #[default]
    Mine,
    /// Those that wait for one's answer.
    ToAnswer,
}

/// Says yes: `POST /v1/requests/{id}/approve`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// A shorter time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u32>,
    /// A narrower role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The digest of what the approver looked at. A request for one statement isn't approved without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Stands by what one's own workload asks: `POST /v1/requests/{id}/confirm`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The digest of what the owner looked at. A request for one statement isn't confirmed without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Says no: `POST /v1/requests/{id}/deny`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// Why.
    pub note: String,
}
