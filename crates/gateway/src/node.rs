//! What all connections of a node share.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use daypass_ports::{
    authority::{Authority, NodeId},
    dial::Dialer,
    world::{Clock, Random},
};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_rustls::TlsAcceptor;

use crate::{
    attempts::Attempts,
    gateway::Limits,
    lease::Stop,
    metrics::Metrics,
    recording::{Recorder, Unsealed},
    sessions::Sessions,
};

pub(crate) struct Node {
    pub id: NodeId,
    pub limits: Limits,
    pub authority: Arc<dyn Authority>,
    pub dialer: Arc<dyn Dialer>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub sessions: Arc<Sessions>,
    pub recorder: Arc<Recorder>,
    pub attempts: Attempts,
    pub metrics: Arc<Metrics>,
    pub acceptor: TlsAcceptor,
    /// The `tls-server-end-point` hash of the certificate, for channel binding.
    pub end_point: Option<Vec<u8>>,
    pub unsealed: Mutex<Unsealed>,
}

/// How often recordings are made durable and sealed.
const SEAL_EVERY: Duration = Duration::from_secs(1);

impl Node {
    /// Each second: one sync, and one seal a segment that changed.
    pub async fn seal_recordings(self: Arc<Self>) {
        let mut ticks = interval(SEAL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.seal_now().await;
        }
    }

    /// One sync, and the seals that wait.
    pub async fn seal_now(&self) {
        let recorder = Arc::clone(&self.recorder);
        let Ok(synced) = tokio::task::spawn_blocking(move || recorder.sync()).await else { return };
        for lost in synced.lost {
            tracing::error!(error = %lost.why, "recordings can't be made durable: their sessions end");
            self.sessions.cut(&lost.sessions, &Stop::Unrecorded);
        }
        let unsealed = || self.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut waiting = unsealed();
            synced.seals.into_iter().for_each(|seal| waiting.add(seal));
        }
        loop {
            let Some(seal) = unsealed().first().cloned() else { return };
            if let Err(why) = self.authority.seal(self.id, seal).await {
                tracing::warn!(%why, "a recording's seal isn't in the ledger yet; trying again");
                return;
            }
            unsealed().done();
        }
    }

    /// Tells control that a session is over, until it knows.
    pub fn report_closed(
        self: &Arc<Self>,
        session: daypass_domain::SessionId,
        cause: daypass_domain::session::SessionEnd,
        passed: daypass_domain::session::Passed,
    ) {
        let authority = Arc::clone(&self.authority);
        tokio::spawn(async move {
            let mut pause = Duration::from_millis(100);
            while let Err(why) = authority.close_session(session, cause, passed).await {
                tracing::warn!(%session, %why, "control doesn't know yet that a session is over; trying again");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        });
    }
}
