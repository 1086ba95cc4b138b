//! Directories: other systems that say over SCIM who works here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A declared directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Directory {
    /// Its name.
    pub name: String,
    /// The workload that speaks for it, by name.
    pub connector: String,
    /// The groups that it fills, by name.
    pub groups: Vec<String>,
    /// How many users it has here.
    pub users: u64,
}

/// Declares a directory, or declares it otherwise: `POST /v1/directories`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareDirectory {
    /// Its name.
    pub name: String,
    /// The workload that speaks for it, by name.
    pub connector: String,
    /// The groups that it fills, by name: each by its own group of that name, in small letters, with dashes for spaces.
    #[serde(default)]
    pub groups: Vec<String>,
}
