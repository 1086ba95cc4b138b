//! Ids: a newtype per noun, a UUIDv7 (RFC 9562) inside, shown with a prefix: `grant_0193...`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Time;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of this kind: it should read {prefix}_ and 32 hexadecimal digits")]
pub struct BadId {
    /// The text, cut to 80 characters.
    pub text: String,
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: UUIDv7 from the time and ten random bytes.
            #[must_use]
            pub fn new(now: Time, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.micros() / 1000).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// When it was made, to the millisecond.
            #[must_use]
            pub fn time(&self) -> Time {
                let [a, b, c, d, e, f, ..] = self.bytes();
                let millis = [0, 0, a, b, c, d, e, f].iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
                Time::from_micros(millis * 1000)
            }

            /// The sixteen bytes of the UUID.
            #[must_use]
            pub fn bytes(&self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// The last twelve hexadecimal digits, all random: for names where space is short.
            #[must_use]
            pub fn short(&self) -> String {
                let hex = self.0.simple().to_string();
                hex[20..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { text: text.chars().take(80).collect(), prefix: $prefix };
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or_else(bad)?;
                if hex.len() != 32 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(bad());
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| bad())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A user or a workload.
    PrincipalId = "principal";
    /// A named set of principals.
    GroupId = "group";
    /// A database, a host, a cluster.
    ResourceId = "resource";
    /// A wish for a role on a resource.
    RequestId = "request";
    /// One person's yes to one request.
    ApprovalId = "approval";
    /// Access, for a while.
    GrantId = "grant";
    /// One connection through the gateway, under one grant.
    SessionId = "session";
    /// A pending change to what decisions read (I12).
    ChangeId = "change";
    /// An API token.
    TokenId = "token";
    /// A sign-in of a person: what `daypass login` makes.
    SignInId = "signin";
    /// A passkey that a person enrolled.
    PasskeyId = "passkey";
    /// One judgement, replayable (I7).
    DecisionId = "decision";
    /// One Daypass: its id is on everything that it makes at a target.
    InstallationId = "daypass";
    /// A sealed part of an entry's payload, or a free text that a row refers to.
    PayloadId = "payload";
    /// What gives rise to notices.
    OccasionId = "occasion";
    /// One message to one person or room, the same at every try.
    NoticeId = "notice";
    /// An emergency kit: a login at a target that two people open together.
    KitId = "kit";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_names_its_kind() {
        let id = GrantId::new(Time::from_micros(1_700_000_000_000_000), [7; 10]);
        assert!(id.to_string().starts_with("grant_018bcfe5"));
        assert_eq!(id.to_string().parse::<GrantId>(), Ok(id));
        assert!(id.to_string().parse::<SessionId>().is_err());
        assert!(id.to_string().to_uppercase().parse::<GrantId>().is_err());
        assert_eq!(id.short().len(), 12);
        assert_eq!(id.time(), Time::from_micros(1_700_000_000_000_000));
    }

    #[test]
    fn ids_sort_by_their_time() {
        let early = GrantId::new(Time::from_micros(1_000_000), [255; 10]);
        let late = GrantId::new(Time::from_micros(2_000_000), [0; 10]);
        assert!(early < late);
    }
}
