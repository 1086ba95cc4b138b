//! Whatever a client sends, the relay passes it on byte for byte or ends the session, and however the stream is cut the records are the same.
//!
//! The input's first byte says how much is recorded, the second how the stream is cut; the rest is what the client sends.
#![no_main]

use bytes::Bytes;
use daypass_wire::postgres::redact::redact_value;
use daypass_wire::postgres::relay::{CloseReason, Output, RecordMode, Relay};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [mode, cut, stream @ ..] = input else { return };
    let mode = [RecordMode::Full, RecordMode::Text, RecordMode::Digest][usize::from(mode % 3)];
    let whole = passed(mode, stream, stream.len().max(1));
    let pieces = passed(mode, stream, usize::from(*cut).max(1));
    match &whole.closed {
        None => assert_eq!(whole.bytes, stream),
        Some(CloseReason::ClientLeft) => assert!(stream.starts_with(&whole.bytes)),
        // What broke the protocol was held back with what came in the same read; what came before it was passed.
        Some(_) => assert!(stream.starts_with(&pieces.bytes)),
    }
    assert_eq!(whole.closed, pieces.closed);
    assert_eq!(whole.records, pieces.records);
    if whole.closed.is_none() {
        assert_eq!(pieces.bytes, stream);
    }
    redact_value(stream);
});

#[derive(Default)]
struct Passed {
    bytes: Vec<u8>,
    records: Vec<Output>,
    closed: Option<CloseReason>,
}

fn passed(mode: RecordMode, stream: &[u8], piece: usize) -> Passed {
    let (mut relay, mut out) = (Relay::new(mode), Passed::default());
    for piece in stream.chunks(piece) {
        relay.from_client(Bytes::copy_from_slice(piece));
        while let Some(output) = relay.poll() {
            assert_eq!(out.closed, None, "something follows the end");
            match output {
                Output::ToUpstream(bytes) => out.bytes.extend_from_slice(&bytes),
                Output::ToClient(bytes) => assert_eq!(bytes[0], b'E'),
                Output::Record(_) => out.records.push(output),
                Output::Close(reason) => out.closed = Some(reason),
            }
        }
    }
    out
}
