//! Whether the server can do its work: `GET /readyz`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the server can do its work: 200 when it can, 503 when it can't.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether no check is broken.
    pub ready: bool,
    /// Each check.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was looked at: `store`, `clock`, `policy`, `gateway`, `signals`, `emergency`.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Why it isn't fine; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It works.
    Fine,
    /// It works, and somebody should look at it.
    Attention,
    /// It doesn't.
    Broken,
}
