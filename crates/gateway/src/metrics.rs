//! What the gateway counts: atomics that the hot path adds to, and a snapshot.

use std::sync::atomic::{AtomicU64, Ordering};

use daypass_domain::Span;

/// The upper bounds of the cut latency's buckets, in microseconds; one more bucket has no bound.
pub const CUT_BUCKETS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000, 10_000_000];

/// Counters of one gateway.
#[derive(Debug, Default)]
pub struct Metrics {
    statements: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
    failed_proofs: AtomicU64,
    cuts: [AtomicU64; CUT_BUCKETS_US.len() + 1],
    cut_us_sum: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Sessions that are open.
    pub sessions_open: u64,
    /// Sessions that were opened.
    pub opened: u64,
    /// Clients that were refused after they proved who they are.
    pub refused: u64,
    /// Clients that didn't prove who they are.
    pub failed_proofs: u64,
    /// Statements of the sessions that are over.
    pub statements: u64,
    /// Bytes from clients, of the sessions that are over.
    pub bytes_in: u64,
    /// Bytes to clients, of the sessions that are over.
    pub bytes_out: u64,
    /// Cuts by how long they took from the order to both sockets closed, by [`CUT_BUCKETS_US`]; not cumulative.
    pub cuts: [u64; CUT_BUCKETS_US.len() + 1],
    /// The sum of those times, in microseconds.
    pub cut_us_sum: u64,
}

impl Metrics {
    /// A session was opened.
    pub fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// A client that proved who it is was refused.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A client didn't prove who it is.
    pub fn failed_proof(&self) {
        self.failed_proofs.fetch_add(1, Ordering::Relaxed);
    }

    /// A session is over.
    pub fn passed(&self, passed: daypass_domain::session::Passed) {
        self.statements.fetch_add(passed.statements, Ordering::Relaxed);
        self.bytes_in.fetch_add(passed.bytes_in, Ordering::Relaxed);
        self.bytes_out.fetch_add(passed.bytes_out, Ordering::Relaxed);
    }

    /// A session was cut, and it took that long until its sockets were closed.
    pub fn cut(&self, took: Span) {
        let us = u64::try_from(took.micros()).unwrap_or(0);
        let bucket = CUT_BUCKETS_US.iter().position(|bound| us <= *bound).unwrap_or(CUT_BUCKETS_US.len());
        self.cuts[bucket].fetch_add(1, Ordering::Relaxed);
        self.cut_us_sum.fetch_add(us, Ordering::Relaxed);
    }

    /// All of it; `sessions` is how many are open.
    #[must_use]
    pub fn snapshot(&self, sessions: usize) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            sessions_open: sessions as u64,
            opened: read(&self.opened),
            refused: read(&self.refused),
            failed_proofs: read(&self.failed_proofs),
            statements: read(&self.statements),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            cuts: std::array::from_fn(|i| read(&self.cuts[i])),
            cut_us_sum: read(&self.cut_us_sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fall_into_buckets() {
        let metrics = Metrics::default();
        for us in [1, 100, 101, 20_000_000] {
            metrics.cut(Span::from_micros(us));
        }
        let seen = metrics.snapshot(2);
        assert_eq!((seen.sessions_open, seen.cuts[0], seen.cuts[1], seen.cuts[12]), (2, 2, 1, 1));
        assert_eq!(seen.cut_us_sum, 20_000_202);
    }
}
