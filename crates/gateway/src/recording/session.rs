//! One session's side of its recording: records become one sealed entry a turn of the session's loop.

use std::sync::Arc;

use daypass_domain::SessionId;
use daypass_ports::record::{RecordingKey, Terms};
use daypass_seal::{DataKey, FrameSealer};
use zeroize::Zeroize;

use super::{
    record::Header,
    segment::{Appended, Chain, Place, RecordingError, Stream, link},
};

/// Most plain bytes in one frame; what is longer goes into several, in one write.
const FRAME_MAX: usize = 1 << 20;
/// Buffers that grew over this for one large statement are given back.
const KEEP_MAX: usize = 1 << 18;

/// Records one session.
pub struct SessionRecorder {
    stream: Arc<Stream>,
    session: SessionId,
    key: DataKey,
    header: Vec<u8>,
    /// The sealer, and where its frames go. A new one for each segment: a nonce is never used twice.
    sealing: Option<(Place, FrameSealer)>,
    chain: Chain,
    plain: Vec<u8>,
    entry: Vec<u8>,
}

impl SessionRecorder {
    /// For a session, into its region's stream. Writes the header at once, so that a session leaves a trace before its
    /// first statement, and a disk that is full is noticed before the target is dialled.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn open(stream: Arc<Stream>, terms: &Terms) -> Result<Self, RecordingError> {
        let RecordingKey(key) = &terms.recording_key;
        Self::raw(stream, terms.session, **key, Header::of(terms).encode())
    }

    /// With a header that is encoded already.
    pub(super) fn raw(
        stream: Arc<Stream>,
        session: SessionId,
        key: [u8; 32],
        header: Vec<u8>,
    ) -> Result<Self, RecordingError> {
        let mut recorder = Self {
            stream,
            session,
            key: DataKey::from_bytes(key),
            header,
            sealing: None,
            chain: Chain::default(),
            plain: Vec::new(),
            entry: Vec::new(),
        };
        recorder.commit()?;
        Ok(recorder)
    }

    /// Where to put encoded records; [`SessionRecorder::commit`] writes them.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.plain
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }

    /// Writes what is in the buffer, with one system call: when this returns it is in the kernel. // I1
    ///
    /// # Errors
    /// When it isn't. The session must end: nothing that the records guard may be forwarded.
    pub fn commit(&mut self) -> Result<(), RecordingError> {
        let mut place = match &self.sealing {
            Some((place, _)) => *place,
            None => self.stream.place()?,
        };
        loop {
            let chain = self.seal(place);
            match self.stream.append(place, self.session, &self.entry, chain)? {
                Appended::Written => {
                    self.chain = chain;
                    break;
                }
                // The frames were sealed for the old segment and are thrown away: with its sealer, so no nonce is reused.
                Appended::Rolled(next) => place = next,
            }
        }
        wipe(&mut self.plain);
        self.entry.clear();
        if self.entry.capacity() > KEEP_MAX {
            self.entry = Vec::new();
        }
        Ok(())
    }

    /// Seals the buffer into `entry` for that place; gives the chain as it will be.
    fn seal(&mut self, place: Place) -> Chain {
        self.entry.clear();
        let mut chain = self.chain;
        let begins = self.sealing.as_ref().is_none_or(|(at, _)| *at != place);
        if begins {
            self.sealing = Some((place, FrameSealer::new(&self.key, place.id)));
        }
        let Some((_, sealer)) = &mut self.sealing else { return chain };
        let head: &[u8] = if begins { &self.header } else { &[] };
        let frames = [head].into_iter().chain(self.plain.chunks(FRAME_MAX)).filter(|frame| !frame.is_empty());
        for frame in frames {
            let start = self.entry.len();
            self.entry.extend_from_slice(&self.session.bytes());
            // A frame is at most FRAME_MAX, far under the sealer's limit, which is its only refusal.
            sealer.seal_frame(frame, &mut self.entry).expect("a frame is within the limit");
            chain = link(&chain, &self.entry[start..]);
        }
        chain
    }

    /// Writes the last frame: the recording is whole. Failing that it reads as torn, and nothing is lost.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(mut self) -> Result<(), RecordingError> {
        if !self.plain.is_empty() {
            self.commit()?;
        }
        let Some((place, sealer)) = self.sealing.take() else { return Ok(()) };
        self.entry.clear();
        self.entry.extend_from_slice(&self.session.bytes());
        sealer.finish(&mut self.entry);
        let chain = link(&self.chain, &self.entry);
        self.stream.append(place, self.session, &self.entry, chain).map(|_| ())
    }
}

/// Wipes the content, and keeps the room unless it is much.
fn wipe(buffer: &mut Vec<u8>) {
    buffer.as_mut_slice().zeroize();
    buffer.clear();
    if buffer.capacity() > KEEP_MAX {
        *buffer = Vec::new();
    }
}

impl Drop for SessionRecorder {
    fn drop(&mut self) {
        self.plain.zeroize();
    }
}

impl std::fmt::Debug for SessionRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRecorder").field("session", &self.session).finish_non_exhaustive()
    }
}
