//! The real clocks and the real randomness, for the binary; everything here takes them as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use daypass_domain::Time;
use daypass_ports::world::{Boot, Clock, Random};
use rustix::time::{ClockId, clock_gettime};

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Time {
        // A wall clock before 1970 reads as 1970: far behind the ledger, so nothing is given (I3).
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// CLOCK_BOOTTIME counts while the machine is suspended, and no step of the wall clock moves it. // I3
    fn boot(&self) -> Boot {
        let now = clock_gettime(ClockId::Boottime);
        let secs = u64::try_from(now.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
        Boot(secs * 1_000_000 + nanos / 1_000)
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        // getrandom(2) with a buffer of ours fails only where the kernel lacks it (before 3.17). To go on with
        // guessable keys would be worse than to stop.
        getrandom::fill(buffer).expect("the operating system gives randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daypass_ports::world::random_bytes;

    #[test]
    fn the_real_ones_move() {
        let (wall, boot) = (SystemClock.wall(), SystemClock.boot());
        assert!(wall > Time::from_micros(1_700_000_000_000_000));
        assert!(SystemClock.boot() >= boot && boot > Boot(0));
        assert_ne!(random_bytes::<16>(&SystemRandom), random_bytes::<16>(&SystemRandom));
    }
}
