//! The target's handshake: whole logins against a scripted server, bindings, limits, random splits, random bytes.

use daypass_wire::postgres::back::{Back, BackError, COLLECTED_LEN_MAX, Encryption, Errand, Output, TlsBinding};
use daypass_wire::postgres::message::{self, Authentication, PgError};
use daypass_wire::scram::{Mechanism, ScramError, ServerBinding};
use proptest::prelude::*;

use crate::back::{all_shown, auth, challenge, login, script, sent, written};
use crate::front::{body_of, tagged};
use crate::front_logins::split;

/// In TLS, with the startup packet sent.
fn in_tls(binding: TlsBinding) -> Back {
    let mut back = Back::new(Errand::Login(login()), Encryption::Required);
    back.from_upstream(b"S");
    back.tls_started(binding).unwrap();
    sent(&mut back);
    back
}

/// AuthenticationOk and what follows, with a notification behind ReadyForQuery.
fn after_authentication() -> Vec<u8> {
    written(|out| {
        message::authentication(out, Authentication::Ok);
        message::parameter_status(out, b"server_version", b"17.2");
        PgError::notice("welcome").encode(out);
        message::backend_key_data(out, 4711, &[7; 32]);
        message::parameter_status(out, b"TimeZone", b"UTC");
        message::ready_for_query(out, b'I');
        out.extend_from_slice(&tagged(b'A', b"\0\0\0\x01c\0p\0"));
    })
}

/// A login with what the target offers and what our TLS gives.
fn log_in(ours: TlsBinding, target: ServerBinding, offers: &[Mechanism]) -> Result<Vec<String>, BackError> {
    let mut back = in_tls(ours);
    back.from_upstream(&auth(Authentication::Sasl(offers)));
    let mut initial = Vec::new();
    while let Some(output) = back.poll() {
        match output {
            Output::ToUpstream(bytes) => initial.extend_from_slice(&bytes),
            Output::Failed(error) => return Err(error),
            other => panic!("{other:?}"),
        }
    }
    let (awaiting, challenge) = challenge(&initial, target);
    back.from_upstream(&auth(Authentication::SaslContinue(&challenge)));
    let signature = awaiting.client_final(&body_of(b'p', &sent(&mut back))).map_err(BackError::Scram)?;
    back.from_upstream(&auth(Authentication::SaslFinal(&signature)));
    back.from_upstream(&after_authentication());
    let shown = all_shown(&mut back);
    assert_eq!(back.into_leftover(), tagged(b'A', b"\0\0\0\x01c\0p\0"));
    Ok(shown)
}

#[test]
fn logins_with_every_binding() {
    let (plain, plus) = (Mechanism::ScramSha256, Mechanism::ScramSha256Plus);
    let hash = vec![7; 32];
    let ours = TlsBinding::EndPoint(hash.clone());
    let ready = "Ready TargetKey { pid: 4711, .. } [ParameterStatus server_version=17.2; Notice SNOTICE | C00000 | Mwelcome; \
                 ParameterStatus TimeZone=UTC] I";
    let in_ = Ok(vec![ready.to_owned()]);
    assert_eq!(log_in(ours.clone(), ServerBinding::Required(hash.clone()), &[plus, plain]), in_);
    assert_eq!(log_in(ours.clone(), ServerBinding::Required(hash.clone()), &[plus]), in_);
    assert_eq!(log_in(ours.clone(), ServerBinding::Unavailable, &[plain]), in_);
    assert_eq!(log_in(TlsBinding::Unavailable, ServerBinding::Unavailable, &[plain]), in_);
    // Another certificate than the target's: something in between.
    let other = log_in(ours, ServerBinding::Required(vec![8; 32]), &[plus, plain]);
    assert_eq!(other, Err(BackError::Scram(ScramError::BindingMismatch)));
}

/// An offer taken away in between is found by the target: we say that we could have bound.
#[test]
fn a_removed_offer_is_found() {
    let mut back = in_tls(TlsBinding::EndPoint(vec![7; 32]));
    back.from_upstream(&auth(Authentication::Sasl(&[Mechanism::ScramSha256])));
    let body = body_of(b'p', &sent(&mut back));
    let first = &body["SCRAM-SHA-256".len() + 5..];
    let target = crate::back::exchange(ServerBinding::Offered(vec![7; 32]));
    assert_eq!(target.client_first(Mechanism::ScramSha256, first).err(), Some(ScramError::Downgrade));
}

#[test]
fn only_what_is_the_clients_goes_into_the_startup_packet() {
    let mut back = Back::new(Errand::Login(login()), Encryption::PlaintextAllowed);
    assert_eq!(sent(&mut back), b"\0\0\0\x08\x04\xd2\x16\x2f");
    back.from_upstream(b"N");
    let packet = sent(&mut back);
    let expected: &[u8] = b"\0\x03\0\0user\0dp_alice_g7\0database\0sales\0application_name\0daypass session 12\0\
        client_encoding\0LATIN1\0options\0-c a=\xff\0DateStyle\0ISO\0\0";
    assert_eq!(packet[4..].escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert_eq!(u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize, packet.len());
}

#[test]
fn settings_and_notices_are_bounded() {
    let mut back = Back::new(Errand::Login(login()), Encryption::Required);
    back.from_upstream(b"S");
    back.tls_started(TlsBinding::Unavailable).unwrap();
    let script = script();
    for bytes in [&script.offer, &script.challenge, &script.signature, &auth(Authentication::Ok)] {
        back.from_upstream(bytes);
    }
    sent(&mut back);
    let status = written(|out| message::parameter_status(out, b"a", &[b'x'; 990]));
    for _ in 0..COLLECTED_LEN_MAX / status.len() {
        back.from_upstream(&status);
    }
    assert!(back.poll().is_none());
    back.from_upstream(&status);
    assert!(matches!(back.poll(), Some(Output::Failed(BackError::TooTalkative))));
}

#[test]
fn a_cancel_goes_the_same_way() {
    let script = script();
    let mut back = in_tls(TlsBinding::Unavailable);
    for bytes in [&script.offer, &script.challenge, &script.signature, &after_authentication()] {
        back.from_upstream(bytes);
    }
    let ready = std::iter::from_fn(|| back.poll()).find_map(|output| match output {
        Output::Ready(ready) => Some(ready),
        _ => None,
    });
    let mut back = Back::new(Errand::Cancel(ready.expect("ready").key), Encryption::Required);
    sent(&mut back);
    back.from_upstream(b"S");
    assert_eq!(all_shown(&mut back), ["StartTls"]);
    back.tls_started(TlsBinding::Unavailable).unwrap();
    let Some(Output::ToUpstream(packet)) = back.poll() else { panic!("no packet") };
    let expected = [&44_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &4711_u32.to_be_bytes(), &[7; 32]];
    assert_eq!(packet, expected.concat());
    assert_eq!(all_shown(&mut back), ["CancelSent"]);
}

/// What the machine says from the startup packet on, and its leftover.
fn drive(chunks: &[&[u8]]) -> (Vec<u8>, Vec<String>, Vec<u8>) {
    let mut back = in_tls(TlsBinding::Unavailable);
    let (mut bytes_sent, mut happened) = (Vec::new(), Vec::new());
    for chunk in chunks {
        back.from_upstream(chunk);
        while let Some(output) = back.poll() {
            match output {
                Output::ToUpstream(bytes) => bytes_sent.extend_from_slice(&bytes),
                other => happened.push(format!("{other:?}")),
            }
        }
    }
    (bytes_sent, happened, back.into_leftover().to_vec())
}

/// A whole login, in which one byte may be another.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let script = script();
    let good = [script.offer, script.challenge, script.signature, after_authentication()].concat();
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
        let whole = drive(&[&stream]);
        prop_assert_eq!(drive(&split(&stream, &cuts)), whole);
    }

    #[test]
    fn random_bytes_never_give_a_session(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts: [prop::sample::Index; 3]) {
        let (_, happened, _) = drive(&split(&bytes, &cuts));
        prop_assert!(!happened.iter().any(|what| what.starts_with("Ready")), "{:?}", happened);
        let mut back = Back::new(Errand::Login(login()), Encryption::PlaintextAllowed);
        split(&bytes, &cuts).iter().for_each(|chunk| back.from_upstream(chunk));
        prop_assert!(!all_shown(&mut back).iter().any(|what| what.starts_with("Ready")));
    }
}
