//! A session, from its permit to its end.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use daypass_domain::{
    Span,
    resource::RecordMode,
    session::{Passed, SessionEnd},
};
use daypass_ports::{
    record::{Permit, Terms},
    world::random_bytes,
};
use daypass_wire::postgres::{cancel::CancelKey, error::PgError, front::Admission, relay, startup::Door};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;

use crate::{
    cancel::CancelRoute,
    door::Client,
    lease::{Leash, Stop},
    leased::Leased,
    metrics::Counted,
    node::Node,
    pump::{Over, Pump, Sides, Stream},
    recording::{Closed, SessionRecorder},
    sessions::Registered,
    upstream::{self, Failure, Upstream},
    words,
};

/// How long a refused client may take to hear it.
const REFUSAL_MAX: Duration = Duration::from_secs(2);

/// Carries a session that was permitted, until it is over; then says so to the recording and to control.
pub(crate) async fn run(node: Arc<Node>, client: Client, door: Box<Door>, permit: Permit, registered: Registered) {
    let terms = permit.terms();
    let session = terms.session;
    tracing::info!(%session, grant = %terms.grant, resource = %terms.resource_name, "a session opens");
    let (end, passed) = match node.recorder.open(terms) {
        Ok(recorder) => carry(&node, client, *door, &permit, registered, recorder).await,
        Err(error) => {
            refuse(client, words::unrecorded(Some(&error))).await;
            drop(registered);
            (SessionEnd::RecordingFailed, Passed::default())
        }
    };
    tracing::info!(%session, cause = %end, statements = passed.statements, "a session is over");
    node.report_closed(session, end, passed);
}

/// The handshake at the target, then the relay. Returns when both sockets are closed.
async fn carry(
    node: &Arc<Node>,
    client: Client,
    door: Door,
    permit: &Permit,
    registered: Registered,
    mut recorder: SessionRecorder,
) -> (SessionEnd, Passed) {
    let terms = permit.terms();
    let leash = Arc::clone(registered.leash());
    let (end, passed) = match connect(node, client, door, permit, &registered).await {
        Err(end) => (end, Passed::default()),
        Ok(sides) => relayed(node, sides, terms, &leash, &mut recorder).await,
    };
    // Its sockets are closed: whoever waits for that goes on.
    drop(registered);
    closed(node, terms, recorder, end, passed);
    (end, passed)
}

/// Passes what both sides say, until something ends it.
pub(crate) async fn relayed<C: Stream>(
    node: &Node,
    sides: Sides<C>,
    terms: &Terms,
    leash: &Leash,
    recorder: &mut SessionRecorder,
) -> (SessionEnd, Passed) {
    let mode = match terms.record {
        RecordMode::Full => relay::RecordMode::Full,
        RecordMode::Text => relay::RecordMode::Text,
        RecordMode::Digest => relay::RecordMode::Digest,
    };
    let mut counted = Counted::new(&node.metrics);
    let mut pump = Pump::new(sides, mode, recorder, &mut counted, Arc::clone(&node.clock));
    let over = pump.run(leash, terms.limits.idle).await;
    let error = farewell(&over, terms);
    // First of all the sockets: what is written down of the end follows.
    let (end, passed) = pump.close(over, error, leash).await;
    counted.up_to(passed);
    (end, passed)
}

/// The end of a recording.
pub(crate) fn closed(node: &Node, terms: &Terms, mut recorder: SessionRecorder, end: SessionEnd, passed: Passed) {
    Closed { cause: end, passed }.encode(node.clock.wall(), recorder.buffer());
    if let Err(error) = recorder.finish() {
        tracing::error!(session = %terms.session, %error, "the end of a recording couldn't be written");
    }
}

/// Dials, logs in, and lets the client in. A cut meanwhile ends it at once.
async fn connect(
    node: &Arc<Node>,
    mut client: Client,
    mut door: Door,
    permit: &Permit,
    registered: &Registered,
) -> Result<Sides<TlsStream<TcpStream>>, SessionEnd> {
    let leash = registered.leash();
    let terms = permit.terms();
    let parameters = std::mem::take(&mut door.parameters);
    let upstream = match dialled(node, permit, leash, parameters).await {
        Ok(upstream) => upstream,
        Err(Failure { error, end }) => {
            refuse(client, error).await;
            return Err(end);
        }
    };
    let Upstream { leased, ready, leftover } = upstream;
    let random = random_bytes(&*node.random);
    let Some(key) = CancelKey::new(node.id.0, registered.serial, random, door.protocol) else {
        // The registry gives serials of the right size only.
        return Err(SessionEnd::ProtocolError);
    };
    registered.cancel_by(key.clone(), CancelRoute { target: Arc::new(terms.target.clone()), key: ready.key });
    let mut told = BytesMut::from(&ready.parameters[..]);
    recorded_notice(terms).encode(&mut told);
    let admission = Admission { parameters: told.freeze(), key, status: ready.status };
    // What the target said at login is a byte of the target's: it passes like any other.
    let admitted = leash.check(node.clock.boot()).is_ok() && client.front.admit(admission).is_ok();
    if !admitted {
        refuse(client, cut(leash, terms).error).await;
        return Err(leash.why().map_or(SessionEnd::LeaseLost, |stop| stop.session_end()));
    }
    let left = tokio::select! {
        biased;
        () = leash.cut_notice() => true,
        sent = client.send() => sent.is_err(),
    };
    if left {
        return Err(leash.why().map_or(SessionEnd::ClientLeft, |stop| stop.session_end()));
    }
    let Client { front, tls, .. } = client;
    Ok(Sides {
        client: Leased::new(tls, Arc::clone(leash), Arc::clone(&node.clock)),
        client_sent: front.into_leftover(),
        upstream: leased,
        upstream_sent: leftover,
    })
}

/// Dials and logs in, and claims the backend. A cut meanwhile ends it at once.
pub(crate) async fn dialled(
    node: &Node,
    permit: &Permit,
    leash: &Arc<Leash>,
    parameters: Vec<(Bytes, Bytes)>,
) -> Result<Upstream, Failure> {
    let terms = permit.terms();
    let connecting = async {
        let upstream = upstream::connect(node, permit, leash, parameters).await?;
        // The reaper ends backends that nobody claims, so this one is claimed before its client is let in.
        let claimed = node.authority.connected(terms.session, upstream.ready.key.backend_pid()).await;
        let lost = |error| Failure { error: words::no_authority(&error), end: SessionEnd::LeaseLost };
        claimed.map_err(lost).map(|()| upstream)
    };
    tokio::select! {
        biased;
        () = leash.cut_notice() => Err(cut(leash, terms)),
        connected = connecting => connected,
    }
}

fn cut(leash: &Leash, terms: &Terms) -> Failure {
    let stop = leash.why().unwrap_or(Stop::LeaseLost);
    Failure { error: words::stopped(&stop, &terms.resource_name), end: stop.session_end() }
}

async fn refuse(mut client: Client, error: PgError) {
    tracing::debug!(%error, "a session doesn't come about");
    // A client that doesn't read isn't waited for.
    let _ = timeout(REFUSAL_MAX, client.refuse::<()>(error)).await;
}

/// What a client reads when it is let in.
fn recorded_notice(terms: &Terms) -> PgError {
    let what = match terms.record {
        RecordMode::Full => "every statement and its parameters are recorded",
        RecordMode::Text => "every statement is recorded, without its parameters",
        RecordMode::Digest => "every statement is recorded by its digest",
    };
    PgError::notice(format!("{} as {}: {what}", terms.resource_name, terms.role))
        .with_detail(format!("Session {}, until {} ({}).", terms.session, terms.deadline, terms.remaining))
}

/// What the client is told about the end, if anything.
fn farewell(over: &Over, terms: &Terms) -> Option<PgError> {
    match over {
        Over::Stop(stop) => Some(words::stopped(stop, &terms.resource_name)),
        Over::Idle => Some(words::idle(terms.limits.idle)),
        Over::Unrecorded(error) => Some(words::unrecorded(Some(error))),
        Over::UpstreamGone => Some(words::target_lost(&terms.resource_name)),
        Over::Closed(_) | Over::ClientGone => None,
    }
}

/// Long enough for any idle limit to be looked at again.
pub(crate) fn idle_left(limit: Span, idle: Span) -> Option<Span> {
    (idle < limit).then(|| Span::from_micros(limit.micros() - idle.micros()))
}
