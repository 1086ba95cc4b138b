//! Offline proofs of single entries.

use daypass_ledger::{
    Hash, MemLog, TlogProof,
    merkle::{MAX_PATH, ProofError},
    proof::TlogProofError,
};
use proptest::prelude::*;

use crate::fixtures::{leaves, signer, signer_of};

fn proof_of(log: &MemLog, index: u64) -> TlogProof {
    TlogProof::new(log.inclusion(index).unwrap(), log.head(&signer()).unwrap()).unwrap()
}

#[test]
fn every_entry_has_a_proof_that_stands_alone() {
    for size in [1, 2, 3, 7, 8, 9] {
        let log = MemLog::of(&leaves(size));
        for (index, entry) in log.entries().iter().enumerate() {
            let text = proof_of(&log, index as u64).to_string();
            let read = TlogProof::parse(text.as_bytes()).unwrap();
            assert_eq!(read.to_string(), text);
            let head = read.verify(entry, signer().verifier()).unwrap();
            assert_eq!((head.size, head.root), (size, log.root()));
        }
    }
}

#[test]
fn extra_data_is_carried_and_not_trusted() {
    let log = MemLog::of(&leaves(5));
    let proof = proof_of(&log, 2).with_extra(b"context".to_vec()).unwrap();
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra Y29udGV4dA==\nindex 2\n"));
    let read = TlogProof::parse(text.as_bytes()).unwrap();
    assert_eq!((&read, read.extra()), (&proof, Some(&b"context"[..])));
    assert!(read.verify(&log.entries()[2], signer().verifier()).is_ok());
    assert_eq!(proof.with_extra(Vec::new()), Err(TlogProofError::Extra));
}

#[test]
fn a_proof_of_something_else_is_refused() {
    let log = MemLog::of(&leaves(5));
    let proof = proof_of(&log, 2);
    let entry = &log.entries()[2];
    let wrong_entry = proof.verify(&log.entries()[3], signer().verifier());
    assert_eq!(wrong_entry, Err(TlogProofError::Proof(ProofError::NotIncluded)));
    let moved = proof.to_string().replace("index 2", "index 3");
    let moved = TlogProof::parse(moved.as_bytes()).unwrap();
    assert!(matches!(moved.verify(entry, signer().verifier()), Err(TlogProofError::Proof(_))));
    let beyond = proof.to_string().replace("index 2", "index 5");
    let beyond = TlogProof::parse(beyond.as_bytes()).unwrap();
    assert!(matches!(beyond.verify(entry, signer().verifier()), Err(TlogProofError::Proof(_))));
    let stranger = signer_of("elsewhere.example", 3);
    let refused = proof.verify(entry, stranger.verifier());
    assert!(matches!(refused, Err(TlogProofError::Checkpoint(_))));
    // A proof for one size under a head of another.
    let longer = MemLog::of(&leaves(6)).head(&signer()).unwrap();
    let mixed = TlogProof::new(log.inclusion(2).unwrap(), longer);
    assert_eq!(mixed, Err(ProofError::WrongShape));
}

#[test]
fn malformed_proofs_are_refused() {
    let log = MemLog::of(&leaves(5));
    let text = proof_of(&log, 2).to_string();
    let parse = |text: String| TlogProof::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(String::new()), TlogProofError::NotAProof);
    assert_eq!(parse(text.replace("@v1", "@v2")), TlogProofError::NotAProof);
    assert_eq!(parse(text.replace("index 2\n", "")), TlogProofError::Index);
    assert_eq!(parse(text.replace("index 2", "index 02")), TlogProofError::Index);
    assert_eq!(parse(text.replace("index 2", "index -2")), TlogProofError::Index);
    assert_eq!(parse(text.replace("index 2", "extra \nindex 2")), TlogProofError::Extra);
    assert_eq!(parse(text.replace("index 2", "extra ?\nindex 2")), TlogProofError::Extra);
    assert_eq!(parse(text.replace("index 2", "index 2\nAAAA")), TlogProofError::Path(1));
    let long = format!("index 2\n{}", format!("{}\n", Hash([1; 32])).repeat(MAX_PATH));
    assert_eq!(parse(text.replace("index 2\n", &long)), TlogProofError::Shape);
    assert_eq!(parse(text[..60].to_owned()), TlogProofError::Shape);
    assert!(matches!(parse(text.replace("\n5\n", "\n05\n")), TlogProofError::Checkpoint(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_altered_proof_is_never_accepted(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let log = MemLog::of(&leaves(9));
        let mut bytes = proof_of(&log, 4).to_string().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(read) = TlogProof::parse(&bytes) {
            prop_assert!(read.verify(&log.entries()[4], signer().verifier()).is_err());
        }
    }
}
