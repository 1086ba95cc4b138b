//! What records hold: limits, modes, and no passwords.

use aws_lc_rs::digest::{SHA256, digest};
use daypass_wire::postgres::relay::{Captured, Format, Output, Parameter, Record, RecordMode, TEXT_MAX, Value};

use crate::*;

fn starts(driven: &Driven) -> Vec<Start> {
    driven
        .log
        .iter()
        .filter_map(|output| match output {
            Output::Record(Record::Start(start)) => Some(start.clone()),
            Output::Record(_) | Output::ToClient(_) | Output::ToUpstream(_) | Output::Close(_) => None,
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    digest(&SHA256, bytes).as_ref().try_into().ok()
}

fn captured(mode: RecordMode, messages: &[u8], piece: usize) -> Option<Captured> {
    let mut driven = Driven::with(mode);
    for piece in messages.chunks(piece) {
        driven.client(&[piece.to_vec()]);
    }
    assert_eq!(driven.bytes().0, messages);
    starts(&driven)[0].text.clone()
}

#[test]
fn a_text_is_kept_up_to_the_limit_whatever_the_pieces() {
    for (extra, whole) in [(0, true), (1, false), (3_000_000, false)] {
        let sql = "x".repeat(TEXT_MAX + extra);
        for message in [query(&sql), parse("name", &sql)] {
            let head = Bytes::from(sql.as_bytes()[..TEXT_MAX].to_vec());
            for piece in [message.len(), 65_536, 4_093] {
                match captured(RecordMode::Full, &message, piece) {
                    Some(Captured::Whole(text)) if whole => assert_eq!(text, head),
                    Some(Captured::Truncated { head: got, len, sha256: hash }) if !whole => {
                        assert_eq!((len, hash), (sql.len() as u64, sha256(sql.as_bytes())));
                        assert_eq!(got, head);
                    }
                    other => panic!("{extra} {piece} {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_long_text_that_hints_at_a_password_anywhere_has_no_digest() {
    let pad = "x ".repeat(TEXT_MAX);
    for sql in
        [format!("ALTER ROLE a PASSWORD 'hunter2'; {pad}"), format!("{pad}; ALTER ROLE a PASSWORD 'hunter2'; {pad}")]
    {
        for piece in [usize::MAX, 65_536, 7_919] {
            let Some(Captured::Truncated { head, sha256, .. }) = captured(RecordMode::Text, &query(&sql), piece) else {
                panic!()
            };
            assert_eq!(sha256, None);
            assert!(!show(&head).contains("hunter2"));
        }
    }
}

#[test]
fn a_hint_is_seen_wherever_pieces_cut_it() {
    let pad = "x".repeat(TEXT_MAX + 100);
    let message = query(&format!("{pad} passwd {pad}"));
    for cut in TEXT_MAX + 100..TEXT_MAX + 120 {
        let mut driven = Driven::default();
        driven.client(&[message[..cut].to_vec()]);
        driven.client(&[message[cut..cut + 1].to_vec()]).client(&[message[cut + 1..].to_vec()]);
        assert!(matches!(starts(&driven)[0].text, Some(Captured::Truncated { sha256: None, .. })), "{cut}");
    }
}

#[test]
fn digests_are_of_the_text_without_its_passwords() {
    let digest = captured(RecordMode::Digest, &query("SELECT 1"), usize::MAX);
    assert_eq!(digest, Some(Captured::Digest { len: 8, sha256: sha256(b"SELECT 1") }));
    let secret = captured(RecordMode::Digest, &query("ALTER ROLE a PASSWORD 'x'"), usize::MAX);
    let clean = sha256(b"ALTER ROLE a PASSWORD '[redacted]'");
    assert_eq!(secret, Some(Captured::Digest { len: 25, sha256: clean }));
}

#[test]
fn parameters_are_told_in_full_mode_only() {
    for mode in [RecordMode::Full, RecordMode::Text, RecordMode::Digest] {
        let mut driven = Driven::with(mode);
        driven.client(&[bind("", "", &[Some(b"7"), None, Some(b"")])]);
        let text = |value| Parameter { format: Format::Text, value };
        let all =
            vec![text(Value::Whole(Bytes::from_static(b"7"))), text(Value::Null), text(Value::Whole(Bytes::new()))];
        assert_eq!(starts(&driven)[0].parameters, (mode == RecordMode::Full).then_some(all));
    }
}

#[test]
fn formats_are_for_all_or_each() {
    let values = [0, 2, 0, 0, 0, 1, b'a', 0, 0, 0, 1, b'b', 0, 0];
    for (formats, expected) in [
        (&[0, 1, 0, 1][..], [Format::Binary, Format::Binary]),
        (&[0, 2, 0, 0, 0, 1][..], [Format::Text, Format::Binary]),
        (&[0, 2, 0, 1, 0, 9][..], [Format::Binary, Format::Other(9)]),
    ] {
        let mut driven = Driven::default();
        driven.client(&[message(b'B', &[b"\0\0", formats, &values])]);
        let parameters = starts(&driven)[0].parameters.clone().unwrap();
        assert_eq!(parameters.iter().map(|parameter| parameter.format).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_large_parameter_is_cut() {
    let large = vec![b'v'; 3 << 20];
    let message = bind("", "", &[Some(b"7"), Some(&large), Some(b"8")]);
    let mut driven = Driven::default();
    driven.client(&[message[..500_000].to_vec()]).client(&[message[500_000..].to_vec()]);
    let parameters = starts(&driven)[0].parameters.clone().unwrap();
    let [_, Parameter { value: Value::Truncated { head, len }, .. }] = &parameters[..] else {
        panic!("{parameters:?}")
    };
    assert_eq!(*len, 3 << 20);
    assert!(head.len() < TEXT_MAX && head.len() > TEXT_MAX - 100);
}

fn values(start: &Start) -> Vec<Value> {
    start.parameters.iter().flatten().map(|parameter| parameter.value.clone()).collect()
}

#[test]
fn parameters_of_a_statement_that_mentions_a_password_are_left_out() {
    let mut driven = Driven::default();
    driven.client(&[
        parse("set", "SELECT set_password($1)"),
        parse("other", "SELECT $1"),
        bind("", "set", &[Some(b"hunter2"), None]),
        bind("", "other", &[Some(b"plain")]),
    ]);
    let starts = starts(&driven);
    assert_eq!(values(&starts[2]), [Value::Redacted, Value::Null]);
    assert_eq!(values(&starts[3]), [Value::Whole(Bytes::from_static(b"plain"))]);
}

#[test]
fn a_name_is_secret_until_the_upstream_took_another_text_for_it() {
    let mut driven = Driven::default();
    let value = [Some(&b"hunter2"[..])];
    driven.client(&[parse("", "SELECT set_password($1)"), bind("", "", &value), sync()]);
    driven.upstream(&[bare(b'1'), bare(b'2'), ready()]);
    // This Parse fails, so the Bind after the Sync would still mean the first.
    driven.client(&[parse("", "SELEKT $1"), sync()]).upstream(&[failure("no"), ready()]);
    driven.client(&[bind("", "", &value), sync()]).upstream(&[bare(b'2'), ready()]);
    driven.client(&[parse("", "SELECT $1"), sync()]).upstream(&[bare(b'1'), ready()]);
    driven.client(&[bind("", "", &[Some(b"plain")]), sync()]);
    let values: Vec<_> = starts(&driven).iter().flat_map(values).collect();
    assert_eq!(values, [Value::Redacted, Value::Redacted, Value::Whole(Bytes::from_static(b"plain"))]);
}

#[test]
fn names_are_told_apart_as_postgresql_does() {
    let (name, same) = (format!("{}a", "n".repeat(63)), format!("{}b", "n".repeat(63)));
    let mut driven = Driven::default();
    driven.client(&[parse(&name, "SELECT set_password($1)"), bind("", &same, &[Some(b"hunter2")])]);
    assert_eq!(values(&starts(&driven)[1]), [Value::Redacted]);
}

#[test]
fn with_too_many_secret_names_every_parameter_is_left_out() {
    let mut driven = Driven::default();
    let many: Vec<_> = (0..1_025).map(|n| parse(&n.to_string(), "SELECT set_password($1)")).collect();
    driven.client(&many[..1_024]).client(&[bind("", "x", &[Some(b"plain")])]);
    driven.client(&many[1_024..]).client(&[bind("", "x", &[Some(b"plain")])]);
    let starts = starts(&driven);
    assert_eq!(values(&starts[1_024]), [Value::Whole(Bytes::from_static(b"plain"))]);
    assert_eq!(values(&starts[1_026]), [Value::Redacted]);
}

#[test]
fn a_parameter_that_is_sql_or_a_connection_string_loses_its_password() {
    let mut driven = Driven::default();
    driven.client(&[bind("", "", &[Some(b"ALTER ROLE a PASSWORD 'hunter2'"), Some(b"host=x password=hunter2")])]);
    let values = values(&starts(&driven)[0]);
    let expected = [&b"ALTER ROLE a PASSWORD '[redacted]'"[..], b"host=x password='[redacted]'"];
    assert_eq!(values, expected.map(|value| Value::Whole(Bytes::from_static(value))));
}

#[test]
fn an_error_that_may_quote_a_password_loses_its_words() {
    let mut driven = Driven::default();
    driven
        .client(&[query("ALTER ROLE a PASSWORD hunter2")])
        .upstream(&[failure("syntax error at or near \"hunter2\""), ready()]);
    assert_eq!(driven.records(), ["1 simple ALTER ROLE a PASSWORD '[redacted]'", "1 failed 42601 -"]);
}

#[test]
fn debugging_prints_no_texts() {
    let mut driven = Driven::default();
    driven.client(&[query("SELECT 'topsecret'"), bind("", "", &[Some(b"topsecret")])]);
    assert!(!format!("{:?}", starts(&driven)).contains("topsecret"));
}

#[test]
fn malformed_bodies_are_told_as_far_as_they_go() {
    let mut driven = Driven::default();
    driven.client(&[
        message(b'Q', &[b"no end"]),
        message(b'P', &[b"no end"]),
        message(b'B', &[b"p\0s\0\xff\xff\0"]),
        message(b'B', &[b"p\0s\0\0\0\0\x02\0\0\0\x09x"]),
        message(b'E', &[b"p"]),
        message(b'F', &[b"\0"]),
    ]);
    assert_eq!(
        driven.records(),
        ["1 simple no end", "2 parse <no end> ", "3 bind <p> <s>", "4 bind <p> <s>", "5 execute <p> 0", "6 call 0"]
    );
}
