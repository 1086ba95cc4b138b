//! One small log, byte for byte: whatever changes here changes what auditors hold.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use daypass_ledger::{MemLog, TlogProof, tile::TILE_WIDTH};

use crate::fixtures::{folder, leaves, signer};

#[test]
fn a_small_log_is_byte_for_byte_what_it_was() {
    let mut shown = format!("vkey: {}\n", signer().verifier());
    for (path, bytes) in folder(5) {
        writeln!(shown, "\n== {path} ({} bytes)", bytes.len()).unwrap();
        if path.starts_with("tile/entries/") {
            for entry in daypass_ledger::bundle::parse(&bytes, 5).unwrap() {
                writeln!(shown, "{}", str::from_utf8(entry).unwrap()).unwrap();
            }
        } else if path.starts_with("tile/") {
            for hash in bytes.chunks(32) {
                writeln!(shown, "{}", HEXLOWER.encode(hash)).unwrap();
            }
        } else {
            shown.push_str(str::from_utf8(&bytes).unwrap());
        }
    }
    let log = MemLog::of(&leaves(5));
    let proof = TlogProof::new(log.inclusion(2).unwrap(), log.head(&signer()).unwrap()).unwrap();
    write!(shown, "\n== entry 2's proof\n{proof}").unwrap();
    insta::assert_snapshot!(shown);
}

#[test]
fn a_log_of_several_tiles_keeps_its_root() {
    let log = MemLog::of(&leaves(u64::from(TILE_WIDTH) * 2 + 3));
    insta::assert_snapshot!(log.root().hex());
}
