//! What is kept between the two steps of something: in memory, for five minutes, used once. A restart forgets it, and
//! whoever was between the steps begins again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use daypass_domain::{Digest, SignInId, Span};
use daypass_ports::{webauthn::Ceremony, world::Boot};

use super::{Proven, attempts::too_many};
use crate::Result;

/// How long the second step may take.
pub(super) const STEP_LASTS: Span = Span::from_mins(5);
/// How many are kept at once; whoever comes then is asked to wait.
const KEPT: usize = 10_000;

/// Values by what finds them, each until its time is up.
struct Held<K, V>(Mutex<BTreeMap<K, (Boot, V)>>);

impl<K, V> Default for Held<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V> Held<K, V> {
    fn inner(&self) -> MutexGuard<'_, BTreeMap<K, (Boot, V)>> {
        // One insertion or removal at a time: whole whatever a panicking thread was doing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps it, in the place of what was kept there.
    fn keep(&self, key: K, value: V, now: Boot) -> Result<()> {
        let mut held = self.inner();
        if held.len() >= KEPT {
            held.retain(|_, (until, _)| now < *until);
        }
        if held.len() >= KEPT && !held.contains_key(&key) {
            return Err(too_many(60));
        }
        held.insert(key, (now.after(STEP_LASTS), value));
        Ok(())
    }

    /// Gives it, once.
    fn take(&self, key: &K, now: Boot) -> Option<V> {
        let (until, value) = self.inner().remove(key)?;
        (now < until).then_some(value)
    }
}

/// What a person began in a sign-in that they have. One of each kind a sign-in: a further one makes the one before void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// Enrolling a passkey.
    Enrolling,
    /// Showing one.
    Showing,
}

/// Somebody between the two steps of signing in.
pub(super) struct Halfway {
    pub proven: Proven,
    pub offer: Offer,
}

/// What they may show beside a code.
pub(super) enum Offer {
    /// Nothing.
    CodesOnly,
    /// A passkey.
    Passkey(Ceremony),
}

/// All of it.
#[derive(Default)]
pub(crate) struct Ceremonies {
    own: Held<(SignInId, Purpose), Ceremony>,
    halfway: Held<Digest, Halfway>,
}

impl Ceremonies {
    pub(super) fn keep(&self, sign_in: SignInId, purpose: Purpose, ceremony: Ceremony, now: Boot) -> Result<()> {
        self.own.keep((sign_in, purpose), ceremony, now)
    }

    pub(super) fn take(&self, sign_in: SignInId, purpose: Purpose, now: Boot) -> Option<Ceremony> {
        self.own.take(&(sign_in, purpose), now)
    }

    pub(super) fn keep_halfway(&self, ticket: Digest, halfway: Halfway, now: Boot) -> Result<()> {
        self.halfway.keep(ticket, halfway, now)
    }

    pub(super) fn take_halfway(&self, ticket: &Digest, now: Boot) -> Option<Halfway> {
        self.halfway.take(ticket, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_once_and_in_time_and_memory_is_bounded() {
        let held = Held::default();
        let later = |span| Boot(0).after(span);
        held.keep(1, "one", Boot(0)).unwrap();
        assert_eq!(held.take(&1, later(Span::from_secs(299))), Some("one"));
        assert_eq!(held.take(&1, Boot(0)), None);
        held.keep(1, "one", Boot(0)).unwrap();
        assert_eq!(held.take(&1, later(STEP_LASTS)), None);
        for i in 0..KEPT {
            held.keep(i, "one", Boot(0)).unwrap();
        }
        assert!(held.keep(KEPT, "more", Boot(0)).is_err());
        assert!(held.keep(7, "another", Boot(0)).is_ok(), "in the place of one's own");
        assert!(held.keep(KEPT, "more", later(STEP_LASTS)).is_ok());
    }
}
