//! No target: no test here connects to anything.

use std::collections::BTreeMap;

use async_trait::async_trait;
use daypass_domain::{Name, resource::Role};
use daypass_ports::{
    secret::{CredentialError, Credentials, Secret},
    targets::{
        Administration, Claims, CutReport, Ending, Finding, LoginName, LoginSpec, Made, ReapReport, Removed, Residue,
        Severity, StillGiven, TargetError, Targets,
    },
};

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
    async fn doctor(&self, _: &Administration, _: &BTreeMap<Name, Role>) -> Vec<Finding> {
        vec![Finding { severity: Severity::Broken, what: nothing().to_string(), fix_sql: None }]
    }
}

/// Every name is bound, to nothing of worth.
pub struct AnyCredential;

#[async_trait]
impl Credentials for AnyCredential {
    async fn credential(&self, _: &Name) -> Result<Secret, CredentialError> {
        Ok(Secret::new("a password of nobody".to_owned()))
    }
}
