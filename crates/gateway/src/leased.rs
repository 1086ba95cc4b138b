//! The only thing that holds a session's sockets: nothing is written that the leash doesn't let pass. // I3

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use daypass_ports::world::{Boot, Clock};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::lease::{Leash, Stop};

/// How long a peer that was told the last word may take to close its side.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// A session's socket.
pub struct Leased<S> {
    io: S,
    leash: Arc<Leash>,
    clock: Arc<dyn Clock>,
    /// When something was last written.
    last: Boot,
    flush: Flush,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Done,
    Needed,
}

/// Why a write didn't happen.
#[derive(Debug)]
pub enum Halt {
    /// The leash holds it.
    Stop(Stop),
    /// The socket is broken.
    Broken,
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        tracing::debug!(%error, "a session's socket is broken");
        Self::Broken
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Leased<S> {
    /// On a leash from now on.
    pub fn new(io: S, leash: Arc<Leash>, clock: Arc<dyn Clock>) -> Self {
        let last = clock.boot();
        Self { io, leash, clock, last, flush: Flush::Done }
    }

    /// When something was last written.
    pub fn last(&self) -> Boot {
        self.last
    }

    fn check(&mut self) -> Result<(), Halt> {
        let now = self.clock.boot();
        self.leash.check(now).map_err(Halt::Stop)?;
        self.last = now;
        Ok(())
    }

    /// Reads what is there into `into`; 0 is the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        // The future keeps nothing between two polls.
        pin!(self.io.read_buf(into)).poll(cx)
    }

    /// Writes as much as the socket takes now.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, spans: &[IoSlice<'_>]) -> Poll<Result<usize, Halt>> {
        self.check()?;
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, spans))?;
        self.flush = Flush::Needed;
        Poll::Ready(if written == 0 { Err(Halt::Broken) } else { Ok(written) })
    }

    /// Brings what was written out of our hands into the kernel's.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Halt>> {
        if self.flush == Flush::Needed {
            self.check()?;
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.flush = Flush::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// See [`Halt`].
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Halt> {
        while !bytes.is_empty() {
            let written = std::future::poll_fn(|cx| self.poll_write(cx, &[IoSlice::new(bytes)])).await?;
            bytes = &bytes[written..];
        }
        std::future::poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// When the socket is broken.
    pub async fn read(&mut self, into: &mut BytesMut) -> io::Result<usize> {
        self.io.read_buf(into).await
    }

    /// Closes without a word: TLS's own goodbye, if it goes at once.
    pub async fn goodbye(mut self) {
        let _ = self.io.shutdown().await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Leased<S> {
    /// A last word of our own, then the end. The leash may be cut: no byte of the other side's is in it, and none is left
    /// in our hands, or nothing is said at all.
    pub async fn farewell(mut self, own: &[u8]) {
        if self.flush == Flush::Needed {
            return;
        }
        let said = async {
            self.io.write_all(own).await?;
            self.io.flush().await?;
            self.io.shutdown().await
        };
        if said.await.is_ok() {
            // What the peer is still sending would make the system reset the connection, and the last word be lost with
            // it. So what comes is dropped for a while: read, and never passed on.
            tokio::spawn(timeout(LINGER_MAX, async move {
                while self.io.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {}
            }));
        }
    }
}
