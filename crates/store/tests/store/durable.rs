//! What is answered is on the disk; what can't be on the disk is answered so, and the store goes on.

use daypass_domain::{GrantId, Time, end::EndCause};
use daypass_ports::{
    record::{Commit, CommitError, Revision},
    store::Store,
};

use crate::support::{Fixture, START, Thing, entry, get, new, over, put, thing, verified};

fn large(id: &str) -> Thing {
    Thing { text: "x".repeat(200_000), ..thing(id, "large") }
}

#[tokio::test]
async fn a_full_disk_gives_nothing_and_the_store_goes_on_when_there_is_room() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "new")).await;
    let head = store.checkpoint().await.expect("a checkpoint");
    let before = store.changes(Revision(0)).await.expect("it reads");
    // One page is less than there are: SQLite takes what there is as the limit.
    store.limit_pages(1).await.expect("it is limited");
    for n in 0..3 {
        let refused = store.append(new(&large(&format!("{n}")))).await;
        let Err(CommitError::NotDurable { why }) = refused else { panic!("it must not be durable: {refused:?}") };
        assert!(why.contains("full"), "{why}");
    }
    assert_eq!(get(&*store, "0").await, None);
    assert_eq!(store.checkpoint().await, Ok(head));
    assert_eq!(store.changes(Revision(0)).await, Ok(before));
    assert_eq!((verified(&*store).await.size, store.lag()), (1, 0));
    store.limit_pages(u32::MAX).await.expect("it is lifted");
    assert_eq!(put(&*store, &large("0")).await.entries, [1]);
    assert_eq!(verified(&*store).await.size, 2);
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(put(&*store, &thing("b", "new")).await.entries, [2]);
    assert_eq!(verified(&*store).await.size, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_wait_for_the_disk_are_counted_until_they_are_durable() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "new")).await;
    // Somebody else writes: nothing becomes durable until they are done.
    let mut other = fixture.raw().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("nobody writes now");
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.append(new(&thing(&n.to_string(), "new"))).await })
        })
        .collect();
    while store.lag() < 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(verified(&*store).await.size, 1, "none of them is in the log");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("it ends");
    for task in tasks {
        task.await.expect("no panic").expect("it is durable");
    }
    assert_eq!((verified(&*store).await.size, store.lag()), (6, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_meets_a_full_disk_is_refused_whole_or_in_turn() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "new")).await;
    store.limit_pages(1).await.expect("it is limited");
    let tasks: Vec<_> = (0..30)
        .map(|n| {
            let store = store.clone();
            let value = large(&format!("{n:02}"));
            tokio::spawn(async move { store.append(new(&value)).await })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.expect("no panic"), Err(CommitError::NotDurable { .. })));
    }
    let dyn_store: &dyn Store = &*store;
    assert_eq!(dyn_store.find::<Thing>("state", "large").await, Ok(vec![]));
    assert_eq!(verified(&*store).await.size, 1);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "new")).await;
    let read = get(&*store, "a").await.expect("it is there");
    let mut commit = over(&read, &thing("a", "next"));
    let grant = GrantId::new(Time::from_micros(START), [1; 10]);
    commit.ended.push((grant, EndCause::Deadline));
    let done = store.append(commit).await.expect("it commits");
    let head = store.checkpoint().await.expect("a checkpoint");
    store.close().await;
    // Nothing is done by a store that is closed, and it says so.
    assert!(matches!(store.append(new(&thing("b", "new"))).await, Err(CommitError::NotDurable { .. })));
    fixture.clock.set(START - 1_000_000);
    let store = fixture.open().await;
    assert_eq!(get(&*store, "a").await.map(|r| (r.value.state, r.version)), Some(("next".to_owned(), 2)));
    assert_eq!((store.checkpoint().await, *store.watch().borrow()), (Ok(head), done.revision));
    assert_eq!(store.last_time(), done.at);
    assert_eq!(store.changes(Revision(1)).await.map(|c| c.ended), Ok(vec![(grant, EndCause::Deadline)]));
    let next = put(&*store, &thing("b", "new")).await;
    assert_eq!((next.entries, next.at), (vec![2], done.at));
    assert_eq!(verified(&*store).await.size, 3);
}

#[tokio::test]
async fn a_store_that_is_dropped_finishes_what_was_queued() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut waiting = Vec::new();
    for n in 0..20 {
        let (store, value) = (store.clone(), thing(&format!("{n}"), "new"));
        waiting.push(tokio::spawn(async move { store.append(new(&value)).await }));
    }
    tokio::task::yield_now().await;
    store.close().await;
    let mut durable = 0;
    for task in waiting {
        durable += u64::from(task.await.expect("no panic").is_ok());
    }
    let store = fixture.open().await;
    assert_eq!(verified(&*store).await.size, durable);
}

#[tokio::test]
async fn endings_are_forgotten_when_they_are_very_old() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let ending = |n: u8| {
        let mut commit = Commit::default();
        commit.ended.push((GrantId::new(Time::from_micros(START), [n; 10]), EndCause::Deadline));
        commit.entry(entry("end"));
        commit
    };
    store.append(ending(1)).await.expect("it commits");
    store.close().await;
    // A hundred thousand commits later: the revision is a plain column.
    let later = sqlx::query("UPDATE head SET revision = 101375").execute(&mut fixture.raw().await).await;
    assert_eq!(later.expect("SQLite does it").rows_affected(), 1);
    let store = fixture.open().await;
    store.append(ending(2)).await.expect("it commits");
    let told = store.changes(Revision(0)).await.expect("it reads");
    assert_eq!(told.revision, Revision(101_376));
    assert_eq!(told.ended.len(), 1);
    assert_eq!(told.ended[0].0, GrantId::new(Time::from_micros(START), [2; 10]));
}

#[tokio::test]
async fn a_lock_held_by_somebody_else_is_waited_for() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut other = fixture.raw().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("SQLite locks");
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.append(new(&thing("a", "new"))).await }
    });
    // Reads don't wait for it.
    assert_eq!(get(&*store, "a").await, None);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("SQLite unlocks");
    assert_eq!(waiting.await.expect("no panic").expect("it commits").entries, [0]);
}

/// A COMMIT that fails may have been durable all the same, so nothing that was in memory is believed after a failure.
#[tokio::test]
async fn after_a_failure_the_log_is_read_back_from_the_disk() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&*store, &thing("a", "new")).await;
    store.limit_pages(1).await.expect("it is limited");
    assert!(store.append(new(&large("b"))).await.is_err());
    // Stands for what such a COMMIT would have left.
    let moved = sqlx::query("UPDATE head SET revision = 41").execute(&mut fixture.raw().await).await;
    assert_eq!(moved.expect("SQLite does it").rows_affected(), 1);
    store.limit_pages(u32::MAX).await.expect("it is lifted");
    assert_eq!(put(&*store, &thing("c", "new")).await.revision, Revision(42));
    assert_eq!(*store.watch().borrow(), Revision(42));
}
