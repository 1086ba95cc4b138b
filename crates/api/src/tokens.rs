//! API tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SecretText, Timestamp, TokenId, changes::Proposed};

/// What a token may do. It never approves, whatever else it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// See what its principal may see.
    Read,
    /// Ask for access, use it, give it back.
    Request,
    /// Administer, where its principal may.
    Administer,
    /// Say who is in a directory, over SCIM: for the workload that is its connector, and for nothing else.
    Scim,
    /// Ask over AuthZEN who has access: about its own principal, and about others where policy lets it.
    Decide,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Request, Self::Administer, Self::Scim, Self::Decide];
}

/// Makes a token: `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// For which workload; for oneself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// What it may do: at least one thing.
    pub scopes: Vec<TokenScope>,
    /// How long it is good; thirty days when absent, ninety at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_s: Option<u32>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// Until when.
    pub expires: Timestamp,
}

/// What became of the wish for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "made", rename_all = "snake_case")]
pub enum TokenMade {
    /// It is good.
    Live {
        /// What it is told by.
        token: Token,
        /// The token itself. Shown once.
        secret: SecretText,
    },
    /// It is for somebody else's workload, so it is a change. The secret is in what was handed.
    Change {
        /// What became of the change.
        proposed: Proposed,
    },
}
