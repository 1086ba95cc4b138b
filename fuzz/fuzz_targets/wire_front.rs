//! Whatever a client sends, however it is cut: the door doesn't panic, lets nobody in without a proof, and says the same.
//!
//! The input's first byte says whether TLS is in place (bit 0), and how long a chunk is (the rest).
#![no_main]

use daypass_wire::postgres::front::{Ask, Credential, Front, Output, Start};
use daypass_wire::scram::{Nonce, ServerBinding, mock_verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [how, stream @ ..] = input else { return };
    let chunk = usize::from(how >> 1) + 1;
    if how & 1 == 0 {
        // Only what is cut off before TLS differs, since a driver leaves it to TLS.
        drive(Start::Plain, stream, chunk);
    } else {
        let whole = drive(Start::Tls, stream, stream.len().max(1));
        assert_eq!(drive(Start::Tls, stream, chunk), whole);
    }
});

/// What goes to the client, and how it closes.
fn drive(start: Start, stream: &[u8], chunk: usize) -> (Vec<u8>, Vec<String>) {
    let mut front = Front::new(start);
    let (mut sent, mut closed) = (Vec::new(), Vec::new());
    for chunk in stream.chunks(chunk) {
        front.from_client(chunk);
        while let Some(output) = front.poll() {
            assert!(closed.is_empty() || matches!(output, Output::Cancel(_) | Output::Close(_)), "more after the end");
            match output {
                Output::ToClient(bytes) => sent.extend_from_slice(&bytes),
                Output::StartTls => front.tls_started().expect("it asked for TLS"),
                Output::Ask(Ask::Credential { user }) => {
                    let nonce = Nonce::from_random([7; 18]);
                    let binding = ServerBinding::Offered(vec![1; 32]);
                    let credential = Credential { verifier: mock_verifier(&[2; 32], &user), nonce, binding };
                    front.credential(credential).expect("it asked for a credential");
                }
                Output::Ask(Ask::Open(door)) => panic!("nobody's proof was taken: {door:?}"),
                Output::Cancel(key) => closed.push(format!("{key:?}")),
                Output::Close(reason) => closed.push(format!("{reason:?}")),
            }
        }
    }
    (sent, closed)
}
