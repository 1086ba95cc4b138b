//! Whatever an upstream answers to whatever a client sends, the relay passes both on byte for byte or ends the session.
//!
//! The input is pieces: a byte that says who sends (even: the client) and how long the piece is, and the piece. 255 ends the session from our side.
#![no_main]

use bytes::Bytes;
use daypass_wire::postgres::error::{PgError, Sqlstate};
use daypass_wire::postgres::relay::{Output, RecordMode, Relay, State};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut relay = Relay::new(RecordMode::Full);
    let (mut rest, mut sent, mut got) = (input, [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let (mut ours, mut closed) = (Vec::new(), false);
    while let [head, tail @ ..] = rest {
        let (piece, tail) = tail.split_at(tail.len().min(usize::from(head / 2)));
        rest = tail;
        let bytes = Bytes::copy_from_slice(piece);
        match head {
            255 => relay.end(&PgError::fatal(Sqlstate::ADMIN_SHUTDOWN, "over")),
            head if head % 2 == 0 => relay.from_client(bytes),
            _ => relay.from_upstream(bytes),
        }
        if !closed && *head != 255 {
            sent[usize::from(head % 2)].extend_from_slice(piece);
        }
        let mut last = Vec::new();
        while let Some(output) = relay.poll() {
            assert!(!closed, "something follows the end");
            match output {
                Output::ToUpstream(bytes) => got[0].extend_from_slice(&bytes),
                Output::ToClient(bytes) => last.push(bytes),
                Output::Record(_) => {}
                Output::Close(_) => closed = true,
            }
        }
        for bytes in last {
            // At the end we may say why.
            if closed && is_ours(&bytes) {
                ours.push(bytes);
            } else {
                got[1].extend_from_slice(&bytes);
            }
        }
        assert!(ours.len() <= 1);
        let _: State = relay.state();
    }
    assert!(sent[0].starts_with(&got[0]) && sent[1].starts_with(&got[1]));
    if !closed {
        assert_eq!(sent, got);
    }
});

/// An error as we write them.
fn is_ours(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'E') && bytes.get(5..13) == Some(b"SFATAL\0V".as_slice())
}
