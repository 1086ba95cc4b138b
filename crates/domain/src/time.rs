//! Time as the authority tells it: microseconds since the Unix epoch, UTC.

use std::{
    fmt,
    ops::{Add, Sub},
};

use serde::{Deserialize, Serialize};

/// A point in authority time. Serialized as an integer of microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

/// A length of time, in microseconds. Never negative by construction of the public ways to make one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Time {
    /// From microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// How long from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span((self.0.saturating_sub(earlier.0)).max(0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From microseconds; what is negative becomes zero.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 { 0 } else { micros })
    }

    /// From seconds.
    #[must_use]
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as i64 * 1_000_000)
    }

    /// From minutes.
    #[must_use]
    pub const fn from_mins(mins: u32) -> Self {
        Self(mins as i64 * 60_000_000)
    }

    /// Microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0 / 1_000_000
    }

    /// For the standard library's timers.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// RFC 3339, UTC, to the microsecond where there are any.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// In words for people: `1 h 30 min`, `45 s`, `12 ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        if us < 1_000 {
            return write!(f, "{us} us");
        }
        if us < 1_000_000 {
            return write!(f, "{} ms", us / 1_000);
        }
        let secs = us / 1_000_000;
        let parts = [(secs / 86_400, "d"), (secs / 3_600 % 24, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
        let mut shown = 0;
        for (n, unit) in parts {
            if n > 0 && shown < 2 {
                if shown > 0 {
                    f.write_str(" ")?;
                }
                write!(f, "{n} {unit}")?;
                shown += 1;
            } else if shown > 0 {
                break;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write a whole number and a unit, like 45s, 30m, 2h or 1d, or several: 1h30m")]
pub struct BadSpan(pub String);

impl std::str::FromStr for Span {
    type Err = BadSpan;

    /// `45s`, `30m`, `30min`, `2h`, `1d`, and sums of them: `1h30m`. At most ten years.
    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let bad = || BadSpan(text.chars().take(40).collect());
        let mut total: i64 = 0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let n: i64 = rest[..digits].parse().map_err(|_| bad())?;
            let unit_len = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit: i64 = match &rest[digits..digits + unit_len] {
                "s" | "sec" => 1,
                "m" | "min" => 60,
                "h" => 3_600,
                "d" => 86_400,
                _ => return Err(bad()),
            };
            total = n.checked_mul(unit).and_then(|s| total.checked_add(s)).ok_or_else(bad)?;
            rest = rest[digits + unit_len..].trim_start();
        }
        if total > 315_360_000 {
            return Err(bad());
        }
        Ok(Self(total * 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_show() {
        assert_eq!("1h30m".parse(), Ok(Span::from_mins(90)));
        assert_eq!("90 min".parse::<Span>(), Err(BadSpan("90 min".into())));
        assert_eq!("45s".parse(), Ok(Span::from_secs(45)));
        for bad in ["", "h", "5", "-1h", "1w", "99999999999999999999s", "11y", "4000d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
        assert_eq!(Span::from_mins(90).to_string(), "1 h 30 min");
        assert_eq!(Span::from_secs(3_601).to_string(), "1 h");
        assert_eq!(Span::from_micros(12_400).to_string(), "12 ms");
    }

    #[test]
    fn times_show_as_rfc_3339() {
        assert_eq!(Time::from_micros(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Time::from_micros(5).since(Time::from_micros(9)), Span::ZERO);
    }
}
