//! What a token says happened (CAEP 1.0, RISC Profile 1.0, SSF 1.0).

use serde_json::{Map, Value};

use super::{BadSet, TEXT_MAX, micros, text};

/// What every event's URI of the OpenID foundation begins with.
pub const BASE: &str = "https://schemas.openid.net/secevent/";

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub what: What,
    /// When, in microseconds since 1970: as the event says, or else as the token does.
    pub at_us: i64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// CAEP `session-revoked`, RISC `sessions-revoked`.
    SessionsRevoked,
    /// CAEP `credential-change`.
    CredentialChange(CredentialChange),
    /// RISC `credential-compromise`.
    CredentialCompromise,
    /// RISC `account-credential-change-required`.
    CredentialChangeRequired,
    /// RISC `account-disabled`.
    AccountDisabled,
    /// RISC `account-purged`.
    AccountPurged,
    /// RISC `account-enabled`.
    AccountEnabled,
    /// CAEP `assurance-level-change`.
    AssuranceLevel {
        /// In which list of levels, where it says so: `NIST-AAL`.
        namespace: Option<String>,
        /// The level now.
        level: String,
    },
    /// CAEP `device-compliance-change`.
    DeviceCompliance(Compliance),
    /// CAEP `risk-level-change`.
    RiskLevel {
        /// Of what.
        of: RiskOf,
        /// The level now.
        level: Risk,
    },
    /// SSF `verification`.
    Verification {
        /// What the receiver gave, when it asked for it.
        state: Option<String>,
    },
    /// SSF `stream-updated`.
    StreamUpdated(Stream),
    /// An event of another kind: what isn't understood is passed over (RFC 8417, 2.2).
    Other,
}

/// What became of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialChange {
    /// There is a new one.
    Created,
    /// It was changed.
    Updated,
    /// It is good no more.
    Revoked,
    /// It is gone.
    Deleted,
}

/// Whether a device keeps to its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compliance {
    /// It does.
    Compliant,
    /// It doesn't.
    NotCompliant,
}

/// How great a risk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
}

/// Of what a risk is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskOf {
    /// A person, a device or a session of theirs.
    Person,
    /// Many people at once: a tenant, a unit, a group.
    Many,
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// It runs.
    Enabled,
    /// It is held, and what happens meanwhile comes later.
    Paused,
    /// Nothing comes any more.
    Disabled,
}

impl Event {
    /// Reads an event.
    pub(super) fn read(uri: &str, said: &Value, otherwise_us: i64) -> Result<Self, BadSet> {
        let fields = said.as_object().ok_or(BadSet::Lacks("events"))?;
        let Some(known) = uri.strip_prefix(BASE).and_then(known) else {
            return Ok(Self { what: What::Other, at_us: otherwise_us });
        };
        let lacks = |field| BadSet::Event { event: known, field };
        let at_us = match fields.get("event_timestamp") {
            None => otherwise_us,
            Some(at) => micros(at).ok_or(lacks("event_timestamp"))?,
        };
        Ok(Self { what: what(known, fields)?, at_us })
    }
}

impl What {
    /// The last word of its URI; of what isn't known, `other`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::SessionsRevoked => "session-revoked",
            Self::CredentialChange(_) => "credential-change",
            Self::CredentialCompromise => "credential-compromise",
            Self::CredentialChangeRequired => "account-credential-change-required",
            Self::AccountDisabled => "account-disabled",
            Self::AccountPurged => "account-purged",
            Self::AccountEnabled => "account-enabled",
            Self::AssuranceLevel { .. } => "assurance-level-change",
            Self::DeviceCompliance(_) => "device-compliance-change",
            Self::RiskLevel { .. } => "risk-level-change",
            Self::Verification { .. } => "verification",
            Self::StreamUpdated(_) => "stream-updated",
            Self::Other => "other",
        }
    }
}

/// The last word of a URI, where the event is known.
fn known(rest: &str) -> Option<&'static str> {
    Some(match rest {
        "caep/event-type/session-revoked" | "risc/event-type/sessions-revoked" => "session-revoked",
        "caep/event-type/credential-change" => "credential-change",
        "caep/event-type/assurance-level-change" => "assurance-level-change",
        "caep/event-type/device-compliance-change" => "device-compliance-change",
        "caep/event-type/risk-level-change" => "risk-level-change",
        "risc/event-type/credential-compromise" => "credential-compromise",
        "risc/event-type/account-credential-change-required" => "account-credential-change-required",
        "risc/event-type/account-disabled" => "account-disabled",
        "risc/event-type/account-purged" => "account-purged",
        "risc/event-type/account-enabled" => "account-enabled",
        // Before it was called the Shared Signals Framework, an event more was in its name.
        "ssf/event-type/verification" | "sse/event-type/verification" => "verification",
        "ssf/event-type/stream-updated" | "sse/event-type/stream-updated" => "stream-updated",
        _ => return None,
    })
}

fn what(event: &'static str, fields: &Map<String, Value>) -> Result<What, BadSet> {
    let lacks = |field| BadSet::Event { event, field };
    let word = |field: &'static str| {
        let said = fields.get(field).and_then(text).ok_or(lacks(field))?;
        Ok::<_, BadSet>(said.to_ascii_lowercase())
    };
    Ok(match event {
        "session-revoked" => What::SessionsRevoked,
        "credential-compromise" => What::CredentialCompromise,
        "account-credential-change-required" => What::CredentialChangeRequired,
        "account-disabled" => What::AccountDisabled,
        "account-purged" => What::AccountPurged,
        "account-enabled" => What::AccountEnabled,
        "credential-change" => What::CredentialChange(match word("change_type")?.as_str() {
            "create" => CredentialChange::Created,
            "update" => CredentialChange::Updated,
            "revoke" => CredentialChange::Revoked,
            "delete" => CredentialChange::Deleted,
            _ => return Err(lacks("change_type")),
        }),
        "assurance-level-change" => What::AssuranceLevel {
            namespace: optional(fields, "namespace").ok_or(lacks("namespace"))?,
            level: fields.get("current_level").and_then(text).ok_or(lacks("current_level"))?,
        },
        "device-compliance-change" => What::DeviceCompliance(match word("current_status")?.as_str() {
            "compliant" => Compliance::Compliant,
            "not-compliant" => Compliance::NotCompliant,
            _ => return Err(lacks("current_status")),
        }),
        "risk-level-change" => What::RiskLevel {
            of: match word("principal")?.as_str() {
                "user" | "device" | "session" => RiskOf::Person,
                "tenant" | "org_unit" | "group" => RiskOf::Many,
                _ => return Err(lacks("principal")),
            },
            level: match word("current_level")?.as_str() {
                "low" => Risk::Low,
                "medium" => Risk::Medium,
                "high" => Risk::High,
                _ => return Err(lacks("current_level")),
            },
        },
        "verification" => What::Verification { state: optional(fields, "state").ok_or(lacks("state"))? },
        "stream-updated" => What::StreamUpdated(match word("status")?.as_str() {
            "enabled" => Stream::Enabled,
            "paused" => Stream::Paused,
            "disabled" => Stream::Disabled,
            _ => return Err(lacks("status")),
        }),
        _ => What::Other,
    })
}

/// A text that may be missing; nothing when it is there and isn't one. States may be longer than other texts.
fn optional(fields: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match fields.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(said)) if said.len() <= 2 * TEXT_MAX && !said.chars().any(char::is_control) => {
            Some(Some(said.clone()))
        }
        Some(_) => None,
    }
}
