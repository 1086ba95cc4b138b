//! Resources.

use daypass_api::{
    ResourceId,
    resources::{Classification, Environment, Finding, RecordMode, Resource, ResourceKind, Role, Severity},
};
use daypass_domain::resource;
use daypass_ports::targets;

use super::names;

/// A resource as everybody may see it: not its address, nor the credential's name, nor the roles at its server. Those
/// are in its document, for whoever may change it.
pub(crate) fn resource(resource: &resource::Resource) -> Resource {
    let role = |(name, role): (&daypass_domain::Name, &resource::Role)| Role {
        name: name.to_string(),
        description: role.description.clone(),
        narrower: names(&role.narrower),
    };
    let labels = &resource.labels;
    Resource {
        id: ResourceId::of(resource.id),
        name: resource.name.to_string(),
        kind: match resource.target {
            resource::Target::Postgres(_) => ResourceKind::Postgres,
        },
        region: resource.region.to_string(),
        owner: resource.owner.to_string(),
        environment: match labels.environment {
            resource::Environment::Lab => Environment::Lab,
            resource::Environment::Development => Environment::Development,
            resource::Environment::Staging => Environment::Staging,
            resource::Environment::Production => Environment::Production,
        },
        classification: labels.classification.iter().map(|c| classification(*c)).collect(),
        tags: labels.tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        record: match resource.record {
            resource::RecordMode::Full => RecordMode::Full,
            resource::RecordMode::Text => RecordMode::Text,
            resource::RecordMode::Digest => RecordMode::Digest,
        },
        roles: resource.roles.iter().map(role).collect(),
    }
}

fn classification(class: resource::Classification) -> Classification {
    match class {
        resource::Classification::Public => Classification::Public,
        resource::Classification::Internal => Classification::Internal,
        resource::Classification::Pii => Classification::Pii,
        resource::Classification::Phi => Classification::Phi,
        resource::Classification::Cardholder => Classification::Cardholder,
        resource::Classification::Secrets => Classification::Secrets,
    }
}

pub(crate) fn finding(finding: targets::Finding) -> Finding {
    let severity = match finding.severity {
        targets::Severity::Fine => Severity::Fine,
        targets::Severity::Warning => Severity::Warning,
        targets::Severity::Broken => Severity::Broken,
    };
    Finding { severity, what: finding.what, fix_sql: finding.fix_sql }
}
