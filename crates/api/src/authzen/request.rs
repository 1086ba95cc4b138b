//! Asking for access that was denied: the draft Access Request and Approval Profile.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Action, Display, Resource, Subject};
use crate::{GrantId, Timestamp};

/// Asks for access that was denied: `POST /access/v1/requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenAccessRequest)]
pub struct AccessRequest {
    /// Who would have it, as it was asked about.
    pub subject: Subject,
    /// As which role, as it was asked about.
    pub action: Action,
    /// On what, as it was asked about.
    pub resource: Resource,
    /// Which denial this answers.
    pub denial: Denial,
    /// Of it, `business_justification` is read: why, in the subject's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// What for, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_access: Option<RequestedAccess>,
}

/// Which denial a request answers: as it was said in the decision's context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenDenial)]
pub struct Denial {
    /// `context.evaluation_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_id: Option<String>,
    /// `context.access_request.expires_at`.
    pub expires_at: Timestamp,
}

/// What is asked for, beyond who, what and which role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenRequestedAccess)]
pub struct RequestedAccess {
    /// Until when; for an hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_until: Option<Timestamp>,
    /// That something is broken: the purpose is `incident` where none is said.
    #[serde(default)]
    pub emergency: bool,
    /// The ticket that it belongs to.
    #[serde(rename = "urn:daypass:ticket", default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What for, by code.
    #[serde(rename = "urn:daypass:purpose", default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<crate::requests::Purpose>,
}

/// What became of a request for access, so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenTaskAnswer)]
pub struct TaskAnswer {
    /// Where it stands.
    pub task: Task,
    /// What to do, once it is approved: evaluate again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
}

/// A request for access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenTask)]
pub struct Task {
    /// What it is told by.
    pub id: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// Where to look again.
    pub status_endpoint: String,
    /// Until when it waits, while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Display>,
    /// Where else to go.
    pub links: TaskLinks,
}

/// Where a request for access stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthzenTaskStatus)]
pub enum TaskStatus {
    /// It waits.
    Pending,
    /// Access was given.
    Approved,
    /// A person or a policy said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// It was taken back.
    Cancelled,
}

/// Where else to go with a request for access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenTaskLinks)]
pub struct TaskLinks {
    /// The page where its subject sees it.
    pub ticket: String,
    /// Where it is taken back, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
}

/// What to do with an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenTaskResult)]
pub struct TaskResult {
    /// `reevaluate`: ask again, with the approval in `context.approval`.
    pub mode: ResultMode,
    /// The approval.
    pub approval: ApprovalResult,
}

/// What to do with an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthzenResultMode)]
pub enum ResultMode {
    /// Ask again.
    Reevaluate,
}

/// An approval: the grant that it gave. It opens nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenApproval)]
pub struct ApprovalResult {
    /// The grant.
    pub id: GrantId,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// Until when at most.
    pub approved_until: Timestamp,
}

/// Takes a request back: `POST /access/v1/requests/{id}/cancel`. Neither is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenCancellation)]
pub struct Cancellation {
    /// Why, as a word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}
