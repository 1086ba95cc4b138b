//! Users, workloads, groups.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{GroupId, PrincipalId, Timestamp};

/// Makes a user: `POST /v1/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Their name.
    pub name: String,
}

/// Invites somebody: makes a user in groups, as one change: `POST /v1/invitations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Their name.
    pub name: String,
    /// The groups that they are in from the beginning.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Makes a workload: `POST /v1/workloads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkload {
    /// Its name.
    pub name: String,
    /// The user who answers for it.
    pub owner: String,
}

/// Sets where a user is told: `POST /v1/principals/{name}/mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMail {
    /// The mail address: plainly, in ASCII, like `alice@example.com`.
    pub mail: String,
}

/// Makes an empty group: `POST /v1/groups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
}

/// A user or a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Since when it is disabled; absent while it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Timestamp>,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// How far it is with proving itself.
    pub proof: Proof,
    /// Where they are told; absent while that isn't known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
}

/// What a principal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    Workload {
        /// Who answers for it, by name.
        owner: String,
    },
}

/// How far a principal is with proving itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// No password: an invitation that wasn't taken up yet, or a workload.
    NoPassword,
    /// A password alone.
    Password,
    /// A password and a second factor.
    PasswordAndSecondFactor,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, as policies and quorums write it.
    pub name: String,
    /// Its members by name, as far as the caller may see them.
    pub members: Vec<String>,
}
