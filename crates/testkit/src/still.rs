//! A world that stands still: a clock that is set by hand, bytes that only look random, and no targets.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use async_trait::async_trait;
use daypass_domain::{Digest, Name, Span, Time, resource::Role};
use daypass_ports::{
    kits::{KitMade, KitSpec},
    notices::{Channel, Letter, NotSent, Reach},
    secret::{CredentialError, Credentials, Secret},
    targets::{
        Administration, Claims, CutReport, Ending, Finding, LoginName, LoginSpec, Made, ReapReport, Removed, Residue,
        Severity, StillGiven, TargetError, Targets,
    },
    world::{Boot, Clock, Random},
};

/// A clock that is set by hand; both of its hands move together.
#[derive(Debug)]
pub struct SetClock(AtomicI64);

impl SetClock {
    /// Standing at so many microseconds since 1970.
    #[must_use]
    pub fn at(micros: i64) -> Self {
        Self(AtomicI64::new(micros))
    }

    /// Goes on.
    pub fn later(&self, span: Span) {
        self.0.fetch_add(span.micros(), Ordering::SeqCst);
    }

    /// Goes back.
    pub fn back(&self, span: Span) {
        self.0.fetch_sub(span.micros(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Boot {
        Boot(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

/// Bytes that look random, the same in every run and never the same twice in one.
#[derive(Debug)]
pub struct Counted(AtomicU64);

impl Counted {
    /// Counting from there: two that begin far apart never give the same.
    #[must_use]
    pub fn from(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }
}

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            let bytes = Digest::of(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            chunk.copy_from_slice(&bytes.bytes()[..chunk.len()]);
        }
    }
}

/// A room where notices are taken, and nobody reads.
#[derive(Debug, Clone, Copy)]
pub struct EmptyRoom;

#[async_trait]
impl Channel for EmptyRoom {
    fn reach(&self) -> Reach {
        Reach::Room
    }

    async fn send(&self, _: &Letter) -> Result<(), NotSent> {
        Ok(())
    }
}

/// No targets: for tests of which they aren't the subject.
#[derive(Debug, Clone, Copy)]
pub struct NoTargets;

fn nothing() -> TargetError {
    TargetError::Unreachable { address: "nowhere:1".into(), why: "there are no targets in these tests".into() }
}

#[async_trait]
impl Targets for NoTargets {
    async fn make(&self, _: &Administration, _: &LoginSpec, _: &dyn StillGiven) -> Result<Made, TargetError> {
        Err(nothing())
    }

    async fn cut(&self, _: &Administration, logins: &[LoginName]) -> Vec<Result<CutReport, TargetError>> {
        logins.iter().map(|_| Err(nothing())).collect()
    }

    async fn list(&self, _: &Administration, endings: &[Ending]) -> Vec<Result<Residue, TargetError>> {
        endings.iter().map(|_| Err(nothing())).collect()
    }

    async fn remove(&self, _: &Administration, listed: &[Residue]) -> Vec<Result<Removed, TargetError>> {
        listed.iter().map(|_| Err(nothing())).collect()
    }

    async fn reap(&self, _: &Administration, _: &dyn Claims) -> Result<ReapReport, TargetError> {
        Err(nothing())
    }

    async fn make_kit(&self, _: &Administration, _: &KitSpec) -> Result<KitMade, TargetError> {
        Err(nothing())
    }

    async fn doctor(&self, _: &Administration, _: &BTreeMap<Name, Role>) -> Vec<Finding> {
        vec![Finding { severity: Severity::Broken, what: nothing().to_string(), fix_sql: None }]
    }
}

/// Every name is bound, to nothing of worth.
#[derive(Debug, Clone, Copy)]
pub struct AnyCredential;

#[async_trait]
impl Credentials for AnyCredential {
    async fn credential(&self, _: &Name) -> Result<Secret, CredentialError> {
        Ok(Secret::new("a password of nobody".to_owned()))
    }
}
