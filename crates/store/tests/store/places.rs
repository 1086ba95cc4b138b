//! Payloads stay in their region: a folder each, and refused where there is none. // I10

use std::path::PathBuf;

use daypass_ports::{
    record::{Commit, CommitError, Scope},
    store::Store,
};
use daypass_store::{OpenError, Options, Regions, SqliteStore, backup_region, restore_region};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{Fixture, name, new, part, payload_id, principal, said, thing, verified};

/// A fixture whose installation is in `local`, with a folder for `eu` and one for `us`.
struct Regional(Fixture);

impl Regional {
    fn new() -> Self {
        Self(Fixture::new())
    }

    fn folder(&self, region: &str) -> PathBuf {
        self.0.root.path().join(region)
    }

    fn options(&self, regions: &[&str]) -> Options {
        let elsewhere = regions.iter().map(|region| (name(region), self.folder(region))).collect();
        Options { regions: Regions { home: name("local"), elsewhere }, ..self.0.options() }
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.options(&["eu", "us"])).await.expect("the store opens")
    }

    /// Past the store, as somebody who holds the region's folder would.
    async fn raw(&self, region: &str) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.folder(region).join("payloads.db"));
        SqliteConnection::connect_with(&options).await.expect("SQLite opens the file")
    }
}

/// A commit about something in a region, with words of somebody in it.
fn in_region(id: u8, region: &str, whose: u8) -> Commit {
    let mut commit = new(&thing(&format!("{id}"), "new"));
    commit.entries[0].region = name(region);
    commit.entries[0].parts.push(part(payload_id(id), Scope::Subject(principal(whose)), said(&format!("words {id}"))));
    commit
}

async fn ids(db: &mut SqliteConnection) -> Vec<String> {
    sqlx::query_scalar("SELECT id FROM payloads ORDER BY id").fetch_all(db).await.expect("it reads")
}

async fn says(store: &SqliteStore, id: u8) -> bool {
    store.payload(payload_id(id)).await.expect("it reads") == Some(said(&format!("words {id}")))
}

fn refused(done: Result<daypass_ports::record::Committed, CommitError>) -> String {
    match done {
        Err(CommitError::NotDurable { why } | CommitError::BadEntry { why }) => why,
        other => panic!("it must be refused: {other:?}"),
    }
}

#[tokio::test]
async fn i10_a_payload_and_its_key_are_in_the_folder_of_their_region_and_in_no_other() {
    let regional = Regional::new();
    let store = regional.open().await;
    for (id, region) in [(1, "local"), (2, "eu"), (3, "us"), (4, "eu")] {
        store.append(in_region(id, region, 9)).await.expect("it commits");
    }
    for id in 1..=4 {
        assert!(says(&store, id).await, "{id}");
    }
    assert_eq!(verified(&store).await.size, 4);
    let (mut home, mut eu, mut us) = (regional.0.raw().await, regional.raw("eu").await, regional.raw("us").await);
    let id = |n| payload_id(n).to_string();
    assert_eq!(ids(&mut home).await, [id(1)]);
    assert_eq!(ids(&mut eu).await, [id(2), id(4)]);
    assert_eq!(ids(&mut us).await, [id(3)]);
    for db in [&mut home, &mut eu, &mut us] {
        let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM data_keys").fetch_one(db).await.expect("it reads");
        assert_eq!(keys, 1, "each region has a key of its own for the same person");
    }
}

#[tokio::test]
async fn i10_what_belongs_to_a_region_without_a_place_is_refused_alone() {
    let regional = Regional::new();
    let store = regional.open().await;
    let (here, nowhere) = tokio::join!(store.append(in_region(1, "eu", 9)), store.append(in_region(2, "apac", 9)));
    here.expect("it commits");
    assert!(refused(nowhere).contains("no place here for what belongs to the region apac"));
    assert!(store.keeps(&name("eu")) && store.keeps(&name("local")) && !store.keeps(&name("apac")));
    assert_eq!(verified(&store).await.size, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_is_away_keeps_no_other_waiting_and_comes_back() {
    let regional = Regional::new();
    let store = std::sync::Arc::new(regional.open().await);
    store.append(in_region(1, "eu", 9)).await.expect("it commits");
    let mut eu = regional.raw("eu").await;
    sqlx::query("ALTER TABLE payloads RENAME TO away").execute(&mut eu).await.expect("it is renamed");
    let tasks: Vec<_> = (10..40)
        .map(|id| {
            let (store, region) = (store.clone(), ["local", "eu", "us"][usize::from(id % 3)]);
            tokio::spawn(async move { (region, store.append(in_region(id, region, id)).await) })
        })
        .collect();
    for task in tasks {
        match task.await.expect("no panic") {
            ("eu", done) => assert!(refused(done).contains("the folder of the region eu can't be written")),
            (region, done) => drop(done.unwrap_or_else(|e| panic!("{region} goes on: {e}"))),
        }
    }
    assert_eq!(verified(&*store).await.size, 21);
    sqlx::query("ALTER TABLE away RENAME TO payloads").execute(&mut eu).await.expect("it is renamed back");
    store.append(in_region(40, "eu", 9)).await.expect("it commits again");
    assert!(says(&store, 1).await && says(&store, 40).await);
}

#[tokio::test]
async fn a_commit_that_fails_after_its_payload_was_placed_leaves_nothing_that_can_be_read() {
    let regional = Regional::new();
    let store = regional.open().await;
    store.append(in_region(1, "eu", 9)).await.expect("it commits");
    store.limit_pages(1).await.expect("it is limited");
    let mut large = in_region(2, "eu", 9);
    large.put(&crate::support::Thing { text: "x".repeat(100_000), ..thing("large", "new") });
    assert!(refused(store.append(large).await).contains("full"));
    assert_eq!(store.payload(payload_id(2)).await, Ok(None));
    store.limit_pages(u32::MAX).await.expect("it is lifted");
    store.append(in_region(3, "eu", 9)).await.expect("it commits");
    assert!(says(&store, 1).await && says(&store, 3).await);
}

#[tokio::test]
async fn a_persons_keys_are_destroyed_in_every_region() {
    let regional = Regional::new();
    let store = regional.open().await;
    for (id, region) in [(1, "local"), (2, "eu"), (3, "us")] {
        store.append(in_region(id, region, 9)).await.expect("it commits");
    }
    store.append(in_region(4, "eu", 8)).await.expect("it commits");
    assert_eq!(store.destroy_key(&Scope::Subject(principal(9))).await, Ok(3));
    for (id, there) in [(1, false), (2, false), (3, false), (4, true)] {
        assert_eq!(says(&store, id).await, there, "{id}");
    }
    assert_eq!(verified(&store).await.size, 4);
    // Where one region can't be reached nothing is called destroyed.
    let mut eu = regional.raw("eu").await;
    sqlx::query("ALTER TABLE data_keys RENAME TO away").execute(&mut eu).await.expect("it is renamed");
    assert!(store.destroy_key(&Scope::Subject(principal(8))).await.is_err());
}

#[tokio::test]
async fn a_known_region_whose_disk_is_not_there_at_the_start_is_waited_for_and_never_made_anew() {
    let regional = Regional::new();
    let store = regional.open().await;
    store.append(in_region(1, "eu", 9)).await.expect("it commits");
    store.close().await;
    let (folder, elsewhere) = (regional.folder("eu"), regional.folder("unmounted"));
    std::fs::rename(&folder, &elsewhere).expect("it is moved away");
    let store = regional.open().await;
    assert!(refused(store.append(in_region(2, "eu", 9)).await).contains("it is not there"));
    store.append(in_region(3, "us", 9)).await.expect("the others go on");
    assert!(!folder.exists(), "nothing is written below the mount point");
    assert!(store.payload(payload_id(1)).await.is_err(), "what can't be looked for is not called absent");
    std::fs::rename(&elsewhere, &folder).expect("it is back");
    store.append(in_region(4, "eu", 9)).await.expect("it commits again");
    assert!(says(&store, 1).await && says(&store, 4).await);
}

#[tokio::test]
async fn a_folder_of_another_region_or_a_region_that_is_named_no_more_is_refused() {
    let regional = Regional::new();
    regional.open().await.close().await;
    let mut swapped = regional.options(&["eu", "us"]);
    swapped.regions.elsewhere.insert(name("eu"), regional.folder("us"));
    swapped.regions.elsewhere.insert(name("us"), regional.folder("eu"));
    let error = SqliteStore::open(swapped).await.expect_err("it must not open");
    assert!(matches!(&error, OpenError::OtherPlace { region, .. } if region == "eu"), "{error}");
    let error = SqliteStore::open(regional.options(&["us"])).await.expect_err("it must not open");
    assert!(error.to_string().contains("keeps payloads of the region eu"), "{error}");
    let mut home = regional.options(&["eu", "us"]);
    home.regions.elsewhere.insert(name("local"), regional.folder("local"));
    let error = SqliteStore::open(home).await.expect_err("it must not open");
    assert!(error.to_string().contains("is this installation's own"), "{error}");
    let store = regional.open().await;
    let error = SqliteStore::open(regional.options(&["eu", "us"])).await.expect_err("it must not open");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(store);
}

#[tokio::test]
async fn a_regions_payloads_are_backed_up_and_restored_by_themselves() {
    let regional = Regional::new();
    let store = regional.open().await;
    store.append(in_region(1, "eu", 9)).await.expect("it commits");
    let copy = regional.0.root.path().join("eu.backup");
    backup_region(&regional.folder("eu"), &copy).await.expect("it is copied");
    store.close().await;
    std::fs::remove_dir_all(regional.folder("eu")).expect("it is lost");
    restore_region(&copy, &regional.folder("eu")).await.expect("it is put back");
    assert!(restore_region(&copy, &regional.folder("eu")).await.is_err(), "never over what is there");
    let store = regional.open().await;
    assert!(says(&store, 1).await);
}
