//! Somebody writes to the database past the store. What they write is refused; what they take away or put back is not seen
//! here, and these tests say so.

use daypass_domain::Time;
use daypass_ports::{
    record::Kind,
    store::{Store, StoreError},
};
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::support::{Fixture, Thing, get, new, over, put, stale, thing};

async fn run(db: &mut SqliteConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db).await.expect("SQLite does it");
    assert!(done.rows_affected() > 0, "{sql} changed nothing");
}

fn forged(id: &str) -> StoreError {
    StoreError::Forged { kind: Kind::Setting, id: id.to_owned() }
}

#[tokio::test]
async fn whatever_is_changed_in_a_row_is_refused() {
    for change in [
        r#"UPDATE rows SET body = replace(body, '"shut"', '"open"')"#,
        "UPDATE rows SET version = 2",
        "UPDATE rows SET due_us = 1",
        "UPDATE rows SET due_us = NULL",
        r#"UPDATE rows SET keys = replace(keys, 'shut', 'open')"#,
        "UPDATE rows SET mac = zeroblob(32)",
        "UPDATE rows SET mac = x''",
        "UPDATE rows SET id = 'b'",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        put(&*store, &Thing { due: Some(7), ..thing("a", "shut") }).await;
        let read = get(&*store, "a").await.expect("it is there");
        run(&mut fixture.raw().await, change).await;
        let id = if change.contains("id = 'b'") { "b" } else { "a" };
        assert_eq!(store.row(Kind::Setting, id).await, Err(forged(id)), "{change}");
        let dyn_store: &dyn Store = &*store;
        assert_eq!(dyn_store.all::<Thing>().await, Err(forged(id)), "{change}");
        assert_eq!(dyn_store.find::<Thing>("state", "shut").await, Err(forged(id)), "{change}");
        // A commit that relies on it, or writes over it, is refused too.
        assert_eq!(store.append(over(&read, &thing("a", "next"))).await, stale("a"), "{change}");
        assert_eq!(store.append(new(&thing(id, "next"))).await, stale(id), "{change}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_row_copied_to_another_id_or_kind_is_refused() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "open")).await;
    let mut db = fixture.raw().await;
    for (kind, id) in [("setting", "b"), ("grant", "a")] {
        run(
            &mut db,
            &format!(
                "INSERT INTO rows (kind, id, version, keys, body, due_us, mac) \
                 SELECT '{kind}', '{id}', version, keys, body, due_us, mac FROM rows WHERE row = 1"
            ),
        )
        .await;
    }
    assert_eq!(store.row(Kind::Setting, "b").await, Err(forged("b")));
    assert_eq!(store.row(Kind::Grant, "a").await, Err(StoreError::Forged { kind: Kind::Grant, id: "a".into() }));
    assert!(get(&*store, "a").await.is_some());
}

#[tokio::test]
async fn a_row_filed_under_a_key_that_it_does_not_have_is_refused() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "shut")).await;
    let mut db = fixture.raw().await;
    run(&mut db, "INSERT INTO row_keys (kind, key, value, id, row) VALUES ('setting', 'state', 'open', 'a', 1)").await;
    let dyn_store: &dyn Store = &*store;
    assert_eq!(dyn_store.find::<Thing>("state", "open").await, Err(forged("a")));
    assert_eq!(dyn_store.find::<Thing>("state", "shut").await.map(|f| f.len()), Ok(1));
}

#[tokio::test]
async fn a_forged_due_time_is_refused_when_its_row_is_read() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &Thing { due: Some(1_000), ..thing("a", "open") }).await;
    run(&mut fixture.raw().await, "UPDATE rows SET due_us = 5").await;
    assert_eq!(store.due(Kind::Setting, Time::from_micros(10), 10).await, Err(forged("a")));
}

/// The limit of a MAC: an old row was ours. That it is old shows in the log, which has the entry of its change, and in the
/// head file once the whole folder is put back (see `opening`).
#[tokio::test]
async fn an_old_row_put_back_reads_as_ours_and_the_log_still_tells() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "open")).await;
    let mut db = fixture.raw().await;
    let keep = sqlx::raw_sql("CREATE TABLE old AS SELECT version, keys, body, due_us, mac FROM rows");
    keep.execute(&mut db).await.expect("SQLite keeps a copy");
    let read = get(&*store, "a").await.expect("it is there");
    store.append(over(&read, &thing("a", "shut"))).await.expect("it commits");
    let newest = get(&*store, "a").await.expect("it is there");
    run(
        &mut db,
        "UPDATE rows SET (version, keys, body, due_us, mac) = (SELECT version, keys, body, due_us, mac FROM old)",
    )
    .await;
    assert_eq!(get(&*store, "a").await, Some(read));
    // Who read the newer one isn't fooled into building on the older.
    assert_eq!(store.append(over(&newest, &thing("a", "next"))).await, stale("a"));
    assert_eq!(store.leaves(0, 10).await.map(|l| l.len()), Ok(2));
}

#[tokio::test]
async fn an_altered_entry_is_not_shown() {
    for change in [
        "UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE seq = 1) WHERE seq = 2",
        "UPDATE leaves SET bytes = CAST(replace(CAST(bytes AS TEXT), 'thing.changed', 'thing.nothing') AS BLOB) WHERE seq = 2",
        "DELETE FROM leaves WHERE seq = 2",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 3",
        "UPDATE head SET note = replace(note, '\n7\n', '\n6\n')",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        for n in 0..7 {
            put(&*store, &thing(&n.to_string(), "new")).await;
        }
        run(&mut fixture.raw().await, change).await;
        let read = store.leaves(1, 3).await;
        assert!(matches!(read, Err(StoreError::Unreadable { .. })), "{change}: {read:?}");
        store.close().await;
    }
}
