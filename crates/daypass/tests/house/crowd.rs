//! Many who wait at once: command lines for an answer, event streams for whatever comes.

use std::{fs, sync::Arc};

use futures_util::StreamExt as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;

use crate::{
    web,
    world::{Person, World},
};

const EACH: usize = 1_000;

fn token(person: &Person) -> String {
    let made = person.json(&["token", "create", "--scope", "read", "--lasts", "1d"]);
    made["secret"].as_str().unwrap().to_owned()
}

/// An answer that begins; each on a connection of its own, as programs of their own would have it.
async fn open(client: &reqwest::Client, url: String, token: &str) -> reqwest::Response {
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// Reads a stream until an event of that name is in it.
async fn hears(answer: reqwest::Response, event: &str) {
    let mut stream = answer.bytes_stream();
    let mut heard = String::new();
    while let Some(chunk) = stream.next().await {
        heard.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
        if heard.contains(event) {
            return;
        }
    }
    panic!("the stream ended with {heard}");
}

#[test]
fn a_thousand_wait_for_an_answer_and_a_thousand_listen_on_one_server() {
    // As a server is started on many systems: it sees to it itself.
    let own = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(1_024), ..own }).unwrap();
    let world = World::new();
    setrlimit(Resource::Nofile, Rlimit { current: own.maximum, ..own }).unwrap();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let request = alice.asks("readonly");
    let token = token(&alice);
    let client = web::client(&fs::read(world.authority()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // Not all at the same instant: the system's queue of connections has an end.
        let coming = Arc::new(Semaphore::new(50));
        let mut streams = tokio::task::JoinSet::new();
        for _ in 0..EACH {
            let (client, token, url) = (client.clone(), token.clone(), format!("{}/v1/events", world.url()));
            let coming = Arc::clone(&coming);
            streams.spawn(async move {
                let _turn = coming.acquire().await;
                open(&client, url, &token).await
            });
        }
        let streams = streams.join_all().await;
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..EACH {
            let url = format!("{}/v1/requests/{request}?wait_s=60", world.url());
            let (client, token) = (client.clone(), token.clone());
            waiting.spawn(async move {
                let answer = open(&client, url, &token).await;
                let body: serde_json::Value = answer.json().await.unwrap();
                body["state"]["state"].as_str().unwrap().to_owned()
            });
        }
        // Whoever comes after the answer has it at once: that is no wait, and no harm.
        let approving = tokio::task::spawn_blocking({
            let (request, bob) = (request.clone(), bob);
            move || {
                std::thread::sleep(std::time::Duration::from_secs(3));
                bob.approves(&request)
            }
        });
        let mut hearing = tokio::task::JoinSet::new();
        for stream in streams {
            hearing.spawn(hears(stream, "grant.activated"));
        }
        let states = waiting.join_all().await;
        approving.await.unwrap();
        hearing.join_all().await;
        assert_eq!(states.iter().filter(|state| *state == "granted").count(), EACH, "{:?}", states.first());
    });
}
