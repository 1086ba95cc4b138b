//! Cancel requests: only one's own statement, and only while one's session may pass bytes.
//!
//! A client gets key data of ours, never the target's; the real request is made here, over TLS where the target has it.

use std::{fmt, sync::Arc, time::Duration};

use daypass_domain::resource::PostgresTarget;
use daypass_ports::dial::Dialer;
use daypass_wire::postgres::{
    back::{Errand, Output, TargetKey},
    cancel::CancelKey,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{sessions::Sessions, upstream};

/// How long a request may take: PostgreSQL answers one by closing the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a cancel request goes.
#[derive(Clone)]
pub struct CancelRoute {
    /// Whom to dial.
    pub target: Arc<PostgresTarget>,
    /// The target's own key.
    pub key: TargetKey,
}

impl fmt::Debug for CancelRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelRoute {{ target: {}, .. }}", self.target.address)
    }
}

/// Passes a client's cancel request on, if the key is that of a live session. Says nothing to the client either way, as
/// PostgreSQL does, so that keys can't be tried out.
pub(crate) async fn cancel(sessions: &Sessions, dialer: &dyn Dialer, key: &CancelKey) {
    let Some(route) = sessions.cancel_route(key) else {
        tracing::debug!(?key, "a cancel request for no live session");
        return;
    };
    match timeout(PATIENCE, pass_on(dialer, &route)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!(%why, ?route, "a cancel request didn't reach the target"),
        Err(_) => tracing::warn!(?route, "a cancel request wasn't answered by the target within 5 s"),
    }
}

async fn pass_on(dialer: &dyn Dialer, route: &CancelRoute) -> Result<(), String> {
    let dialed = dialer.dial(&route.target).await.map_err(|error| error.to_string())?;
    let mut back = upstream::begin(Errand::Cancel(route.key.clone()), dialed.security).map_err(|e| e.to_string())?;
    let mut stream = dialed.stream;
    while let Some(output) = back.poll() {
        match output {
            Output::ToUpstream(bytes) => stream.write_all(&bytes).await.map_err(|error| error.to_string())?,
            Output::CancelSent => break,
            Output::Failed(error) => return Err(error.to_string()),
            Output::StartTls | Output::Ready(_) => return Err("the handshake went astray".into()),
        }
    }
    stream.flush().await.map_err(|error| error.to_string())?;
    // The server closes when it has signalled its backend; what comes before the end isn't ours to read.
    let _ = stream.read_u8().await;
    Ok(())
}
