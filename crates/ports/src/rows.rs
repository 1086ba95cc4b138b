//! What is kept, and what it can be found by.

use std::collections::BTreeMap;

use daypass_domain::{
    Digest, InstallationId, Name, PrincipalId, SignInId, Time, TokenId,
    change::{Change, ChangeState},
    grant::{Grant, GrantState},
    principal::{Group, Principal, SecondFactor},
    request::{Request, RequestState},
    resource::Resource,
    session::{Session, SessionState},
    statement::Run,
};
use serde::{Deserialize, Serialize};

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

/// What an API token may do. It never approves, whatever it may do else (I8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// See what its principal may see.
    Read,
    /// Ask for access, use it, give it back.
    Request,
    /// Administer, where its principal is an administrator.
    Administer,
}

/// An API token: hashed, scoped, expiring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub principal: PrincipalId,
    /// SHA-256 of the secret (which has 256 random bits, so no slow hash is needed).
    pub hash: Digest,
    /// What it may do.
    pub scopes: std::collections::BTreeSet<TokenScope>,
    /// Until when.
    pub expires: Time,
}

impl Stored for Token {
    const KIND: Kind = Kind::Token;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::HASH, self.hash.to_string()), (key::PRINCIPAL, self.principal.to_string())]
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
    }
}

/// What keeps the secret of a sign-in, and so how it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kept_by", rename_all = "snake_case")]
pub enum KeptBy {
    /// A program, which sends it as a bearer secret: what `daypass login` makes.
    #[default]
    Program,
    /// A browser, as a cookie that no script can read: what the page to sign in makes.
    Browser,
}

/// A sign-in of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// Whose.
    pub principal: PrincipalId,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// What keeps the secret.
    #[serde(default)]
    pub kept_by: KeptBy,
    /// The second factor that was shown in it.
    pub second_factor: SecondFactor,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub expires: Time,
}

impl Stored for SignIn {
    const KIND: Kind = Kind::SignIn;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![(key::HASH, self.hash.to_string()), (key::PRINCIPAL, self.principal.to_string())]
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
    }
}

/// What a principal proves itself by. One row a principal; its id is the principal's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// Whose.
    pub principal: PrincipalId,
    /// Argon2id, as a PHC string; none until the invitation was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The TOTP secret, sealed, in base64; none until it was enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<Totp>,
    /// The personal connection secret, while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionSecret>,
}

/// A TOTP factor (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The secret, sealed, in base64.
    pub sealed: String,
    /// The last time step that was used: none is good twice (RFC 6238, 5.2).
    pub last_step: u64,
    /// Whether a first code was shown: before that it doesn't count as a factor.
    pub confirmed: Enrolment,
}

/// Whether a factor's first code was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolment {
    /// The secret was given; no code was shown yet.
    Begun,
    /// It counts.
    Done,
}

/// The secret that a client proves at the gateway. It opens nothing by itself (I6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSecret {
    /// The secret, sealed, in base64: a second sign-in gets the same, so that every saved connection goes on working.
    pub sealed: String,
    /// What a client must satisfy: a SCRAM-SHA-256 verifier in PostgreSQL's form.
    pub verifier: String,
    /// Until when.
    pub expires: Time,
}

impl Stored for Factors {
    const KIND: Kind = Kind::Factors;
    fn row_id(&self) -> String {
        self.principal.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
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

/// A single-use code that lets somebody set their first password: the set-up token, and every invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// For whom. The set-up token's principal is made with it.
    pub principal: PrincipalId,
    /// The name, for the one who takes it up.
    pub name: Name,
    /// SHA-256 of the code.
    pub hash: Digest,
    /// Until when.
    pub expires: Time,
}

impl Stored for Invitation {
    const KIND: Kind = Kind::Setting;
    fn row_id(&self) -> String {
        format!("invitation {}", self.hash)
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        vec![("invitation", self.principal.to_string())]
    }
    fn due(&self) -> Due {
        Due::At(self.expires)
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
