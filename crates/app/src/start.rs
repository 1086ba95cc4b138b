//! Starting: an empty store is installed into, one that isn't is read and checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, RwLock},
};

use daypass_domain::{
    Digest, GroupId, InstallationId, Name,
    principal::{ADMINISTRATORS, Group},
};
use daypass_ledger::leaf::Region;
use daypass_policy::PolicySet;
use daypass_ports::{
    record::{Commit, Kind},
    rows::{FourEyes, PolicyFiles, Settings},
    store::Store,
};
use serde::Serialize;

use crate::{
    App, Parts, Problem, ProblemKind, Result, authority, ending,
    entry::{administration, event},
    facts::name as read_name,
    open_session, signin, statements,
};

/// What an installation starts from.
#[derive(Debug, Clone)]
pub struct Install {
    /// Where what belongs to no resource is kept (I10).
    pub region: Name,
    /// Its id, on everything that it makes at targets.
    pub installation: InstallationId,
}

#[derive(Serialize)]
struct Started<'a> {
    version: &'a str,
}

impl App {
    /// Whether the store holds an installation.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub async fn is_installed(store: &dyn Store) -> Result<bool> {
        Ok(store.get::<Settings>(Settings::ID).await?.is_some())
    }

    /// On a store that holds an installation.
    ///
    /// # Errors
    /// When it holds none, or its active policies can't be read: nothing is given by guess.
    pub async fn new(parts: Parts) -> Result<Self> {
        let app = Self::assemble(parts, PolicySet::empty());
        let active = app.settings().await?.value.policy;
        app.set_policy(app.policy_by_digest(active).await?);
        Ok(app)
    }

    /// On an empty store, which becomes an installation: the starter policies, the empty group of administrators.
    ///
    /// # Errors
    /// When the region can't be one, the store isn't empty, or it can't be written.
    pub async fn install(parts: Parts, install: Install) -> Result<Self> {
        check_region(&install.region)?;
        let files = daypass_policy::starter_files();
        let policy = parse(&files)?;
        let app = Self::assemble(parts, policy);
        let now = app.now();
        let administrators =
            Group { id: GroupId::new(now, app.id_bytes()), name: read_name(ADMINISTRATORS)?, members: BTreeSet::new() };
        let digest = app.policy().digest();
        let settings = Settings {
            installation: install.installation,
            policy: digest,
            policy_since: now,
            region: install.region.clone(),
            four_eyes: FourEyes::NotYet,
        };
        let mut commit = Commit::default();
        commit.expect_none(Kind::Setting, Settings::ID);
        commit.put(&settings);
        commit.put(&administrators);
        commit.put(&PolicyFiles { digest, files });
        let ids = vec![("installation", install.installation.to_string()), ("policy", digest.to_string())];
        commit.entry(administration(event::INSTALLED, ids, install.region, Vec::new()));
        let installed = app.commit(commit, ()).await.map_err(Problem::from);
        match installed {
            Ok(_) => Ok(app),
            Err(problem) if problem.kind == ProblemKind::Stale => Err(Problem::conflict(
                "installed_already",
                "the store holds an installation already",
                "start on it, or choose an empty data folder",
            )),
            Err(problem) => Err(problem),
        }
    }

    fn assemble(parts: Parts, policy: PolicySet) -> Self {
        let Parts { store, targets, credentials, identity, clock, random, keys, notices, passkeys } = parts;
        Self {
            store,
            targets,
            credentials,
            identity,
            clock,
            random,
            keys,
            policy: RwLock::new(Arc::new(policy)),
            directory: RwLock::default(),
            taken: ending::Taken::default(),
            took: crate::took::Took::default(),
            nodes: authority::Nodes::default(),
            limits: signin::Attempts::default(),
            browsers: signin::Browsers::default(),
            spent: signin::Spent::default(),
            logged_out: signin::LoggedOut::default(),
            passkeys,
            ceremonies: signin::Ceremonies::default(),
            made: open_session::Made::default(),
            notices,
            under_way: crate::notices::UnderWay::default(),
            statements: statements::Waiting::default(),
            streams: crate::signals::Streams::default(),
            kits: crate::emergency::Kits::default(),
        }
    }

    /// The server starts: that is an entry.
    ///
    /// # Errors
    /// When it can't be recorded.
    pub async fn started(&self, version: &str) -> Result<()> {
        let settings = self.settings().await?.value;
        let mut commit = Commit::default();
        let ids = vec![("installation", settings.installation.to_string())];
        let part = self.operational_part(&Started { version });
        commit.entry(administration(event::STARTED, ids, settings.region, vec![part]));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// Parses the policy set of that digest from the store.
    pub(crate) async fn policy_by_digest(&self, digest: Digest) -> Result<PolicySet> {
        let broken = |why: String| {
            Problem::unavailable(format!("the active policy set ({digest}) can't be used, so nothing is given: {why}"))
        };
        let read = self.store_ref().get::<PolicyFiles>(&digest.to_string()).await?;
        let files = read.ok_or_else(|| broken("the store doesn't hold it".into()))?.value.files;
        let set = parse(&files).map_err(|problem| broken(problem.what))?;
        if set.digest() != digest {
            return Err(broken("its files have another digest".into()));
        }
        Ok(set)
    }
}

/// Policies as they come from outside, or a problem that names every place.
pub(crate) fn parse(files: &BTreeMap<String, String>) -> Result<PolicySet> {
    PolicySet::parse(files).map_err(|problems| {
        let shown: Vec<String> = problems.iter().take(20).map(ToString::to_string).collect();
        let more = problems.len().saturating_sub(20);
        let rest = if more > 0 { format!("\nand {more} more") } else { String::new() };
        Problem::invalid("bad_policy", format!("{}{rest}", shown.join("\n")), "correct that, and check again")
    })
}

/// A region that the ledger can name.
pub(crate) fn check_region(region: &Name) -> Result<()> {
    match Region::new(region.as_str()) {
        Ok(_) => Ok(()),
        Err(e) => Err(Problem::invalid("bad_region", e.to_string(), "")),
    }
}
