//! A resource as a document that, applied, changes nothing.

use daypass_domain::{
    principal::Actor,
    resource::{Ownership, Resource, Target, TargetTls},
};
use serde::Serialize;

use super::document::{RawKind, RawLabels, RawLimits, RawResource, RawRole, RawTls, RawTlsMode};
use crate::{App, Problem, Result, changes::RESOURCE};

#[derive(Serialize)]
struct Exported {
    resource: Vec<RawResource>,
}

impl App {
    /// A resource as a document: for whoever may change it.
    ///
    /// # Errors
    /// When policy doesn't permit changing resources, or there is none of that name.
    pub async fn export_resource(&self, actor: &Actor, name: &str) -> Result<String> {
        self.may_administer(actor, RESOURCE).await?;
        let resource = self.resource_named(name).await?.value;
        let exported = Exported { resource: vec![raw(resource)] };
        toml::to_string(&exported).map_err(|e| Problem::unavailable(format!("it can't be written as TOML: {e}")))
    }
}

pub(super) fn raw(resource: Resource) -> RawResource {
    let Target::Postgres(target) = resource.target;
    let tls = match target.tls {
        TargetTls::Verify { authorities } => RawTls { mode: RawTlsMode::Verify, authorities, sha256: None },
        TargetTls::Pin { sha256 } => RawTls { mode: RawTlsMode::Pin, authorities: None, sha256: Some(sha256) },
        TargetTls::LoopbackPlaintext => RawTls { mode: RawTlsMode::LoopbackPlaintext, authorities: None, sha256: None },
    };
    let role = resource.roles.into_iter().map(|(name, role)| {
        let owner = match role.owns {
            Ownership::Quarantine => None,
            Ownership::Kept { owner } => Some(owner),
        };
        let narrower = role.narrower;
        (name, RawRole { description: role.description, member_of: role.member_of, owner, narrower })
    });
    RawResource {
        name: resource.name,
        kind: RawKind::Postgres,
        address: target.address,
        database: Some(target.database),
        administrator: target.administrator,
        credential: target.credential,
        owner: resource.owner,
        region: Some(resource.region),
        record: Some(resource.record),
        replicas: target.replicas,
        tls: Some(tls),
        limits: Some(RawLimits {
            idle: Some(format!("{}s", resource.limits.idle.secs())),
            sessions: Some(resource.limits.sessions),
        }),
        labels: Some(RawLabels {
            environment: Some(resource.labels.environment),
            classification: Some(resource.labels.classification),
            tags: resource.labels.tags,
        }),
        role: role.collect(),
    }
}
