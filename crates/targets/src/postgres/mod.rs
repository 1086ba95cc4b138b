//! PostgreSQL 12 and later, through an administrator login that needs CREATEROLE and no superuser.
//!
//! | File | What it does |
//! | --- | --- |
//! | `dial`, `tls` | a connection to a server that showed who it is; gateways use it too |
//! | `connect`, `error` | administrator connections, kept warm; what the server says, in our words |
//! | `names` | the one place where names become SQL |
//! | `roles` | what roles at the target can reach, and what is too strong to be given |
//! | `lock` | one lock per login at the target |
//! | `make`, `cut`, `list`, `remove`, `reap`, `doctor` | one verb of the port each |
//! | `kit` | the logins of emergency kits: made, their credential replaced, and whether they were used |
//! | `prepared`, `cron`, `inventory`, `handover` | parts of the endings |
//!
//! Whoever used a login may have left traps: functions, operators and schemas with familiar names, in every database.
//! So administrator connections have `search_path = pg_catalog`, call nothing that a login could have defined, and
//! nothing here evaluates expressions of user objects.

mod connect;
mod cron;
mod cut;
mod dial;
mod doctor;
mod error;
mod handover;
mod inventory;
mod kit;
mod list;
mod lock;
mod make;
mod names;
mod prepared;
mod reap;
mod remove;
mod roles;
mod setup;
mod tls;

use std::collections::BTreeMap;

use async_trait::async_trait;
use daypass_domain::{Name, resource::Role};
use daypass_ports::{
    kits::{KitMade, KitSpec},
    targets::{
        Administration, Claims, CutReport, Ending, Finding, LoginName, LoginSpec, Made, ReapReport, Removed, Residue,
        StillGiven, TargetError, Targets,
    },
};

pub use dial::{PostgresDialer, dial};
pub use setup::setup_sql;
pub use tls::{ClientTls, client_tls};

use connect::Pool;

/// Making and ending access at PostgreSQL servers. Holds warm administrator connections; clone nothing, share it.
#[derive(Debug, Default)]
pub struct PostgresTargets {
    pool: Pool,
}

impl PostgresTargets {
    /// With no connection yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens administrator connections ahead of need, so that the first cut doesn't wait for a handshake.
    ///
    /// # Errors
    /// As connecting does.
    pub async fn warm(&self, at: &Administration) -> Result<(), TargetError> {
        let (one, two) = tokio::join!(self.pool.primary(at), self.pool.primary(at));
        let (one, two) = (one?, two?);
        self.pool.give_back(one);
        self.pool.give_back(two);
        Ok(())
    }

    /// Closes warm connections that have idled or lived too long. Call it now and then.
    pub fn sweep_connections(&self) {
        self.pool.sweep();
    }
}

#[async_trait]
impl Targets for PostgresTargets {
    async fn make(&self, at: &Administration, spec: &LoginSpec, still: &dyn StillGiven) -> Result<Made, TargetError> {
        make::make(&self.pool, at, spec, still).await
    }

    async fn cut(&self, at: &Administration, logins: &[LoginName]) -> Vec<Result<CutReport, TargetError>> {
        cut::cut(&self.pool, at, logins).await
    }

    async fn list(&self, at: &Administration, endings: &[Ending]) -> Vec<Result<Residue, TargetError>> {
        list::list(&self.pool, at, endings).await
    }

    async fn remove(&self, at: &Administration, listed: &[Residue]) -> Vec<Result<Removed, TargetError>> {
        remove::remove(&self.pool, at, listed).await
    }

    async fn reap(&self, at: &Administration, claims: &dyn Claims) -> Result<ReapReport, TargetError> {
        reap::reap(&self.pool, at, claims).await
    }

    async fn make_kit(&self, at: &Administration, spec: &KitSpec) -> Result<KitMade, TargetError> {
        kit::make(&self.pool, at, spec).await
    }

    async fn doctor(&self, at: &Administration, roles: &BTreeMap<Name, Role>) -> Vec<Finding> {
        doctor::doctor(&self.pool, at, roles).await
    }
}
