//! Whatever a target sends, however it is cut: the handshake doesn't panic, gives no session without the target's proof, and says
//! the same. So does what reads errors, frames and startup packets.
//!
//! The input's first byte says whether TLS is in place (bit 0), and how long a chunk is (the rest).
#![no_main]

use daypass_wire::postgres::back::{Back, Encryption, Errand, Login, Output, TlsBinding};
use daypass_wire::postgres::error::PgError;
use daypass_wire::postgres::frame::Scanner;
use daypass_wire::scram::{ClientSecret, Nonce};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [how, stream @ ..] = input else { return };
    let chunk = usize::from(how >> 1) + 1;
    let _ = PgError::parse(stream);
    scan(stream);
    if how & 1 == 0 {
        // Only what is cut off before TLS differs, since a driver leaves it to TLS.
        drive(back(), stream, chunk);
    } else {
        let whole = drive(in_tls(), stream, stream.len().max(1));
        assert_eq!(drive(in_tls(), stream, chunk), whole);
    }
});

fn back() -> Back {
    let login = Login {
        user: "dp_alice".to_owned(),
        secret: ClientSecret::password(b"made for one grant"),
        database: "sales".to_owned(),
        application_name: "daypass".to_owned(),
        parameters: Vec::new(),
        nonce: Nonce::from_random([7; 18]),
    };
    Back::new(Errand::Login(login), Encryption::PlaintextAllowed)
}

fn in_tls() -> Back {
    let mut back = back();
    back.from_upstream(b"S");
    back.tls_started(TlsBinding::EndPoint(vec![1; 32])).expect("it asked for TLS");
    back
}

/// What goes to the target, and how it fails.
fn drive(mut back: Back, stream: &[u8], chunk: usize) -> (Vec<u8>, Vec<String>) {
    let (mut sent, mut failed) = (Vec::new(), Vec::new());
    for chunk in stream.chunks(chunk) {
        back.from_upstream(chunk);
        while let Some(output) = back.poll() {
            assert!(failed.is_empty(), "more after the end");
            match output {
                Output::ToUpstream(bytes) => sent.extend_from_slice(&bytes),
                Output::StartTls => {
                    // When more came with the answer, it has failed already.
                    let _ = back.tls_started(TlsBinding::Unavailable);
                }
                Output::Ready(ready) => panic!("no proof was given: {ready:?}"),
                Output::CancelSent => panic!("it was to log in"),
                Output::Failed(error) => failed.push(format!("{error:?}")),
            }
        }
    }
    (sent, failed)
}

/// Every step takes something, until the stream ends or is lost.
fn scan(mut stream: &[u8]) {
    let mut scanner = Scanner::default();
    while !stream.is_empty() {
        let Ok(step) = scanner.step(stream) else { return };
        assert!(step.taken() > 0);
        stream = &stream[step.taken()..];
    }
}
