//! Folders that must not be opened, and what is said of each.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

use daypass_ports::store::Store as _;
use daypass_seal::MasterKey;
use daypass_store::{OpenError, Rollback, RolledBack, SqliteStore};
use zeroize::Zeroizing;

use crate::support::{Fixture, get, put, thing, verified};

/// A folder with some commits, closed.
async fn used(entries: usize) -> Fixture {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for n in 0..entries {
        put(&*store, &thing(&n.to_string(), "new")).await;
    }
    store.close().await;
    fixture
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for file in fs::read_dir(from).expect("the folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("it copies");
    }
}

fn put_back(fixture: &Fixture, from: &Path) {
    fs::remove_dir_all(fixture.folder()).expect("the folder goes");
    copy_folder(from, &fixture.folder());
}

async fn raw(fixture: &Fixture, sql: &'static str) {
    let done = sqlx::raw_sql(sql).execute(&mut fixture.raw().await).await.expect("SQLite does it");
    assert!(done.rows_affected() > 0, "{sql}");
}

#[tokio::test]
async fn two_on_one_folder_are_refused_and_told_who_has_it() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let error = fixture.open_error().await;
    assert_eq!(error, OpenError::InUse { folder: fixture.folder(), pid: Some(std::process::id()) });
    assert!(error.to_string().contains(&std::process::id().to_string()));
    put(&*store, &thing("a", "new")).await;
    store.close().await;
    assert!(get(&*fixture.open().await, "a").await.is_some());
}

#[tokio::test]
async fn only_this_user_can_read_what_is_made() {
    let fixture = used(1).await;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.folder()), 0o700);
    for file in fs::read_dir(fixture.folder()).expect("the folder") {
        let path = file.expect("a file").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&fixture.head_file()), 0o600);
}

#[tokio::test]
async fn another_master_key_or_log_is_refused() {
    let fixture = used(1).await;
    let mut options = fixture.options();
    options.keys = MasterKey::from_bytes([8; 32]);
    assert_eq!(SqliteStore::open(options).await.err(), Some(OpenError::WrongKey));
    let mut options = fixture.options();
    options.log_seed = Zeroizing::new([10; 32]);
    assert!(matches!(SqliteStore::open(options).await, Err(OpenError::OtherLog { .. })));
    let mut options = fixture.options();
    options.log_name = "daypass.local/other".into();
    assert!(matches!(SqliteStore::open(options).await, Err(OpenError::OtherLog { .. })));
    let mut options = fixture.options();
    options.log_name = "not a name".into();
    assert!(matches!(SqliteStore::open(options).await, Err(OpenError::LogKey { .. })));
    assert_eq!(verified(&*fixture.open().await).await.size, 1);
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_the_way_out_is_named() {
    let fixture = used(40).await;
    let whole = fs::read(fixture.database()).expect("it reads");
    let file = fs::OpenOptions::new().write(true).open(fixture.database()).expect("it opens");
    // A page in the middle, the header, and half of the file gone.
    file.write_all_at(&[0xaa; 4096], (whole.len() / 4096 / 2 * 4096) as u64).expect("it writes");
    let error = fixture.open_error().await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("daypass restore"), "{error}");
    fs::write(fixture.database(), [&[0xaa; 100], &whole[100..]].concat()).expect("it writes");
    assert!(matches!(fixture.open_error().await, OpenError::Corrupt { .. }));
    fs::write(fixture.database(), &whole[..whole.len() / 2]).expect("it writes");
    assert!(matches!(fixture.open_error().await, OpenError::Corrupt { .. }));
    fs::write(fixture.database(), &whole).expect("it writes");
    assert_eq!(verified(&*fixture.open().await).await.size, 40);
}

#[tokio::test]
async fn a_database_of_something_else_or_newer_is_refused() {
    let fixture = used(1).await;
    let pragma = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut fixture.raw().await).await.expect("SQLite does it");
    };
    pragma("PRAGMA user_version = 99").await;
    assert_eq!(fixture.open_error().await, OpenError::Newer { found: 99, known: 1 });
    pragma("PRAGMA application_id = 5").await;
    assert_eq!(fixture.open_error().await, OpenError::NotOurs { file: fixture.database() });
}

#[tokio::test]
async fn a_log_that_contradicts_its_head_is_refused() {
    for change in [
        "DELETE FROM leaves WHERE seq = 4",
        "INSERT INTO leaves (seq, bytes) SELECT 5, bytes FROM leaves WHERE seq = 4",
        "UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE seq = 3) WHERE seq = 4",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 2",
        "DELETE FROM nodes WHERE level = 2",
        "UPDATE head SET note = replace(note, '\n5\n', '\n4\n')",
        "DELETE FROM head",
    ] {
        let fixture = used(5).await;
        raw(&fixture, change).await;
        let error = fixture.open_error().await;
        assert!(matches!(error, OpenError::LogDamaged { .. }), "{change}: {error}");
    }
}

#[tokio::test]
async fn a_folder_put_back_is_refused_until_that_is_accepted_and_committed() {
    let fixture = used(2).await;
    let old = fixture.root.path().join("old");
    copy_folder(&fixture.folder(), &old);
    let store = fixture.open().await;
    put(&*store, &thing("later", "new")).await;
    store.close().await;
    put_back(&fixture, &old);
    let shorter = OpenError::RolledBack(RolledBack::Shorter { size: 2, known: 3, head: fixture.head_file() });
    assert_eq!(fixture.open_error().await, shorter);
    assert!(shorter.to_string().contains("daypass restore"), "{shorter}");
    let accept = || {
        let mut options = fixture.options();
        options.rollback = Rollback::Accept;
        SqliteStore::open(options)
    };
    // Accepted, and nothing committed: what was live then may not have been ended, so it stays refused.
    let store = accept().await.expect("it opens");
    assert_eq!(store.accepted(), Some(&shorter));
    store.close().await;
    assert_eq!(fixture.open_error().await, shorter);
    let store = accept().await.expect("it opens");
    put(&store, &thing("restored", "new")).await;
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(store.accepted(), None);
    assert_eq!(verified(&*store).await.size, 3);
}

#[tokio::test]
async fn a_log_that_was_put_back_and_went_on_is_refused() {
    let fixture = used(2).await;
    let (old, head) = (fixture.root.path().join("old"), fixture.root.path().join("old head"));
    copy_folder(&fixture.folder(), &old);
    let store = fixture.open().await;
    put(&*store, &thing("one-way", "new")).await;
    store.close().await;
    fs::copy(fixture.head_file(), &head).expect("it copies");
    put_back(&fixture, &old);
    let mut options = fixture.options();
    options.rollback = Rollback::Accept;
    let store = SqliteStore::open(options).await.expect("it opens");
    for more in 1..=3 {
        put(&store, &thing(&format!("another-way-{more}"), "new")).await;
    }
    store.close().await;
    fs::copy(&head, fixture.head_file()).expect("it copies");
    let forked = RolledBack::Forked { size: 5, known: 3, head: fixture.head_file() };
    assert_eq!(fixture.open_error().await, OpenError::RolledBack(forked));
}

#[tokio::test]
async fn a_head_file_that_is_missing_or_of_something_else_is_refused() {
    let fixture = used(2).await;
    let head = fs::read(fixture.head_file()).expect("it reads");
    fs::remove_file(fixture.head_file()).expect("it goes");
    assert_eq!(fixture.open_error().await, OpenError::HeadMissing { head: fixture.head_file(), size: 2 });
    for wrong in [&b"something else"[..], &head[..head.len() - 9], b"x".repeat(2_000_000).as_slice()] {
        fs::write(fixture.head_file(), wrong).expect("it writes");
        let error = fixture.open_error().await;
        assert!(matches!(error, OpenError::HeadUnreadable { .. }), "{error}");
    }
    // Another log's head, well signed by its own key.
    let other = Fixture::new();
    let mut options = other.options();
    options.log_seed = Zeroizing::new([10; 32]);
    SqliteStore::open(options).await.expect("it opens").close().await;
    fs::copy(other.head_file(), fixture.head_file()).expect("it copies");
    assert!(matches!(fixture.open_error().await, OpenError::HeadUnreadable { .. }));
    fs::write(fixture.head_file(), &head).expect("it writes");
    assert_eq!(verified(&*fixture.open().await).await.size, 2);
}

#[tokio::test]
async fn a_head_file_has_a_folder_of_its_own() {
    let fixture = Fixture::new();
    let link = fixture.root.path().join("link");
    fs::create_dir(fixture.folder()).expect("a folder");
    std::os::unix::fs::symlink(fixture.folder(), &link).expect("a link");
    for inside in [fixture.folder().join("head"), fixture.folder().join("deeper/head"), link.join("head")] {
        let mut options = fixture.options();
        options.head_file.clone_from(&inside);
        assert_eq!(SqliteStore::open(options).await.err(), Some(OpenError::HeadInside { head: inside }));
    }
    let mut options = fixture.options();
    options.head_file = fixture.root.path().join("made/for/it/head");
    let store = SqliteStore::open(options).await.expect("it opens");
    put(&store, &thing("a", "new")).await;
    let head = fs::read_to_string(fixture.root.path().join("made/for/it/head")).expect("it reads");
    assert_eq!(store.checkpoint().await, Ok(head));
}

#[tokio::test]
async fn a_deleted_database_is_not_taken_for_a_new_one() {
    let fixture = used(2).await;
    fs::remove_dir_all(fixture.folder()).expect("the folder goes");
    let gone = RolledBack::Shorter { size: 0, known: 2, head: fixture.head_file() };
    assert_eq!(fixture.open_error().await, OpenError::RolledBack(gone));
}

/// What a power loss can leave on some file systems. The synced copy stands in: it is older, and that is all it may be.
#[tokio::test]
async fn a_head_file_emptied_by_a_power_loss_is_read_from_its_copy() {
    let fixture = used(2).await;
    for torn in [&b""[..], &[0; 180]] {
        fs::write(fixture.head_file(), torn).expect("it writes");
        let store = fixture.open().await;
        assert_eq!(verified(&*store).await.size, 2);
        store.close().await;
    }
    // It guards as the head does.
    fs::write(fixture.head_file(), b"").expect("it writes");
    fs::remove_dir_all(fixture.folder()).expect("the folder goes");
    assert!(matches!(fixture.open_error().await, OpenError::RolledBack(_)));
}
