//! No bytes from outside make a parser panic, and what is read is written back the same.

use daypass_ledger::{
    Checkpoint, Hash, KeyScope, Leaf, Note, Resource, SignedCheckpoint, TlogProof, VerifierKey, bundle,
};
use proptest::prelude::*;

use crate::fixtures::{folder, leaf};

fn parse_all(bytes: &[u8]) {
    if let Ok(leaf) = Leaf::parse(bytes) {
        assert_eq!(leaf.to_bytes(), bytes);
    }
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Ok(head) = SignedCheckpoint::parse(bytes) {
        assert_eq!(head.to_bytes(), bytes);
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
    }
    for width in [1, 2, 256] {
        if let Ok(entries) = bundle::parse(bytes, width) {
            assert_eq!(bundle::encode(&entries).unwrap(), bytes);
        }
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(head) = Checkpoint::parse(text) {
        assert_eq!(head.to_string(), text);
    }
    if let Ok(resource) = text.parse::<Resource>() {
        assert_eq!(resource.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(hash) = text.parse::<Hash>() {
        assert_eq!(hash.to_string(), text);
    }
    if let Ok(scope) = text.parse::<KeyScope>() {
        assert_eq!(scope.to_string(), text);
    }
}

/// Texts that are nearly right reach deeper than random bytes.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let log = folder(5);
    let seeds = vec![
        leaf(3).to_bytes(),
        log["checkpoint"].clone(),
        log["tile/entries/000.p/5"].clone(),
        b"tile/3/x001/x234/067.p/12".to_vec(),
        b"tile/entries/x001/067".to_vec(),
        b"subject:user_1".to_vec(),
        [&b"c2sp.org/tlog-proof@v1\nindex 0\n\n"[..], &log["checkpoint"]].concat(),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..4);
    (prop::sample::select(seeds), edits).prop_map(|(mut bytes, edits)| {
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at + 1),
                _ => bytes[at] = bytes[at].wrapping_add(1),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        parse_all(&bytes);
    }

    #[test]
    fn random_texts(text in "[ -~\n\u{2014}]{0,200}") {
        parse_all(text.as_bytes());
    }

    #[test]
    fn nearly_right_bytes(bytes in nearly()) {
        parse_all(&bytes);
    }
}

/// The decoder takes padded texts in a row; found by fuzzing.
#[test]
fn base64_has_one_spelling() {
    let hash = daypass_ledger::leaf_hash(b"entry");
    let canonical = hash.to_string();
    assert_eq!(canonical.parse(), Ok(hash));
    // Two bytes padded, then thirty: 32 bytes in 44 characters, and not how anybody writes a hash.
    let bytes = hash.0;
    let twisted = format!("{}{}", data_encoding::BASE64.encode(&bytes[..2]), data_encoding::BASE64.encode(&bytes[2..]));
    assert_eq!(twisted.len(), canonical.len());
    assert!(twisted.parse::<Hash>().is_err(), "{twisted}");
}
