//! What the pure parts know no way to get: time and randomness.

use daypass_domain::Time;

/// Two clocks: the wall's, and the one that counts since boot.
pub trait Clock: Send + Sync {
    /// Wall time.
    fn wall(&self) -> Time;

    /// Time since boot, suspended time included (Linux `CLOCK_BOOTTIME`). // I3
    fn boot(&self) -> Boot;
}

/// A point on a node's boot clock, in microseconds. Comparable only with points of the same node and boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(pub u64);

impl Boot {
    /// So much later.
    #[must_use]
    pub fn after(self, span: daypass_domain::Span) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.micros()).unwrap_or(0)))
    }

    /// How long from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> daypass_domain::Span {
        daypass_domain::Span::from_micros(i64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(i64::MAX))
    }
}

/// Unpredictable bytes, from the operating system.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// So many unpredictable bytes.
#[must_use]
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
