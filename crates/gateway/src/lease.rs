//! The lease: a byte passes only while it holds. // I3
//!
//! The node reads `s` on its boot clock *before* it sends a renewal; the lease then ends at `s + L * (1 - rho)`. The
//! authority answered later than `s` from what was true then, so what ended at the authority at `t` is dead here by
//! `t + L`, whatever was lost, delayed or stepped. Leases live in memory only.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use daypass_domain::{Span, Time, end::EndCause, session::SessionEnd};
use daypass_ports::{
    authority::{CLOCK_DOUBT, LEASE, RATE_DOUBT_PER_MILLE},
    world::{Boot, Clock},
};
use tokio::sync::Notify;

/// No point on the boot clock: what has never held, or holds no longer.
const NEVER: u64 = 0;

/// A length of time as the slowest clock allowed counts it: `span * (1 - rho)`.
#[must_use]
pub fn by_doubtful_clock(span: Span) -> Span {
    Span::from_micros(span.micros() / 1000 * (1000 - RATE_DOUBT_PER_MILLE))
}

/// Both clocks, read before something is asked of the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The boot clock then: what the answer counts from.
    pub boot: Boot,
    wall: Time,
}

impl Asked {
    /// Reads them. Call it before the request is sent, never after. // I3
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        let mut asked = Self { boot: clock.boot(), wall: clock.wall() };
        // A thread that is held up between the two readings would see a jump where there is none: read again then.
        for _ in 0..4 {
            if clock.boot().since(asked.boot) < Span::from_micros(20_000) {
                break;
            }
            asked = Self { boot: clock.boot(), wall: clock.wall() };
        }
        asked
    }

    /// The wall clock minus the boot clock, in microseconds: constant while neither jumps.
    fn apart(self) -> i64 {
        self.wall.micros().saturating_sub(i64::try_from(self.boot.0).unwrap_or(i64::MAX))
    }
}

/// A point on the boot clock that one writer moves and that every write to a socket looks at.
#[derive(Debug)]
pub struct Deadline(AtomicU64);

impl Deadline {
    /// `remaining` from when it was asked for.
    #[must_use]
    pub fn new(asked: Asked, remaining: Span) -> Self {
        let deadline = Self(AtomicU64::new(NEVER));
        deadline.set(asked, remaining);
        deadline
    }

    /// It is now `remaining` from when that was asked for.
    pub fn set(&self, asked: Asked, remaining: Span) {
        self.0.store(asked.boot.after(by_doubtful_clock(remaining)).0, Ordering::Release);
    }

    /// It is past, for ever or until it is set again.
    pub fn end(&self) {
        self.0.store(NEVER, Ordering::Release);
    }

    /// Whether it is ahead of `now`.
    #[must_use]
    pub fn holds(&self, now: Boot) -> bool {
        now < self.at()
    }

    /// When it is.
    #[must_use]
    pub fn at(&self) -> Boot {
        Boot(self.0.load(Ordering::Acquire))
    }
}

/// The node's lease: one for all grants.
#[derive(Debug)]
pub struct Lease {
    until: Deadline,
    /// How far the clocks were apart when they were last looked at.
    apart: Mutex<Option<i64>>,
    #[cfg(test)]
    mutant: tests::Mutant,
}

/// The wall clock and the boot clock moved apart: somebody set the clock, or the machine was held still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockJump {
    /// By how many microseconds, forward positive.
    pub micros: i64,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            until: Deadline(AtomicU64::new(NEVER)),
            apart: Mutex::new(None),
            #[cfg(test)]
            mutant: tests::Mutant::None,
        }
    }
}

impl Lease {
    /// The authority answered a renewal that was asked for then; what the answer said has ended is cut already.
    ///
    /// # Errors
    /// When the clocks have jumped apart since they were last looked at: there is no lease then.
    pub fn renewed(&self, asked: Asked, clock: &dyn Clock) -> Result<(), ClockJump> {
        self.watch(clock)?;
        // Answers may come out of order; an older one doesn't shorten what a newer one gave.
        if asked.boot.after(by_doubtful_clock(LEASE)) > self.until.at() {
            self.until.set(self.counted_from(asked, clock), LEASE);
        }
        Ok(())
    }

    /// Looks whether the clocks have jumped apart, and drops the lease when they have.
    ///
    /// # Errors
    /// When they have.
    pub fn watch(&self, clock: &dyn Clock) -> Result<(), ClockJump> {
        let apart = Asked::now(clock).apart();
        let mut last = self.apart.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = last.map_or(0, |last| apart.saturating_sub(last));
        if jumped.abs() > CLOCK_DOUBT.micros() {
            *last = Some(apart);
            self.until.end();
            return Err(ClockJump { micros: jumped });
        }
        // NTP slews both clocks alike, so the distance stays what it was at first; many small steps add up to a jump.
        if last.is_none() {
            *last = Some(apart);
        }
        Ok(())
    }

    /// Whether a byte may pass now.
    #[must_use]
    pub fn holds(&self, now: Boot) -> bool {
        self.until.holds(now)
    }

    /// When it ends; the beginning of time when there is none.
    #[must_use]
    pub fn until(&self) -> Boot {
        self.until.at()
    }

    #[cfg(not(test))]
    fn counted_from(&self, asked: Asked, _clock: &dyn Clock) -> Asked {
        asked
    }
}

/// Why a session's bytes must stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Its grant ended.
    Grant(EndCause),
    /// An administrator ended it.
    Killed,
    /// The node's lease ran out, or the clocks are in doubt.
    LeaseLost,
    /// The gateway is being stopped.
    Shutdown,
    /// What it did isn't durably recorded.
    Unrecorded,
}

impl Stop {
    /// As it is kept of the session.
    #[must_use]
    pub const fn session_end(&self) -> SessionEnd {
        match self {
            Self::Grant(_) => SessionEnd::GrantEnded,
            Self::Killed => SessionEnd::Killed,
            Self::LeaseLost => SessionEnd::LeaseLost,
            Self::Shutdown => SessionEnd::Shutdown,
            Self::Unrecorded => SessionEnd::RecordingFailed,
        }
    }
}

/// What holds one session: the lease, its grant's deadline, and whether it was cut.
#[derive(Debug)]
pub struct Leash {
    lease: Arc<Lease>,
    grant: Arc<Deadline>,
    cut: AtomicBool,
    why: Mutex<Option<Stop>>,
    wake: Notify,
}

impl Leash {
    /// Of a session under that deadline.
    #[must_use]
    pub fn new(lease: Arc<Lease>, grant: Arc<Deadline>) -> Self {
        Self { lease, grant, cut: AtomicBool::new(false), why: Mutex::new(None), wake: Notify::new() }
    }

    /// Ends the session: no write begins after this returns. The first reason stays.
    pub fn cut(&self, why: Stop) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.cut.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether a byte may pass now: three loads. // I3
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self, now: Boot) -> Result<(), Stop> {
        if self.cut.load(Ordering::Acquire) {
            return Err(self.why().unwrap_or(Stop::LeaseLost));
        }
        if !self.grant.holds(now) {
            return Err(Stop::Grant(EndCause::Deadline));
        }
        if !self.lease.holds(now) {
            return Err(Stop::LeaseLost);
        }
        Ok(())
    }

    /// Why it was cut, if it was.
    #[must_use]
    pub fn why(&self) -> Option<Stop> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns when the session is cut. For one waiter: the session's task.
    pub async fn cut_notice(&self) {
        while !self.cut.load(Ordering::Acquire) {
            self.wake.notified().await;
        }
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
