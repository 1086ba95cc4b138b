//! Following control: renewing the lease, cutting what ended, and watching the time. // I3
//!
//! Three tasks. `renew` keeps the lease: it is what makes revocation true. `follow` waits for what ended: it is what
//! makes it fast. `watch` cuts what runs out when nobody says anything.

use std::{sync::Arc, time::Duration};

use daypass_domain::SessionId;
use daypass_ports::{
    authority::{Authority, AuthorityError, LEASE, NodeId, RENEW_EVERY},
    record::Revision,
    store::Changes,
    world::Clock,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    lease::{Asked, Lease, Stop},
    sessions::Sessions,
};

/// How long after a failure to ask again.
const AGAIN: Duration = Duration::from_millis(250);
/// An empty answer that came faster than this wasn't waited for.
const SILENCE_MIN: Duration = Duration::from_millis(5);
/// How often the clocks are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// How long a cut session's sockets may take to close before the cut is confirmed without them: no byte passes anyway.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// What the three tasks share.
#[derive(Clone)]
pub(crate) struct Following {
    pub node: NodeId,
    pub authority: Arc<dyn Authority>,
    pub clock: Arc<dyn Clock>,
    pub lease: Arc<Lease>,
    pub sessions: Arc<Sessions>,
}

impl Following {
    /// Renews the lease for ever.
    pub async fn renew(self) {
        loop {
            let asked = Asked::now(&*self.clock);
            let since = self.sessions.revision();
            match timeout(LEASE.to_std(), self.authority.renew(self.node, since)).await {
                Ok(Ok(renewal)) => {
                    // What ended is cut before the lease that doesn't cover it any more is renewed.
                    self.cut(&renewal.changes);
                    self.sessions.set_remaining(asked, &renewal.remaining);
                    if let Err(jump) = self.lease.renewed(asked, &*self.clock) {
                        self.clocks_jumped(jump.micros);
                        continue;
                    }
                    // A renewal that took long is followed at once by the next.
                    sleep(RENEW_EVERY.to_std().saturating_sub(self.clock.boot().since(asked.boot).to_std())).await;
                }
                Ok(Err(AuthorityError::Refused { why })) => {
                    tracing::error!(%why, "control refuses this node: its lease runs out");
                    sleep(AGAIN).await;
                }
                Ok(Err(AuthorityError::Unavailable { why })) => {
                    tracing::warn!(%why, "the lease wasn't renewed; trying again");
                    sleep(AGAIN).await;
                }
                Err(_) => tracing::warn!("control didn't answer a renewal within a lease; asking again"),
            }
        }
    }

    /// Cuts what ended, as soon as it is said, for ever.
    pub async fn follow(self) {
        loop {
            let (since, asked) = (self.sessions.revision(), Instant::now());
            match self.authority.changes(since).await {
                Ok(changes) => {
                    self.cut(&changes);
                    // Control waits for something to say. One that answers at once, and says nothing, must not make us spin.
                    if changes.revision <= since && asked.elapsed() < SILENCE_MIN {
                        sleep(SILENCE_MIN).await;
                    }
                }
                Err(why) => {
                    tracing::warn!(%why, "can't follow what ended; the lease still bounds it");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Cuts what runs out, for ever: leases, deadlines, and everything when the clocks jump.
    pub async fn watch(self) {
        loop {
            if let Err(jump) = self.lease.watch(&*self.clock) {
                self.clocks_jumped(jump.micros);
            }
            let next = self.sessions.expire();
            let left = next.map(|next| next.since(self.clock.boot()).to_std() + Duration::from_micros(50));
            let _ = timeout(left.unwrap_or(WATCH_EVERY).min(WATCH_EVERY), self.sessions.moved()).await;
        }
    }

    fn clocks_jumped(&self, micros: i64) {
        tracing::error!(micros, "the wall clock and the boot clock jumped apart: every lease is dropped");
        self.sessions.cut_all(&Stop::LeaseLost);
    }

    /// Cuts, and confirms when the sockets are closed.
    fn cut(&self, changes: &Changes) {
        let before = self.sessions.revision();
        let cut = self.sessions.apply(changes);
        if changes.revision > before || !cut.is_empty() {
            tokio::spawn(self.clone().confirm(changes.revision, cut));
        }
    }

    async fn confirm(self, revision: Revision, cut: Vec<SessionId>) {
        if timeout(CLOSE_MAX, self.sessions.gone(&cut)).await.is_err() {
            tracing::warn!(sessions = cut.len(), "cut sessions are slow to close their sockets; no byte passes");
        }
        loop {
            match self.authority.confirm(self.node, revision).await {
                Ok(()) => return,
                Err(AuthorityError::Unavailable { why }) => {
                    tracing::warn!(%why, "a cut couldn't be confirmed; trying again");
                    sleep(AGAIN).await;
                }
                Err(AuthorityError::Refused { why }) => {
                    return tracing::error!(%why, "control doesn't take the confirmation of a cut");
                }
            }
        }
    }
}
