//! The relay's driver: one task a session, both directions in one poll. // I1, I3
//!
//! A turn reads what is there, lets the relay look at it, writes down with one system call what the relay tells, and only
//! then passes the bytes on, in the buffers in which they came. Neither direction waits for the other, so big pipelines
//! and COPY can't lock up; a direction whose receiver doesn't read stops being read. A cut interrupts whatever is waited for.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use daypass_domain::{
    Span,
    session::{Passed, SessionEnd},
};
use daypass_ports::{dial::Conduit, world::Clock};
use daypass_wire::postgres::{
    error::PgError,
    relay::{CloseReason, Output, RecordMode, Relay},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};

use crate::{
    lease::{Leash, Stop},
    leased::{Halt, Leased},
    metrics::Counted,
    recording::{self, RecordingError, SessionRecorder},
    session::idle_left,
    spans::{Moved, Spans, ToClient},
};

/// Bytes that wait for a receiver before its sender isn't read any more.
const WAITING_MAX: usize = 256 << 10;
/// The smallest and the largest read: it grows while reads fill it, and shrinks again, so that idle sessions cost little.
const READ_MIN: usize = 4 << 10;
const READ_MAX: usize = 64 << 10;
/// How long a cut client may take to be told why.
const FAREWELL_MAX: Duration = Duration::from_millis(50);
/// How long what is still to be delivered at an orderly end may take.
const DELIVER_MAX: Duration = Duration::from_secs(2);

/// A client's stream: TLS, or one in memory where the node is the client.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<C: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for C {}

/// Both sockets of a session, and what came from them before the relay.
pub(crate) struct Sides<C> {
    pub client: Leased<C>,
    pub client_sent: BytesMut,
    pub upstream: Leased<Box<dyn Conduit>>,
    pub upstream_sent: BytesMut,
}

/// Why the relay stopped.
#[derive(Debug)]
pub(crate) enum Over {
    /// The leash.
    Stop(Stop),
    /// Nothing passed for too long.
    Idle,
    /// A record couldn't be written; what it guards wasn't passed on.
    Unrecorded(RecordingError),
    /// The client's connection ended without a word.
    ClientGone,
    /// The target's connection ended.
    UpstreamGone,
    /// The relay says so; what it gave out before is to be delivered.
    Closed(CloseReason),
}

/// One side's input.
struct Inbox {
    buffer: BytesMut,
    size: usize,
}

impl Inbox {
    fn new(buffer: BytesMut) -> Self {
        Self { buffer, size: READ_MIN }
    }

    /// Makes room for a read, and afterwards learns from it.
    fn adapt(&mut self, read: usize) {
        if read >= self.size {
            self.size = (self.size * 2).min(READ_MAX);
        } else if read < self.size / 4 {
            self.size = (self.size / 2).max(READ_MIN);
        }
    }
}

/// The driver.
pub(crate) struct Pump<'r, C> {
    client: Leased<C>,
    upstream: Leased<Box<dyn Conduit>>,
    from_client: Inbox,
    from_upstream: Inbox,
    to_client: ToClient,
    to_upstream: Spans,
    /// Whether the target still takes what is written to it; what it said before it stopped is read all the same.
    upstream_takes: Takes,
    relay: Relay,
    recorder: &'r mut SessionRecorder,
    counted: &'r mut Counted,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Yes,
    No,
}

impl<'r, C: Stream> Pump<'r, C> {
    pub fn new(
        sides: Sides<C>,
        mode: RecordMode,
        recorder: &'r mut SessionRecorder,
        counted: &'r mut Counted,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let Sides { client, client_sent, upstream, upstream_sent } = sides;
        Self {
            client,
            upstream,
            from_client: Inbox::new(client_sent),
            from_upstream: Inbox::new(upstream_sent),
            to_client: ToClient::default(),
            to_upstream: Spans::default(),
            upstream_takes: Takes::Yes,
            relay: Relay::new(mode),
            recorder,
            counted,
            clock,
        }
    }

    /// Passes bytes until something ends it.
    pub async fn run(&mut self, leash: &Leash, idle: Span) -> Over {
        if let Err(over) = self.first() {
            return over;
        }
        let cut = leash.cut_notice();
        let silence = sleep(idle.to_std());
        tokio::pin!(cut, silence);
        loop {
            tokio::select! {
                biased;
                () = &mut cut => return Over::Stop(leash.why().unwrap_or(Stop::LeaseLost)),
                over = poll_fn(|cx| self.turn(cx)) => return over,
                () = &mut silence => {
                    let last = self.client.last().max(self.upstream.last());
                    match idle_left(idle, self.clock.boot().since(last)) {
                        None => return Over::Idle,
                        Some(left) => silence.as_mut().reset(Instant::now() + left.to_std()),
                    }
                }
            }
        }
    }

    /// What came before the relay.
    fn first(&mut self) -> Result<(), Over> {
        let (client, upstream) = (self.from_client.buffer.split(), self.from_upstream.buffer.split());
        self.relay.from_upstream(upstream.freeze());
        self.relay.from_client(client.freeze());
        self.drain()
    }

    /// Everything that can be done without waiting.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            match self.once(cx) {
                Ok(Moved::Yes) => {}
                Ok(Moved::No) => {
                    self.counted.up_to(passed(&self.relay));
                    return Poll::Pending;
                }
                Err(over) => return Poll::Ready(over),
            }
        }
    }

    fn once(&mut self, cx: &mut Context<'_>) -> Result<Moved, Over> {
        let mut moved = self.write(cx)?;
        if self.to_upstream.len() < WAITING_MAX && self.relay.wants_client() {
            self.from_client.buffer.reserve(self.from_client.size);
            match self.client.poll_read(cx, &mut self.from_client.buffer) {
                Poll::Pending => {}
                Poll::Ready(Ok(0) | Err(_)) => return Err(Over::ClientGone),
                Poll::Ready(Ok(read)) => {
                    self.from_client.adapt(read);
                    self.relay.from_client(self.from_client.buffer.split().freeze());
                    self.drain()?;
                    moved = Moved::Yes;
                }
            }
        }
        if self.to_client.len() < WAITING_MAX {
            self.from_upstream.buffer.reserve(self.from_upstream.size);
            match self.upstream.poll_read(cx, &mut self.from_upstream.buffer) {
                Poll::Pending => {}
                Poll::Ready(Ok(0) | Err(_)) => return Err(Over::UpstreamGone),
                Poll::Ready(Ok(read)) => {
                    self.from_upstream.adapt(read);
                    self.relay.from_upstream(self.from_upstream.buffer.split().freeze());
                    self.drain()?;
                    moved = Moved::Yes;
                }
            }
        }
        Ok(moved)
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<Moved, Over> {
        let mut moved = Moved::No;
        match self.to_upstream.poll_out(cx, &mut self.upstream) {
            Ok(done) => moved = done,
            Err(Halt::Stop(stop)) => return Err(Over::Stop(stop)),
            Err(Halt::Broken) => self.upstream_takes = Takes::No,
        }
        if self.upstream_takes == Takes::No {
            self.to_upstream.clear();
        }
        match self.to_client.poll_out(cx, &mut self.client) {
            Ok(Moved::Yes) => moved = Moved::Yes,
            Ok(Moved::No) => {}
            Err(Halt::Stop(stop)) => return Err(Over::Stop(stop)),
            Err(Halt::Broken) => return Err(Over::ClientGone),
        }
        Ok(moved)
    }

    /// Takes what the relay gives: the records are in the kernel before anything that they guard can be written. // I1
    fn drain(&mut self) -> Result<(), Over> {
        let mut closed = None;
        while let Some(output) = self.relay.poll() {
            match output {
                Output::ToClient(bytes) => self.to_client.push(bytes),
                Output::ToUpstream(bytes) => self.to_upstream.push(bytes),
                Output::Record(record) => recording::encode(&record, self.clock.wall(), self.recorder.buffer()),
                Output::Close(reason) => closed = Some(reason),
            }
        }
        if !self.recorder.is_empty() {
            self.recorder.commit().map_err(Over::Unrecorded)?;
        }
        closed.map_or(Ok(()), |reason| Err(Over::Closed(reason)))
    }

    /// Ends the session: delivers what may still be delivered, tells the client why, closes both sockets, and then writes
    /// down what the relay knows of the end. Gives the cause as it is kept, and what passed.
    pub async fn close(mut self, over: Over, error: Option<PgError>, leash: &Leash) -> (SessionEnd, Passed) {
        let end = match over {
            Over::Stop(stop) => stop.session_end(),
            Over::Idle => SessionEnd::Idle,
            Over::Unrecorded(_) => SessionEnd::RecordingFailed,
            Over::ClientGone => SessionEnd::ClientLeft,
            Over::UpstreamGone => {
                if let Some(error) = &error {
                    self.relay.upstream_closed(error);
                }
                return self.deliver(SessionEnd::TargetLost, leash).await;
            }
            Over::Closed(reason) => return self.deliver(ended(reason), leash).await,
        };
        let Self { client, upstream, to_client, mut relay, recorder, clock, .. } = self;
        drop(upstream);
        let mut own = BytesMut::new();
        if let Some(error) = &error {
            error.encode(&mut own);
        }
        if to_client.between_messages() && !own.is_empty() {
            // A client that doesn't read is cut without a word.
            let _ = timeout(FAREWELL_MAX, client.farewell(&own)).await;
        } else {
            drop(client);
        }
        // What the relay would still say to either side is too late; its records are not.
        match &error {
            Some(error) => relay.end(error),
            None => relay.client_closed(),
        }
        note(&mut relay, recorder, &*clock);
        (end, passed(&relay))
    }

    /// What was given out before an orderly end still goes where it was meant to go.
    async fn deliver(mut self, end: SessionEnd, leash: &Leash) -> (SessionEnd, Passed) {
        if let Err(Over::Unrecorded(error)) = self.drain() {
            tracing::error!(%error, "the end of a session couldn't be recorded, so its last bytes aren't delivered");
            return (SessionEnd::RecordingFailed, passed(&self.relay));
        }
        self.to_client.last();
        let delivered = poll_fn(|cx| {
            loop {
                match self.write(cx) {
                    Ok(Moved::Yes) => {}
                    Ok(Moved::No) if self.to_client.len() + self.to_upstream.len() > 0 => return Poll::Pending,
                    Ok(Moved::No) => return Poll::Ready(()),
                    Err(_) => return Poll::Ready(()),
                }
            }
        });
        tokio::select! {
            biased;
            () = leash.cut_notice() => {}
            _ = timeout(DELIVER_MAX, delivered) => {}
        }
        let Self { client, upstream, relay, .. } = self;
        let _ = timeout(FAREWELL_MAX, upstream.goodbye()).await;
        let _ = timeout(FAREWELL_MAX, client.farewell(&[])).await;
        (end, passed(&relay))
    }
}

fn ended(reason: CloseReason) -> SessionEnd {
    match reason {
        CloseReason::ClientLeft | CloseReason::ClientGone => SessionEnd::ClientLeft,
        CloseReason::UpstreamGone | CloseReason::Ended => SessionEnd::TargetLost,
        CloseReason::ProtocolError(error) => {
            tracing::warn!(%error, "a session ends because the protocol was broken");
            SessionEnd::ProtocolError
        }
    }
}

fn passed(relay: &Relay) -> Passed {
    let passed = relay.passed();
    Passed { statements: passed.statements, bytes_in: passed.from_client, bytes_out: passed.to_client }
}

/// Writes down what the relay still tells, when nothing is passed on any more.
fn note(relay: &mut Relay, recorder: &mut SessionRecorder, clock: &dyn Clock) {
    while let Some(output) = relay.poll() {
        match output {
            Output::Record(record) => recording::encode(&record, clock.wall(), recorder.buffer()),
            Output::ToClient(_) | Output::ToUpstream(_) | Output::Close(_) => {}
        }
    }
}
