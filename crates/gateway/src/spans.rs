//! Bytes on their way out, in the pieces in which they came in.

use std::{
    collections::VecDeque,
    io::IoSlice,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use daypass_wire::postgres::frame::Scanner;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::leased::{Halt, Leased};

/// Pieces in one system call.
const SLICES_MAX: usize = 16;
/// Half a message is held back until it is whole, unless this much of it is there.
const HOLD_MAX: usize = 16 << 10;

/// Bytes that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    spans: VecDeque<Bytes>,
    len: usize,
}

impl Spans {
    pub fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.spans.push_back(bytes);
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn clear(&mut self) {
        self.spans.clear();
        self.len = 0;
    }

    /// Writes at most `limit` bytes with one call; gives how many.
    fn poll_write<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Leased<S>,
        limit: usize,
    ) -> Poll<Result<usize, Halt>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let (mut filled, mut left) = (0, limit);
        for (slice, span) in slices.iter_mut().zip(&self.spans) {
            if left == 0 {
                break;
            }
            let take = span.len().min(left);
            *slice = IoSlice::new(&span[..take]);
            left -= take;
            filled += 1;
        }
        let written = ready!(to.poll_write(cx, &slices[..filled]))?;
        let mut gone = written;
        while let Some(span) = self.spans.front_mut() {
            if gone < span.len() {
                span.advance(gone);
                break;
            }
            gone -= span.len();
            self.spans.pop_front();
            if gone == 0 {
                break;
            }
        }
        self.len -= written;
        Poll::Ready(Ok(written))
    }

    /// Writes what it can, and flushes it; gives whether something moved.
    pub fn poll_out<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Leased<S>,
    ) -> Result<Moved, Halt> {
        let mut moved = Moved::No;
        while self.len > 0 {
            match self.poll_write(cx, to, usize::MAX)? {
                Poll::Ready(_) => moved = Moved::Yes,
                Poll::Pending => break,
            }
        }
        let _ = to.poll_flush(cx)?;
        Ok(moved)
    }
}

/// Whether something was done, and so whether to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Yes,
    No,
}

/// Bytes on their way to a client, which is written whole messages as far as that can be: so that, when the session is cut,
/// the client's stream is between two messages, and it can be told why.
#[derive(Debug)]
pub(crate) struct ToClient {
    spans: Spans,
    scanner: Scanner,
    /// So many of the waiting bytes end with a message.
    whole: usize,
    written: Written,
    rest: Rest,
}

/// What was written last ends so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    BetweenMessages,
    WithinOne,
}

/// What to do with half a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Hold,
    /// Nothing follows any more: write what is there.
    Let,
}

impl Default for ToClient {
    fn default() -> Self {
        Self {
            spans: Spans::default(),
            scanner: Scanner::default(),
            whole: 0,
            written: Written::BetweenMessages,
            rest: Rest::Hold,
        }
    }
}

impl ToClient {
    pub fn push(&mut self, bytes: Bytes) {
        let mut at = 0;
        while at < bytes.len() {
            // The relay has looked at these headers and found them well-formed.
            let Ok(step) = self.scanner.step(&bytes[at..]) else { break };
            at += step.taken();
            if self.scanner.at_boundary() {
                self.whole = self.spans.len() + at;
            }
        }
        self.spans.push(bytes);
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Nothing follows: half a message isn't held back any longer.
    pub fn last(&mut self) {
        self.rest = Rest::Let;
    }

    /// Whether the client can be told something now.
    pub fn between_messages(&self) -> bool {
        self.written == Written::BetweenMessages
    }

    /// How much may go out now.
    fn limit(&self) -> usize {
        match self.rest {
            Rest::Let => self.spans.len(),
            Rest::Hold if self.whole > 0 => self.whole,
            Rest::Hold if self.spans.len() > HOLD_MAX || self.written == Written::WithinOne => self.spans.len(),
            Rest::Hold => 0,
        }
    }

    /// Writes what it can, and flushes it; gives whether something moved.
    pub fn poll_out<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Leased<S>,
    ) -> Result<Moved, Halt> {
        let mut moved = Moved::No;
        loop {
            let limit = self.limit();
            if limit == 0 {
                break;
            }
            let Poll::Ready(written) = self.spans.poll_write(cx, to, limit)? else { break };
            self.written = if written == self.whole { Written::BetweenMessages } else { Written::WithinOne };
            self.whole = self.whole.saturating_sub(written);
            moved = Moved::Yes;
        }
        let _ = to.poll_flush(cx)?;
        Ok(moved)
    }
}
