//! Whatever the bytes and however they are cut.

use daypass_wire::postgres::error::{PgError, Sqlstate};
use daypass_wire::postgres::relay::{Output, RecordMode};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::*;

/// What a client sends, and what the upstream answers, in turns.
fn turns() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let sql = prop_oneof!["[a-z ]{0,200}", Just("ALTER ROLE a PASSWORD 'x'".to_owned())];
    let turn = prop_oneof![
        (sql.clone(), 0usize..50).prop_map(|(sql, rows)| {
            let rows: Vec<_> = (0..rows).map(|n| row(&vec![b'r'; n * 3])).collect();
            (query(&sql), [rows.concat(), complete("SELECT 3"), ready()].concat())
        }),
        sql.clone().prop_map(|sql| (query(&sql), [failure("no"), ready()].concat())),
        (sql.clone(), vec(any::<u8>(), 0..100)).prop_map(|(sql, value)| {
            let asked = [parse("", &sql), bind("", "", &[Some(&value)]), describe(), execute("", 0), sync()];
            (asked.concat(), [bare(b'1'), bare(b'2'), bare(b'n'), complete("UPDATE 1"), ready()].concat())
        }),
        sql.prop_map(|sql| {
            let asked = [parse("s", &sql), bind("", "s", &[]), execute("", 0), sync()];
            (asked.concat(), [bare(b'1'), failure("no"), ready()].concat())
        }),
        vec(vec(any::<u8>(), 0..300), 0..20).prop_map(|lines| {
            let lines: Vec<_> = lines.iter().map(|line| data(line)).collect();
            let asked = [query("COPY a FROM STDIN"), lines.concat(), bare(b'c')];
            (asked.concat(), [copy_in(), complete("COPY 5"), ready()].concat())
        }),
    ];
    vec(turn, 1..12)
}

/// Feeds each turn in pieces of these sizes, in turn.
fn cut(turns: &[(Vec<u8>, Vec<u8>)], sizes: &[usize]) -> (Vec<Output>, Vec<u8>, Vec<u8>) {
    let mut driven = Driven::default();
    let mut sizes = sizes.iter().cycle();
    for (client, upstream) in turns {
        for (bytes, from_client) in [(client, true), (upstream, false)] {
            let mut rest = Bytes::from(bytes.clone());
            while !rest.is_empty() {
                let piece = rest.split_to((*sizes.next().unwrap()).min(rest.len()));
                if from_client {
                    driven.relay.from_client(piece)
                } else {
                    driven.relay.from_upstream(piece)
                }
                driven.drain();
            }
        }
    }
    let (up, down) = driven.bytes();
    let records = driven.log.into_iter().filter(|output| matches!(output, Output::Record(_))).collect();
    (records, up, down)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn however_streams_are_cut_the_same_bytes_and_records_come_out(turns in turns(), sizes in vec(1usize..200, 1..20)) {
        let whole = cut(&turns, &[usize::MAX]);
        prop_assert_eq!(&whole.1, &turns.iter().flat_map(|turn| turn.0.clone()).collect::<Vec<_>>());
        prop_assert_eq!(&whole.2, &turns.iter().flat_map(|turn| turn.1.clone()).collect::<Vec<_>>());
        prop_assert_eq!(&whole, &cut(&turns, &sizes));
        prop_assert_eq!(&whole, &cut(&turns, &[1]));
    }

    /// I1: a message that runs something is out only when its record is.
    #[test]
    fn no_statement_is_complete_upstream_before_its_record(turns in turns(), sizes in vec(1usize..200, 1..20)) {
        let mut driven = Driven::default();
        let mut sizes = sizes.iter().cycle();
        let mut rest = Bytes::from(turns.iter().filter(|turn| !turn.0.starts_with(b"QC")).flat_map(|turn| turn.0.clone()).collect::<Vec<_>>());
        while !rest.is_empty() {
            let piece = rest.split_to((*sizes.next().unwrap()).min(rest.len()));
            driven.relay.from_client(piece);
            driven.drain();
        }
        let (mut told, mut sent) = (0, Vec::new());
        for output in &driven.log {
            match output {
                Output::Record(Record::Start(_)) => told += 1,
                Output::ToUpstream(bytes) => {
                    sent.extend_from_slice(bytes);
                    prop_assert!(statements(&sent) <= told);
                }
                Output::Record(_) | Output::ToClient(_) | Output::Close(_) => {}
            }
        }
        prop_assert_eq!(statements(&sent), told);
    }

    #[test]
    fn random_bytes_pass_or_end_the_session_and_never_panic(
        pieces in vec((any::<bool>(), piece()), 0..40),
        mode in prop_oneof![Just(RecordMode::Full), Just(RecordMode::Text), Just(RecordMode::Digest)],
        end in any::<Option<prop::sample::Index>>(),
    ) {
        let mut driven = Driven::with(mode);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let end = end.map(|end| end.index(pieces.len() + 1));
        for (at, (from_client, piece)) in pieces.iter().enumerate() {
            if end == Some(at) {
                driven.relay.end(&PgError::fatal(Sqlstate::ADMIN_SHUTDOWN, "over"));
            }
            let bytes = Bytes::from(piece.clone());
            if *from_client { driven.relay.from_client(bytes) } else { driven.relay.from_upstream(bytes) }
            if *from_client { up.extend_from_slice(piece) } else { down.extend_from_slice(piece) }
            driven.drain();
        }
        let (got_up, got_down) = driven.bytes();
        if driven.closed().is_none() {
            prop_assert_eq!((got_up, got_down), (up, down));
        } else {
            prop_assert!(up.starts_with(&got_up));
            // Less what we say at the end.
            let same = got_down.iter().zip(&down).take_while(|(a, b)| a == b).count();
            prop_assert!(same == got_down.len() || got_down[same..].starts_with(b"E") || got_down.ends_with(b"\0\0"));
            let closes = driven.log.iter().filter(|output| matches!(output, Output::Close(_))).count();
            prop_assert_eq!(closes, 1);
            prop_assert!(matches!(driven.log.last(), Some(Output::Close(_))));
        }
    }
}

/// Complete messages that have a record.
fn statements(mut stream: &[u8]) -> usize {
    let mut count = 0;
    while stream.len() >= 5 {
        let len = 1 + u32::from_be_bytes(stream[1..5].try_into().unwrap()) as usize;
        if stream.len() < len {
            break;
        }
        count += usize::from(b"QPBEF".contains(&stream[0]));
        stream = &stream[len..];
    }
    count
}

/// Mostly messages of the protocol, in no sensible order, and some noise.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(b"QPBEDCHSFdcfXZ123nTtIsGHWNAVEK".to_vec());
    prop_oneof![
        8 => (known, vec(any::<u8>(), 0..40)).prop_map(|(tag, body)| message(tag, &[&body])),
        2 => Just(ready()),
        2 => Just(sync()),
        1 => vec(any::<u8>(), 0..12),
        1 => (any::<u8>(), any::<i32>()).prop_map(|(tag, len)| [&[tag][..], &len.to_be_bytes()].concat()),
    ]
}
