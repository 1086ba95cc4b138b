use super::*;
use bytes::Bytes;

fn records() -> Vec<Record> {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let start = |kind, text, parameters| {
        Record::Start(Start { n: 300, kind, name: Bytes::from_static(b"s1"), portal: Bytes::new(), text, parameters })
    };
    let end = |outcome, rows| {
        Record::End(End { n: u64::MAX, outcome, rows, bytes_to_client: 1 << 40, bytes_from_client: 127 })
    };
    vec![
        start(Kind::Simple, Some(Captured::Whole(text("SELECT 1"))), None),
        start(Kind::Parse, Some(Captured::Truncated { head: text("SEL"), len: 1 << 33, sha256: Some([1; 32]) }), None),
        start(Kind::Parse, Some(Captured::Digest { len: 9, sha256: None }), None),
        start(
            Kind::Bind,
            None,
            Some(vec![
                Parameter { format: Format::Text, value: Value::Null },
                Parameter { format: Format::Binary, value: Value::Whole(text("\0\u{1}")) },
                Parameter { format: Format::Other(-7), value: Value::Truncated { head: text("x"), len: 70_000 } },
                Parameter { format: Format::Text, value: Value::Redacted },
            ]),
        ),
        start(Kind::Execute { max_rows: -1 }, None, Some(Vec::new())),
        start(Kind::FunctionCall { function: u32::MAX }, None, None),
        end(Outcome::Completed { tag: text("SELECT 3") }, Some(3)),
        end(Outcome::Failed { sqlstate: Sqlstate::new(b"42P01"), message: Some("no such table".into()) }, None),
        end(Outcome::Failed { sqlstate: None, message: None }, Some(0)),
        end(Outcome::Empty, None),
        end(Outcome::Suspended, None),
        end(Outcome::Skipped, None),
        end(Outcome::Unknown, None),
        Record::Stray(Outcome::Unknown),
    ]
}

#[test]
fn records_come_back() {
    let at = Time::from_micros(1_700_000_000_000_001);
    let mut out = Vec::new();
    records().iter().for_each(|record| encode(record, at, &mut out));
    let mut rest = &out[..];
    for record in records() {
        let (found, len) = decode(rest).unwrap().unwrap();
        assert_eq!(found, Recorded::Record { at, record });
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
}

#[test]
fn what_is_cut_waits_and_what_is_wrong_is_refused() {
    for record in records() {
        let mut out = Vec::new();
        encode(&record, Time::from_micros(-1), &mut out);
        for cut in 0..out.len() {
            assert_eq!(decode(&out[..cut]), Ok(None));
        }
        // One byte less inside than the length says to the reader of fields.
        let shorter = u32::try_from(out.len() - 5).unwrap();
        out[..4].copy_from_slice(&shorter.to_be_bytes());
        assert!(decode(&out).is_err(), "{record:?}");
        out[4] = 99;
        assert!(decode(&out).is_err());
    }
}
