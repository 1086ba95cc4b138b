//! Emergency kits: logins for when Daypass is down, each opened by two people together.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{KitId, SecretText, Timestamp};

/// An emergency kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmergencyKit {
    /// Its id.
    pub id: KitId,
    /// For which resource, by name; `gone` when that was removed.
    pub resource: String,
    /// The login at the target.
    pub login: String,
    /// The roles of the resource that it gives.
    pub roles: Vec<String>,
    /// The two who open it together.
    pub holders: Vec<KitHolder>,
    /// When it was made.
    pub made: Timestamp,
    /// When its credential was sealed last.
    pub sealed: Timestamp,
    /// How it stands with its login.
    pub state: KitState,
    /// When it was last seen in use; absent when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// Whether it was used, and what is to be done about that.
    pub alarm: KitAlarm,
    /// Whether it should be sealed anew.
    pub rotation_due: bool,
    /// What somebody should do about it: a sentence each.
    pub attention: Vec<String>,
}

/// One of the two who open a kit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KitHolder {
    /// Who: a user, by name.
    pub user: String,
    /// Their own public key, as `age-keygen` prints it: `age1...`.
    pub recipient: String,
}

/// How it stands with a kit's login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum KitState {
    /// It is to be made, or its credential to be replaced: the target doesn't have it yet.
    Making,
    /// It is there, with the credential that was sealed last.
    Ready {
        /// Since when.
        since: Timestamp,
    },
    /// It is to go, and that isn't confirmed yet.
    Removing {
        /// Since when.
        at: Timestamp,
    },
    /// It is gone, and that is confirmed.
    Gone {
        /// Since when.
        at: Timestamp,
        /// What is known of it: `clean`, or `residue` when something of it remains at the target.
        confirmation: String,
    },
}

/// Whether a kit was used, and what is to be done about that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "alarm", rename_all = "snake_case")]
pub enum KitAlarm {
    /// There is nothing to do.
    Quiet,
    /// It was used.
    Raised {
        /// When that was first seen.
        first: Timestamp,
        /// When it was last seen.
        last: Timestamp,
        /// Since when the credential that was used is good no more; absent while it still is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotated: Option<Timestamp>,
        /// Who reviewed the use, and what they found; absent while nobody has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reviewed: Option<KitReview>,
    },
}

/// A review of a use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KitReview {
    /// By whom, by name.
    pub by: String,
    /// What they found.
    pub words: String,
}

/// Makes a kit: `POST /v1/emergency-kits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeKit {
    /// For which resource, by name.
    pub resource: String,
    /// Which of its roles it gives; all of them when none is named.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The two who open it together: two different people, with two different keys.
    #[schema(min_items = 2, max_items = 2)]
    pub to: Vec<KitHolder>,
}

/// Seals a kit anew: `POST /v1/emergency-kits/{id}/rotate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKit {
    /// To these two; to the same as before when absent or empty.
    #[serde(default)]
    #[schema(max_items = 2)]
    pub to: Vec<KitHolder>,
}

/// Reviews the use of a kit: `POST /v1/emergency-kits/{id}/review`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewKit {
    /// What happened, and whether it was right.
    pub words: String,
}

/// What one holder of a kit gets, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KitFile {
    /// Whom it is for, by name.
    pub holder: String,
    /// What to call the file with their half.
    pub sealed_name: String,
    /// Their half, sealed to them: an age file in its armor.
    pub sealed: SecretText,
    /// What to call the page.
    pub page_name: String,
    /// The same with instructions, to be printed.
    pub page: SecretText,
}
