//! How often somebody may try: bounded in time and in memory, whatever comes.
//!
//! Two limits hold at once: one a name, one an address. A success gives its try back. Whoever has signed in as a name
//! from an address before has a limit of their own, so that a stranger who tries names can't lock their owners out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use daypass_domain::Span;
use daypass_ports::world::Boot;
use tokio::sync::Semaphore;

use crate::{Problem, ProblemKind, Result};

/// A limit: so many at once, and one more each so often.
#[derive(Debug, Clone, Copy)]
struct Limit {
    burst: u64,
    every: Span,
}

/// Ten wrong passwords for a name, then two a minute.
const NAME: Limit = Limit { burst: 10, every: Span::from_secs(30) };
/// Forty from an address, then twenty a minute: a whole office may sit behind one.
const PEER: Limit = Limit { burst: 40, every: Span::from_secs(3) };
/// How many failures the ledger is told of, whatever comes: a hundred, then one a second.
const RECORDED: Limit = Limit { burst: 100, every: Span::from_secs(1) };
/// How many names and addresses are remembered; beyond that, strangers share one limit.
const REMEMBERED: usize = 10_000;
/// Passwords hashed at once: each takes 19 MiB.
pub(super) const HASHING: usize = 2;
/// Passwords waiting to be hashed; more are turned away.
pub(super) const HASH_QUEUE: usize = 64;

/// Tries so far.
pub(crate) struct Attempts {
    inner: Mutex<Tries>,
    pub(super) hashing: Semaphore,
    pub(super) waiting: AtomicUsize,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { inner: Mutex::default(), hashing: Semaphore::new(HASHING), waiting: AtomicUsize::new(0) }
    }
}

#[derive(Default)]
struct Tries {
    names: Meters,
    peers: Meters,
    recorded: Meter,
    known: BTreeSet<(String, IpAddr)>,
}

#[derive(Default)]
struct Meters(BTreeMap<String, Meter>);

/// The boot time until which what was used is paid for (the "generic cell rate algorithm"), in microseconds.
#[derive(Default, Clone, Copy)]
struct Meter(u64);

impl Meter {
    /// Takes one, or says for how many microseconds there is none.
    fn take(&mut self, limit: Limit, now: Boot) -> std::result::Result<(), u64> {
        let every = micros(limit.every);
        let paid = self.0.max(now.0) + every;
        match paid.saturating_sub(now.0 + every * limit.burst) {
            0 => {
                self.0 = paid;
                Ok(())
            }
            wait => Err(wait),
        }
    }

    fn give_back(&mut self, limit: Limit) {
        self.0 = self.0.saturating_sub(micros(limit.every));
    }
}

fn micros(span: Span) -> u64 {
    u64::try_from(span.micros()).unwrap_or(0)
}

impl Meters {
    fn of(&mut self, key: &str, now: Boot) -> &mut Meter {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(key) {
            self.0.retain(|_, meter| meter.0 > now.0);
        }
        let key = if self.0.len() >= REMEMBERED && !self.0.contains_key(key) { "" } else { key };
        self.0.entry(key.to_owned()).or_default()
    }
}

impl Attempts {
    fn inner(&self) -> MutexGuard<'_, Tries> {
        // Numbers only: whole whatever a panicking thread was doing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one try for a name from an address.
    pub(super) fn take(&self, name: &str, peer: IpAddr, now: Boot) -> Result<()> {
        let peer = network(peer);
        let mut tries = self.inner();
        let name = key(&tries, name, peer);
        let peer_key = peer.to_string();
        let waits = |e: u64| too_many(e.div_ceil(1_000_000));
        tries.peers.of(&peer_key, now).take(PEER, now).map_err(waits)?;
        if let Err(wait) = tries.names.of(&name, now).take(NAME, now) {
            tries.peers.of(&peer_key, now).give_back(PEER);
            return Err(waits(wait));
        }
        Ok(())
    }

    /// Takes one try of a single-use code from an address. It isn't given back: nobody needs many.
    pub(crate) fn take_for_code(&self, peer: IpAddr, now: Boot) -> Result<()> {
        let waits = |e: u64| too_many(e.div_ceil(1_000_000));
        self.inner().peers.of(&network(peer).to_string(), now).take(PEER, now).map_err(waits)
    }

    /// It was no guess of a code: that try is given back.
    pub(crate) fn give_back_code(&self, peer: IpAddr, now: Boot) {
        self.inner().peers.of(&network(peer).to_string(), now).give_back(PEER);
    }

    /// The try was no guess: it is given back, and the address is known for this name from now on.
    pub(super) fn give_back(&self, name: &str, peer: IpAddr, now: Boot) {
        let peer = network(peer);
        let mut tries = self.inner();
        let used = key(&tries, name, peer);
        tries.peers.of(&peer.to_string(), now).give_back(PEER);
        tries.names.of(&used, now).give_back(NAME);
    }

    /// Somebody signed in as this name from this address.
    pub(super) fn succeeded(&self, name: &str, peer: IpAddr, now: Boot) {
        self.give_back(name, peer, now);
        let mut tries = self.inner();
        if tries.known.len() < REMEMBERED {
            tries.known.insert((name.to_owned(), network(peer)));
        }
    }

    /// Whether the ledger is to be told of one more failure.
    pub(super) fn record_failure(&self, now: Boot) -> bool {
        self.inner().recorded.take(RECORDED, now).is_ok()
    }
}

/// An address, or the network that one customer usually gets (an IPv6 /64).
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((u128::from(six) & !u128::from(u64::MAX)).into()),
        },
    }
}

fn key(tries: &Tries, name: &str, peer: IpAddr) -> String {
    let cut: String = name.chars().take(64).collect();
    let known = (cut, peer);
    if tries.known.contains(&known) { format!("{} {peer}", known.0) } else { known.0 }
}

pub(super) fn too_many(seconds: u64) -> Problem {
    Problem::new(
        ProblemKind::TooMany { wait: Span::from_secs(u32::try_from(seconds).unwrap_or(u32::MAX)) },
        "too_many_attempts",
        format!("there were too many attempts; the next is taken in {seconds} s"),
        "wait that long, then try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(seconds: u64) -> Boot {
        Boot(1_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_thousand_tries_for_a_name_are_ten_and_then_two_a_minute() {
        let attempts = Attempts::default();
        let taken = (0..1_000).filter(|_| attempts.take("alice", peer(1), at(0)).is_ok()).count();
        assert_eq!(taken, 10);
        let problem = attempts.take("alice", peer(1), at(0)).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::TooMany { wait: Span::from_secs(30) });
        assert!(problem.what.contains("30 s"), "{problem}");
        assert!(attempts.take("alice", peer(1), at(30)).is_ok());
        assert!(attempts.take("alice", peer(1), at(31)).is_err());
    }

    #[test]
    fn an_address_that_tries_many_names_is_limited_too() {
        let attempts = Attempts::default();
        let taken = (0..1_000).filter(|i| attempts.take(&format!("user{i}"), peer(1), at(0)).is_ok()).count();
        assert_eq!(taken, 40);
        assert!(attempts.take("somebody", peer(2), at(0)).is_ok());
    }

    #[test]
    fn a_stranger_does_not_lock_out_who_was_there_before() {
        let attempts = Attempts::default();
        attempts.take("alice", peer(1), at(0)).unwrap();
        attempts.succeeded("alice", peer(1), at(0));
        while attempts.take("alice", peer(9), at(1)).is_ok() {}
        assert!(attempts.take("alice", peer(1), at(1)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_strangers_then_share() {
        let attempts = Attempts::default();
        for i in 0..(REMEMBERED as u128 + 500) {
            let _ = attempts.take("x", IpAddr::V6((i << 64).into()), at(0));
        }
        assert!(attempts.inner().peers.0.len() <= REMEMBERED + 1);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one() {
        let first: IpAddr = "2001:db8::1".parse().unwrap();
        let second: IpAddr = "2001:db8::2".parse().unwrap();
        assert_eq!(network(first), network(second));
    }
}
