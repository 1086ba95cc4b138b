//! The sessions that are open on this node, in memory: what can be cut. The store's rows are history.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use daypass_domain::{GrantId, SessionId, Span, end::EndCause};
use daypass_ports::{
    record::{Permit, Revision},
    store::Changes,
    world::{Boot, Clock},
};
use daypass_wire::postgres::cancel::{CancelKey, SERIAL_MAX};
use tokio::sync::Notify;

use crate::{
    cancel::CancelRoute,
    lease::{Asked, Deadline, Lease, Leash, Stop},
    metrics::Metrics,
};

/// The open sessions of the node.
pub struct Sessions {
    lease: Arc<Lease>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
    /// Somebody left.
    left: Notify,
    /// Somebody came, or a deadline moved.
    moved: Notify,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.count()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Open {
    sessions: HashMap<SessionId, Held>,
    grants: HashMap<GrantId, Grant>,
    /// The sessions by the serial number that their cancel keys carry.
    serials: HashMap<u32, SessionId>,
    next_serial: u32,
    revision: Revision,
    doors: Doors,
}

#[derive(Debug)]
struct Held {
    grant: GrantId,
    leash: Arc<Leash>,
    serial: u32,
    cancel: Option<(CancelKey, CancelRoute)>,
}

impl Open {
    /// A number that no live session has: there are eight million, and far fewer sessions.
    fn serial(&mut self) -> u32 {
        loop {
            self.next_serial = self.next_serial % SERIAL_MAX + 1;
            if !self.serials.contains_key(&self.next_serial) {
                return self.next_serial;
            }
        }
    }
}

#[derive(Debug)]
struct Grant {
    deadline: Arc<Deadline>,
    sessions: HashSet<SessionId>,
}

/// Who has asked to open a session and has no answer yet, and what ended meanwhile: an end that overtakes the answer
/// must still find the session when it comes. Ended grants never live again, so to remember one too long is harmless.
#[derive(Debug, Default)]
struct Doors {
    next: u64,
    asking: BTreeMap<u64, ()>,
    ended: Vec<(u64, GrantId, EndCause)>,
    killed: Vec<(u64, SessionId)>,
}

impl Doors {
    fn forget(&mut self) {
        match self.asking.first_key_value() {
            None => {
                self.ended.clear();
                self.killed.clear();
            }
            Some((&oldest, ())) => {
                self.ended.retain(|(at, ..)| *at > oldest);
                self.killed.retain(|(at, _)| *at > oldest);
            }
        }
    }

    fn overtaken(&self, grant: GrantId, session: SessionId) -> Option<Stop> {
        let ended = self.ended.iter().find(|(_, ended, _)| *ended == grant).map(|(.., why)| Stop::Grant(why.clone()));
        ended.or_else(|| self.killed.iter().any(|(_, killed)| *killed == session).then_some(Stop::Killed))
    }
}

/// Somebody is asking to open a session. Made before the question is sent.
#[derive(Debug)]
pub struct Asking {
    sessions: Arc<Sessions>,
    number: u64,
    asked: Asked,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut open = self.sessions.lock();
        open.doors.asking.remove(&self.number);
        open.doors.forget();
    }
}

/// A session in the registry; it leaves when this is dropped, which is after its sockets.
#[derive(Debug)]
pub struct Registered {
    sessions: Arc<Sessions>,
    session: SessionId,
    leash: Arc<Leash>,
    /// The serial number for its cancel key.
    pub serial: u32,
}

impl Registered {
    /// What holds it.
    #[must_use]
    pub fn leash(&self) -> &Arc<Leash> {
        &self.leash
    }

    /// A cancel request with this key, which carries the session's serial number, is for it.
    pub fn cancel_by(&self, key: CancelKey, route: CancelRoute) {
        if let Some(held) = self.sessions.lock().sessions.get_mut(&self.session) {
            held.cancel = Some((key, route));
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.sessions.lock();
        if let Some(held) = open.sessions.remove(&self.session) {
            open.serials.remove(&held.serial);
            if let Some(grant) = open.grants.get_mut(&held.grant) {
                grant.sessions.remove(&self.session);
                if grant.sessions.is_empty() {
                    open.grants.remove(&held.grant);
                }
            }
        }
        drop(open);
        self.sessions.left.notify_waiters();
    }
}

impl Sessions {
    /// None are open.
    #[must_use]
    pub fn new(lease: Arc<Lease>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { lease, clock, metrics, open: Mutex::default(), left: Notify::new(), moved: Notify::new() })
    }

    /// Guards short, synchronous looks only; never held across an await.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to ask for a session: from here on an end that overtakes the answer is remembered.
    #[must_use]
    pub fn asking(self: &Arc<Self>) -> Asking {
        let mut open = self.lock();
        let number = open.doors.next;
        open.doors.next += 1;
        open.doors.asking.insert(number, ());
        drop(open);
        Asking { sessions: Arc::clone(self), number, asked: Asked::now(&*self.clock) }
    }

    /// The answer was a permit: the session is open unless its grant has ended meanwhile.
    ///
    /// # Errors
    /// Says why it is over before it began.
    pub fn register(self: &Arc<Self>, asking: Asking, permit: &Permit) -> Result<Registered, Stop> {
        let terms = permit.terms();
        let mut open = self.lock();
        if let Some(stop) = open.doors.overtaken(terms.grant, terms.session) {
            return Err(stop);
        }
        let grant = open.grants.entry(terms.grant).or_insert_with(|| Grant {
            deadline: Arc::new(Deadline::new(asking.asked, terms.remaining)),
            sessions: HashSet::new(),
        });
        grant.sessions.insert(terms.session);
        let leash = Arc::new(Leash::new(Arc::clone(&self.lease), Arc::clone(&grant.deadline)));
        let serial = open.serial();
        open.serials.insert(serial, terms.session);
        let held = Held { grant: terms.grant, leash: Arc::clone(&leash), serial, cancel: None };
        open.sessions.insert(terms.session, held);
        drop(open);
        self.metrics.opened();
        self.moved.notify_one();
        Ok(Registered { sessions: Arc::clone(self), session: terms.session, leash, serial })
    }

    /// What ended, ends here: after this no byte of it passes. Gives the sessions that were cut.
    pub fn apply(&self, changes: &Changes) -> Vec<SessionId> {
        let mut open = self.lock();
        let mut cut = Vec::new();
        for (grant, cause) in &changes.ended {
            let ended = open.doors.next;
            open.doors.ended.push((ended, *grant, cause.clone()));
            let Some(held) = open.grants.get(grant) else { continue };
            held.deadline.end();
            for session in &held.sessions {
                if let Some(held) = open.sessions.get(session) {
                    held.leash.cut(Stop::Grant(cause.clone()));
                    cut.push(*session);
                }
            }
        }
        for session in &changes.killed {
            let killed = open.doors.next;
            open.doors.killed.push((killed, *session));
            if let Some(held) = open.sessions.get(session) {
                held.leash.cut(Stop::Killed);
                cut.push(*session);
            }
        }
        open.doors.forget();
        open.revision = open.revision.max(changes.revision);
        cut
    }

    /// How long each grant still has, as the authority said when it was asked. // I3
    pub fn set_remaining(&self, asked: Asked, remaining: &[(GrantId, Span)]) {
        let open = self.lock();
        for (grant, span) in remaining {
            if let Some(held) = open.grants.get(grant).filter(|held| held.deadline.at() != Boot(0)) {
                held.deadline.set(asked, *span);
            }
        }
        drop(open);
        self.moved.notify_one();
    }

    /// Up to which revision everything that ended is cut.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.lock().revision
    }

    /// Cuts every session whose lease or deadline is past; says when the next deadline is.
    pub fn expire(&self) -> Option<Boot> {
        let now = self.clock.boot();
        let open = self.lock();
        let mut next: Option<Boot> = None;
        for held in open.sessions.values() {
            if let Err(stop) = held.leash.check(now) {
                held.leash.cut(stop);
                continue;
            }
            let Some(grant) = open.grants.get(&held.grant) else { continue };
            let ends = grant.deadline.at().min(self.lease.until());
            next = Some(next.map_or(ends, |next| next.min(ends)));
        }
        next
    }

    /// Returns when a session came or a deadline moved since the last call. For one waiter.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Cuts everything.
    pub fn cut_all(&self, why: &Stop) {
        for held in self.lock().sessions.values() {
            held.leash.cut(why.clone());
        }
    }

    /// Cuts these.
    pub fn cut(&self, sessions: &[SessionId], why: &Stop) {
        let open = self.lock();
        for held in sessions.iter().filter_map(|session| open.sessions.get(session)) {
            held.leash.cut(why.clone());
        }
    }

    /// Returns when none of these is in the registry: their sockets are closed.
    pub async fn gone(&self, sessions: &[SessionId]) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // Listen before looking, or the last farewell could fall between.
            left.as_mut().enable();
            {
                let open = self.lock();
                if !sessions.iter().any(|session| open.sessions.contains_key(session)) {
                    return;
                }
            }
            left.await;
        }
    }

    /// The sessions that are open.
    #[must_use]
    pub fn ids(&self) -> Vec<SessionId> {
        self.lock().sessions.keys().copied().collect()
    }

    /// Whether the node's lease holds.
    #[must_use]
    pub fn lease_holds(&self) -> bool {
        self.lease.holds(self.clock.boot())
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Where a cancel request with this key goes, while its session may still pass bytes.
    #[must_use]
    pub fn cancel_route(&self, key: &CancelKey) -> Option<CancelRoute> {
        let open = self.lock();
        let held = open.sessions.get(open.serials.get(&key.serial())?)?;
        held.leash.check(self.clock.boot()).ok()?;
        // The map found the number; the secret is compared in constant time.
        held.cancel.as_ref().filter(|(own, _)| own.is(key)).map(|(_, route)| route.clone())
    }
}
