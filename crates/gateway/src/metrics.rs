//! What the gateway counts: atomics that the hot path adds to, and a snapshot.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use daypass_domain::session::Passed;

/// Counters of one gateway.
#[derive(Debug, Default)]
pub struct Metrics {
    statements: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
    failed_proofs: AtomicU64,
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
    /// Statements begun.
    pub statements: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
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
        }
    }
}

/// What one session has added to the counters: it adds what is new each time that it has nothing else to do.
#[derive(Debug)]
pub struct Counted {
    metrics: Arc<Metrics>,
    so_far: Passed,
}

impl Counted {
    /// Nothing yet.
    pub fn new(metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Arc::clone(metrics), so_far: Passed::default() }
    }

    /// The session has carried this by now. What a session carried only grows.
    pub fn up_to(&mut self, passed: Passed) {
        let add = |counter: &AtomicU64, now: u64, before: u64| {
            if now > before {
                counter.fetch_add(now - before, Ordering::Relaxed);
            }
        };
        add(&self.metrics.statements, passed.statements, self.so_far.statements);
        add(&self.metrics.bytes_in, passed.bytes_in, self.so_far.bytes_in);
        add(&self.metrics.bytes_out, passed.bytes_out, self.so_far.bytes_out);
        self.so_far = passed;
    }
}
