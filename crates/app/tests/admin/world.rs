//! An installation on a store in a throwaway folder, and short ways to do things in it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use async_trait::async_trait;
use daypass_app::{
    App, Parts, Problem,
    changes::{Handed, Mode, Outcome, Proposal, Proposed},
    notices::Notices,
    request::{self, Asking},
    signin::{Again, Caller, Showing, SignInInput, SignedIn, Step},
    start::Install,
};
use daypass_domain::{
    ChangeId, GrantId, InstallationId, Name, Span, Time,
    grant::Grant,
    principal::Actor,
    request::{Purpose, Start},
};
use daypass_ports::{
    rows::TokenScope,
    secret::{CredentialError, Credentials, Secret},
    store::Store,
};
use daypass_seal::MasterKey;
use daypass_store::{Options, Regions, Rollback, SqliteStore};
use daypass_testkit::authenticator::Authenticator;
use daypass_testkit::still::{Counted, NoTargets, SetClock};

struct NoCredentials;

#[async_trait]
impl Credentials for NoCredentials {
    async fn credential(&self, name: &Name) -> Result<Secret, CredentialError> {
        Err(CredentialError::NotBound(name.clone()))
    }
}

pub const PASSWORD: &str = "correct horse battery staple";
pub const START: i64 = 1_700_000_000_000_000;

pub fn here() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// An installation.
pub struct World {
    pub app: Arc<App>,
    pub store: Arc<SqliteStore>,
    pub clock: Arc<SetClock>,
    _folder: tempfile::TempDir,
}

/// What an [`App`] is made of, on this store.
pub fn parts(store: Arc<SqliteStore>, clock: Arc<SetClock>, random: u64) -> Parts {
    Parts {
        store,
        targets: Arc::new(NoTargets),
        credentials: Arc::new(NoCredentials),
        identity: Arc::new(daypass_integrations::oidc::Oidc::new(daypass_integrations::oidc::Ages::default())),
        clock,
        random: Arc::new(Counted::from(random)),
        keys: MasterKey::from_bytes([7; 32]),
        notices: Notices::default(),
        passkeys: Arc::new(daypass_integrations::webauthn::WebAuthn::new("localhost", 7443).unwrap()),
    }
}

/// An empty store in a new folder.
pub async fn empty_store() -> (tempfile::TempDir, Arc<SqliteStore>, Arc<SetClock>) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock::at(START));
    let options = Options {
        folder: folder.path().join("data"),
        head_file: folder.path().join("head"),
        regions: Regions::only(name("local")),
        keys: MasterKey::from_bytes([7; 32]),
        log_name: "daypass.local/test".to_owned(),
        log_seed: zeroize::Zeroizing::new([9; 32]),
        clock: clock.clone(),
        random: Arc::new(Counted::from(1 << 40)),
        rollback: Rollback::Refuse,
    };
    let store = Arc::new(SqliteStore::open(options).await.unwrap());
    (folder, store, clock)
}

pub fn install(region: &str) -> Install {
    Install { region: name(region), installation: InstallationId::new(Time::from_micros(START), [3; 10]) }
}

impl World {
    /// Installed, and nobody administers yet.
    pub async fn bare() -> Self {
        Self::telling(Notices::default()).await
    }

    /// The same, with ways for notices.
    async fn telling(notices: Notices) -> Self {
        let (folder, store, clock) = empty_store().await;
        let parts = Parts { notices, ..parts(store.clone(), clock.clone(), 1) };
        let app = Arc::new(App::install(parts, install("local")).await.unwrap());
        Self { app, store, clock, _folder: folder }
    }

    /// With `alice`, who administers alone.
    pub async fn new() -> Self {
        Self::with_notices(Notices::default()).await
    }

    /// The same, with ways for notices.
    pub async fn with_notices(notices: Notices) -> Self {
        let world = Self::telling(notices).await;
        let code = world.app.issue_setup_token().await.unwrap();
        world.app.setup(&code, "alice", secret(PASSWORD), here()).await.unwrap();
        world
    }

    /// With `alice` and `bob`, who administer together: four eyes.
    pub async fn with_two() -> Self {
        let world = Self::new().await;
        world.user("bob").await;
        let alice = world.actor("alice").await;
        let added = world.app.propose(&alice, add("administrators", "bob")).await.unwrap();
        assert_eq!(added.outcome, Outcome::Done);
        world
    }

    pub fn later(&self, span: Span) {
        self.clock.later(span);
    }

    /// A user made by alice alone, with a password.
    pub async fn user(&self, who: &str) {
        let alice = self.actor("alice").await;
        let made = self.app.propose(&alice, Proposal::CreateUser { name: name(who) }).await.unwrap();
        let Handed::Invitation(code) = made.handed else { panic!("{made:?}") };
        self.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap();
    }

    pub async fn try_sign_in(&self, who: &str, password: &str, code: Option<String>) -> Result<SignedIn, Problem> {
        let input =
            SignInInput { name: who.into(), password: secret(password), code: code.map(Secret::new), peer: here() };
        self.app.sign_in(input).await
    }

    pub async fn sign_in(&self, who: &str) -> SignedIn {
        self.try_sign_in(who, PASSWORD, None).await.unwrap()
    }

    pub async fn caller(&self, who: &str) -> Caller {
        let signed_in = self.sign_in(who).await;
        self.app.authenticate(signed_in.token.expose()).await.unwrap()
    }

    pub async fn actor(&self, who: &str) -> Actor {
        self.caller(who).await.acting(TokenScope::Administer).unwrap().clone()
    }

    /// Proposed by one, approved by the other.
    pub async fn together(&self, proposal: Proposal) -> (Proposed, Proposed) {
        let (alice, bob) = (self.actor("alice").await, self.actor("bob").await);
        let proposed = self.app.propose(&alice, proposal).await.unwrap();
        let done = self.app.approve_change(&bob, pending(&proposed)).await.unwrap();
        (proposed, done)
    }

    /// A user made by both, with a password.
    pub async fn user_by_both(&self, who: &str) {
        let (first, second) = self.together(Proposal::CreateUser { name: name(who) }).await;
        let (Handed::InvitationHalf(a), Handed::InvitationHalf(b)) = (first.handed, second.handed) else { panic!() };
        let code = secret(&format!("{}.{}", a.expose(), b.expose()));
        self.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap();
    }

    /// A resource that everybody may use with a reason, owned by the administrators.
    pub async fn lab(&self) {
        let alice = self.actor("alice").await;
        let applied = self.app.apply_resources(&alice, "lab.toml", LAB, Mode::Apply).await.unwrap();
        assert_eq!(applied.outcome, Outcome::Done);
    }

    /// The lab, and workloads of alice's, who are whoever this document of whose word is taken says.
    pub async fn trusted(&self, workloads: &[&str], trust: &str) {
        let alice = self.actor("alice").await;
        for workload in workloads {
            let proposal = Proposal::CreateWorkload { name: name(workload), owner: name("alice") };
            self.app.propose(&alice, proposal).await.unwrap();
        }
        self.lab().await;
        self.declare(trust).await;
    }

    /// From now on it is this document that says whose word is taken.
    pub async fn declare(&self, trust: &str) {
        let alice = self.actor("alice").await;
        let applied = self.app.apply_trust(&alice, "trust.toml", trust, Mode::Apply).await.unwrap();
        assert_eq!(applied.outcome, Outcome::Done, "{applied:?}");
    }

    /// A live grant on the lab.
    pub async fn grant(&self, who: &str) -> GrantId {
        self.grant_of(who, "readonly").await
    }

    pub async fn grant_of(&self, who: &str, role: &str) -> GrantId {
        let actor = self.actor(who).await;
        let answered = self.app.request(&actor, asking("lab", role)).await.unwrap();
        match answered.outcome {
            request::Outcome::Granted(grant) => grant.id,
            request::Outcome::Pending { .. } | request::Outcome::Refused { .. } => panic!("{answered:?}"),
        }
    }

    pub async fn grant_row(&self, id: GrantId) -> Grant {
        let store: &dyn Store = &*self.store;
        store.get::<Grant>(&id.to_string()).await.unwrap().unwrap().value
    }

    /// The events of the ledger, in order.
    pub async fn events(&self) -> Vec<String> {
        let mut events = Vec::new();
        loop {
            let from = u64::try_from(events.len()).unwrap();
            let leaves = self.store.leaves(from, 100).await.unwrap();
            if leaves.is_empty() {
                return events;
            }
            for (_, leaf) in leaves {
                let json: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
                events.push(json["header"]["event"].as_str().unwrap().to_owned());
            }
        }
    }

    pub async fn count(&self, event: &str) -> usize {
        self.events().await.iter().filter(|e| *e == event).count()
    }
}

pub fn pending(proposed: &Proposed) -> ChangeId {
    match proposed.outcome {
        Outcome::Pending { change, .. } => change,
        Outcome::NothingToDo | Outcome::Done => panic!("{proposed:?}"),
    }
}

pub fn add(group: &str, member: &str) -> Proposal {
    Proposal::AddMember { group: name(group), member: name(member) }
}

pub fn asking(resource: &str, role: &str) -> Asking {
    Asking {
        resource: resource.into(),
        role: role.into(),
        duration: Span::from_mins(30),
        start: Start::AtOnce,
        purpose: Purpose::Operations,
        ticket: None,
        reason: "to try it".into(),
        beneficiary: None,
        statement: None,
    }
}

pub const LAB: &str = r#"
[[resource]]
name = "lab"
kind = "postgres"
address = "127.0.0.1:5432"
administrator = "lab_admin"
credential = "lab"
owner = "administrators"
tls = { mode = "loopback_plaintext" }
labels = { environment = "lab", classification = ["public"] }

[resource.role.readonly]
description = "read every table"
member_of = ["lab_read"]

[resource.role.writer]
description = "read and write every table"
member_of = ["lab_read", "lab_write"]
narrower = ["readonly"]
"#;

/// What somebody types as a second factor.
pub fn typed(code: &str) -> Showing {
    Showing::Code(secret(code))
}

impl World {
    /// Enrols a passkey in a sign-in that is fresh.
    pub async fn passkey(&self, caller: &Caller, called: &str) -> Authenticator {
        let mut key = Authenticator::at("https://localhost:7443");
        let options = self.app.begin_passkey(caller, Again::SignedInJustNow).await.unwrap();
        self.app.finish_passkey(caller, name(called), &key.create(&options)).await.unwrap();
        key
    }

    /// Shows a passkey in a sign-in.
    pub async fn show(&self, caller: &Caller, key: &mut Authenticator) -> Result<Actor, Problem> {
        let options = self.app.ask_for_passkey(caller).await?;
        self.app.show_second_factor(caller, &Showing::Passkey(key.get(&options)), here()).await
    }

    /// The first step of signing in with a browser.
    pub async fn first_step(&self, who: &str) -> Step {
        let input = SignInInput { name: who.into(), password: secret(PASSWORD), code: None, peer: here() };
        self.app.sign_in_browser(input).await.unwrap()
    }
}
