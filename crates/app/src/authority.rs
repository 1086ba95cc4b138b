//! What gateways ask: [`Authority`], in one process a call.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use daypass_domain::{
    SessionId, Time,
    grant::{Grant, GrantState},
    session::{Passed, Session, SessionEnd},
};
use daypass_ports::{
    authority::{
        Authority, AuthorityError, Door, LEASE, NodeId, OpenSession, Opening, RATE_DOUBT_PER_MILLE, RecordingSeal,
        Renewal, Statement,
    },
    record::{Commit, Revision},
    rows::key,
    store::Changes,
    targets::Claim,
};
use daypass_wire::postgres::once::Over;
use serde::Serialize;

use crate::{
    App, Problem, Result,
    entry::{event, evidence, session},
    retry_stale,
};

/// What is known of the gateway nodes, in memory: leases live nowhere else (I3).
#[derive(Default)]
pub struct Nodes(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    nodes: BTreeMap<NodeId, Node>,
    claims: BTreeMap<SessionId, Claim>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    renewed: Time,
    confirmed: Revision,
    confirmed_at: Time,
}

/// One node's answer to a revocation. // I3
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "node_answer", rename_all = "snake_case")]
pub enum NodeReceipt {
    /// It has cut everything that ended.
    Confirmed {
        /// Which.
        node: u8,
        /// When its word came.
        at: Time,
    },
    /// It hasn't said so yet: its lease runs out then at the latest.
    Latest {
        /// Which.
        node: u8,
        /// When nothing passes any more, whatever was lost.
        at: Time,
    },
}

impl Nodes {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renewed(&self, node: NodeId, now: Time) {
        let mut inner = self.inner();
        let entry =
            inner.nodes.entry(node).or_insert(Node { renewed: now, confirmed: Revision::default(), confirmed_at: now });
        entry.renewed = now;
    }

    fn confirm(&self, node: NodeId, revision: Revision, now: Time) {
        if let Some(entry) = self.inner().nodes.get_mut(&node)
            && revision > entry.confirmed
        {
            entry.confirmed = revision;
            entry.confirmed_at = now;
        }
    }

    /// Whether every node that may still hold a lease has cut what ended up to `revision`.
    pub(crate) fn all_confirmed(&self, revision: Revision) -> bool {
        self.inner().nodes.values().all(|n| n.confirmed >= revision)
    }

    pub(crate) fn receipts(&self, revision: Revision, recorded: Time) -> Vec<NodeReceipt> {
        let receipt = |(node, state): (&NodeId, &Node)| {
            if state.confirmed >= revision {
                return NodeReceipt::Confirmed { node: node.0, at: state.confirmed_at };
            }
            // Its last renewal that may not know of the end was answered before that was recorded, and holds for a lease at
            // most, its clock a little off.
            let lease = LEASE.micros() * (1000 + RATE_DOUBT_PER_MILLE) / 1000;
            let from = state.renewed.min(recorded);
            NodeReceipt::Latest { node: node.0, at: from + daypass_domain::Span::from_micros(lease) }
        };
        self.inner().nodes.iter().map(receipt).collect()
    }

    /// What gateways claim of one session.
    pub(crate) fn claim(&self, session: SessionId) -> Option<Claim> {
        self.inner().claims.get(&session).copied()
    }

    pub(crate) fn set_claim(&self, session: SessionId, claim: Claim) {
        self.inner().claims.insert(session, claim);
    }

    fn drop_claim(&self, session: SessionId) {
        self.inner().claims.remove(&session);
    }
}

impl App {
    async fn changed_since(&self, since: Revision) -> Result<Changes> {
        // The overlay first: what becomes durable in between is then told twice rather than not at all.
        let (ended, killed) = self.taken.pending();
        let mut changes = self.store_ref().changes(since).await?;
        // What was taken and isn't durable yet: told at once, and told again until it is. // I1
        for end in ended {
            if !changes.ended.iter().any(|(g, _)| *g == end.0) {
                changes.ended.push(end);
            }
        }
        changes.killed.extend(killed);
        Ok(changes)
    }

    /// Waits for something to have been taken, at most a second.
    async fn follow(&self, since: Revision) -> Result<Changes> {
        let mut taken = self.taken.watch();
        let mut revisions = self.store_ref().watch();
        taken.mark_unchanged();
        let moved = *revisions.borrow_and_update() > since;
        let overlay = {
            let (ended, killed) = self.taken.pending();
            !ended.is_empty() || !killed.is_empty()
        };
        if !moved {
            // While something is taken and not durable, look often: the follower may have missed the moment.
            let most = if overlay { Duration::from_millis(20) } else { Duration::from_secs(1) };
            tokio::select! {
                _ = taken.changed() => {}
                _ = revisions.changed() => {}
                () = tokio::time::sleep(most) => {}
            }
        }
        self.changed_since(since).await
    }

    async fn renewal(&self, node: NodeId, since: Revision) -> Result<Renewal> {
        self.clock_is_sound()?;
        // One write: what can't write (a full disk, an isolated old primary) can't renew. // I1, I3
        self.store_ref().append(Commit::default()).await?;
        let changes = self.changed_since(since).await?;
        let now = self.now();
        let active = self.store_ref().find::<Grant>(key::STATE, "active").await?;
        let remaining = active.into_iter().filter_map(|g| match g.value.state {
            GrantState::Active { deadline, .. } if !self.taken.is_ended(g.value.id) => {
                Some((g.value.id, deadline.since(now)))
            }
            GrantState::Active { .. }
            | GrantState::Scheduled { .. }
            | GrantState::Ending { .. }
            | GrantState::Ended { .. } => None,
        });
        let remaining = remaining.collect();
        self.nodes.renewed(node, now);
        Ok(Renewal { changes, remaining })
    }

    async fn close(&self, id: SessionId, cause: SessionEnd, passed: Passed, now: Time) -> Result<()> {
        let Some(read) = self.store_ref().get::<Session>(&id.to_string()).await? else { return Ok(()) };
        let grant = self.grant_row(read.value.grant).await?;
        let cause = self.why_closed(&grant.value, cause);
        let Ok(next) = read.value.clone().close(now, cause, passed) else { return Ok(()) };
        let region = self.region_of(&grant.value).await?;
        let mut ids = crate::ending::grant_ids(&grant.value);
        ids.push(("session", id.to_string()));
        ids.push(("cause", session_end_word(cause).to_owned()));
        let mut commit = Commit::default();
        commit.replace(&read, &next);
        commit.entry(session(event::SESSION_CLOSED, ids, region, vec![self.session_part(id, &passed)]));
        self.commit(commit, ()).await?;
        self.closed_at_client(&next, &grant.value, cause, now);
        Ok(())
    }

    /// Closes the rows of sessions that a process left open when it died. Called once at start, before any gateway.
    ///
    /// # Errors
    /// When it can't be recorded.
    pub async fn close_orphans(&self) -> Result<usize> {
        let open = self.store_ref().find::<Session>(key::STATE, "open").await?;
        for session in &open {
            let id = session.value.id;
            retry_stale!(self.close(id, SessionEnd::NodeLost, Passed::default(), self.now()).await)?;
        }
        Ok(open.len())
    }

    async fn record_seal(&self, node: NodeId, seal: RecordingSeal) -> Result<()> {
        let region = seal.region.clone();
        let ids = vec![("node", node.0.to_string())];
        let sessions: Vec<_> = seal
            .sessions
            .iter()
            .map(|(session, root)| (session.to_string(), data_encoding::HEXLOWER.encode(root)))
            .collect();
        let part = self.operational_part(&serde_json::json!({
            "segment": seal.segment,
            "length": seal.length,
            "root": data_encoding::HEXLOWER.encode(&seal.root),
            "sessions": sessions,
        }));
        let mut commit = Commit::default();
        commit.entry(evidence(event::RECORDING_SEALED, ids, region, vec![part]));
        self.commit(commit, ()).await?;
        Ok(())
    }
}

/// One word for headers.
#[must_use]
pub fn session_end_word(cause: SessionEnd) -> &'static str {
    match cause {
        SessionEnd::ClientLeft => "client_left",
        SessionEnd::GrantEnded => "grant_ended",
        SessionEnd::Killed => "killed",
        SessionEnd::TargetLost => "target_lost",
        SessionEnd::RecordingFailed => "recording_failed",
        SessionEnd::Idle => "idle",
        SessionEnd::LeaseLost => "lease_lost",
        SessionEnd::ProtocolError => "protocol_error",
        SessionEnd::Shutdown => "shutdown",
        SessionEnd::NodeLost => "node_lost",
    }
}

fn unavailable(problem: Problem) -> AuthorityError {
    AuthorityError::Unavailable { why: problem.to_string() }
}

#[async_trait]
impl Authority for App {
    async fn door(&self, user: &str) -> std::result::Result<Door, AuthorityError> {
        self.door_of(user).await.map_err(unavailable)
    }

    async fn open_session(&self, ask: OpenSession) -> std::result::Result<Opening, AuthorityError> {
        let opening = self.admit(&ask).await.map_err(unavailable)?;
        match &opening {
            // Claimed before it can dial, so that the reaper never takes it for a stranger's. // I5
            Opening::Admitted(permit) => self.nodes.set_claim(permit.terms().session, Claim::Dialling),
            Opening::Waiting { .. } | Opening::Refused(_) => {}
        }
        Ok(opening)
    }

    async fn renew(&self, node: NodeId, since: Revision) -> std::result::Result<Renewal, AuthorityError> {
        self.renewal(node, since).await.map_err(unavailable)
    }

    async fn changes(&self, since: Revision) -> std::result::Result<Changes, AuthorityError> {
        self.follow(since).await.map_err(unavailable)
    }

    async fn confirm(&self, node: NodeId, revision: Revision) -> std::result::Result<(), AuthorityError> {
        self.nodes.confirm(node, revision, self.now());
        Ok(())
    }

    async fn connected(&self, session: SessionId, backend_pid: i32) -> std::result::Result<(), AuthorityError> {
        self.nodes.set_claim(session, Claim::Connected { pid: backend_pid });
        Ok(())
    }

    async fn next_statement(&self, _: NodeId) -> std::result::Result<Option<Statement>, AuthorityError> {
        Ok(self.statement_to_run().await)
    }

    async fn statement_over(&self, session: SessionId, over: Over) -> std::result::Result<(), AuthorityError> {
        self.statement_is_over(session, over).await.map_err(unavailable)
    }

    async fn seal(&self, node: NodeId, seal: RecordingSeal) -> std::result::Result<(), AuthorityError> {
        self.record_seal(node, seal).await.map_err(unavailable)
    }

    async fn close_session(
        &self,
        session: SessionId,
        cause: SessionEnd,
        passed: Passed,
    ) -> std::result::Result<(), AuthorityError> {
        self.nodes.drop_claim(session);
        let now = self.now();
        let outcome = retry_stale!(self.close(session, cause, passed, now).await);
        outcome.map_err(unavailable)
    }
}
