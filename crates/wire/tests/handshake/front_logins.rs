//! The client's door: whole logins with an independent client, random splits, random bytes.

use bytes::BytesMut;
use daypass_wire::postgres::cancel::CancelKey;
use daypass_wire::postgres::front::{Ask, Credential, Front, Output, Reason, Start};
use daypass_wire::postgres::message::{PgError, Sqlstate};
use daypass_wire::scram::{Nonce, ServerBinding};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use proptest::prelude::*;

use crate::front::{PASSWORD, admission, credential, sasl_first, sasl_last, ssl_request, startup, tagged};
use crate::shown;

/// What a whole login of `postgres-protocol`'s client sees, and how it closes, if it does.
fn login(password: &[u8], user: &str, binding: ServerBinding, theirs: ChannelBinding) -> (Vec<String>, Option<Reason>) {
    let mut front = Front::new(Start::Plain);
    let mut client = ScramSha256::new(password, theirs);
    let (mut seen, mut reply) = (Vec::new(), BytesMut::new());
    frontend::ssl_request(&mut reply);
    loop {
        front.from_client(&reply.split());
        while let Some(output) = front.poll() {
            match output {
                Output::ToClient(bytes) if &bytes[..] == b"S" => {}
                Output::ToClient(bytes) => {
                    seen.push(shown::from_server(&bytes));
                    let mut bytes = BytesMut::from(&bytes[..]);
                    while let Some(message) = Message::parse(&mut bytes).unwrap() {
                        answer(&mut client, message, &binding, &mut reply);
                    }
                }
                Output::StartTls => {
                    front.tls_started().unwrap();
                    frontend::startup_message([("user", user), ("database", "orders")], &mut reply).unwrap();
                }
                Output::Ask(Ask::Credential { user }) => {
                    let Credential { verifier, .. } = credential(&user);
                    let nonce = Nonce::from_random([3; 18]);
                    front.credential(Credential { verifier, nonce, binding: binding.clone() }).unwrap();
                }
                Output::Ask(Ask::Open(door)) => {
                    assert_eq!((door.user.as_str(), door.resource.as_str()), (user, "orders"));
                    front.notice(&PgError::fatal(Sqlstate::WARNING, "waits for an approval")).unwrap();
                    front.admit(admission()).unwrap();
                }
                Output::Cancel(_) => panic!("nothing is cancelled here"),
                Output::Close(reason) => return (seen, Some(reason)),
            }
        }
        if front.is_admitted() {
            return (seen, None);
        }
        assert!(!reply.is_empty(), "both wait: {seen:?}");
    }
}

fn answer(client: &mut ScramSha256, message: Message, binding: &ServerBinding, reply: &mut BytesMut) {
    match message {
        Message::AuthenticationSasl(_) => {
            let mechanism = binding.mechanisms()[0].name();
            frontend::sasl_initial_response(mechanism, client.message(), reply).unwrap();
        }
        Message::AuthenticationSaslContinue(body) => {
            client.update(body.data()).unwrap();
            frontend::sasl_response(client.message(), reply).unwrap();
        }
        Message::AuthenticationSaslFinal(body) => client.finish(body.data()).unwrap(),
        _ => {}
    }
}

#[test]
fn an_independent_client_gets_in() {
    let plain = login(PASSWORD, "alice", ServerBinding::Unavailable, ChannelBinding::unsupported());
    let hash = vec![7; 32];
    let theirs = ChannelBinding::tls_server_end_point(hash.clone());
    let bound = login(PASSWORD, "alice", ServerBinding::Offered(hash), theirs);
    for ((seen, reason), offer) in [(plain, "SCRAM-SHA-256"), (bound, "SCRAM-SHA-256-PLUS SCRAM-SHA-256")] {
        assert_eq!(reason, None);
        assert_eq!(
            seen,
            [
                &format!("AuthenticationSASL {offer}"),
                "AuthenticationSASLContinue",
                // The notice behind AuthenticationOk, and in front of ReadyForQuery, for pgJDBC.
                "AuthenticationSASLFinal; AuthenticationOk",
                "Notice SNOTICE | C01000 | Mwaits for an approval; ParameterStatus server_version=17.2; \
                 BackendKeyData 16777293 0xabababab; ReadyForQuery I",
            ]
        );
    }
}

/// Who doesn't exist meets the same messages and the same words.
#[test]
fn a_wrong_secret_and_an_unknown_user_look_alike() {
    let none = || (ServerBinding::Unavailable, ChannelBinding::unsupported());
    let (wrong, wrong_reason) = login(b"wrong", "alice", none().0, none().1);
    let (unknown, unknown_reason) = login(b"wrong", "maeve", none().0, none().1);
    let unknown: Vec<String> = unknown.iter().map(|seen| seen.replace("maeve", "alice")).collect();
    assert_eq!(wrong, unknown);
    assert!(matches!((wrong_reason, unknown_reason), (Some(Reason::WrongProof(_)), Some(Reason::WrongProof(_)))));
    // Nor does a mock accept anything.
    let (_, reason) = login(PASSWORD, "maeve", none().0, none().1);
    assert!(matches!(reason, Some(Reason::WrongProof(_))));
}

#[test]
fn another_certificate_in_between_is_found() {
    let theirs = ChannelBinding::tls_server_end_point(vec![8; 32]);
    let (seen, reason) = login(PASSWORD, "alice", ServerBinding::Offered(vec![7; 32]), theirs);
    assert!(matches!(reason, Some(Reason::Refused(error)) if error.sqlstate == Sqlstate::INVALID_AUTHORIZATION));
    assert!(seen.last().unwrap().contains("something between terminates TLS"), "{seen:?}");
}

#[test]
fn cancel_requests_of_an_independent_client() {
    for start in [Start::Plain, Start::Tls] {
        let mut packet = BytesMut::new();
        frontend::cancel_request(admission().key.process_id(), i32::from_be_bytes([0xab; 4]), &mut packet);
        let mut front = Front::new(start);
        front.from_client(&packet);
        let Some(Output::Cancel(key)) = front.poll() else { panic!("no cancel") };
        assert!(key.is(&admission().key));
        assert!(matches!(front.poll(), Some(Output::Close(Reason::Cancel))));
    }
    assert!(CancelKey::decode(0, &[0; 4]).is_none());
}

/// Feeds the chunks, and answers everything as a driver does. Gives what went to the client, what happened, and the leftover.
fn drive(mut front: Front, chunks: &[&[u8]]) -> (Vec<u8>, Vec<String>, Vec<u8>) {
    let (mut sent, mut happened) = (Vec::new(), Vec::new());
    for chunk in chunks {
        front.from_client(chunk);
        while let Some(output) = front.poll() {
            match output {
                Output::ToClient(bytes) => sent.extend_from_slice(&bytes),
                Output::StartTls => front.tls_started().unwrap(),
                Output::Ask(Ask::Credential { user }) => {
                    happened.push(format!("credential of {user}"));
                    front.credential(credential(&user)).unwrap();
                }
                Output::Ask(Ask::Open(door)) => {
                    happened.push(format!("{door:?}"));
                    front.admit(admission()).unwrap();
                }
                other => happened.push(format!("{other:?}")),
            }
        }
    }
    (sent, happened, front.into_leftover().to_vec())
}

/// The pieces between these places.
pub fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// A whole login with a query behind it, in which one byte may be another.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let good = [startup(), sasl_first(), sasl_last().1, tagged(b'Q', b"SELECT 1\0")].concat();
    (any::<prop::sample::Index>(), prop_oneof![Just(0), any::<u8>()]).prop_map(move |(at, flip)| {
        let mut stream = good.clone();
        let at = at.index(stream.len());
        stream[at] ^= flip;
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn splits_change_nothing(stream in stream(), cuts: [prop::sample::Index; 6]) {
        let whole = drive(Front::new(Start::Tls), &[&stream]);
        prop_assert_eq!(drive(Front::new(Start::Tls), &split(&stream, &cuts)), whole);
    }

    #[test]
    fn random_bytes_give_nothing_but_refusals(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts: [prop::sample::Index; 3]) {
        for start in [Start::Plain, Start::Tls] {
            let (_, happened, _) = drive(Front::new(start), &split(&bytes, &cuts));
            prop_assert!(!happened.iter().any(|what| what.starts_with("Door")), "{:?}", happened);
        }
    }

    #[test]
    fn random_bytes_behind_a_startup_packet(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_, happened, _) = drive(Front::new(Start::Tls), &[&startup(), &bytes]);
        prop_assert!(!happened.iter().any(|what| what.starts_with("Door")), "{:?}", happened);
    }
}

/// Only the split tells these apart: what comes before TLS is in place is never taken for what TLS protects.
#[test]
fn what_is_sent_in_clear_behind_an_ssl_request_is_never_used() {
    let behind = [ssl_request(), startup()].concat();
    for cut in 8..behind.len() {
        let mut front = Front::new(Start::Plain);
        front.from_client(&behind[..cut]);
        front.from_client(&behind[cut..]);
        let outputs: Vec<Output> = std::iter::from_fn(|| front.poll()).collect();
        assert!(matches!(outputs.last(), Some(Output::Close(Reason::Refused(_)))), "{cut}: {outputs:?}");
        assert!(!outputs.iter().any(|output| matches!(output, Output::Ask(_))), "{cut}: {outputs:?}");
    }
}
