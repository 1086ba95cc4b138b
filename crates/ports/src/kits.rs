//! What is kept of emergency kits, and what targets tell of them.
//!
//! An attacker holding the store learns who opens which kit with whom, and nothing that opens one: a credential is sealed
//! to its two holders, and never kept.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    KitId, Time,
    kit::{Alarm, AtTarget, Kit, Traces},
    resource::PgRole,
};
use serde::{Deserialize, Serialize};

use crate::{
    record::{Due, Kind, Stored},
    rows::key,
    targets::LoginName,
};

/// Keys that only kits are found by.
pub mod kit_key {
    /// Kits whose alarm is raised, under the word [`RAISED`].
    pub const ALARM: &str = "alarm";
    /// The only word of that key.
    pub const RAISED: &str = "raised";
}

impl Stored for Kit {
    const KIND: Kind = Kind::Kit;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![(key::RESOURCE, self.resource.to_string()), (key::STATE, self.at_target.word().to_owned())];
        match self.alarm {
            Alarm::Quiet => {}
            Alarm::Raised { .. } => keys.push((kit_key::ALARM, kit_key::RAISED.to_owned())),
        }
        keys
    }
    fn due(&self) -> Due {
        match (&self.alarm, &self.at_target) {
            (Alarm::Raised { remind, .. }, _) => Due::At(*remind),
            (
                Alarm::Quiet,
                AtTarget::Making { .. } | AtTarget::Ready { .. } | AtTarget::Removing { .. } | AtTarget::Gone { .. },
            ) => Due::Never,
        }
    }
}

/// What the login of a kit shall be.
#[derive(Debug, Clone)]
pub struct KitSpec {
    /// Of which kit.
    pub kit: KitId,
    /// Its name.
    pub login: LoginName,
    /// A SCRAM-SHA-256 verifier as PostgreSQL stores it, never a password: what is sent may be logged at the target.
    pub verifier: String,
    /// Whose member it is, and of nothing else. Rights come by membership only.
    pub member_of: BTreeSet<PgRole>,
}

/// The logins of kits that stand, at one target. For each, what is older than its credential: a session that connected
/// before that instant, on the target's own clock, did so with one that was replaced, and is ended.
pub type KitLogins = BTreeMap<LoginName, Option<Time>>;

/// A kit's login, seen in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which.
    pub login: LoginName,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen of a kit's login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Seen {
    /// A session, which is there now. It isn't ended.
    Session {
        /// Its process and its start: what tells it from any other.
        key: String,
        /// When it connected, on the target's clock.
        since: Time,
        /// What it calls itself (from outside; escape it where it is shown).
        application_name: String,
        /// Where it comes from, as far as the server says.
        client_address: Option<String>,
        /// In which database.
        database: Option<String>,
        /// Where it runs: the primary's or a replica's address.
        server: String,
    },
    /// What its sessions left, whoever saw them.
    Traces {
        /// How much of what.
        found: Traces,
    },
}

/// A kit's login that is at the target as it was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KitMade {
    /// When, on the target's own clock.
    pub clock: Time,
    /// What earlier sessions had left by then.
    pub traces: Traces,
}
