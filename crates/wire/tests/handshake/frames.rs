//! Framing and errors: boundaries over random splits, limits, and what comes back as it was.

use bytes::BytesMut;
use daypass_wire::postgres::frame::{FrameError, Header, MESSAGE_LEN_MAX, Scanner, Step, take_message, take_startup};
use daypass_wire::postgres::message::{PgError, Severity, Sqlstate};
use proptest::prelude::*;

use crate::front::tagged;
use crate::front_logins::split;

/// Headers and bodies, put together from the steps.
fn scan(chunks: &[&[u8]]) -> (Vec<(Header, Vec<u8>)>, Scanner) {
    let (mut scanner, mut messages) = (Scanner::default(), Vec::<(Header, Vec<u8>)>::new());
    for chunk in chunks {
        let mut rest = *chunk;
        while !rest.is_empty() {
            let step = scanner.step(rest).unwrap();
            let (taken, after) = rest.split_at(step.taken());
            assert!(!taken.is_empty(), "a step takes something");
            match step {
                Step::Partial { .. } => assert!(after.is_empty()),
                Step::Header { header, .. } => messages.push((header, Vec::new())),
                Step::Body { rest, .. } => {
                    let (header, body) = messages.last_mut().unwrap();
                    body.extend_from_slice(taken);
                    assert_eq!(rest as usize, header.body_len as usize - body.len());
                }
            }
            rest = after;
        }
    }
    (messages, scanner)
}

fn messages() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..6)
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,40}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn boundaries_are_found_however_the_stream_is_cut(messages in messages(), cuts: [prop::sample::Index; 8]) {
        let stream: Vec<u8> = messages.iter().flat_map(|(tag, body)| tagged(*tag, body)).collect();
        let (scanned, scanner) = scan(&split(&stream, &cuts));
        prop_assert!(scanner.at_boundary());
        let expected: Vec<(u8, Vec<u8>)> = scanned.iter().map(|(header, body)| (header.tag, body.clone())).collect();
        prop_assert_eq!(&expected, &messages);
        let again: Vec<u8> = scanned.iter().flat_map(|(header, body)| [&header.encode()[..], body].concat()).collect();
        prop_assert_eq!(again, &stream[..]);

        let mut buffer = BytesMut::from(&stream[..]);
        for (tag, body) in &messages {
            let message = take_message(&mut buffer, 40).unwrap().unwrap();
            prop_assert_eq!((message.tag, &message.body[..]), (*tag, &body[..]));
        }
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn headers_come_back(bytes: [u8; 5]) {
        match Header::decode(bytes) {
            Ok(header) => prop_assert_eq!(header.encode(), bytes),
            Err(FrameError::Length { length, .. }) => prop_assert!(length < 4),
            Err(FrameError::TooLong { len, .. }) => prop_assert!(len > MESSAGE_LEN_MAX),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn errors_come_back(
        message in text(),
        detail in prop::option::of(text()),
        hint in prop::option::of(text()),
        position in prop::option::of(0_u32..),
    ) {
        for severity in [Severity::Error, Severity::Fatal, Severity::Panic, Severity::Warning, Severity::Notice, Severity::Debug, Severity::Info, Severity::Log] {
            let sqlstate = Sqlstate::ADMIN_SHUTDOWN;
            let error = PgError { severity, sqlstate, message: message.clone(), detail: detail.clone(), hint: hint.clone(), position };
            let mut out = BytesMut::new();
            error.encode(&mut out);
            let is_error = matches!(severity, Severity::Error | Severity::Fatal | Severity::Panic);
            prop_assert_eq!(out[0], if is_error { b'E' } else { b'N' });
            let taken = take_message(&mut out, u32::MAX).unwrap().unwrap();
            prop_assert_eq!(PgError::parse(&taken.body), Ok(error));
        }
    }

    #[test]
    fn parsing_random_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = PgError::parse(&bytes);
        let mut buffer = BytesMut::from(&bytes[..]);
        let before = buffer.len();
        if take_startup(&mut buffer).is_ok_and(|packet| packet.is_none()) {
            prop_assert_eq!(buffer.len(), before);
        }
    }
}

#[test]
fn a_lost_stream_stays_lost() {
    let mut scanner = Scanner::default();
    let lost = FrameError::Length { tag: b'Q', length: 3 };
    assert_eq!(scanner.step(b"Q\0\0\0\x03SELECT"), Err(lost));
    assert_eq!(scanner.step(b"Q\0\0\0\x04"), Err(lost));
    assert!(!scanner.at_boundary());
}

#[test]
fn limits() {
    let too_long = |tag, len, max| Some(FrameError::TooLong { tag, len, max });
    assert_eq!(Header::decode(*b"D\x40\0\0\x04"), Ok(Header { tag: b'D', body_len: MESSAGE_LEN_MAX }));
    assert_eq!(Header::decode(*b"D\x40\0\0\x05").err(), too_long(b'D', MESSAGE_LEN_MAX + 1, MESSAGE_LEN_MAX));
    // Refused as soon as the header is there.
    assert_eq!(take_message(&mut BytesMut::from(&b"p\0\0\0\x0f"[..]), 10).err(), too_long(b'p', 11, 10));
    assert_eq!(take_message(&mut BytesMut::from(&b"p\0\0\0\x0e"[..]), 10), Ok(None));
}

/// A zero inside a text of ours must not shift what follows it.
#[test]
fn zeros_in_texts_are_left_out() {
    let mut out = BytesMut::new();
    PgError::fatal(Sqlstate::INTERNAL_ERROR, "a\0Hb").with_hint("c").encode(&mut out);
    let parsed = PgError::parse(&out[5..]).unwrap();
    assert_eq!((parsed.message.as_str(), parsed.hint.as_deref()), ("aHb", Some("c")));
}

#[test]
fn incomplete_errors_are_refused() {
    for body in
        [&b""[..], b"\0", b"SFATAL\0C57P01\0", b"SFATAL\0C57P01\0\0", b"SFATAL\0Cabc\0Mx\0\0", b"SWHAT\0C57P01\0Mx\0\0"]
    {
        assert!(matches!(PgError::parse(body), Err(FrameError::Truncated(_))), "{}", body.escape_ascii());
    }
    // Translated words are passed over for the untranslated one.
    let parsed = PgError::parse(b"SFATALE\0VFATAL\0C57P01\0Mx\xff\0F\0L1\0\0").unwrap();
    assert_eq!(parsed, PgError::fatal(Sqlstate::ADMIN_SHUTDOWN, "x\u{fffd}"));
}
