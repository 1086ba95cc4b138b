//! What the tests share: a key, leaves, and logs of them.

use daypass_ledger::{
    Draft, EventType, Folder, KeyName, KeyScope, Leaf, MemLog, NoteSigner, Region, RetentionClass, memlog,
};
use serde_json::json;

pub const NAME: &str = "ledger.example/daypass";
pub const START_US: i64 = 1_750_000_000_000_000;

pub fn signer_of(name: &str, seed: u8) -> NoteSigner {
    let name = KeyName::new(name).unwrap();
    NoteSigner::from_seed(name, [seed; 32].into()).unwrap()
}

pub fn signer() -> NoteSigner {
    signer_of(NAME, 7)
}

pub fn region() -> Region {
    Region::new("eu").unwrap()
}

pub fn draft(event: &str, who: &str) -> Draft {
    let event = EventType::new(event).unwrap();
    Draft::new(event, region(), RetentionClass::Decision)
        .id("grant", format!("grant_{who}"))
        .id("subject", format!("user_{who}"))
        .part(KeyScope::Subject(format!("user_{who}")), json!({"reason": "incident 42"}))
        .part(KeyScope::Operational, json!({"policy": "sha256:00", "b": [1, null, true]}))
}

pub fn leaf_saying(seq: u64, time_us: i64, event: &str, who: &str) -> Leaf {
    let salts = [[seq as u8; 32], [seq as u8 ^ 0x55; 32]];
    draft(event, who).seal(seq, time_us, &salts).unwrap().0
}

pub fn leaf(seq: u64) -> Leaf {
    let event = ["request.made", "request.approved", "grant.activated", "grant.ended"];
    let who = format!("{:04}", seq / 4);
    let time_us = START_US + i64::try_from(seq).unwrap() * 1_000_000;
    leaf_saying(seq, time_us, event[seq as usize % event.len()], &who)
}

pub fn leaves(count: u64) -> Vec<Leaf> {
    (0..count).map(leaf).collect()
}

pub fn folder(count: u64) -> Folder {
    memlog::render(&leaves(count), &signer()).unwrap()
}

/// A log of short entries that are no leaves: for the tree alone.
pub fn plain_log(count: u64) -> MemLog {
    let mut log = MemLog::new();
    for index in 0..count {
        log.push(format!("entry {index}").into_bytes());
    }
    log
}
