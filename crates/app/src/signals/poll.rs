//! Asking those transmitters for signals that don't send them, for ever (RFC 8936); and what is seen of all of them.
//!
//! What was taken is acknowledged with the next question. Should that be lost, the signal comes again, and counts once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use daypass_domain::{Name, Time};
use daypass_ports::{
    record::Read,
    signals::{Declared, Listener},
};
use daypass_wire::secevent::poll::{Asked, More};
use tokio::time::Instant;

use super::{Failing, Reception, Refused, RefusedView, receive::away};
use crate::{App, Problem, Result};

/// How often a transmitter is asked that answers.
const EVERY: Duration = Duration::from_secs(2);
/// How often one that doesn't, at least.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether one is to be asked.
const TICK: Duration = Duration::from_millis(500);

/// What is seen of transmitters, since the server started.
#[derive(Default)]
pub(crate) struct Streams(Mutex<BTreeMap<Name, State>>);

#[derive(Default)]
struct State {
    seen: Seen,
    /// When it is asked next, if it is known.
    next: Option<Instant>,
    /// How often it failed, one after the other.
    failures: u32,
    /// What it is told next.
    tell: Asked,
    asking: Asking,
}

/// Whether somebody is asking it just now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asking {
    #[default]
    No,
    Yes,
}

/// What is seen of one.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub answered: Option<Time>,
    pub failing: Option<Failing>,
    pub refused: Option<RefusedView>,
}

impl Streams {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Name, State>> {
        // Plain data: whole whatever a panicking thread was doing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seen(&self, name: &Name) -> Seen {
        self.all().get(name).map(|state| state.seen.clone()).unwrap_or_default()
    }

    /// A signal was refused.
    pub(super) fn refused(&self, name: &Name, at: Time, why: &Refused) {
        let view = RefusedView { at, why: format!("{}: {}", why.err, why.description) };
        self.all().entry(name.clone()).or_default().seen.refused = Some(view);
    }

    /// Only of those that are declared is anything known, and of those that send, only what was refused of them.
    fn keep(&self, declared: &[Read<Declared>]) {
        let asked =
            |name: &Name| declared.iter().find(|read| read.value.name == *name).map(|read| is_asked(&read.value));
        self.all().retain(|name, state| {
            let asked = asked(name);
            if asked == Some(false) {
                let refused = state.seen.refused.take();
                *state = State { seen: Seen { refused, ..Seen::default() }, ..State::default() };
            }
            asked.is_some()
        });
    }

    /// What to tell one that is to be asked now; nothing when it isn't, or somebody asks already.
    fn begin(&self, name: &Name) -> Option<Asked> {
        let mut all = self.all();
        let state = all.entry(name.clone()).or_default();
        let due = state.next.is_none_or(|next| next <= Instant::now());
        if !due || state.asking == Asking::Yes {
            return None;
        }
        state.asking = Asking::Yes;
        Some(std::mem::take(&mut state.tell))
    }

    /// It answered: what it is told next, and whether that is at once.
    fn answered(&self, name: &Name, at: Time, tell: Asked, more: More) {
        let mut all = self.all();
        let state = all.entry(name.clone()).or_default();
        let at_once = more == More::Waiting || tell != Asked::default();
        (state.asking, state.failures, state.tell) = (Asking::No, 0, tell);
        state.next = Some(Instant::now() + if at_once { Duration::ZERO } else { EVERY });
        (state.seen.answered, state.seen.failing) = (Some(at), None);
    }

    /// It didn't, or what it said couldn't be taken: it is asked again, later each time.
    fn failed(&self, name: &Name, at: Time, tell: Asked, problem: &Problem) {
        let mut all = self.all();
        let state = all.entry(name.clone()).or_default();
        let wait = EVERY.saturating_mul(1 << state.failures.min(8)).min(PATIENCE);
        (state.asking, state.failures, state.tell) = (Asking::No, state.failures.saturating_add(1), tell);
        state.next = Some(Instant::now() + wait);
        let since = state.seen.failing.as_ref().map_or(at, |failing| failing.since);
        state.seen.failing = Some(Failing { since, why: problem.what.clone() });
    }
}

impl App {
    /// Asks transmitters for signals, for ever.
    pub async fn run_signals(self: Arc<Self>) {
        loop {
            match self.store_ref().all::<Declared>().await {
                Ok(all) => {
                    self.streams.keep(&all);
                    for declared in all {
                        Arc::clone(&self).ask_if_due(declared.value);
                    }
                }
                Err(error) => tracing::warn!(%error, "it can't be read which transmitters are asked for signals"),
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn ask_if_due(self: Arc<Self>, declared: Declared) {
        if !is_asked(&declared) {
            return;
        }
        let Some(asked) = self.streams.begin(&declared.name) else { return };
        // Each on a task of its own: one that doesn't answer keeps no other waiting.
        tokio::spawn(async move {
            let mut tell = Asked::default();
            let came = self.ask_for_signals(&declared, &asked, &mut tell).await;
            match came {
                Ok(more) => self.streams.answered(&declared.name, self.now(), tell, more),
                Err(problem) => {
                    tracing::warn!(transmitter = %declared.name, %problem, "a transmitter can't be asked for signals");
                    // What it wasn't told it is told again; to be told twice does no harm.
                    tell.acks.extend(asked.acks);
                    tell.refused.extend(asked.refused);
                    self.streams.failed(&declared.name, self.now(), tell, &problem);
                }
            }
        });
    }

    /// Asks once, and takes what comes. What is to be told about it goes into `tell`.
    async fn ask_for_signals(&self, declared: &Declared, asked: &Asked, tell: &mut Asked) -> Result<More> {
        let transmitter = &declared.transmitter;
        let nonsense = |why: daypass_domain::signals::BadTransmitter| Problem::unavailable(why.to_string());
        let Some(place) = transmitter.polled_at().map_err(nonsense)? else { return Ok(More::None) };
        let issuer = transmitter.signer().map_err(nonsense)?;
        let credential = match &transmitter.credential {
            Some(name) => Some(self.credentials.credential(name).await?),
            None => None,
        };
        let by = Listener { issuer: &issuer, credential: credential.as_ref() };
        let answered = self.identity.poll_signals(&by, &place, asked).await.map_err(|error| away(&error))?;
        for (jti, token) in answered.sets {
            match self.take_signal(declared, &token).await? {
                Reception::Taken => {
                    tell.acks.insert(jti);
                }
                Reception::Refused(why) => {
                    tell.refused.insert(jti, why.told());
                }
            }
        }
        Ok(answered.more)
    }

    /// How many transmitters can't be heard now: for whoever looks whether the server does its work.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn unheard(&self) -> Result<usize> {
        let all = self.store_ref().all::<Declared>().await?;
        Ok(all.iter().filter(|declared| self.streams.seen(&declared.value.name).failing.is_some()).count())
    }
}

/// Whether it is asked. One that can't be understood isn't; it couldn't have been declared.
fn is_asked(declared: &Declared) -> bool {
    matches!(declared.transmitter.polled_at(), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use daypass_domain::signals::{Delivery, Grants, Transmitter};
    use daypass_wire::secevent::poll;

    use super::*;

    #[test]
    fn one_at_a_time_asks_and_what_was_not_told_is_told_again() {
        let (streams, name) = (Streams::default(), "okta".parse::<Name>().unwrap());
        let at = |n| Time::from_micros(n);
        assert_eq!(streams.begin(&name), Some(Asked::default()));
        assert_eq!(streams.begin(&name), None, "somebody asks already");
        let told = poll::Refused { err: "invalid_key", description: "no".into() };
        let tell = Asked { acks: ["1".into()].into(), refused: [("2".into(), told)].into() };
        streams.answered(&name, at(1), tell.clone(), More::None);
        assert_eq!(streams.begin(&name), Some(tell.clone()), "at once, since there is something to tell");
        streams.failed(&name, at(2), tell, &Problem::unavailable("it is away"));
        streams.failed(&name, at(3), Asked::default(), &Problem::unavailable("it is away"));
        assert_eq!(streams.begin(&name), None, "not before a while");
        assert_eq!(streams.seen(&name).failing.map(|f| f.since), Some(at(2)));
        streams.answered(&name, at(4), Asked::default(), More::Waiting);
        assert!(streams.begin(&name).is_some() && streams.seen(&name).failing.is_none());
    }

    #[test]
    fn of_one_that_sends_only_what_was_refused_is_known_and_of_one_that_was_removed_nothing() {
        let (streams, name) = (Streams::default(), "okta".parse::<Name>().unwrap());
        let declared = |delivery| {
            let transmitter = Transmitter {
                issuer: "https://t.example".into(),
                jwks: None,
                algorithms: ["RS256".to_owned()].into(),
                authorities: None,
                audience: "https://daypass.example".into(),
                delivery,
                stream: None,
                credential: None,
                provider: Some(name.clone()),
                directory: None,
                grants: Grants::End,
            };
            [Read { value: Declared { name: name.clone(), transmitter, bearer: None }, version: 1 }]
        };
        let at = |n| Time::from_micros(n);
        assert!(streams.begin(&name).is_some());
        streams.failed(&name, at(1), Asked::default(), &Problem::unavailable("it is away"));
        streams.refused(&name, at(2), &Refused::new(Refused::STATE, "no"));
        streams.keep(&declared(Delivery::Poll { url: "https://t.example/poll".into() }));
        assert!(streams.seen(&name).failing.is_some());
        streams.keep(&declared(Delivery::Push));
        assert!(streams.seen(&name).failing.is_none() && streams.seen(&name).refused.is_some());
        streams.keep(&[]);
        assert!(streams.seen(&name).refused.is_none());
    }
}
