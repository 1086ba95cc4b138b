//! Whatever reads the ledger from outside: leaves, checkpoints, proofs, bundles, paths. Nothing panics, and what is
//! accepted has one spelling: it is written back as it was read.
#![no_main]

use daypass_ledger::{
    Leaf, SignedCheckpoint, TlogProof, VerifierKey, bundle,
    tile::Resource,
    verify::{Source, verify},
};
use libfuzzer_sys::fuzz_target;

/// A key that signs nothing here: what verifies under it was forged.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// Every file of the log is these bytes.
struct Same<'a>(&'a [u8]);

impl Source for Same<'_> {
    fn read(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.to_vec()))
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(leaf) = Leaf::parse(data) {
        assert_eq!(leaf.to_bytes(), data);
    }
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.to_bytes(), data);
    }
    if let Ok(proof) = TlogProof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
    }
    for width in [1, 2, 256] {
        if let Ok(entries) = bundle::parse(data, width) {
            assert_eq!(bundle::encode(&entries).unwrap(), data);
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(path) = text.parse::<Resource>() {
            assert_eq!(path.to_string(), text);
        }
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
    let key: VerifierKey = KEY.parse().unwrap();
    assert!(verify(&Same(data), &key, None).is_err());
});
