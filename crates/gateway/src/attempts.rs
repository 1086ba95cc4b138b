//! A thousand wrong passwords: a token bucket an address and a user name. Only failures take tokens.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use daypass_domain::Span;
use daypass_ports::world::Boot;

/// Failures that an address has at once.
const PER_ADDRESS: Bucket = Bucket { most: 20, every: Span::from_micros(1_000_000) };
/// Failures that a user name has at once, from wherever: more, so that a stranger can't lock a person out for long.
const PER_USER: Bucket = Bucket { most: 100, every: Span::from_micros(200_000) };
/// Addresses and names that are remembered. Beyond that the ones that matter least are forgotten.
const KEYS_MAX: usize = 16_384;

struct Bucket {
    most: u64,
    /// How long until one more is allowed.
    every: Span,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    User(String),
}

/// Who failed to prove who they are, lately.
#[derive(Debug, Default)]
pub struct Attempts {
    /// When each bucket is full again, on the boot clock in microseconds.
    full_at: Mutex<HashMap<Key, u64>>,
}

impl Key {
    fn bucket(&self) -> &'static Bucket {
        match self {
            Self::Address(_) => &PER_ADDRESS,
            Self::User(_) => &PER_USER,
        }
    }

    fn both(address: IpAddr, user: &str) -> [Self; 2] {
        // One subscriber has a whole /64 (RFC 6177): it counts as one address.
        let address = match address.to_canonical() {
            IpAddr::V4(four) => IpAddr::V4(four),
            IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        };
        [Self::Address(address), Self::User(user.chars().take(128).collect())]
    }
}

impl Attempts {
    /// Whether a proof may be tried now.
    ///
    /// # Errors
    /// Says how long to wait.
    pub fn allowed(&self, now: Boot, address: IpAddr, user: &str) -> Result<(), Span> {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = Key::both(address, user).into_iter().filter_map(|key| {
            let bucket = key.bucket();
            let every = bucket.every.micros().unsigned_abs();
            // An empty bucket is full again in `most * every`; one token is there `every` earlier.
            let first = full_at.get(&key)?.checked_sub(every * (bucket.most - 1))?;
            first.checked_sub(now.0).filter(|wait| *wait > 0)
        });
        wait.max().map_or(Ok(()), |wait| Err(Span::from_micros(i64::try_from(wait).unwrap_or(i64::MAX))))
    }

    /// A proof was tried and failed.
    pub fn failed(&self, now: Boot, address: IpAddr, user: &str) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        for key in Key::both(address, user) {
            let bucket = key.bucket();
            let every = bucket.every.micros().unsigned_abs();
            let next = full_at.get(&key).copied().unwrap_or(0).max(now.0) + every;
            full_at.insert(key, next.min(now.0 + every * bucket.most));
        }
        if full_at.len() > KEYS_MAX {
            full_at.retain(|_, at| *at > now.0);
            if full_at.len() > KEYS_MAX {
                // More failing addresses than that at once: keep the ones that failed most.
                let mut times: Vec<u64> = full_at.values().copied().collect();
                let (_, median, _) = times.select_nth_unstable(KEYS_MAX / 2);
                let median = *median;
                full_at.retain(|_, at| *at > median);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const START: Boot = Boot(50_000_000);

    #[test]
    fn an_address_that_fails_too_often_waits_and_others_do_not() {
        let attempts = Attempts::default();
        for _ in 0..20 {
            assert_eq!(attempts.allowed(START, HERE, "alice"), Ok(()));
            attempts.failed(START, HERE, "alice");
        }
        assert_eq!(attempts.allowed(START, HERE, "bob"), Err(Span::from_secs(1)));
        assert_eq!(attempts.allowed(START, THERE, "alice"), Ok(()));
        let later = START.after(Span::from_secs(1));
        assert_eq!(attempts.allowed(later, HERE, "bob"), Ok(()));
        attempts.failed(later, HERE, "bob");
        assert_eq!(attempts.allowed(later, HERE, "bob"), Err(Span::from_secs(1)));
    }

    #[test]
    fn a_name_is_counted_over_all_addresses() {
        let attempts = Attempts::default();
        for n in 0..100 {
            attempts.failed(START, IpAddr::from([198, 51, 100, n]), "alice");
        }
        assert!(attempts.allowed(START, HERE, "alice").is_err());
        assert_eq!(attempts.allowed(START, HERE, "bob"), Ok(()));
    }

    #[test]
    fn one_network_of_ipv6_is_one_address_and_memory_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..20_u16 {
            attempts.failed(START, IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]), "x");
        }
        assert!(attempts.allowed(START, IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]), "y").is_err());
        for n in 0..40_000_u32 {
            attempts.failed(START, IpAddr::from((0x0a00_0000 + n).to_be_bytes()), &format!("u{n}"));
        }
        assert!(attempts.full_at.lock().unwrap().len() <= KEYS_MAX + 2);
    }
}
