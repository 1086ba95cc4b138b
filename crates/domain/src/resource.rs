//! Resources and roles: what can be asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{Digest, Name, ResourceId, Span};

/// A thing that people need into, as it was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its id, for ever.
    pub id: ResourceId,
    /// What a client gives as the database name.
    pub name: Name,
    /// Where it is and of what kind.
    pub target: Target,
    /// Where its data lives (I10), like `eu` or `us-east`.
    pub region: Name,
    /// Who answers for it: a group.
    pub owner: Name,
    /// What policy knows of it.
    pub labels: Labels,
    /// What can be asked for, by name.
    pub roles: BTreeMap<Name, Role>,
    /// How its statements are recorded.
    pub record: RecordMode,
    /// Limits on its sessions.
    pub limits: Limits,
}

/// Where a resource is, and of what kind it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// A PostgreSQL server (12 or later).
    Postgres(PostgresTarget),
}

/// A PostgreSQL server, and who administers it for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresTarget {
    /// Host and port of the primary.
    pub address: HostPort,
    /// The database that a session gets when the client names none.
    pub database: String,
    /// The name of the credential (bound in the server's own configuration) of the administrator login: the user name
    /// is `administrator`, its password is what the name is bound to.
    pub credential: Name,
    /// The administrator login: CREATEROLE, no superuser.
    pub administrator: PgRole,
    /// How the target shows who it is.
    pub tls: TargetTls,
    /// Hot standbys that a session could read from: swept when a grant ends.
    #[serde(default)]
    pub replicas: Vec<HostPort>,
}

/// How a target shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum TargetTls {
    /// A certificate under the system's authorities or one given here, with the host's name in it.
    Verify {
        /// PEM of the authorities to believe; the system's when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authorities: Option<String>,
    },
    /// Exactly this certificate.
    Pin {
        /// SHA-256 of the certificate's DER.
        sha256: Digest,
    },
    /// No TLS. Refused unless the address is a loopback address.
    LoopbackPlaintext,
}

/// A host (name or address) and a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    /// A DNS name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is not a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not host:port, like db.internal:5432 or [::1]:5432")]
pub struct BadHostPort(pub String);

impl FromStr for HostPort {
    type Err = BadHostPort;
    fn from_str(text: &str) -> Result<Self, BadHostPort> {
        let bad = || BadHostPort(text.chars().take(120).flat_map(char::escape_default).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(six) if six.parse::<std::net::Ipv6Addr>().is_ok() => six,
            Some(_) => return Err(bad()),
            None => host,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
            return Err(bad());
        }
        if host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(bad());
        }
        let port: u16 = port.parse().map_err(|_| bad())?;
        if port == 0 {
            return Err(bad());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for HostPort {
    type Error = BadHostPort;
    fn try_from(text: String) -> Result<Self, BadHostPort> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(address: HostPort) -> Self {
        address.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl HostPort {
    /// Whether it is this machine without any doubt: a loopback address or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// The name of a role at a PostgreSQL server: 1 to 63 bytes, no NUL. Always quoted when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PgRole(String);

/// Why a text can't name a role at PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a PostgreSQL role name has 1 to 63 bytes, none of them zero, and doesn't start with pg_ or daypass_: `{0}`")]
pub struct BadPgRole(pub String);

impl PgRole {
    /// The name, unquoted.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PgRole {
    type Error = BadPgRole;
    fn try_from(text: String) -> Result<Self, BadPgRole> {
        // Predefined roles (pg_read_all_data and its kin) may be given on purpose; ours may not be.
        if text.is_empty() || text.len() > 63 || text.contains('\0') || text.starts_with("daypass_") {
            return Err(BadPgRole(text.chars().take(63).flat_map(char::escape_default).collect()));
        }
        Ok(Self(text))
    }
}

impl FromStr for PgRole {
    type Err = BadPgRole;
    fn from_str(text: &str) -> Result<Self, BadPgRole> {
        text.to_owned().try_into()
    }
}

impl From<PgRole> for String {
    fn from(role: PgRole) -> Self {
        role.0
    }
}

impl fmt::Display for PgRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A named privilege set on a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// What it gives, in words for an approver.
    pub description: String,
    /// The roles at the target whose member the ephemeral login becomes. Rights come by membership only.
    pub member_of: BTreeSet<PgRole>,
    /// Who owns what is created under a grant.
    pub owns: Ownership,
    /// Roles of the same resource that give less: an approver may pick one instead.
    pub narrower: BTreeSet<Name>,
}

/// Who owns what is created at the target under a grant, once the grant has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Ownership {
    /// Nobody is meant to create anything: what is found goes to the quarantine role and is residue.
    Quarantine,
    /// This role: migrations work, and the end confirmation lists what was kept.
    Kept {
        /// The role at the target.
        owner: PgRole,
    },
}

impl Role {
    /// What an approval names (I8): everything that decides what the role gives at the target.
    #[must_use]
    pub fn digest(&self, resource: &Resource) -> Digest {
        #[derive(Serialize)]
        struct Given<'a> {
            resource: ResourceId,
            target: &'a Target,
            member_of: &'a BTreeSet<PgRole>,
            owns: &'a Ownership,
        }
        let given =
            Given { resource: resource.id, target: &resource.target, member_of: &self.member_of, owns: &self.owns };
        Digest::of_value("role", &given)
    }
}

/// How the statements of a resource are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordMode {
    /// Text and parameters.
    Full,
    /// Text, no parameters.
    Text,
    /// Only a digest of the text.
    Digest,
}

/// Limits on the sessions of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// A session that neither sends nor receives for this long ends.
    pub idle: Span,
    /// Sessions at once under one grant.
    pub sessions: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Span::from_mins(60), sessions: 32 }
    }
}

/// What policy knows of a resource. What isn't said is taken for the most sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Where it stands.
    pub environment: Environment,
    /// What data it holds.
    pub classification: BTreeSet<Classification>,
    /// The team it belongs to, and whatever else an organization sorts by; policy reads it as `resource.tags`.
    #[serde(default)]
    pub tags: BTreeMap<Name, Name>,
}

/// Where a resource stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// To try things; nothing of worth.
    Lab,
    /// For developing.
    Development,
    /// For trying before it goes live.
    Staging,
    /// Live. Also what an unlabelled resource counts as.
    Production,
}

/// What data a resource holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// Anybody may know it.
    Public,
    /// For the organization.
    Internal,
    /// Personal data (GDPR Art. 4, CCPA 1798.140).
    Pii,
    /// Protected health information (HIPAA, 45 CFR 160.103).
    Phi,
    /// Cardholder data (PCI DSS).
    Cardholder,
    /// Keys and passwords.
    Secrets,
}

impl Classification {
    /// All of them, from harmless to worst.
    pub const ALL: [Self; 6] = [Self::Public, Self::Internal, Self::Pii, Self::Phi, Self::Cardholder, Self::Secrets];

    /// As written in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Pii => "pii",
            Self::Phi => "phi",
            Self::Cardholder => "cardholder",
            Self::Secrets => "secrets",
        }
    }
}

impl Environment {
    /// As written in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl Default for Labels {
    /// Unlabelled is most sensitive: production, with every kind of data in it.
    fn default() -> Self {
        Self {
            environment: Environment::Production,
            classification: Classification::ALL.into_iter().filter(|c| *c != Classification::Public).collect(),
            tags: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_show() {
        for good in ["db.internal:5432", "127.0.0.1:1", "[::1]:5432"] {
            assert_eq!(good.parse::<HostPort>().unwrap().to_string(), good);
        }
        for bad in ["db", "db:0", "db:70000", ":5432", "a b:1", "::1:5432:x", "[nope]:1", "db/x:1"] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad}");
        }
        assert!("[::1]:5432".parse::<HostPort>().unwrap().is_loopback());
        assert!(!"db.internal:5432".parse::<HostPort>().unwrap().is_loopback());
    }

    #[test]
    fn unlabelled_is_most_sensitive() {
        let labels = Labels::default();
        assert_eq!(labels.environment, Environment::Production);
        assert!(labels.classification.contains(&Classification::Phi));
    }
}
