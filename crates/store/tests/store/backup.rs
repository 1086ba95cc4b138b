//! A copy while the store is used, and a folder made of it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use daypass_ports::{
    record::Scope,
    store::{Store, StoreError},
};
use daypass_store::{OpenError, Rollback, SqliteStore, restore};

use crate::support::{Fixture, get, new, part, payload_id, principal, put, said, thing, verified};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_restores_what_was_there_when_it_was_made() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut commit = new(&thing("a", "new"));
    commit.entries[0].parts.push(part(payload_id(1), Scope::Subject(principal(1)), said("kept")));
    store.append(commit).await.expect("it commits");
    let backup = fixture.root.path().join("backup.db");
    // Commits go on while it is copied, and are in it or not, each whole.
    let busy = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0..50 {
                put(&*store, &thing(&format!("busy-{n:02}"), "new")).await;
            }
        }
    });
    store.backup(&backup).await.expect("it is copied");
    busy.await.expect("no panic");
    put(&*store, &thing("after", "new")).await;
    store.close().await;
    assert_eq!(fs::metadata(&backup).expect("it is there").permissions().mode() & 0o777, 0o600);

    fs::remove_dir_all(fixture.folder()).expect("the folder goes");
    let restored = restore(&backup, &fixture.folder()).await.expect("it restores");
    assert_eq!((&restored.file, restored.origin.as_str()), (&fixture.database(), "daypass.local/test"));
    assert!(matches!(fixture.open_error().await, OpenError::RolledBack(_)));
    let mut options = fixture.options();
    options.rollback = Rollback::Accept;
    let store = SqliteStore::open(options).await.expect("it opens");
    assert!(store.accepted().is_some());
    assert!(get(&store, "a").await.is_some());
    assert_eq!(get(&store, "after").await, None);
    assert_eq!(store.payload(payload_id(1)).await, Ok(Some(said("kept"))));
    let report = verified(&store).await;
    assert_eq!(report.size, restored.entries);
    let rows = (&store as &dyn Store).find::<crate::support::Thing>("state", "new").await.expect("they read");
    assert_eq!(rows.len() as u64, report.size, "each commit has one row and one entry");
    assert_eq!(put(&store, &thing("on", "new")).await.entries, [report.size]);
}

#[tokio::test]
async fn a_backup_never_writes_over_a_file() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let file = fixture.root.path().join("precious");
    fs::write(&file, "words").expect("it writes");
    assert!(matches!(store.backup(&file).await, Err(StoreError::Unreadable { .. })));
    assert_eq!(fs::read_to_string(&file).expect("it reads"), "words");
    let nowhere = fixture.root.path().join("missing/backup.db");
    assert!(matches!(store.backup(&nowhere).await, Err(StoreError::Unreadable { .. })));
}

#[tokio::test]
async fn only_a_whole_backup_of_ours_is_restored_and_only_into_an_empty_folder() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for n in 0..60 {
        put(&*store, &thing(&n.to_string(), "new")).await;
    }
    let backup = fixture.root.path().join("backup.db");
    store.backup(&backup).await.expect("it is copied");
    store.close().await;
    let used = restore(&backup, &fixture.folder()).await;
    assert_eq!(used, Err(OpenError::NotEmpty { folder: fixture.folder() }));

    let to = fixture.root.path().join("new");
    let whole = fs::read(&backup).expect("it reads");
    let bad = fixture.root.path().join("bad.db");
    for (content, what) in [
        (&whole[..whole.len() / 2], "half"),
        (&b"not a database, whatever it is called; but long enough to have a header of a hundred bytes if it were one"[..], "text"),
        (&b""[..], "empty"),
    ] {
        fs::write(&bad, content).expect("it writes");
        let error = restore(&bad, &to).await.expect_err(what);
        assert!(matches!(error, OpenError::Corrupt { .. } | OpenError::NotOurs { .. }), "{what}: {error}");
        assert!(!to.exists());
    }
    assert!(matches!(restore(&fixture.root.path().join("none"), &to).await, Err(OpenError::Folder { .. })));
    assert_eq!(restore(&backup, &to).await.map(|r| r.entries), Ok(60));
}

#[tokio::test]
async fn a_backup_does_not_hold_what_was_destroyed_before_it() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut commit = new(&thing("a", "new"));
    commit.entries[0].parts.push(part(payload_id(1), Scope::Subject(principal(1)), said("erased")));
    store.append(commit).await.expect("it commits");
    store.destroy_key(&Scope::Subject(principal(1))).await.expect("it is destroyed");
    let backup = fixture.root.path().join("backup.db");
    store.backup(&backup).await.expect("it is copied");
    store.close().await;
    fs::remove_dir_all(fixture.folder()).expect("the folder goes");
    restore(&backup, &fixture.folder()).await.expect("it restores");
    let store = fixture.open().await;
    assert_eq!(store.payload(payload_id(1)).await, Ok(None));
    assert_eq!(verified(&*store).await.size, 1);
}
