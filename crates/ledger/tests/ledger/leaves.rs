//! Leaves: commitments that can be erased (I9), limits, and one spelling.

use daypass_ledger::{
    Draft, EventType, KeyScope, Leaf, Region, RetentionClass,
    bundle::MAX_ENTRY_BYTES,
    leaf::{LeafError, MAX_IDS, MAX_PARTS, MAX_PAYLOAD_BYTES, canonical_json},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixtures::{START_US, draft, leaf, region};

const GRANT: EventType = EventType::literal("grant.activated");

fn bare() -> Draft {
    Draft::new(GRANT, region(), RetentionClass::Access)
}

fn refusal(draft: &Draft) -> LeafError {
    let salts = vec![[0; 32]; draft.parts().len()];
    draft.seal(0, 0, &salts).unwrap_err()
}

#[test]
fn i9_a_leaf_says_no_payload_and_checks_only_with_the_salt() {
    let salts = [[1; 32], [2; 32]];
    let (leaf, open) = draft("grant.activated", "alice").seal(5, START_US, &salts).unwrap();
    let bytes = leaf.to_bytes();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(!text.contains("incident") && !text.contains("reason"), "{text}");
    assert_eq!(open[0].payload, br#"{"reason":"incident 42"}"#);
    assert!(leaf.check_part(0, &open[0].salt, &open[0].payload));
    assert!(leaf.check_part(1, &open[1].salt, &open[1].payload));
    assert!(!leaf.check_part(0, &open[1].salt, &open[0].payload));
    assert!(!leaf.check_part(0, &open[0].salt, b"{}"));
    assert!(!leaf.check_part(1, &open[0].salt, &open[0].payload));
    assert!(!leaf.check_part(2, &open[0].salt, &open[0].payload));
    // The same payload under another salt is another commitment: nobody can guess it by hashing.
    let again = draft("grant.activated", "alice").seal(5, START_US, &[[3; 32], [4; 32]]).unwrap().0;
    assert_ne!(again.commitments()[0].digest, leaf.commitments()[0].digest);
    // Erasing the parts leaves the leaf as it was.
    drop(open);
    assert_eq!(Leaf::parse(&bytes).unwrap().hash(), leaf.hash());
}

#[test]
fn opened_parts_and_drafts_show_no_payload_when_debugged() {
    let draft = draft("grant.activated", "alice");
    let (_, open) = draft.seal(0, 0, &[[0xab; 32], [0xcd; 32]]).unwrap();
    let shown = format!("{draft:?} {open:?}");
    assert!(!shown.contains("incident") && !shown.contains("171"), "{shown}");
}

#[test]
fn leaves_come_back_from_their_bytes() {
    for seq in 0..20 {
        let leaf = leaf(seq);
        assert_eq!(Leaf::parse(&leaf.to_bytes()), Ok(leaf));
    }
    let session = KeyScope::Session("session_1".to_owned());
    let extreme = bare().part(session, Value::Null).seal(u64::MAX, i64::MIN, &[[0; 32]]);
    let extreme = extreme.unwrap().0;
    assert_eq!(Leaf::parse(&extreme.to_bytes()), Ok(extreme));
}

#[test]
fn other_spellings_of_a_leaf_are_refused() {
    let text = String::from_utf8(leaf(3).to_bytes()).unwrap();
    let parse = |text: String| Leaf::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(text.replace(":{", ": {")), LeafError::NotCanonical);
    assert_eq!(parse(format!("{text} ")), LeafError::NotCanonical);
    assert_eq!(parse(text.replace("grant_0000", "grant\\u005f0000")), LeafError::NotCanonical);
    assert_eq!(parse(text.replace(r#""ids":{"#, r#""ids":{"grant":"x","#)), LeafError::NotCanonical);
    let moved = text.replace(r#","version":1"#, "").replace(r#""seq""#, r#""version":1,"seq""#);
    assert_eq!(parse(moved), LeafError::NotCanonical);
    let null = text.replacen(r#"{"part":"operational""#, r#"{"key":null,"part":"operational""#, 1);
    assert_ne!(null, text);
    assert_eq!(parse(null), LeafError::NotCanonical);
    for wrong in [
        text.replace(r#""seq":3"#, r#""seq":3.0"#),
        text.replace(r#""seq":3"#, r#""seq":-3"#),
        text.replace(r#""seq":3"#, r#""seq":"3""#),
        text.replace(r#""seq":3"#, r#""more":1,"seq":3"#),
        text.replace(r#""part":"operational""#, r#""part":"other""#),
        text.replace(r#""part":"operational""#, r#""key":"k","part":"operational""#),
        text.replace("decision", "forever"),
        text.replace(r#""region":"eu""#, r#""region":"EU""#),
        text.replace("grant.ended", "Grant.ended"),
        text.replace(r#""sha256":""#, r#""sha256":"00"#),
        text[..text.len() - 1].to_owned(),
        String::new(),
        "null".to_owned(),
        "[".repeat(60_000),
    ] {
        assert!(matches!(parse(wrong.clone()), LeafError::Malformed(_)), "{wrong}");
    }
    assert!(matches!(parse(text.replace("user_", "us er_")), LeafError::Id(_)));
}

#[test]
fn a_later_version_is_named_and_not_called_broken() {
    let text = String::from_utf8(leaf(3).to_bytes()).unwrap();
    let later = text.replace(r#""version":1"#, r#""version":2"#);
    assert_eq!(Leaf::parse(later.as_bytes()), Err(LeafError::Version(2)));
    let other_shape = br#"{"header":{"version":3,"what":[]},"new":true}"#;
    assert_eq!(Leaf::parse(other_shape), Err(LeafError::Version(3)));
}

#[test]
fn an_error_about_a_leaf_quotes_nothing_of_it() {
    let secret = br#"{"commitments":[],"header":{"event":"hunter2 secret"}}"#;
    let shown = Leaf::parse(secret).unwrap_err().to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_does_not_belong_in_a_leaf_is_refused() {
    for id in ["", "alice@example.com", "Alice Smith", "a\"b", "a\\b", &"a".repeat(129), "\u{e9}"] {
        assert!(matches!(refusal(&bare().id("user", id)), LeafError::Id(_)), "{id}");
        let part = bare().part(KeyScope::Subject(id.to_owned()), Value::Null);
        assert!(matches!(refusal(&part), LeafError::Id(_)), "{id}");
    }
    for kind in ["", "Grant", "a b", "\"", &"a".repeat(33)] {
        assert!(matches!(refusal(&bare().id(kind, "x")), LeafError::IdKind(_)), "{kind}");
    }
    let twice = bare().id("grant", "a").id("grant", "b");
    assert_eq!(refusal(&twice), LeafError::RepeatedId("grant".to_owned()));
    let salts = LeafError::Salts { parts: 0, salts: 1 };
    assert_eq!(bare().seal(0, 0, &[[0; 32]]), Err(salts));
    let long = bare().part(KeyScope::Operational, json!("x".repeat(MAX_PAYLOAD_BYTES)));
    assert_eq!(refusal(&long), LeafError::PayloadTooLong(MAX_PAYLOAD_BYTES + 2));
}

#[test]
fn the_largest_leaf_fits_an_entry() {
    let event = format!("{}.{}", "e".repeat(31), "e".repeat(32));
    let region = Region::new(&"r".repeat(32)).unwrap();
    let event = EventType::new(&event).unwrap();
    let mut largest = Draft::new(event, region, RetentionClass::Administration);
    for index in 0..MAX_IDS {
        largest = largest.id(format!("{index:032}"), "i".repeat(128));
    }
    for _ in 0..MAX_PARTS {
        largest = largest.part(KeyScope::Subject("s".repeat(128)), Value::Null);
    }
    let leaf = largest.seal(u64::MAX, i64::MIN, &[[0; 32]; MAX_PARTS]).unwrap().0;
    assert!(leaf.to_bytes().len() <= MAX_ENTRY_BYTES);
    assert_eq!(Leaf::parse(&leaf.to_bytes()), Ok(leaf));
    let more_ids = largest.clone().id("one_more", "x");
    let sealed = more_ids.seal(0, 0, &[[0; 32]; MAX_PARTS]);
    assert_eq!(sealed, Err(LeafError::TooManyIds(MAX_IDS + 1)));
    let more_parts = largest.part(KeyScope::Operational, Value::Null);
    assert_eq!(refusal(&more_parts), LeafError::TooManyParts(MAX_PARTS + 1));
    let too_long = vec![b' '; MAX_ENTRY_BYTES + 1];
    assert_eq!(Leaf::parse(&too_long), Err(LeafError::TooLong(MAX_ENTRY_BYTES + 1)));
}

#[test]
fn names_are_checked() {
    for event in ["a.b", "grant.activated", "target.end_confirmed", "a1.b2.c3"] {
        assert_eq!(EventType::new(event).unwrap().as_str(), event);
    }
    for event in ["", "grant", "grant.", ".grant", "a..b", "A.b", "a.1b", "a._b", "a b.c", "a.\u{e9}"] {
        assert!(EventType::new(event).is_err(), "`{event}` was taken");
    }
    assert!(EventType::new(&format!("a.{}", "b".repeat(63))).is_err());
    for region in ["", "EU", "-eu", "e u", &"r".repeat(33)] {
        assert!(Region::new(region).is_err(), "`{region}` was taken");
    }
    for class in RetentionClass::ALL {
        assert_eq!(serde_json::to_value(class).unwrap(), json!(class.as_str()));
    }
    for label in ["subject:user_1", "session:session_1", "operational"] {
        assert_eq!(label.parse::<KeyScope>().unwrap().to_string(), label);
    }
    for label in ["", "subject", "subject:", "session:a b", "operational:x", "other:x"] {
        assert!(label.parse::<KeyScope>().is_err(), "`{label}` was taken");
    }
}

#[test]
fn canonical_json_sorts_at_every_depth() {
    let text = r#"{"b":{"z":1,"a":[{"y":null,"x":"\u00e9\n"}]},"a":-0.5}"#;
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(canonical_json(&value), "{\"a\":-0.5,\"b\":{\"a\":[{\"x\":\"\u{e9}\\n\",\"y\":null}],\"z\":1}}");
    assert_eq!(serde_json::from_str::<Value>(&canonical_json(&value)).unwrap(), value);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_altered_leaf_is_another_leaf_or_none(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let original = leaf(3);
        let mut bytes = original.to_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(read) = Leaf::parse(&bytes) {
            prop_assert_ne!(&read, &original);
            prop_assert_ne!(read.hash(), original.hash());
        }
    }
}
