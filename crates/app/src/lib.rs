//! Use cases, one a file, each readable as the specification: load, judge, commit, effect.
//!
//! | file | who calls it | what it does |
//! | --- | --- | --- |
//! | [`request`] | a person or a workload | asks for a role on a resource |
//! | [`approve`] | another person | says yes, takes it back, or says no |
//! | [`confirm`] | the owner of a workload | stands by what it asks, which is no approval |
//! | [`grants`] | holder, administrator | activate, extend, release, revoke |
//! | [`open_session`] | the gateway | lets a proven client in |
//! | [`statements`] | a holder, an approver, the gateway | runs the one statement of a grant, or has it estimated |
//! | [`ending`], [`finish`] | everything that takes away | cuts at once, then sees to the end at the target |
//! | [`rejudge`] | whatever changes facts | ends what policy no longer permits |
//! | [`due`] | time | expiries, deadlines, starts |
//! | [`reap`] | time | ends what nobody claims at the target |
//! | [`changes`] | administrators | what decisions read changes under policy, with four eyes |
//! | [`people`], [`signin`], [`tokens`] | administrators, everybody | principals, groups, factors, tokens |
//! | [`exchange`] | a workload | its own token for one of ours |
//! | [`trust`] | administrators | whose word is taken for who somebody is |
//! | [`directories`] | connectors of Okta, Entra | users and groups come and go as their directory says |
//! | [`signals`] | transmitters of shared signals, time | sign-ins and accounts end, and facts change, as they say |
//! | [`resources`], [`policies`] | administrators | what can be asked for, and who may have it |
//! | [`notices`] | every change of state that concerns people, time | tells them, after the commit |
//! | [`took`] | metrics | how long endings took |
//! | [`emergency`] | administrators, the reaper | a login for when Daypass is down, opened by two people |
//! | [`ask`] | everybody | explain, who, and what one may see |
//! | [`authzen`] | other products | who has access now, and access for their users |
//! | [`inbox`], [`offers`] | everybody | what helps to answer a request; what one could ask for |
//! | [`names`] | everybody | what things are called when they are shown |

pub mod approve;
pub mod ask;
pub mod authority;
pub mod authzen;
pub mod changes;
pub mod confirm;
pub mod directories;
pub mod due;
pub mod emergency;
pub mod ending;
pub mod entry;
pub mod exchange;
pub mod facts;
pub mod finish;
pub mod follow;
pub mod grants;
pub mod idempotency;
pub mod inbox;
pub mod names;
pub mod notices;
pub mod offers;
pub mod open_session;
pub mod people;
pub mod policies;
pub mod problem;
pub mod reap;
pub mod rejudge;
pub mod request;
pub mod resources;
pub mod signals;
pub mod signin;
pub mod start;
pub mod statements;
pub mod taken;
pub mod tokens;
pub mod took;
pub mod trust;

use std::sync::{Arc, RwLock};

use daypass_domain::{Name, Time};
use daypass_policy::{Directory, PolicySet};
use daypass_ports::{
    identity::Identity,
    record::{Commit, CommitError, Intent, Kind, commit},
    rows::Settings,
    secret::Credentials,
    store::Store,
    targets::Targets,
    webauthn::Passkeys,
    world::{Clock, Random, random_bytes},
};
use daypass_seal::MasterKey;

pub use problem::{Problem, ProblemKind, Result};

/// What the use cases work on.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) targets: Arc<dyn Targets>,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) identity: Arc<dyn Identity>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) keys: MasterKey,
    /// The active policy set, parsed. The settings row is the truth; this follows it.
    pub(crate) policy: RwLock<Arc<PolicySet>>,
    /// Everybody there is, as of a version of the settings row.
    pub(crate) directory: RwLock<Option<(u64, Arc<Directory>)>>,
    pub(crate) taken: ending::Taken,
    pub(crate) took: took::Took,
    pub(crate) nodes: authority::Nodes,
    pub(crate) limits: signin::Attempts,
    pub(crate) browsers: signin::Browsers,
    /// The sign-ins by a provider that somebody came back from.
    pub(crate) spent: signin::Spent,
    /// What providers said of signing out, and was done.
    pub(crate) logged_out: signin::LoggedOut,
    pub(crate) passkeys: Arc<dyn Passkeys>,
    pub(crate) ceremonies: signin::Ceremonies,
    pub(crate) made: open_session::Made,
    pub(crate) notices: notices::Notices,
    pub(crate) under_way: notices::UnderWay,
    pub(crate) statements: statements::Waiting,
    /// What is seen of transmitters of signals.
    pub(crate) streams: signals::Streams,
    pub(crate) kits: emergency::Kits,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// Rows, the ledger, payloads.
    pub store: Arc<dyn Store>,
    /// Making and ending access.
    pub targets: Arc<dyn Targets>,
    /// What credential names are bound to.
    pub credentials: Arc<dyn Credentials>,
    /// Whoever says who somebody is.
    pub identity: Arc<dyn Identity>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub random: Arc<dyn Random>,
    /// The root of all keys.
    pub keys: MasterKey,
    /// How notices go.
    pub notices: notices::Notices,
    /// What verifies passkeys.
    pub passkeys: Arc<dyn Passkeys>,
}

/// How often a use case is run again when a row that it read was changed meanwhile.
const STALE_RETRIES: u32 = 20;

impl App {
    /// Authority time: the wall's, and never behind the ledger. // I3
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.wall().max(self.store.last_time())
    }

    /// Whether time can be trusted enough to give anything. // I3
    ///
    /// # Errors
    /// When the wall clock is more than half a second behind the newest entry.
    pub fn clock_is_sound(&self) -> Result<()> {
        let behind = self.store.last_time().since(self.clock.wall());
        if behind > daypass_ports::authority::CLOCK_DOUBT {
            return Err(Problem::new(
                ProblemKind::Unavailable,
                "clock",
                format!("the server's clock is {behind} behind its own ledger, so nothing is given"),
                "set the clock right (see `timedatectl`); access that is live still ends in time",
            ));
        }
        Ok(())
    }

    /// The store, for those who only read.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn store_ref(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn policy(&self) -> Arc<PolicySet> {
        // A poisoned lock means that a thread panicked while it swapped one Arc for another: the value is whole.
        self.policy.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn set_policy(&self, set: PolicySet) {
        *self.policy.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(set);
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        random_bytes(&*self.random)
    }

    pub(crate) async fn settings(&self) -> Result<daypass_ports::record::Read<Settings>> {
        let settings = self.store_ref().get::<Settings>(Settings::ID).await?;
        settings.ok_or_else(|| Problem::unavailable("the store has no settings row: it was never set up"))
    }

    /// The installation's own region: where the data folder is, and what belongs to no resource. // I10
    ///
    /// # Errors
    /// When the store can't be read, or was never set up.
    pub async fn home_region(&self) -> Result<Name> {
        self.region().await
    }

    pub(crate) async fn region(&self) -> Result<Name> {
        Ok(self.settings().await?.value.region)
    }

    /// Makes it durable, and gives the proof. // I1
    pub(crate) async fn commit<E>(&self, what: Commit, effect: E) -> std::result::Result<Intent<E>, CommitError> {
        debug_assert!(
            what.writes.iter().all(|w| !matches!(w.kind, Kind::Principal | Kind::Group | Kind::Sayings))
                || what.writes.iter().any(|w| w.kind == Kind::Setting && w.id == Settings::ID),
            "a change of people moves the settings row, which the directory is kept by"
        );
        commit(self.store_ref(), what, effect).await
    }
}

/// Runs a use case again while rows that it read were changed under it: `attempt` loads, judges and commits anew.
macro_rules! retry_stale {
    ($attempt:expr) => {{
        let mut tries = 0;
        loop {
            match $attempt {
                Err($crate::Problem { kind: $crate::ProblemKind::Stale, .. }) if tries < $crate::STALE_RETRIES => {
                    tries += 1;
                    tokio::task::yield_now().await;
                }
                outcome => break outcome,
            }
        }
    }};
}
pub(crate) use retry_stale;
