//! What every store must do: the log, its proofs, and the payloads beside it.

use std::{collections::BTreeSet, sync::Arc};

use daypass_domain::SessionId;
use daypass_ledger::{Leaf, SignedCheckpoint, TlogProof, VerifierKey, bundle, leaf_hash};
use daypass_ports::{
    record::{Commit, CommitError, Scope},
    store::{Store, StoreError},
};

use crate::support::{
    START, SetClock, entry, get, new, over, part, payload_id, principal, put, said, stale, thing, verified,
};

pub async fn concurrent_commits_are_all_there_or_stale(store: Arc<dyn Store>, _: Arc<SetClock>) {
    put(&*store, &thing("shared", "new")).await;
    let shared = get(&*store, "shared").await.expect("it is there");
    // Every fourth wants to be the one that changes the shared row: one of fifty can be.
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let (store, mut commit) = (store.clone(), new(&thing(&format!("own-{n}"), "new")));
            if n % 4 == 0 {
                commit.replace(&shared, &thing("shared", &format!("taken by {n}")));
            }
            tokio::spawn(async move { (n, store.append(commit).await) })
        })
        .collect();
    let mut entries = BTreeSet::from([0]);
    let mut takers = Vec::new();
    for task in tasks {
        let (n, answer) = task.await.expect("no panic");
        let there = get(&*store, &format!("own-{n}")).await.is_some();
        match answer {
            Ok(done) => {
                assert!(there);
                if n % 4 == 0 {
                    takers.push(n);
                }
                assert!(done.entries.iter().all(|e| entries.insert(*e)), "an entry has one place of its own");
            }
            refused => {
                assert_eq!(refused, stale("shared"));
                assert!(!there && n % 4 == 0);
            }
        }
    }
    let [taker] = takers[..] else { panic!("one commit takes the shared row: {takers:?}") };
    let shared = get(&*store, "shared").await.expect("it is there");
    assert_eq!((shared.value.state, shared.version), (format!("taken by {taker}"), 2));
    assert!(entries.into_iter().eq(0..152), "places are consecutive");
    assert_eq!(verified(&*store).await.size, 152);
}

pub async fn an_entry_that_does_not_fit_is_refused_alone(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let bad = |change: &dyn Fn(&mut Commit)| {
        let mut commit = new(&thing("bad", "new"));
        change(&mut commit);
        store.append(commit)
    };
    let (event, id, twice, part_too_long, row_id, good) = tokio::join!(
        bad(&|c| c.entries[0].event = "No Event"),
        bad(&|c| c.entries[0].ids.push(("person", "Alice Example".into()))),
        bad(&|c| c.entries[0].ids.push(("thing", "again".into()))),
        bad(&|c| {
            c.entries[0].parts.push(part(payload_id(1), Scope::Operational, said(&"x".repeat(1024 * 1024))));
        }),
        bad(&|c| c.put(&thing("", "new"))),
        store.append(new(&thing("good", "new"))),
    );
    for refused in [event, id, twice, part_too_long, row_id] {
        assert!(matches!(refused, Err(CommitError::BadEntry { .. })), "{refused:?}");
    }
    assert_eq!(good.expect("it commits").entries, [0]);
    assert_eq!(get(&*store, "bad").await, None);
    assert_eq!(verified(&*store).await.size, 1);
}

pub async fn the_log_verifies_at_every_size(store: Arc<dyn Store>, _: Arc<SetClock>) {
    assert_eq!(verified(&*store).await.size, 0);
    let mut size = 0;
    // Around the edges of tiles and bundles: 256 entries each, and 256 tiles of the lowest level in one above.
    for add in [1, 1, 1, 252, 1, 1, 255, 1] {
        let mut commit = Commit::default();
        (0..add).for_each(|n| commit.entry(entry(&format!("{n}"))));
        let done = store.append(commit).await.expect("it commits");
        assert!(done.entries.into_iter().eq(size..size + add));
        size += add;
        let report = verified(&*store).await;
        assert_eq!((report.size, report.origin.as_str()), (size, "daypass.local/test"));
        assert_eq!(report.first_time_us, Some(START));
    }
}

pub async fn a_receipt_proves_its_entry_alone(store: Arc<dyn Store>, _: Arc<SetClock>) {
    for n in 0..11 {
        put(&*store, &thing(&n.to_string(), "new")).await;
    }
    let key: VerifierKey = store.log_key().parse().expect("a verifier key");
    let leaves = store.leaves(0, 100).await.expect("they read");
    for (seq, leaf) in &leaves {
        let receipt = store.receipt(*seq).await.expect("a receipt");
        let proof = TlogProof::parse(receipt.as_bytes()).expect("it parses");
        assert_eq!((proof.index(), proof.verify(leaf, &key).map(|head| head.size)), (*seq, Ok(11)));
        let other = &leaves[(*seq as usize + 1) % leaves.len()].1;
        assert!(proof.verify(other, &key).is_err());
    }
    assert!(matches!(store.receipt(11).await, Err(StoreError::Unreadable { .. })));
}

pub async fn a_file_of_the_log_is_one_spelling_and_within_the_head(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let mut commit = Commit::default();
    (0..260).for_each(|n| commit.entry(entry(&format!("{n}"))));
    store.append(commit).await.expect("it commits");
    let len = async |path: &str| store.log_file(path).await.expect("it reads").map(|bytes| bytes.len());
    assert_eq!(len("tile/0/000").await, Some(256 * 32));
    assert_eq!(len("tile/0/001.p/4").await, Some(4 * 32));
    assert_eq!(len("tile/1/000.p/1").await, Some(32));
    // Partial tiles that were of earlier heads stay, also once the tile is full.
    assert_eq!(len("tile/0/000.p/7").await, Some(7 * 32));
    let head = store.log_file("checkpoint").await.expect("it reads").expect("it is there");
    assert_eq!(store.checkpoint().await, Ok(String::from_utf8(head).expect("text")));
    for nothing in [
        "tile/0/001",
        "tile/0/001.p/5",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/entries/001",
        "tile/0/002.p/1",
        "tile/8/000",
        "tile/0/000.p/256",
        "tile/00/000",
        "tile/0/0",
        "/tile/0/000",
        "tile/0/../0/000",
        "tile/entries/000.p/0",
        "",
        "x",
    ] {
        assert_eq!(len(nothing).await, None, "{nothing}");
    }
    let bytes = store.log_file("tile/entries/001.p/4").await.expect("it reads").expect("it is there");
    let entries = bundle::parse(&bytes, 4).expect("a bundle");
    let hashes = entries.iter().flat_map(|e| leaf_hash(e).0).collect::<Vec<_>>();
    assert_eq!(store.log_file("tile/0/001.p/4").await, Ok(Some(hashes)));
}

pub async fn leaves_come_in_order_from_anywhere(store: Arc<dyn Store>, _: Arc<SetClock>) {
    for n in 0..5 {
        put(&*store, &thing(&n.to_string(), "new")).await;
    }
    let seqs = async |from, most| {
        let leaves = store.leaves(from, most).await.expect("they read");
        for (seq, leaf) in &leaves {
            let leaf = Leaf::parse(leaf).expect("a leaf");
            assert_eq!((leaf.header().seq, leaf.header().ids["thing"].as_str()), (*seq, seq.to_string().as_str()));
        }
        leaves.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 10).await, [0, 1, 2, 3, 4]);
    assert_eq!(seqs(1, 2).await, [1, 2]);
    assert_eq!(seqs(4, 2).await, [4]);
    assert_eq!(seqs(5, 2).await, [0; 0]);
    assert_eq!(seqs(u64::MAX, 2).await, [0; 0]);
}

pub async fn a_payload_says_what_was_recorded(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let session = SessionId::new(daypass_domain::Time::from_micros(START), [3; 10]);
    let scopes =
        [Scope::Subject(principal(1)), Scope::Session(session), Scope::Operational, Scope::Subject(principal(1))];
    let mut commit = new(&thing("a", "new"));
    for (n, scope) in (0..).zip(&scopes) {
        commit.entries[0].parts.push(part(payload_id(n), scope.clone(), said(&format!("part {n}"))));
    }
    store.append(commit).await.expect("it commits");
    for n in 0..4 {
        assert_eq!(store.payload(payload_id(n)).await, Ok(Some(said(&format!("part {n}")))));
    }
    assert_eq!(store.payload(payload_id(9)).await, Ok(None));
    // The entry commits to them, and says none of it.
    let leaf = store.leaves(0, 1).await.expect("it reads").remove(0).1;
    assert_eq!(Leaf::parse(&leaf).expect("a leaf").commitments().len(), 4);
    assert!(!String::from_utf8(leaf).expect("text").contains("part 1"));
    let head = store.checkpoint().await.expect("a checkpoint");
    assert_eq!(SignedCheckpoint::parse(head.as_bytes()).expect("it parses").unverified().size, 1);
}

pub async fn a_payload_id_is_used_once(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let mut commit = new(&thing("a", "new"));
    commit.entries[0].parts.push(part(payload_id(1), Scope::Operational, said("first")));
    store.append(commit).await.expect("it commits");
    let read = get(&*store, "a").await.expect("it is there");
    let mut again = over(&read, &thing("a", "second"));
    again.entries[0].parts.push(part(payload_id(1), Scope::Operational, said("second")));
    assert!(matches!(store.append(again).await, Err(CommitError::BadEntry { .. })));
    // Nor is the entry before it, in the same commit, there.
    let mut second = new(&thing("b", "new"));
    second.entry(entry("b"));
    second.entries[1].parts.push(part(payload_id(1), Scope::Operational, said("second")));
    let (second, next) = tokio::join!(store.append(second), store.append(new(&thing("c", "new"))));
    assert!(matches!(second, Err(CommitError::BadEntry { .. })));
    assert_eq!(next.expect("it commits").entries, [1]);
    assert_eq!(store.payload(payload_id(1)).await, Ok(Some(said("first"))));
    assert_eq!(get(&*store, "a").await.map(|r| r.version), Some(1));
    assert_eq!(verified(&*store).await.size, 2);
}
