//! Keys, notes and checkpoints, against the crates `signed_note` and `tlog_tiles`.

use daypass_ledger::{
    Checkpoint, Hash, KeyName, Note, Origin, SignedCheckpoint, VerifierKey,
    checkpoint::{CheckpointError, MAX_EXTENSIONS},
    key::KeyError,
    note::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError},
};
use proptest::prelude::*;
use signed_note::{Signer as _, StandardSigner, StandardVerifier, Verifier as _, VerifierList};

use crate::fixtures::{NAME, signer, signer_of};

/// The example of <https://pkg.go.dev/golang.org/x/mod/sumdb/note>.
const GO_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn head(size: u64) -> Checkpoint {
    Checkpoint::new(Origin::new(NAME).unwrap(), size, Hash([9; 32])).unwrap()
}

fn signed() -> SignedCheckpoint {
    SignedCheckpoint::sign(head(12), &signer()).unwrap()
}

#[test]
fn gos_example_note_verifies() {
    let key: VerifierKey = GO_VKEY.parse().unwrap();
    assert_eq!(key.to_string(), GO_VKEY);
    let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
    assert_eq!(note.verify(&key), Ok(()));
    assert_eq!(note.to_string(), GO_NOTE);
    let altered = Note::parse(GO_NOTE.replace("problem", "Problem").as_bytes()).unwrap();
    assert_eq!(altered.verify(&key), Err(NoteError::BadSignature { name: key.name().clone() }));
}

#[test]
fn another_crate_accepts_our_checkpoints() {
    let signer = signer();
    let bytes = signed().to_bytes();
    let verifier = StandardVerifier::new(&signer.verifier().to_string()).unwrap();
    assert_eq!(verifier.key_id().to_be_bytes(), signer.verifier().id().0);
    let note = signed_note::Note::from_bytes(&bytes).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let theirs = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), (NAME, 12, [9; 32]));
    assert_eq!(theirs.to_bytes(), signed().unverified().to_string().into_bytes());
}

#[test]
fn we_accept_another_crates_notes_beside_ours() {
    // "PRIVATE+KEY+name+id+base64(0x01 || seed)" of our own seed makes the same key there.
    let ours = signer();
    let seed = data_encoding::BASE64.encode(&[&[1], &[7; 32][..]].concat());
    let skey = format!("PRIVATE+KEY+{NAME}+{}+{seed}", ours.verifier().id());
    let theirs = StandardSigner::new(&skey).unwrap();
    let text = head(3).to_string();
    assert_eq!(theirs.sign(text.as_bytes()).unwrap(), ours.sign(text.as_bytes()).unwrap());
    let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let read = SignedCheckpoint::parse(&note.to_bytes()).unwrap();
    assert_eq!(read.verify(ours.verifier()).unwrap().size, 3);
}

#[test]
fn signatures_of_others_are_kept_and_do_not_count() {
    let witness = signer_of("witness.example/w1", 8);
    let mut head = signed();
    let other = Note::sign(head.note().text(), &witness).unwrap();
    head.add_signature(&other.signatures()[0].to_string()).unwrap();
    let read = SignedCheckpoint::parse(&head.to_bytes()).unwrap();
    assert_eq!(read, head);
    assert_eq!(read.note().signatures().len(), 2);
    assert!(read.verify(signer().verifier()).is_ok());
    assert_eq!(read.note().verify(witness.verifier()), Ok(()));
    // The witness signed it, but it isn't the witness's log.
    let refused = read.verify(witness.verifier());
    assert!(matches!(refused, Err(CheckpointError::OtherLog { .. })), "{refused:?}");
    // The same key again replaces.
    head.add_signature(&other.signatures()[0].to_string()).unwrap();
    assert_eq!(head.note().signatures().len(), 2);
}

#[test]
fn the_wrong_key_and_no_key_are_told_apart() {
    let same_name = signer_of(NAME, 9);
    let refused = signed().verify(same_name.verifier()).unwrap_err();
    let found = signer().verifier().id();
    let (name, trusted) = (KeyName::new(NAME).unwrap(), same_name.verifier().id());
    assert_eq!(refused, NoteError::WrongKey { name, found, trusted }.into());
    let stranger = signer_of("elsewhere.example", 7);
    let refused = signed().verify(stranger.verifier()).unwrap_err();
    assert!(matches!(refused, CheckpointError::Note(NoteError::NotSigned { .. })));
}

#[test]
fn a_bad_second_signature_by_the_same_key_spoils_the_note() {
    let text = signed().note().to_string();
    let other = SignedCheckpoint::sign(head(13), &signer()).unwrap().note().to_string();
    let foreign = other.lines().last().unwrap();
    let both = Note::parse(format!("{text}{foreign}\n").as_bytes()).unwrap();
    let name = KeyName::new(NAME).unwrap();
    assert_eq!(both.verify(signer().verifier()), Err(NoteError::BadSignature { name }));
}

#[test]
fn malformed_notes_are_refused() {
    let good = signed().note().to_string();
    let line = good.lines().last().unwrap();
    let (text, _) = good.rsplit_once("\n\n").unwrap();
    let parse = |note: &str| Note::parse(note.as_bytes());
    assert_eq!(parse(""), Err(NoteError::Shape));
    assert_eq!(parse(text), Err(NoteError::Shape));
    assert_eq!(parse(&format!("{text}\n\n")), Err(NoteError::Shape));
    assert_eq!(parse(good.trim_end()), Err(NoteError::Shape));
    assert_eq!(parse(&good.replace('e', "\r")), Err(NoteError::NotText));
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::NotText));
    for wrong in [
        "- name AAAAAAA=",
        "\u{2014} name",
        "\u{2014} name AAAAAAA",
        "\u{2014} name AAAA",
        "\u{2014} name AAAAAA==",
        "\u{2014} na+me AAAAAAA=",
        "\u{2014}  AAAAAAA=",
        "\u{2014} a b AAAAAAA=",
        "",
    ] {
        let note = format!("{text}\n\n{line}\n{wrong}\n");
        assert!(parse(&note).is_err(), "`{wrong}` was read");
    }
    let many = format!("{line}\n").repeat(MAX_SIGNATURES);
    assert!(parse(&format!("{text}\n\n{many}")).is_ok());
    let more = format!("{text}\n\n{many}{line}\n");
    assert_eq!(parse(&more), Err(NoteError::TooManySignatures));
    let long = vec![b'a'; MAX_NOTE_BYTES + 1];
    assert_eq!(Note::parse(&long), Err(NoteError::TooLong(MAX_NOTE_BYTES + 1)));
    // A blank line within the text is allowed.
    let poem = Note::sign("one\n\ntwo\n\n", &signer()).unwrap();
    let read = Note::parse(poem.to_string().as_bytes()).unwrap();
    assert_eq!((read.text(), read.verify(signer().verifier())), ("one\n\ntwo\n\n", Ok(())));
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = Hash([9; 32]).to_string();
    let parse = |text: String| Checkpoint::parse(&text);
    assert_eq!(parse(format!("o\n12\n{root}\n")).unwrap().size, 12);
    assert_eq!(parse(format!("o\n12\n{root}")), Err(CheckpointError::Shape));
    assert_eq!(parse("o\n12\n".to_owned()), Err(CheckpointError::Shape));
    assert_eq!(parse(format!("\n12\n{root}\n")), Err(CheckpointError::Origin));
    for size in ["012", "+1", "-1", "", "1 ", "0x1", "9223372036854775808", "99999999999999999999"] {
        assert_eq!(parse(format!("o\n{size}\n{root}\n")), Err(CheckpointError::Size), "{size}");
    }
    // The last character of a root may only hold zero bits: one root, one text.
    let loose = format!("{}B=", &root[..root.len() - 2]);
    for root in ["", "AAAA", &root[1..], &loose, root.trim_end_matches('=')] {
        assert_eq!(parse(format!("o\n12\n{root}\n")), Err(CheckpointError::Root), "{root}");
    }
    assert_eq!(parse(format!("o\n12\n{root}\n\n")), Err(CheckpointError::Extension));
    let extended = parse(format!("o\n12\n{root}\nmore\nand more\n")).unwrap();
    assert_eq!(extended.extensions(), ["more", "and more"]);
    assert_eq!(extended.to_string(), format!("o\n12\n{root}\nmore\nand more\n"));
    let many = "x\n".repeat(MAX_EXTENSIONS + 1);
    assert_eq!(parse(format!("o\n12\n{root}\n{many}")), Err(CheckpointError::Extension));
}

#[test]
fn malformed_keys_are_refused() {
    let vkey = signer().verifier().to_string();
    assert_eq!(vkey.parse::<VerifierKey>().unwrap().to_string(), vkey);
    let parse = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(parse(""), KeyError::Malformed);
    assert_eq!(parse("name+00000000"), KeyError::Malformed);
    assert_eq!(parse(&vkey[..vkey.len() - 4]), KeyError::Malformed);
    assert_eq!(parse(&vkey.replace("ledger", "Ledger")), KeyError::WrongId);
    let id = signer().verifier().id().to_string();
    assert_eq!(parse(&vkey.replace(&id, &id.to_uppercase())), KeyError::WrongId);
    assert_eq!(parse(&format!("a b{vkey}")), KeyError::Name("a bledger.example/daypass".to_owned()));
    assert_eq!(parse("name+00000000+BAAA"), KeyError::UnknownType(4));
    assert!(KeyName::new("a\u{2003}b").is_err());
    assert!(KeyName::new("a".repeat(1025)).is_err());
}

#[test]
fn a_signers_debug_shows_no_secret() {
    let shown = format!("{:?}", signer());
    assert_eq!(shown, format!("NoteSigner({NAME}+{}, redacted)", signer().verifier().id()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_head_comes_back_and_another_crate_agrees(size in 0..=i64::MAX as u64, root in any::<[u8; 32]>(), seed in any::<u8>()) {
        let signer = signer_of(NAME, seed);
        let head = Checkpoint::new(Origin::from(signer.verifier().name()), size, Hash(root)).unwrap();
        let signed = SignedCheckpoint::sign(head.clone(), &signer).unwrap();
        let read = SignedCheckpoint::parse(&signed.to_bytes()).unwrap();
        prop_assert_eq!(read.verify(signer.verifier()), Ok(&head));
        let theirs = StandardVerifier::new(&signer.verifier().to_string()).unwrap();
        prop_assert!(theirs.verify(head.to_string().as_bytes(), read.note().signatures()[0].bytes()));
    }

    #[test]
    fn an_altered_checkpoint_is_never_accepted(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = signed().to_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(read) = SignedCheckpoint::parse(&bytes) {
            prop_assert!(read.verify(signer().verifier()).is_err());
        }
    }
}
