//! Resources and roles: what can be asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Mode, ResourceId};

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Its name: what a client gives as the database.
    pub name: String,
    /// What it is.
    pub kind: ResourceKind,
    /// Where its data lives.
    pub region: String,
    /// The group that answers for it.
    pub owner: String,
    /// Where it stands.
    pub environment: Environment,
    /// What data it holds.
    pub classification: Vec<Classification>,
    /// What else it is sorted by.
    pub tags: BTreeMap<String, String>,
    /// How its statements are recorded.
    pub record: RecordMode,
    /// Its roles.
    pub roles: Vec<Role>,
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A PostgreSQL server.
    Postgres,
}

/// A role of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it gives, in words.
    pub description: String,
    /// The roles that count as narrower: an approver may give one of them instead.
    pub narrower: Vec<String>,
}

/// Where a resource stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// To try things.
    Lab,
    /// For developing.
    Development,
    /// For trying before it goes live.
    Staging,
    /// Live; also what nobody labelled.
    Production,
}

/// What data a resource holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// Anybody may know it.
    Public,
    /// For the organization.
    Internal,
    /// Personal data.
    Pii,
    /// Protected health information.
    Phi,
    /// Cardholder data.
    Cardholder,
    /// Keys and passwords.
    Secrets,
}

/// How statements are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordMode {
    /// Text and parameters.
    Full,
    /// Text, no parameters.
    Text,
    /// Only a digest of the text.
    Digest,
}

/// A resource with its declaration: `GET /v1/resources/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResourceDetail {
    /// The resource.
    pub resource: Resource,
    /// Its declaration as TOML, to change and apply; for those who may administer resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toml: Option<String>,
}

/// Applies declarations: `POST /v1/resources/apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyResources {
    /// What the document is called, for messages.
    pub file: String,
    /// The document: TOML.
    pub text: String,
    /// Whether to do it.
    pub mode: Mode,
}

/// What a doctor found: `GET /v1/resources/{name}/doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found and why it matters.
    pub what: String,
    /// SQL for the owner of the server that mends it, where SQL does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix_sql: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// It works, and is more than needed or less than good.
    Warning,
    /// Something that Daypass promises won't work.
    Broken,
}
