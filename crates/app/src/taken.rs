//! What was taken away and may not be durable yet: effects that take away never wait for their entry (I1).

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use daypass_domain::{GrantId, SessionId, Time, end::EndCause};
use daypass_ports::record::{Entry as LedgerEntry, Part};
use tokio::sync::{Notify, mpsc, watch};

/// What was taken away: an overlay over the store that every gate asks, filled before anything is written.
pub struct Taken {
    inner: Mutex<Inner>,
    /// Moves when something was taken: wakes the gateways' followers.
    moved: watch::Sender<u64>,
    /// Grants to cut at their target at once.
    to_cut: mpsc::UnboundedSender<GrantId>,
    cuts: Mutex<Option<mpsc::UnboundedReceiver<GrantId>>>,
    /// Wakes whoever finishes endings.
    pub finish: Notify,
}

#[derive(Default)]
struct Inner {
    ended: BTreeMap<GrantId, End>,
    killed: BTreeMap<SessionId, LedgerEntry>,
    at_target: BTreeMap<GrantId, CutAtTarget>,
    /// Since when what was taken is to be over.
    taken: BTreeMap<GrantId, Time>,
    sessions_killed: BTreeMap<SessionId, Time>,
}

/// One grant's end, with all that its entry will say: kept until that is durable, so that nothing of it is lost.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Of which grant.
    pub grant: GrantId,
    /// Why.
    pub cause: EndCause,
    /// What somebody said about it, or the decision that it follows from.
    pub said: Vec<Part>,
}

impl End {
    /// The ends of grants of which there is nothing more to say.
    pub fn all(grants: &[GrantId], cause: &EndCause) -> Vec<Self> {
        grants.iter().map(|grant| Self { grant: *grant, cause: cause.clone(), said: Vec::new() }).collect()
    }
}

/// When the last backend of a grant was seen to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CutAtTarget {
    /// When, in authority time.
    pub at: Time,
    /// How many backends were ended.
    pub backends: u32,
}

/// How many finished cuts and their orders are remembered, for receipts and metrics.
const KEPT: usize = 4_096;

/// Remembers what comes first of each; forgets the oldest ids when there are too many.
fn remember<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> bool {
    let Entry::Vacant(place) = map.entry(key) else { return false };
    place.insert(value);
    if map.len() > KEPT {
        map.pop_first();
    }
    true
}

impl Default for Taken {
    fn default() -> Self {
        let (to_cut, cuts) = mpsc::unbounded_channel();
        Self {
            inner: Mutex::default(),
            moved: watch::channel(0).0,
            to_cut,
            cuts: Mutex::new(Some(cuts)),
            finish: Notify::new(),
        }
    }
}

impl Taken {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Maps of plain data: whole whatever a panicking thread was doing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the grants open nothing, and every gateway that follows cuts their sessions. Of a grant that was taken
    /// already, the first cause stays.
    pub fn end(&self, ends: Vec<End>, now: Time) {
        let mut new = Vec::new();
        {
            let mut inner = self.inner();
            for end in ends {
                if let Entry::Vacant(place) = inner.ended.entry(end.grant) {
                    new.push(end.grant);
                    place.insert(end);
                }
            }
            for grant in &new {
                remember(&mut inner.taken, *grant, now);
            }
        }
        if new.is_empty() {
            return;
        }
        self.moved.send_modify(|n| *n += 1);
        for grant in new {
            // The receiver lives in the worker; without one (a tool that only administers) that of the next start cuts.
            let _ = self.to_cut.send(grant);
        }
    }

    /// From now on the session passes nothing; `entry` will say so.
    pub fn kill(&self, session: SessionId, entry: LedgerEntry, now: Time) {
        {
            let mut inner = self.inner();
            inner.killed.entry(session).or_insert(entry);
            remember(&mut inner.sessions_killed, session, now);
        }
        self.moved.send_modify(|n| *n += 1);
    }

    /// The ends of these grants that aren't known to be durable.
    pub fn unrecorded(&self, grants: &[GrantId]) -> Vec<End> {
        let inner = self.inner();
        grants.iter().filter_map(|grant| inner.ended.get(grant).cloned()).collect()
    }

    /// The killed sessions whose entries aren't known to be durable.
    pub fn unrecorded_kills(&self) -> Vec<(SessionId, LedgerEntry)> {
        self.inner().killed.iter().map(|(session, entry)| (*session, entry.clone())).collect()
    }

    /// Whether a grant was taken, whatever the store says yet.
    pub fn is_ended(&self, grant: GrantId) -> bool {
        self.inner().ended.contains_key(&grant)
    }

    /// What isn't known to be durable yet.
    pub fn pending(&self) -> (Vec<(GrantId, EndCause)>, Vec<SessionId>) {
        let inner = self.inner();
        (
            inner.ended.iter().map(|(grant, end)| (*grant, end.cause.clone())).collect(),
            inner.killed.keys().copied().collect(),
        )
    }

    /// The store tells of these from now on.
    pub fn durable(&self, grants: &[GrantId], sessions: &[SessionId]) {
        let mut inner = self.inner();
        for grant in grants {
            inner.ended.remove(grant);
        }
        for session in sessions {
            inner.killed.remove(session);
        }
    }

    /// The grant was to be over since then, whenever somebody comes to end it.
    pub fn over_since(&self, grant: GrantId, at: Time) {
        remember(&mut self.inner().taken, grant, at);
    }

    /// Since when the grant is to be over, if this process was told.
    pub fn when_taken(&self, grant: GrantId) -> Option<Time> {
        self.inner().taken.get(&grant).copied()
    }

    /// When the session was killed, if this process was told.
    pub fn when_killed(&self, session: SessionId) -> Option<Time> {
        self.inner().sessions_killed.get(&session).copied()
    }

    /// The target has no backend of the grant any more. Answers whether that is news.
    pub fn cut_at_target(&self, grant: GrantId, cut: CutAtTarget) -> bool {
        remember(&mut self.inner().at_target, grant, cut)
    }

    /// When the target had no backend of the grant any more, if this process saw it.
    pub fn when_cut(&self, grant: GrantId) -> Option<CutAtTarget> {
        self.inner().at_target.get(&grant).copied()
    }

    /// Tells of each thing taken.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// The queue of grants to cut: for the one worker.
    pub fn cuts(&self) -> Option<mpsc::UnboundedReceiver<GrantId>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
