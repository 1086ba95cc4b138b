//! What somebody who holds the folder, or even the key, can do to a log, and what is said of it.

use daypass_ledger::{
    ConsistencyProof, Failure, Folder, Hash, Known, Leaf, MemLog, SignedCheckpoint, Source,
    bundle::{self, BundleError},
    memlog::render,
    merkle::ProofError,
    verify::verify,
};

use crate::fixtures::{NAME, START_US, folder, leaf, leaf_saying, leaves, signer, signer_of};

const SIZE: u64 = 300;

fn known(log: &Folder) -> Known {
    let head = SignedCheckpoint::parse(&log["checkpoint"]).unwrap();
    head.verify(signer().verifier()).unwrap().into()
}

fn failure(log: &Folder, known: Option<&Known>) -> Failure {
    let failure = verify(log, signer().verifier(), known).unwrap_err();
    // Each says something, and names what it names in words.
    assert!(failure.to_string().len() > 30, "{failure}");
    failure
}

/// The leaves with one of them saying something else, at the same place and time.
fn rewritten(mut leaves: Vec<Leaf>, at: usize) -> Vec<Leaf> {
    let header = leaves[at].header();
    leaves[at] = leaf_saying(header.seq, header.time_us, "grant.released", "nobody");
    leaves
}

#[test]
fn a_sound_log_verifies_at_every_kind_of_size() {
    for size in [0, 1, 2, 255, 256, 257, SIZE, 513] {
        let log = folder(size);
        let report = verify(&log, signer().verifier(), None).unwrap();
        assert_eq!((report.size, report.root), (size, MemLog::of(&leaves(size)).root()));
        assert_eq!((report.origin.as_str(), report.extends), (NAME, None));
        assert_eq!(report.first_time_us, (size > 0).then_some(START_US));
        let last = leaves(size).last().map(|leaf| leaf.header().time_us);
        assert_eq!(report.last_time_us, last);
        assert_eq!(report.events.values().sum::<u64>(), size);
        for old in [0, 1, size / 2, size] {
            let kept = known(&folder(old.min(size)));
            let report = verify(&log, signer().verifier(), Some(&kept)).unwrap();
            assert_eq!(report.extends, Some(old.min(size)));
        }
    }
}

#[test]
fn rewritten_and_signed_again_with_the_real_key() {
    // Without a kept head such a log is perfect: that is what the kept head is for.
    let kept = known(&folder(SIZE));
    let forged = render(&rewritten(leaves(SIZE), 17), &signer()).unwrap();
    assert!(verify(&forged, signer().verifier(), None).is_ok());
    let signed = MemLog::of(&rewritten(leaves(SIZE), 17)).root();
    let fork = Failure::Fork { size: SIZE, signed, known: kept.root };
    assert_eq!(failure(&forged, Some(&kept)), fork);

    // And when the log went on since.
    let longer = rewritten(leaves(SIZE + 40), 17);
    let found = MemLog::of(&longer[..SIZE as usize]).root();
    let forged = render(&longer, &signer()).unwrap();
    let says = Failure::Rewritten { size: SIZE + 40, known: SIZE, found, root: kept.root };
    assert_eq!(failure(&forged, Some(&kept)), says);
    // What came after the kept head can be rewritten unseen, until somebody holds a newer one.
    let after = render(&rewritten(leaves(SIZE + 40), SIZE as usize + 1), &signer()).unwrap();
    assert!(verify(&after, signer().verifier(), Some(&kept)).is_ok());
}

#[test]
fn every_single_rewritten_entry_is_caught() {
    let kept = known(&folder(20));
    for at in 0..20 {
        let forged = render(&rewritten(leaves(25), at), &signer()).unwrap();
        assert!(matches!(failure(&forged, Some(&kept)), Failure::Rewritten { .. }));
    }
}

#[test]
fn truncated_and_signed_again() {
    let kept = known(&folder(SIZE));
    let says = Failure::Truncated { size: 280, known: SIZE };
    assert_eq!(failure(&folder(280), Some(&kept)), says);
    assert_eq!(says.to_string().split(':').next(), Some("truncated"));
    assert_eq!(failure(&folder(0), Some(&kept)), Failure::Truncated { size: 0, known: SIZE });
}

#[test]
fn an_older_checkpoint_put_back() {
    let mut log = folder(SIZE);
    let kept = known(&log);
    log.insert("checkpoint".to_owned(), folder(280)["checkpoint"].clone());
    assert_eq!(failure(&log, Some(&kept)), Failure::Replayed { size: 280, known: SIZE });
    // With an entry changed besides, the kept head isn't met by what is there.
    let mut log = render(&rewritten(leaves(SIZE), 3), &signer()).unwrap();
    log.insert("checkpoint".to_owned(), folder(280)["checkpoint"].clone());
    assert_eq!(failure(&log, Some(&kept)), Failure::Truncated { size: 280, known: SIZE });
}

#[test]
fn an_entry_removed_and_the_rest_moved_up() {
    let kept = known(&folder(SIZE));
    let mut fewer = leaves(SIZE + 20);
    fewer.remove(100);
    let forged = render(&fewer, &signer()).unwrap();
    // The leaves' own places show it even to who holds nothing.
    assert_eq!(failure(&forged, None), Failure::WrongPlace { index: 100, seq: 101 });
    assert!(matches!(failure(&forged, Some(&kept)), Failure::Rewritten { .. }));
}

#[test]
fn one_entry_changed_in_its_bundle() {
    let mut log = folder(SIZE);
    let mut entries: Vec<_> = leaves(SIZE).iter().map(Leaf::to_bytes).collect();
    entries[261] = leaf_saying(261, START_US, "grant.released", "nobody").to_bytes();
    let path = "tile/entries/001.p/44".to_owned();
    log.insert(path.clone(), bundle::encode(&entries[256..]).unwrap());
    let tile = "tile/0/001.p/44".to_owned();
    assert_eq!(failure(&log, None), Failure::EntryMismatch { index: 261, tile: tile.clone() });
    // An entry left out of its bundle.
    log.insert(path.clone(), bundle::encode(&entries[257..]).unwrap());
    let why = BundleError::WrongCount { need: 44, have: 43 };
    assert_eq!(failure(&log, None), Failure::MalformedEntries { path: path.clone(), why });
    // One put in its place, so that the count fits.
    let moved = [&entries[257..], &entries[..1]].concat();
    log.insert(path, bundle::encode(&moved).unwrap());
    assert_eq!(failure(&log, None), Failure::EntryMismatch { index: 256, tile });
}

#[test]
fn two_bundles_swapped() {
    let mut log = folder(600);
    let (first, second) = ("tile/entries/000".to_owned(), "tile/entries/001".to_owned());
    let bytes = log[&first].clone();
    let other = log.insert(second, bytes).unwrap();
    log.insert(first, other);
    let tile = "tile/0/000".to_owned();
    assert_eq!(failure(&log, None), Failure::EntryMismatch { index: 0, tile });
}

#[test]
fn entries_and_tiles_changed_together_without_the_key() {
    let mut forged = render(&rewritten(leaves(SIZE), 5), &signer()).unwrap();
    let real = folder(SIZE);
    forged.insert("checkpoint".to_owned(), real["checkpoint"].clone());
    let found = MemLog::of(&rewritten(leaves(SIZE), 5)).root();
    let says = Failure::RootMismatch { size: SIZE, found, signed: known(&real).root };
    assert_eq!(failure(&forged, None), says);
    assert_eq!(failure(&forged, Some(&known(&real))), says);
}

#[test]
fn every_file_is_needed_and_every_byte_counts() {
    let log = folder(SIZE);
    assert_eq!(log.len(), 6);
    for path in log.keys() {
        let mut without = log.clone();
        without.remove(path);
        let missing = match path.as_str() {
            "checkpoint" => Failure::NoCheckpoint,
            entries if entries.starts_with("tile/entries/") => Failure::MissingEntries { path: path.clone() },
            _ => Failure::MissingTile { path: path.clone() },
        };
        assert_eq!(failure(&without, None), missing);
        for at in (0..log[path].len()).step_by(log[path].len() / 25 + 1) {
            let mut altered = log.clone();
            altered.get_mut(path).unwrap()[at] ^= 1;
            assert!(verify(&altered, signer().verifier(), None).is_err(), "{path} byte {at}");
        }
    }
    let mut upper = log.clone();
    upper.get_mut("tile/1/000.p/1").unwrap()[3] ^= 1;
    assert_eq!(failure(&upper, None), Failure::TileMismatch { path: "tile/1/000.p/1".to_owned() });
    let mut short = log;
    short.get_mut("tile/0/000").unwrap().pop();
    let says = Failure::MalformedTile { path: "tile/0/000".to_owned(), width: 256 };
    assert_eq!(failure(&short, None), says);
}

#[test]
fn full_tiles_stand_in_for_partial_ones() {
    // A server may drop partial tiles once the full ones are there.
    let mut log = folder(600);
    log.insert("checkpoint".to_owned(), folder(SIZE)["checkpoint"].clone());
    log.insert("tile/1/000.p/1".to_owned(), folder(SIZE)["tile/1/000.p/1"].clone());
    assert_eq!(verify(&log, signer().verifier(), None).unwrap().size, SIZE);
}

#[test]
fn the_wrong_key_a_bad_signature_and_another_log() {
    let log = folder(4);
    let other = signer_of(NAME, 9);
    let refused = verify(&log, other.verifier(), None).unwrap_err();
    assert!(matches!(refused, Failure::WrongKey(_)), "{refused}");
    let stranger = signer_of("elsewhere.example", 7);
    let refused = verify(&log, stranger.verifier(), None).unwrap_err();
    assert!(matches!(refused, Failure::WrongKey(_)), "{refused}");
    let mut altered = log.clone();
    let text = String::from_utf8(log["checkpoint"].clone()).unwrap();
    altered.insert("checkpoint".to_owned(), text.replacen("\n4\n", "\n3\n", 1).into_bytes());
    assert_eq!(failure(&altered, None), Failure::BadSignature);
    altered.insert("checkpoint".to_owned(), b"not a checkpoint".to_vec());
    assert!(matches!(failure(&altered, None), Failure::MalformedCheckpoint(_)));
    altered.insert("checkpoint".to_owned(), vec![b'x'; 1 << 20]);
    assert!(matches!(failure(&altered, None), Failure::MalformedCheckpoint(_)));
}

#[test]
fn bad_leaves_that_the_log_signed() {
    let mut log = MemLog::of(&leaves(3));
    log.push(b"not a leaf".to_vec());
    let refused = failure(&log.render(&signer()).unwrap(), None);
    assert!(matches!(refused, Failure::MalformedLeaf { index: 3, .. }), "{refused}");

    let mut back = leaves(3);
    back.push(leaf_saying(3, START_US, "grant.ended", "late"));
    let before_us = back[2].header().time_us;
    let says = Failure::TimeRunsBack { index: 3, time_us: START_US, before_us };
    assert_eq!(failure(&render(&back, &signer()).unwrap(), None), says);

    // Two entries within one microsecond are fine.
    let same = [leaf(0), leaf_saying(1, START_US, "grant.ended", "quick")];
    assert!(verify(&render(&same, &signer()).unwrap(), signer().verifier(), None).is_ok());
}

#[test]
fn a_source_that_fails_proves_nothing() {
    struct Broken;
    impl Source for Broken {
        fn read(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
            Err("disk on fire".to_owned())
        }
    }
    let refused = verify(&Broken, signer().verifier(), None).unwrap_err();
    assert!(matches!(refused, Failure::Unreadable { .. }), "{refused}");
}

#[test]
fn a_client_that_keeps_heads_demands_consistency() {
    let log = MemLog::of(&leaves(40));
    let newer = log.head(&signer()).unwrap();
    let newer = newer.verify(signer().verifier()).unwrap();
    let kept = known(&folder(25));
    let proof = log.consistency(25).unwrap();
    assert_eq!(kept.extended_by(newer, &proof), Ok(()));

    // An empty kept head is extended by anything; the same head needs no proof.
    assert_eq!(known(&folder(0)).extended_by(newer, &log.consistency(0).unwrap()), Ok(()));
    assert_eq!(Known::from(newer).extended_by(newer, &log.consistency(40).unwrap()), Ok(()));

    let forged = MemLog::of(&rewritten(leaves(40), 9));
    let head = forged.head(&signer()).unwrap();
    let head = head.verify(signer().verifier()).unwrap();
    let refused = kept.extended_by(head, &forged.consistency(25).unwrap());
    let why = ProofError::OldRootDiffers;
    assert_eq!(refused, Err(Failure::NotExtended { size: 40, known: 25, why }));
    // The real proof doesn't help the forged head, nor does one between other sizes.
    assert!(kept.extended_by(head, &proof).is_err());
    let why = ProofError::WrongShape;
    let other = log.consistency(24).unwrap();
    let says = Failure::NotExtended { size: 40, known: 25, why };
    assert_eq!(kept.extended_by(newer, &other), Err(says));

    let nothing = ConsistencyProof { old: 40, new: 40, path: vec![] };
    let fork = Failure::Fork { size: 40, signed: head.root, known: newer.root };
    assert_eq!(Known::from(newer).extended_by(head, &nothing), Err(fork));
    let ahead = Known { size: 50, root: Hash([0; 32]) };
    let says = Failure::Truncated { size: 40, known: 50 };
    assert_eq!(ahead.extended_by(newer, &nothing), Err(says));
}
