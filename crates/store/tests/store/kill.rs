//! `kill -9` in the middle of it: what was answered is there, and the log verifies. // I1

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use daypass_ledger::Leaf;
use daypass_ports::store::Store;
use daypass_store::SqliteStore;

use crate::support::{Fixture, get, new, options, thing, verified};

const FOLDER: &str = "DAYPASS_STORE_TEST_KILLED_IN";
const NAME: &str = "kill::what_was_answered_is_there_after_kill_9";

/// The test runs itself once more, as the process that is killed.
#[test]
fn what_was_answered_is_there_after_kill_9() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match std::env::var_os(FOLDER) {
        Some(root) => runtime.block_on(commit_until_killed(Path::new(&root))),
        None => runtime.block_on(kill_and_look()),
    }
}

async fn commit_until_killed(root: &Path) {
    let fixture = Fixture::new();
    let options = options(root.join("data"), root.join("head"), fixture.clock.clone(), fixture.random.clone());
    let store = Arc::new(SqliteStore::open(options).await.expect("it opens"));
    let writers = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let id = format!("{writer}-{n}");
                let done = store.append(new(&thing(&id, "new"))).await.expect("it commits");
                writeln!(std::io::stdout(), "\nanswered {} {id}", done.entries[0]).expect("somebody listens");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("it writes until it is killed");
    }
}

async fn kill_and_look() {
    let fixture = Fixture::new();
    let root: PathBuf = fixture.root.path().to_owned();
    for round in 1..=3 {
        let answered = answers_of_a_killed_process(&root, 60 * round);
        let store = fixture.open().await;
        let report = verified(&*store).await;
        for (seq, id) in &answered {
            assert!(*seq < report.size, "entry {seq} was answered, and the log has {}", report.size);
            let leaf = store.leaves(*seq, 1).await.expect("it reads").remove(0).1;
            assert_eq!(Leaf::parse(&leaf).expect("a leaf").header().ids["thing"], *id);
            assert!(get(&*store, id).await.is_some(), "{id} was answered");
        }
        // The next round begins anew: the same ids may come again.
        store.close().await;
        std::fs::remove_dir_all(fixture.folder()).expect("the folder goes");
        std::fs::remove_file(fixture.head_file()).expect("the head goes");
    }
}

fn answers_of_a_killed_process(root: &Path, most: usize) -> Vec<(u64, String)> {
    let this = std::env::current_exe().expect("this program");
    let mut child = Command::new(this)
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(FOLDER, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut answered = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    let mut killed = false;
    // After the kill, what it had said before it died is still in the pipe, and counts.
    while lines.read_line(&mut line).expect("its output reads") > 0 {
        if let Some((seq, id)) = line.strip_suffix('\n').and_then(answer) {
            answered.push((seq, id));
        }
        if answered.len() >= most && !killed {
            child.kill().expect("SIGKILL");
            killed = true;
        }
        line.clear();
    }
    let end = child.wait().expect("it ended");
    assert!(killed && !end.success(), "it was killed after {} answers: {end}", answered.len());
    answered
}

fn answer(line: &str) -> Option<(u64, String)> {
    let (seq, id) = line.strip_prefix("answered ")?.split_once(' ')?;
    Some((seq.parse().ok()?, id.to_owned()))
}
