//! What a machine has to say, in order, with bytes that follow each other in one piece.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

#[derive(Debug)]
pub(super) struct Outbox<O> {
    queue: VecDeque<O>,
    bytes: BytesMut,
    wrap: fn(Bytes) -> O,
}

impl<O> Outbox<O> {
    /// `wrap` makes an output of bytes to send.
    pub(super) fn new(wrap: fn(Bytes) -> O) -> Self {
        Self { queue: VecDeque::new(), bytes: BytesMut::new(), wrap }
    }

    /// Where bytes to send are written.
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// An output that comes after the bytes so far.
    pub(super) fn push(&mut self, output: O) {
        self.flush();
        self.queue.push_back(output);
    }

    pub(super) fn poll(&mut self) -> Option<O> {
        self.flush();
        self.queue.pop_front()
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.queue.push_back((self.wrap)(self.bytes.split().freeze()));
        }
    }
}
