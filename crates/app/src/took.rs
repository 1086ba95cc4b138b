//! How long endings took, of whatever cause: from the instant at which access was to be over.

use std::sync::atomic::{AtomicU64, Ordering};

use daypass_domain::{
    Span, Time,
    grant::{Grant, GrantState},
    session::{Session, SessionEnd},
};

use crate::App;

/// The upper bounds of the buckets, in microseconds: from a millisecond to the longest that a lease lasts, and beyond it.
/// One more bucket has no bound.
pub const BOUNDS_US: [u64; 14] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    10_000_000, 30_000_000,
];

/// How long endings took in this process.
#[derive(Debug, Default)]
pub struct Took {
    /// Until both sockets of a session were closed, by session.
    pub client: Buckets,
    /// Until the target was seen to have no backend of the grant, by grant.
    pub target: Buckets,
}

/// Times by size.
#[derive(Debug, Default)]
pub struct Buckets {
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// [`Buckets`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How many by [`BOUNDS_US`], each in its own bucket alone.
    pub counts: [u64; BOUNDS_US.len() + 1],
    /// Their sum, in microseconds.
    pub sum_us: u64,
}

impl Buckets {
    fn add(&self, span: Span) {
        // What was over before its time, or under a clock that was set back, took no time.
        let us = u64::try_from(span.micros()).unwrap_or(0);
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What it holds now.
    pub fn times(&self) -> Times {
        Times {
            counts: std::array::from_fn(|i| self.counts[i].load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

impl App {
    /// How long endings took since the start.
    #[must_use]
    pub fn took(&self) -> &Took {
        &self.took
    }

    /// Why a session closed. A target can hear of an end before the gateway does, and then closes the connection itself:
    /// what closed it is the end all the same.
    pub(crate) fn why_closed(&self, grant: &Grant, said: SessionEnd) -> SessionEnd {
        let is_over = match grant.state {
            GrantState::Ending { .. } | GrantState::Ended { .. } => true,
            GrantState::Active { .. } | GrantState::Scheduled { .. } => self.taken.when_taken(grant.id).is_some(),
        };
        if said == SessionEnd::TargetLost && is_over { SessionEnd::GrantEnded } else { said }
    }

    /// A gateway has closed both sockets of a session.
    pub(crate) fn closed_at_client(&self, session: &Session, grant: &Grant, why: SessionEnd, now: Time) {
        let ordered = match why {
            SessionEnd::GrantEnded => self.ordered(grant),
            SessionEnd::Killed => self.taken.when_killed(session.id),
            SessionEnd::ClientLeft
            | SessionEnd::TargetLost
            | SessionEnd::RecordingFailed
            | SessionEnd::Idle
            | SessionEnd::LeaseLost
            | SessionEnd::ProtocolError
            | SessionEnd::Shutdown
            | SessionEnd::NodeLost => None,
        };
        if let Some(ordered) = ordered {
            self.took.client.add(now.since(ordered));
        }
    }

    /// A target was seen to have no backend of a grant.
    pub(crate) fn cut_at_target(&self, grant: &Grant, now: Time) {
        if let Some(ordered) = self.ordered(grant) {
            self.took.target.add(now.since(ordered));
        }
    }

    /// Since when a grant is to be over. A deadline is over by itself, before anybody says so: a gateway counts it by its
    /// own clock, and is careful, so it may be through a moment early. What another process ended is known from its row.
    fn ordered(&self, grant: &Grant) -> Option<Time> {
        let said = self.taken.when_taken(grant.id);
        match grant.state {
            GrantState::Active { deadline, .. } => Some(said.map_or(deadline, |t| t.min(deadline))),
            GrantState::Ending { at, .. } | GrantState::Ended { at, .. } => Some(said.map_or(at, |t| t.min(at))),
            GrantState::Scheduled { .. } => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_buckets() {
        let buckets = Buckets::default();
        for us in [-5, 1, 1_000, 1_001, 40_000_000] {
            buckets.add(Span::from_micros(us));
        }
        let seen = buckets.times();
        assert_eq!((seen.counts[0], seen.counts[1], seen.counts[14]), (3, 1, 1));
        assert_eq!(seen.sum_us, 40_002_002);
    }
}
