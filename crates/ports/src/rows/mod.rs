//! What is kept, and what it can be found by.

mod factors;
mod identity;

use std::collections::BTreeMap;

use daypass_domain::{
    Digest, InstallationId, Name, PrincipalId, Time,
    change::{Change, ChangeState},
    grant::{Grant, GrantState},
    principal::{Group, Principal},
    request::{Request, RequestState},
    resource::Resource,
    session::{Session, SessionState},
    statement::Run,
};
use serde::{Deserialize, Serialize};

pub use factors::{
    Bar, ConnectionSecret, Enrolment, Factors, Passkey, PasskeyUse, RECOVERY_CODES, RecoveryCode, Totp, Way,
};
pub use identity::{Invitation, KeptBy, Link, SignIn, SignInWord, Token, TokenOrigin, TokenScope, TrustDocument};

use crate::record::{Due, Kind, Stored};

/// Keys that rows are found by.
pub mod key {
    /// By name.
    pub const NAME: &str = "name";
    /// By the word of its state.
    pub const STATE: &str = "state";
    /// Requests, grants and sessions by whoever holds or would hold them.
    pub const HOLDER: &str = "holder";
    /// Live grants by holder: what a connecting client is looked up by.
    pub const LIVE_HOLDER: &str = "live_holder";
    /// Requests by requester.
    pub const REQUESTER: &str = "requester";
    /// Notices by the request that they are about.
    pub const REQUEST: &str = "request";
    /// By resource.
    pub const RESOURCE: &str = "resource";
    /// Pending requests by whoever would hold them: what a client that waits at the door is looked up by.
    pub const PENDING_HOLDER: &str = "pending_holder";
    /// Open sessions by grant: looked at on every connection, however many there have been.
    pub const OPEN_GRANT: &str = "open_grant";
    /// Grants for one statement whose run was begun and isn't over.
    pub const RUN: &str = "run";
    /// By grant.
    pub const GRANT: &str = "grant";
    /// By the hash of a secret.
    pub const HASH: &str = "hash";
    /// By principal.
    pub const PRINCIPAL: &str = "principal";
    /// Groups by member.
    pub const MEMBER: &str = "member";
    /// Workloads by owner.
    pub const OWNER: &str = "owner";
    /// Sign-ins by whom a provider knows: a digest of issuer and subject.
    pub const SUBJECT: &str = "subject";
    /// Sign-ins by a provider's session: a digest of issuer and session.
    pub const PROVIDER_SESSION: &str = "provider_session";
    /// What a provider knows a principal as.
    pub const LINKED: &str = "linked";
}

impl Stored for Principal {
    const KIND: Kind = Kind::Principal;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![(key::NAME, self.name.to_string())];
        match self.kind {
            daypass_domain::principal::Kind::User => {}
            daypass_domain::principal::Kind::Workload { owner } => keys.push((key::OWNER, owner.to_string())),
        }
        keys
    }
}

impl Stored for Group {
    const KIND: Kind = Kind::Group;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let members = self.members.iter().map(|m| (key::MEMBER, m.to_string()));
        std::iter::once((key::NAME, self.name.to_string())).chain(members).collect()
    }
}

impl Stored for Resource {
    const KIND: Kind = Kind::Resource;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::NAME, self.name.to_string())]
    }
}

impl Stored for Request {
    const KIND: Kind = Kind::Request;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![
            (key::STATE, self.state.word().to_owned()),
            (key::REQUESTER, self.asked.requester.to_string()),
            (key::HOLDER, self.asked.beneficiary.to_string()),
            (key::RESOURCE, self.asked.resource.to_string()),
        ];
        match self.state {
            RequestState::Pending { .. } => keys.push((key::PENDING_HOLDER, self.asked.beneficiary.to_string())),
            RequestState::Granted { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => {}
        }
        keys
    }
    fn due(&self) -> Due {
        match &self.state {
            RequestState::Pending { expires } => Due::At(*expires),
            RequestState::Granted { .. }
            | RequestState::Denied { .. }
            | RequestState::Forbidden { .. }
            | RequestState::Withdrawn { .. }
            | RequestState::Expired { .. } => Due::Never,
        }
    }
}

impl Stored for Grant {
    const KIND: Kind = Kind::Grant;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![
            (key::STATE, self.state.word().to_owned()),
            (key::HOLDER, self.holder.to_string()),
            (key::RESOURCE, self.resource.to_string()),
        ];
        match self.state {
            GrantState::Scheduled { .. } | GrantState::Active { .. } => {
                keys.push((key::LIVE_HOLDER, self.holder.to_string()));
            }
            GrantState::Ending { .. } | GrantState::Ended { .. } => {}
        }
        match self.opens.run() {
            Some(Run::Begun { .. }) => keys.push((key::RUN, Run::BEGUN.to_owned())),
            Some(Run::NotBegun | Run::Over { .. }) | None => {}
        }
        keys
    }
    fn due(&self) -> Due {
        match self.state {
            GrantState::Scheduled { start, .. } => Due::At(start),
            GrantState::Active { deadline, .. } => Due::At(deadline),
            // An ending is driven by its own worker, which starts from the state key.
            GrantState::Ending { .. } | GrantState::Ended { .. } => Due::Never,
        }
    }
}

impl Stored for Session {
    const KIND: Kind = Kind::Session;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![(key::GRANT, self.grant.to_string()), (key::HOLDER, self.principal.to_string())];
        match self.state {
            SessionState::Open { .. } => {
                keys.push((key::STATE, "open".to_owned()));
                keys.push((key::OPEN_GRANT, self.grant.to_string()));
            }
            SessionState::Closed { .. } => keys.push((key::STATE, "closed".to_owned())),
        }
        keys
    }
}

impl Stored for Change {
    const KIND: Kind = Kind::Change;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::STATE, self.state.word().to_owned())]
    }
    fn due(&self) -> Due {
        match self.state {
            ChangeState::Pending { expires } => Due::At(expires),
            ChangeState::Committed { .. } | ChangeState::Rejected { .. } | ChangeState::Expired { .. } => Due::Never,
        }
    }
}

/// A policy set, by digest. Never changed, never removed (I7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFiles {
    /// Its digest.
    pub digest: Digest,
    /// Its files: name to Cedar text.
    pub files: BTreeMap<String, String>,
}

impl Stored for PolicyFiles {
    const KIND: Kind = Kind::Policy;
    fn row_id(&self) -> String {
        self.digest.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// What there is one of. Its id is the constant `settings`: decisions expect its version, so that a policy switch
/// makes a commit that was judged under the old set stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// This installation.
    pub installation: InstallationId,
    /// The active policy set.
    pub policy: Digest,
    /// Since when.
    pub policy_since: Time,
    /// Where what belongs to no resource is kept (I10): changes of policy, people, groups.
    pub region: Name,
    /// Whether changes to what decisions read need a second administrator.
    pub four_eyes: FourEyes,
}

/// Whether changes to what decisions read need a second administrator. // I12
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "four_eyes", rename_all = "snake_case")]
pub enum FourEyes {
    /// There has never been a second administrator.
    NotYet,
    /// There was one from then on. It never goes back: otherwise one administrator could disable the other, and be
    /// alone again.
    Since {
        /// When.
        at: Time,
    },
}

impl Settings {
    /// Its row id.
    pub const ID: &str = "settings";
}

impl Stored for Settings {
    const KIND: Kind = Kind::Setting;
    fn row_id(&self) -> String {
        Self::ID.to_owned()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The answer to a write with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whose key.
    pub principal: PrincipalId,
    /// SHA-256 of the key.
    pub key: Digest,
    /// SHA-256 of the request that it came with: another request under the same key is refused.
    pub request: Digest,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Where the body is kept sealed, in base64.
    pub sealed: String,
    /// Until when it is kept.
    pub expires: Time,
}

impl Stored for Answer {
    const KIND: Kind = Kind::Answer;
    fn row_id(&self) -> String {
        format!("{} {}", self.principal, self.key)
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
    }
}
