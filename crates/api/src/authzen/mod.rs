//! OpenID AuthZEN: the Authorization API 1.0, and the draft Access Request and Approval Profile. Its words are the
//! protocol's own.
//!
//! What comes in may hold members that aren't known here: they are passed over, as the specification has it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Timestamp;

mod request;

pub use request::*;

/// Who it is about: `{"type": "user", "id": "alice"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenSubject)]
pub struct Subject {
    /// `user` or `workload`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub id: String,
    /// Taken, and never believed: what somebody says of a subject isn't a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Map<String, Value>>,
}

/// On what: `{"type": "postgres", "id": "orders"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenResource)]
pub struct Resource {
    /// The kind of resource, like `postgres`; or `daypass-resource`, which is any kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub id: String,
    /// Taken, and never believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Map<String, Value>>,
}

/// As which role: `{"name": "readonly"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenAction)]
pub struct Action {
    /// The role.
    pub name: String,
    /// Taken, and never believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Map<String, Value>>,
}

/// A subject or resource that is looked for, by its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenWanted)]
pub struct Wanted {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Taken, and never believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Map<String, Value>>,
}

/// Asks whether a subject may act on a resource now: `POST /access/v1/evaluation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenEvaluationRequest)]
pub struct EvaluationRequest {
    /// Who.
    pub subject: Subject,
    /// As which role.
    pub action: Action,
    /// On what.
    pub resource: Resource,
    /// Of it, `approval.id` is read: what an approved access request gave. The rest isn't believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
}

/// Asks several at once: `POST /access/v1/evaluations`. What stands here is the default of each evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenEvaluationsRequest)]
pub struct EvaluationsRequest {
    /// Who, where an evaluation doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Subject>)]
    pub subject: Option<Map<String, Value>>,
    /// As which role, where an evaluation doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Action>)]
    pub action: Option<Map<String, Value>>,
    /// On what, where an evaluation doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Resource>)]
    pub resource: Option<Map<String, Value>>,
    /// The context, where an evaluation has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// At most fifty. Where there are none, it is one evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<EvaluationRequest>>)]
    pub evaluations: Option<Vec<Value>>,
    /// How they are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<EvaluationsOptions>,
}

/// How several evaluations are done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenEvaluationsOptions)]
pub struct EvaluationsOptions {
    /// Whether they stop at a first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations_semantic: Option<EvaluationsSemantic>,
}

/// Whether several evaluations stop at a first answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuthzenEvaluationsSemantic)]
pub enum EvaluationsSemantic {
    /// All are done.
    #[default]
    ExecuteAll,
    /// The first no, or error, is the last.
    DenyOnFirstDeny,
    /// The first yes is the last.
    PermitOnFirstPermit,
}

/// A decision. Only `true` lets anybody do anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenDecision)]
pub struct Decision {
    /// Whether they may.
    pub decision: bool,
    /// Why, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<DecisionContext>,
}

/// Why a decision is as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenDecisionContext)]
pub struct DecisionContext {
    /// What this evaluation is told by: a request for access names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_id: Option<String>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<Timestamp>,
    /// Why not, as a word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why not, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_user: Option<InWords>,
    /// The grant that lets them, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalResult>,
    /// That access can be asked for, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_request: Option<AccessRequestHint>,
    /// What to do where an approval was named that doesn't do: `request`, `retry` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action: Option<String>,
    /// In how many seconds to ask again, where that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// What is wrong with this one of several evaluations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EvaluationError>,
}

/// Words, by language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenInWords)]
pub struct InWords {
    /// In English.
    pub en: String,
}

/// What is wrong with one of several evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenEvaluationError)]
pub struct EvaluationError {
    /// The status that it would have had alone.
    pub status: u16,
    /// What is wrong.
    pub message: String,
}

/// That access can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenAccessRequestHint)]
pub struct AccessRequestHint {
    /// Where.
    pub endpoint: String,
    /// Until when this denial may be named.
    pub expires_at: Timestamp,
    /// What may be said with it, as a JSON Schema.
    pub request_schema_url: String,
    /// For people.
    pub display: Display,
}

/// What is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenDisplay)]
pub struct Display {
    /// In a few words.
    pub title: String,
    /// In more.
    pub description: String,
}

/// The answer to several evaluations: a list of decisions; or one decision, where there was no list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AuthzenEvaluationsAnswer)]
pub enum EvaluationsAnswer {
    /// In the order in which they were asked.
    Several {
        /// The decisions.
        evaluations: Vec<Decision>,
    },
    /// One.
    One(Box<Decision>),
}

/// Which page of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenPage)]
pub struct Page {
    /// What the page before said as `next_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The most results: fifty when absent or nothing, a hundred at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Map<String, Value>>,
}

/// Asks who may: `POST /access/v1/search/subject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenSubjectSearch)]
pub struct SubjectSearch {
    /// Whom: its type.
    pub subject: Wanted,
    /// As which role.
    pub action: Action,
    /// On what.
    pub resource: Resource,
    /// Not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// Which page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// Asks on what: `POST /access/v1/search/resource`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenResourceSearch)]
pub struct ResourceSearch {
    /// Who.
    pub subject: Subject,
    /// As which role.
    pub action: Action,
    /// What: its type.
    pub resource: Wanted,
    /// Not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// Which page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// Asks as which roles: `POST /access/v1/search/action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenActionSearch)]
pub struct ActionSearch {
    /// Who.
    pub subject: Subject,
    /// On what.
    pub resource: Resource,
    /// Not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
    /// Which page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenPageAnswer)]
pub struct PageAnswer {
    /// What to ask for it by; empty on the last.
    pub next_token: String,
    /// How many are on this one.
    pub count: u64,
}

/// Who may: every one of them is decided `true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenSubjects)]
pub struct Subjects {
    /// Them.
    pub results: Vec<Subject>,
    /// Where the next page begins.
    pub page: PageAnswer,
}

/// On what they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenResources)]
pub struct Resources {
    /// Them.
    pub results: Vec<Resource>,
    /// Where the next page begins.
    pub page: PageAnswer,
}

/// As which roles they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenActions)]
pub struct Actions {
    /// Them.
    pub results: Vec<Action>,
    /// Where the next page begins.
    pub page: PageAnswer,
}

/// What there is: `GET /.well-known/authzen-configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenConfiguration)]
pub struct Configuration {
    /// Where this is.
    pub policy_decision_point: String,
    /// One evaluation.
    pub access_evaluation_endpoint: String,
    /// Several.
    pub access_evaluations_endpoint: String,
    /// Who may.
    pub search_subject_endpoint: String,
    /// On what.
    pub search_resource_endpoint: String,
    /// As which roles.
    pub search_action_endpoint: String,
    /// Asking for access.
    pub access_request_endpoint: String,
    /// What is there beyond the specification.
    pub capabilities: Vec<String>,
}

impl Configuration {
    /// That access can be asked for.
    pub const ACCESS_REQUEST: &str = "urn:openid:authzen:capability:access-request";
}
