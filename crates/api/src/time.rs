//! A point in time as it travels.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// A point in time: RFC 3339 text in UTC (`2026-11-24T04:14:09.123456Z`), microseconds inside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTimestamp(pub String);

impl fmt::Display for BadTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no time: write it like 2026-11-24T18:00:00Z (RFC 3339)", self.0)
    }
}

impl std::error::Error for BadTimestamp {}

impl Timestamp {
    /// The first moment of the year 1, and the last of the years that RFC 3339 writes (a day early: jiff stops there).
    const ENDS: (i64, i64) = (-62_135_596_800_000_000, 253_402_207_199_999_999);

    /// From microseconds since 1970-01-01T00:00:00Z. What lies beyond the years that RFC 3339 can write is moved to the
    /// nearest that it can.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::ENDS.0, Self::ENDS.1))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds from `earlier` to here, rounded down; negative when `earlier` is later.
    #[must_use]
    pub fn secs_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1_000_000)
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;
    fn from_str(text: &str) -> Result<Self, BadTimestamp> {
        let read: Result<jiff::Timestamp, _> = text.parse();
        read.map(|t| Self(t.as_microsecond())).map_err(|_| BadTimestamp(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            // `from_micros` keeps it within what jiff can hold, so this is never reached.
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rfc_3339_both_ways() {
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(text, "\"2023-11-14T22:13:20.123456Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), at);
        assert_eq!("2023-11-14T23:13:20.123456+01:00".parse(), Ok(at));
        for bad in ["", "tomorrow", "2023-11-14", "1700000000"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_ends_of_time_still_show_as_rfc_3339() {
        for end in [i64::MIN, i64::MAX] {
            let text = Timestamp::from_micros(end).to_string();
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
    }
}
