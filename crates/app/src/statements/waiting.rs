//! Statements that wait for a gateway, and those that one has: in memory, since whoever asked waits for the answer. What
//! was begun is in the rows.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use daypass_domain::{GrantId, SessionId};
use tokio::sync::{Notify, oneshot};

use super::Done;
use crate::Result;

/// Statements that wait, and that run.
#[derive(Default)]
pub struct Waiting {
    inner: Mutex<Inner>,
    came: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Wanted>,
    /// The place that was given last.
    last: u64,
    running: BTreeMap<SessionId, Answer>,
}

/// Where the answer goes.
pub(super) type Answer = oneshot::Sender<Result<Done>>;

/// Somebody waits for their grant's statement.
pub(super) struct Wanted {
    place: Place,
    pub grant: GrantId,
    pub answer: Answer,
}

/// One's own place in the line: two may wait for the same grant, and each leaves for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Waiting {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits in line.
    pub(super) fn want(&self, grant: GrantId) -> (Place, oneshot::Receiver<Result<Done>>) {
        let (answer, answered) = oneshot::channel();
        let mut inner = self.inner();
        inner.last += 1;
        let place = Place(inner.last);
        inner.waiting.push_back(Wanted { place, grant, answer });
        drop(inner);
        self.came.notify_one();
        (place, answered)
    }

    /// Leaves the line: whether it was still in it. If it was, no gateway has it, and none will.
    pub(super) fn leave(&self, place: Place) -> Line {
        let mut inner = self.inner();
        let before = inner.waiting.len();
        inner.waiting.retain(|wanted| wanted.place != place);
        if inner.waiting.len() < before { Line::Left } else { Line::Taken }
    }

    /// The next in line; waits a while for one. Whoever waits no more for the answer isn't in it any more.
    pub(super) async fn next(&self, most: Duration) -> Option<Wanted> {
        let until = tokio::time::Instant::now() + most;
        loop {
            if let Some(wanted) = self.take() {
                return Some(wanted);
            }
            tokio::time::timeout_at(until, self.came.notified()).await.ok()?;
        }
    }

    fn take(&self) -> Option<Wanted> {
        let mut inner = self.inner();
        inner.waiting.retain(|wanted| !wanted.answer.is_closed());
        let next = inner.waiting.pop_front();
        if !inner.waiting.is_empty() {
            self.came.notify_one();
        }
        next
    }

    pub(super) fn runs(&self, session: SessionId, answer: Answer) {
        self.inner().running.insert(session, answer);
    }

    pub(super) fn answer(&self, session: SessionId) -> Option<Answer> {
        self.inner().running.remove(&session)
    }
}

/// Where one was that left the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// In it.
    Left,
    /// A gateway has it.
    Taken,
}

#[cfg(test)]
mod tests {
    use daypass_domain::Time;

    use super::*;

    #[tokio::test]
    async fn whoever_leaves_hears_of_their_own_place_and_of_nobody_elses() {
        let line = Waiting::default();
        let grant = GrantId::new(Time::from_micros(1), [7; 10]);
        let (first, mut first_hears) = line.want(grant);
        let (second, _second_hears) = line.want(grant);
        let taken = line.next(Duration::ZERO).await.expect("the first is next");
        // A gateway has it: that another waits for the same grant doesn't make it "not begun".
        assert_eq!(line.leave(first), Line::Taken);
        assert!(first_hears.try_recv().is_err());
        assert_eq!(line.leave(second), Line::Left);
        assert_eq!(line.leave(second), Line::Taken);
        drop(taken);
    }
}
