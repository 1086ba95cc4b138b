//! Erasing what was recorded, while the log goes on verifying. // I9

use data_encoding::HEXLOWER;
use daypass_ledger::Leaf;
use daypass_ports::{
    record::Scope,
    store::{Store, StoreError},
};

use crate::support::{Fixture, get, new, over, part, payload_id, principal, put, said, thing, verified};

async fn with_parts(store: &dyn Store, id: &str, parts: &[(u8, Scope)]) {
    let mut commit = new(&thing(id, "new"));
    for (n, scope) in parts {
        commit.entries[0].parts.push(part(payload_id(*n), scope.clone(), said(&format!("secret words {n}"))));
    }
    store.append(commit).await.expect("it commits");
}

#[tokio::test]
async fn a_destroyed_key_erases_its_parts_and_the_log_still_verifies() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let (alice, bob) = (Scope::Subject(principal(1)), Scope::Subject(principal(2)));
    with_parts(&*store, "a", &[(1, alice.clone()), (2, bob.clone())]).await;
    with_parts(&*store, "b", &[(3, alice.clone()), (4, Scope::Operational)]).await;
    let before = verified(&*store).await;
    assert_eq!(store.destroy_key(&alice).await, Ok(1));
    let answers = async |store: &dyn Store| {
        let mut answers = Vec::new();
        for n in 1..=4 {
            answers.push(store.payload(payload_id(n)).await.expect("it reads").is_some());
        }
        answers
    };
    assert_eq!(answers(&*store).await, [false, true, false, true]);
    assert_eq!(verified(&*store).await, before);
    assert_eq!(store.destroy_key(&alice).await, Ok(0));
    // What is recorded later has a new key, which doesn't bring the old parts back.
    with_parts(&*store, "c", &[(5, alice)]).await;
    assert_eq!(store.payload(payload_id(5)).await, Ok(Some(said("secret words 5"))));
    assert_eq!(answers(&*store).await, [false, true, false, true]);
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(answers(&*store).await, [false, true, false, true]);
    assert_eq!(verified(&*store).await.size, 3);
}

#[tokio::test]
async fn nothing_of_a_destroyed_key_or_of_any_plain_text_is_in_the_folder() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    // Several pages of keys, so that what is taken out leaves holes that nothing else fills.
    for n in 0..60 {
        with_parts(&*store, &format!("{n}"), &[(n, Scope::Subject(principal(n)))]).await;
    }
    let mut db = fixture.raw().await;
    let wrapped: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT scope, wrapped FROM data_keys").fetch_all(&mut db).await.expect("there are keys");
    sqlx::Connection::close(db).await.expect("it closes");
    let holds = |needle: &[u8]| {
        std::fs::read_dir(fixture.folder()).expect("the folder").any(|file| {
            let bytes = std::fs::read(file.expect("a file").path()).expect("it reads");
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    assert!(!holds(b"secret words"));
    for n in (0..60).step_by(3) {
        store.destroy_key(&Scope::Subject(principal(n))).await.expect("it is destroyed");
    }
    for n in 0..60 {
        let scope = format!("subject:{}", principal(n));
        let (_, wrapped) = wrapped.iter().find(|(s, _)| *s == scope).expect("it had a key");
        assert_eq!(holds(&wrapped[1..]), n % 3 != 0, "{scope}");
    }
}

#[tokio::test]
async fn a_part_is_checked_against_its_entry() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    with_parts(&*store, "a", &[(1, Scope::Operational)]).await;
    let leaf = store.leaves(0, 1).await.expect("it reads").remove(0).1;
    let digest = HEXLOWER.encode(&Leaf::parse(&leaf).expect("a leaf").commitments()[0].digest);
    let text = String::from_utf8(leaf).expect("text");
    let other = text.replace(&digest, &HEXLOWER.encode(&[7; 32]));
    assert_ne!(text, other);
    let change = sqlx::query("UPDATE leaves SET bytes = $1").bind(other.into_bytes());
    change.execute(&mut fixture.raw().await).await.expect("SQLite does it");
    let read = store.payload(payload_id(1)).await;
    assert!(matches!(read, Err(StoreError::Unreadable { .. })), "{read:?}");
}

#[tokio::test]
async fn a_part_that_was_changed_moved_or_swapped_is_refused() {
    for change in [
        "UPDATE payloads SET sealed = zeroblob(length(sealed)) WHERE part = 0",
        "UPDATE payloads SET sealed = x'01' WHERE part = 0",
        "UPDATE payloads SET sealed = (SELECT sealed FROM payloads WHERE part = 1) WHERE part = 0",
        "UPDATE payloads SET part = 7 WHERE part = 0",
        "UPDATE payloads SET seq = 1 WHERE part = 0",
        "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE scope = 'operational') \
         WHERE scope <> 'operational'",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        with_parts(&*store, "a", &[(1, Scope::Subject(principal(1))), (2, Scope::Operational)]).await;
        with_parts(&*store, "b", &[]).await;
        let mut db = fixture.raw().await;
        sqlx::raw_sql(change).execute(&mut db).await.expect("SQLite does it");
        let read = store.payload(payload_id(1)).await;
        assert!(matches!(read, Err(StoreError::Unreadable { .. })), "{change}: {read:?}");
        assert_eq!(store.payload(payload_id(2)).await, Ok(Some(said("secret words 2"))), "{change}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_tampered_key_refuses_one_commit_and_not_its_neighbours() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    with_parts(&*store, "a", &[(1, Scope::Subject(principal(1)))]).await;
    let mut db = fixture.raw().await;
    sqlx::raw_sql("UPDATE data_keys SET wrapped = zeroblob(61)").execute(&mut db).await.expect("SQLite does it");
    let read = get(&*store, "a").await.expect("it is there");
    let mut bad = over(&read, &thing("a", "next"));
    bad.entries[0].parts.push(part(payload_id(2), Scope::Subject(principal(1)), said("more")));
    let (bad, good) = tokio::join!(store.append(bad), async { put(&*store, &thing("b", "new")).await });
    assert!(bad.is_err());
    assert_eq!(good.entries, [1]);
    assert_eq!(get(&*store, "a").await, Some(read));
}
