//! What every store must do: rows, versions, keys, due times, endings, revisions and time.

use std::sync::Arc;

use daypass_domain::{GrantId, SessionId, Time, end::EndCause};
use daypass_ports::{
    record::{Commit, Kind, Revision},
    store::{Order, Query, Store},
};

use crate::support::{START, SetClock, Thing, entry, expect, get, new, over, put, stale, thing, verified};

pub async fn a_value_comes_back_with_its_version(store: Arc<dyn Store>, _: Arc<SetClock>) {
    assert_eq!(get(&*store, "a").await, None);
    let first = Thing { text: "with \"quotes\", \u{1F980} and \0".to_owned(), ..thing("a", "new") };
    let done = put(&*store, &first).await;
    assert_eq!(done.entries, [0]);
    let read = get(&*store, "a").await.expect("it is there");
    assert_eq!((&read.value, read.version), (&first, 1));
    let second = thing("a", "old");
    let done = store.append(over(&read, &second)).await.expect("it commits");
    assert_eq!(done.entries, [1]);
    let read = get(&*store, "a").await.expect("it is there");
    assert_eq!((&read.value, read.version), (&second, 2));
    // Another kind has ids of its own.
    assert_eq!(store.row(Kind::Grant, "a").await, Ok(None));
}

pub async fn a_stale_commit_leaves_nothing(store: Arc<dyn Store>, _: Arc<SetClock>) {
    put(&*store, &thing("a", "new")).await;
    let read = get(&*store, "a").await.expect("it is there");
    store.append(over(&read, &thing("a", "second"))).await.expect("it commits");
    let before = store.changes(Revision(0)).await.expect("it reads");
    let mut late = over(&read, &thing("a", "third"));
    late.put(&thing("b", "new"));
    late.ended.push((GrantId::new(Time::from_micros(START), [1; 10]), EndCause::Deadline));
    late.killed.push(SessionId::new(Time::from_micros(START), [1; 10]));
    assert_eq!(store.append(late).await, stale("a"));
    assert_eq!(get(&*store, "a").await.map(|r| (r.value.state, r.version)), Some(("second".to_owned(), 2)));
    assert_eq!(get(&*store, "b").await, None);
    assert_eq!(store.changes(Revision(0)).await, Ok(before));
    assert_eq!(verified(&*store).await.size, 2);
    // A row that is only relied on counts as much as one that is written.
    let mut relies = new(&thing("c", "new"));
    relies.expect.push(expect("a", 1));
    assert_eq!(store.append(relies).await, stale("a"));
}

pub async fn a_row_that_should_not_be_there_is_stale(store: Arc<dyn Store>, _: Arc<SetClock>) {
    put(&*store, &thing("a", "new")).await;
    assert_eq!(store.append(new(&thing("a", "again"))).await, stale("a"));
    let mut missing = Commit::default();
    missing.expect.push(expect("b", 1));
    missing.entry(entry("b"));
    assert_eq!(store.append(missing).await, stale("b"));
}

pub async fn a_deleted_row_is_gone_and_so_are_its_keys(store: Arc<dyn Store>, _: Arc<SetClock>) {
    put(&*store, &Thing { due: Some(5), ..thing("a", "new") }).await;
    let read = get(&*store, "a").await.expect("it is there");
    let mut gone = Commit::default();
    gone.delete(&read);
    gone.entry(entry("a"));
    store.append(gone.clone()).await.expect("it commits");
    assert_eq!(get(&*store, "a").await, None);
    assert_eq!(store.find::<Thing>("state", "new").await, Ok(vec![]));
    assert_eq!(store.next_due().await, Ok(None));
    assert_eq!(store.append(gone).await, stale("a"));
    // What comes again under the same id begins anew.
    put(&*store, &thing("a", "again")).await;
    assert_eq!(get(&*store, "a").await.map(|r| r.version), Some(1));
}

pub async fn rows_are_found_by_their_keys_as_they_are_now(store: Arc<dyn Store>, _: Arc<SetClock>) {
    put(&*store, &Thing { tags: vec!["x".into(), "y".into(), "x".into()], ..thing("a", "open") }).await;
    put(&*store, &Thing { tags: vec!["y".into()], ..thing("b", "open") }).await;
    let found = async |key: &'static str, value: &str| {
        let found = store.find::<Thing>(key, value).await.expect("it reads");
        found.into_iter().map(|r| r.value.id).collect::<Vec<_>>()
    };
    assert_eq!(found("state", "open").await, ["a", "b"]);
    assert_eq!(found("tag", "x").await, ["a"]);
    assert_eq!(found("tag", "y").await, ["a", "b"]);
    assert_eq!(found("tag", "open").await, [""; 0]);
    let read = get(&*store, "a").await.expect("it is there");
    let next = Thing { tags: vec!["z".into()], ..thing("a", "shut") };
    store.append(over(&read, &next)).await.expect("it commits");
    assert_eq!(found("state", "open").await, ["b"]);
    assert_eq!(found("tag", "x").await, [""; 0]);
    assert_eq!(found("tag", "y").await, ["b"]);
    assert_eq!(found("tag", "z").await, ["a"]);
}

pub async fn many_values_under_a_key_all_come(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let mut commit = Commit::default();
    for n in 0..1_203 {
        commit.put(&thing(&format!("{n:05}"), "many"));
    }
    commit.entry(entry("many"));
    store.append(commit).await.expect("it commits");
    let found = store.find::<Thing>("state", "many").await.expect("it reads");
    assert_eq!(found.len(), 1_203);
    assert!(found.is_sorted_by(|a, b| a.value.id < b.value.id));
    assert_eq!(store.all::<Thing>().await.map(|all| all.len()), Ok(1_203));
}

pub async fn due_rows_come_oldest_first(store: Arc<dyn Store>, _: Arc<SetClock>) {
    assert_eq!(store.next_due().await, Ok(None));
    for (id, due) in [("a", Some(30)), ("b", Some(10)), ("c", None), ("d", Some(20)), ("e", Some(10))] {
        put(&*store, &Thing { due, ..thing(id, "new") }).await;
    }
    assert_eq!(store.next_due().await, Ok(Some(Time::from_micros(10))));
    let due = async |now: i64, most: u32| {
        let due = store.due(Kind::Setting, Time::from_micros(now), most).await.expect("it reads");
        due.into_iter().map(|r| r.id).collect::<Vec<_>>()
    };
    assert_eq!(due(9, 10).await, [""; 0]);
    assert_eq!(due(20, 10).await, ["b", "e", "d"]);
    assert_eq!(due(1_000, 3).await, ["b", "e", "d"]);
    assert_eq!(store.due(Kind::Grant, Time::from_micros(1_000), 10).await, Ok(vec![]));
    let read = get(&*store, "b").await.expect("it is there");
    store.append(over(&read, &thing("b", "done"))).await.expect("it commits");
    assert_eq!(due(1_000, 10).await, ["e", "d", "a"]);
}

pub async fn pages_go_both_ways(store: Arc<dyn Store>, _: Arc<SetClock>) {
    for n in 0..7 {
        put(&*store, &thing(&format!("{n}"), if n % 2 == 0 { "even" } else { "odd" })).await;
    }
    for (by, all) in [(None, "0123456"), (Some(("state", "even")), "0246"), (Some(("state", "odd")), "135")] {
        for order in [Order::Rising, Order::Falling] {
            let mut walked = String::new();
            loop {
                let after = walked.chars().last().map(String::from);
                let query = Query { kind: Kind::Setting, by, after: after.as_deref(), order, most: 2 };
                let page = store.page::<Thing>(query).await.expect("it reads");
                assert!(page.len() <= 2);
                if page.is_empty() {
                    break;
                }
                walked.extend(page.into_iter().map(|r| r.value.id));
            }
            let wanted: String = match order {
                Order::Rising => all.to_owned(),
                Order::Falling => all.chars().rev().collect(),
            };
            assert_eq!(walked, wanted, "{by:?} {order:?}");
        }
    }
}

pub async fn what_ended_is_told_from_any_revision(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let grants: Vec<_> = (0..3).map(|n| GrantId::new(Time::from_micros(START), [n; 10])).collect();
    let session = SessionId::new(Time::from_micros(START), [9; 10]);
    let mut points = vec![store.changes(Revision(0)).await.expect("it reads").revision];
    for grant in &grants {
        let mut commit = Commit::default();
        commit.ended.push((*grant, EndCause::RoleChanged));
        commit.entry(entry("end"));
        points.push(store.append(commit).await.expect("it commits").revision);
    }
    let mut kill = Commit::default();
    kill.killed.push(session);
    kill.entry(entry("kill"));
    points.push(store.append(kill).await.expect("it commits").revision);
    for (n, since) in points.iter().enumerate() {
        let told = store.changes(*since).await.expect("it reads");
        let left: Vec<_> = grants.iter().skip(n).map(|g| (*g, EndCause::RoleChanged)).collect();
        assert_eq!(told.ended, left);
        assert_eq!(told.killed, if n < 4 { vec![session] } else { vec![] });
        assert_eq!(Some(told.revision), points.last().copied());
    }
    // A revision that isn't yet was another store's: everything is told.
    assert_eq!(store.changes(Revision(u64::MAX)).await.map(|c| c.ended.len()), Ok(3));
}

pub async fn each_commit_moves_the_revision_and_is_told(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let mut watch = store.watch();
    let start = *watch.borrow_and_update();
    let first = put(&*store, &thing("a", "new")).await;
    assert_eq!(first.revision, Revision(start.0 + 1));
    watch.changed().await.expect("the store lives");
    assert_eq!(*watch.borrow_and_update(), first.revision);
    // Maintenance, without an entry: the log doesn't move, the revision does.
    let mut quiet = Commit::default();
    quiet.put(&thing("b", "new"));
    let quiet = store.append(quiet).await.expect("it commits");
    assert_eq!((quiet.revision, quiet.entries), (Revision(start.0 + 2), vec![]));
    watch.changed().await.expect("the store lives");
    assert_eq!(*watch.borrow_and_update(), quiet.revision);
    // What is answered is what a read answers from then on.
    assert_eq!(store.changes(quiet.revision).await.map(|c| c.revision), Ok(quiet.revision));
    assert_eq!(store.append(new(&thing("a", "new"))).await, stale("a"));
    assert_eq!(*store.watch().borrow(), quiet.revision);
}

pub async fn time_never_goes_back(store: Arc<dyn Store>, clock: Arc<SetClock>) {
    assert_eq!(store.last_time(), Time::from_micros(0));
    let mut newest = 0;
    for (n, wall) in [0, 50, 20, -3_600_000_000, 51].into_iter().enumerate() {
        clock.set(START + wall);
        let done = put(&*store, &thing(&n.to_string(), "new")).await;
        newest = newest.max(START + wall);
        assert_eq!(done.at, Time::from_micros(newest));
        assert_eq!(store.last_time(), done.at);
    }
    assert_eq!(verified(&*store).await.last_time_us, Some(START + 51));
}

pub async fn nothing_waits_in_the_end(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.append(new(&thing(&(n % 30).to_string(), "new"))).await })
        })
        .collect();
    let mut refused = 0;
    for task in tasks {
        refused += u32::from(task.await.expect("no panic").is_err());
    }
    assert_eq!((refused, store.lag()), (10, 0));
}
