//! What is the same for everybody who uses GitHub, GitLab or Kubernetes.

use serde::Deserialize;

/// A well-known issuer of workloads' tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Preset {
    Github,
    Gitlab,
    Kubernetes,
}

impl Preset {
    /// Who issues, where that is the same for everybody who doesn't run their own.
    pub(super) const fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Github => Some("https://token.actions.githubusercontent.com"),
            Self::Gitlab => Some("https://gitlab.com"),
            Self::Kubernetes => None,
        }
    }

    /// The claims of which one must be matched: without one of them, any customer of the issuer would be the workload.
    pub(super) const fn tells_apart(self) -> &'static [&'static str] {
        match self {
            Self::Github => {
                &["sub", "repository", "repository_id", "repository_owner", "repository_owner_id", "job_workflow_ref"]
            }
            Self::Gitlab => &["sub", "project_path", "project_id", "namespace_path", "namespace_id"],
            Self::Kubernetes => &["sub", "kubernetes.io/namespace"],
        }
    }

    /// What policy reads: the name there, and the claim. No names of people.
    pub(super) const fn attributes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Github => &[
                ("repository", "repository"),
                ("ref", "ref"),
                ("ref_type", "ref_type"),
                ("event_name", "event_name"),
                ("environment", "environment"),
                ("workflow_ref", "workflow_ref"),
                ("job_workflow_ref", "job_workflow_ref"),
                ("runner_environment", "runner_environment"),
            ],
            Self::Gitlab => &[
                ("project_path", "project_path"),
                ("ref", "ref"),
                ("ref_type", "ref_type"),
                ("ref_protected", "ref_protected"),
                ("environment", "environment"),
                ("environment_protected", "environment_protected"),
                ("pipeline_source", "pipeline_source"),
            ],
            Self::Kubernetes => {
                &[("namespace", "kubernetes.io/namespace"), ("service_account", "kubernetes.io/serviceaccount/name")]
            }
        }
    }
}
