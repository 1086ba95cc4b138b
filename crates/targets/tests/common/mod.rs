//! What the tests of this crate share. Each file uses a part of it.
#![allow(dead_code, reason = "every test binary compiles this module and uses some of it")]

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use daypass_domain::{
    GrantId, SessionId, Time,
    resource::{Ownership, PgRole},
};
use daypass_ports::kits::KitLogins;
use daypass_ports::targets::{
    Administration, Claim, ClaimSet, Claims, ClaimsUnknown, Ending, LoginName, LoginSpec, Made, Removed, Residue,
    ResidueItem, ResidueKind, StillGiven, TargetError, Targets,
};
use daypass_targets::postgres::PostgresTargets;
use daypass_testkit::Pg;
use daypass_wire::scram::ScramVerifier;
use tokio_postgres::Client;

/// The password of every ephemeral login here.
pub const PASSWORD: &str = "only for this grant";

/// A PostgreSQL, and what administers it.
pub struct World {
    pub pg: Pg,
    pub targets: PostgresTargets,
    pub at: Administration,
}

/// An answer that changes: yes so many times, then no.
pub struct Yes(pub AtomicU32);

impl Yes {
    pub fn always() -> Self {
        Self(AtomicU32::new(u32::MAX))
    }

    pub fn times(times: u32) -> Self {
        Self(AtomicU32::new(times))
    }
}

#[async_trait]
impl StillGiven for Yes {
    async fn still_given(&self, _grant: GrantId) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// What gateways claim.
#[derive(Default)]
pub struct Claimed(pub Mutex<ClaimSet>, pub Mutex<KitLogins>);

impl Claimed {
    pub fn grant(&self, login: &LoginName) {
        self.0.lock().unwrap().entry(login.clone()).or_default();
    }

    pub fn session(&self, login: &LoginName, session: SessionId, claim: Claim) {
        self.0.lock().unwrap().entry(login.clone()).or_default().insert(session, claim);
    }
}

#[async_trait]
impl Claims for Claimed {
    async fn claims(&self) -> Result<ClaimSet, ClaimsUnknown> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn emergency(&self) -> Result<KitLogins, ClaimsUnknown> {
        Ok(self.1.lock().unwrap().clone())
    }
}

pub fn grant(number: u32) -> GrantId {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    GrantId::new(Time::from_micros(1_700_000_000_000_000), random)
}

pub fn session(number: u8) -> SessionId {
    SessionId::new(Time::from_micros(1_700_000_000_000_000), [number; 10])
}

/// Far away: these tests are not about time.
pub fn deadline() -> Time {
    Time::from_micros(4_000_000_000_000_000)
}

impl World {
    pub async fn new() -> Self {
        Self::around(Pg::start().await)
    }

    pub fn around(pg: Pg) -> Self {
        let at = pg.administration();
        Self { pg, targets: PostgresTargets::new(), at }
    }

    pub fn login(&self, number: u32) -> LoginName {
        let name = format!("daypass_{}_{}_alice", self.at.installation.short(), grant(number).short());
        name.parse().unwrap()
    }

    pub fn spec(&self, number: u32, member_of: &[&PgRole]) -> LoginSpec {
        let verifier = ScramVerifier::from_password(PASSWORD.as_bytes(), [7; 16], 4096).unwrap();
        LoginSpec {
            grant: grant(number),
            name: self.login(number),
            verifier: verifier.to_postgres().to_string(),
            member_of: member_of.iter().map(|role| (*role).clone()).collect::<BTreeSet<PgRole>>(),
            connection_limit: 32,
            deadline: deadline(),
        }
    }

    pub async fn make(&self, number: u32, member_of: &[&PgRole]) -> Result<Made, TargetError> {
        self.targets.make(&self.at, &self.spec(number, member_of), &Yes::always()).await
    }

    /// Makes a login and connects with it, past any gateway.
    pub async fn enter(&self, number: u32, member_of: &[&PgRole]) -> (LoginName, Client) {
        let made = self.make(number, member_of).await.unwrap();
        let client = self.pg.connect_as(made.login.as_str(), PASSWORD).await.unwrap();
        (made.login, client)
    }

    pub fn ending(&self, number: u32) -> Ending {
        Ending { grant: grant(number), login: self.login(number), owns: Ownership::Quarantine }
    }

    pub fn ending_kept(&self, number: u32) -> Ending {
        Ending { owns: Ownership::Kept { owner: self.pg.owner.clone() }, ..self.ending(number) }
    }

    pub async fn cut(&self, number: u32) -> Result<u32, TargetError> {
        let report = self.targets.cut(&self.at, &[self.login(number)]).await.remove(0)?;
        Ok(report.backends_ended)
    }

    pub async fn list(&self, ending: &Ending) -> Result<Residue, TargetError> {
        self.targets.list(&self.at, std::slice::from_ref(ending)).await.remove(0)
    }

    pub async fn remove(&self, residue: &Residue) -> Result<Removed, TargetError> {
        self.targets.remove(&self.at, std::slice::from_ref(residue)).await.remove(0)
    }

    /// Cut, list and remove; nothing of the login is left, at the target.
    pub async fn end(&self, ending: &Ending) -> Residue {
        self.targets.cut(&self.at, std::slice::from_ref(&ending.login)).await.remove(0).unwrap();
        let residue = self.list(ending).await.unwrap();
        self.remove(&residue).await.unwrap();
        assert!(!self.pg.has_role(ending.login.as_str()).await);
        residue
    }

    /// One value, asked by a superuser.
    pub async fn ask(&self, sql: &str) -> String {
        self.ask_in(&self.pg.database, sql).await
    }

    pub async fn ask_in(&self, database: &str, sql: &str) -> String {
        let client = self.pg.superuser_in(database).await;
        let sql = format!("SELECT coalesce(({sql})::text, 'none')");
        client.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Waits, bounded, until the superuser's question is answered so.
    pub async fn until(&self, sql: &str, answer: &str) {
        for _ in 0..3_000 {
            if self.ask(sql).await == answer {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {answer}: {sql}");
    }

    /// Whether the administrator login could act as a role, or has its rights.
    pub async fn administrator_is(&self, role: &PgRole) -> bool {
        let how = if self.pg.version().await >= 160_000 { &["USAGE", "SET"][..] } else { &["MEMBER"] };
        let administrator = &self.pg.administrator;
        let is = how.iter().map(|how| format!("pg_has_role('{administrator}', '{role}', '{how}')"));
        self.ask(&format!("SELECT {}", is.collect::<Vec<_>>().join(" OR "))).await == "true"
    }

    /// From 16 on a login may not act as what it is a member of. That is seen here; then somebody else lets it, so that
    /// what comes of it is tried there too. Up to 15 it may by itself.
    pub async fn let_become(&self, client: &Client, login: &LoginName, role: &PgRole) {
        if self.pg.version().await < 160_000 {
            return;
        }
        let refused = client.batch_execute(&format!("SET ROLE {role}")).await.unwrap_err();
        assert_eq!(refused.code().map(|code| code.code()), Some("42501"), "{refused:?}");
        self.root(&format!("GRANT {role} TO \"{login}\" WITH INHERIT TRUE, SET TRUE")).await;
    }

    pub async fn root(&self, sql: &str) {
        self.pg.superuser().await.batch_execute(sql).await.unwrap();
    }
}

pub fn has(list: &[ResidueItem], kind: ResidueKind, name: &str) -> bool {
    list.iter().any(|item| item.kind == kind && item.name.contains(name))
}
