//! Pages that are live, and what is done to sessions, grants and changes by forms.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::world::{Ask, World, wish};

/// The next event of a stream; comments are passed over.
async fn next(stream: &mut BodyDataStream) -> String {
    loop {
        let chunk = tokio::time::timeout(Duration::from_secs(30), stream.next()).await.expect("nothing came");
        let text = String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap();
        if !text.starts_with(':') {
            return text;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_hears_that_something_moved_and_nothing_of_what() {
    let world = World::new().await;
    let dave = world.browser("dave").await;
    let response = world.open(Ask::get("/live").cookie(&dave)).await;
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body().into_data_stream();
    let before = world.size().await;
    let made = world.post("carol", "/v1/requests", wish("orders")).await.ok().json();
    assert_eq!(next(&mut stream).await, format!("event: moved\nid: {before}\ndata: moved\n\n"));
    // I11: dave's look is an entry that concerns him, and no reason to look again.
    let path = format!("/requests/{}", made["request"]["id"].as_str().unwrap());
    world.ask(Ask::get(&path).cookie(&dave)).await.ok();
    assert!(world.events_from(before).await.contains(&"evidence.read".to_owned()));
    let after = world.size().await;
    world.send(&dave, &format!("{path}/deny"), "note=no").await;
    assert_eq!(next(&mut stream).await, format!("event: moved\nid: {after}\ndata: moved\n\n"));
}

#[tokio::test]
async fn one_sees_the_sessions_that_one_may_see_and_no_others() {
    let world = World::new().await;
    let made = world.post("dave", "/v1/requests", wish("lab")).await.ok().json();
    let me = world.get("dave", "/v1/me").await.json();
    let holder = me["principal"].as_str().unwrap().parse().unwrap();
    let id = world.session(made["outcome"]["grant"]["id"].as_str().unwrap(), holder).await.to_string();
    let browsers = [("dave", true), ("alice", true), ("carol", false)];
    for (who, sees) in browsers {
        let cookie = world.browser(who).await;
        let page = world.ask(Ask::get("/sessions").cookie(&cookie)).await.ok().text();
        assert_eq!(page.contains(&id), sees, "{who}: {page}");
    }
    let (carol, alice) = (world.browser("carol").await, world.browser("alice").await);
    let kill = format!("/sessions/{id}/kill");
    assert_eq!(world.send(&carol, &kill, "reason=x").await.word(), "404 page");
    let killed = world.send(&alice, &kill, "reason=an+incident").await;
    assert_eq!(killed.header("location"), Some("/sessions?done=killed"));
}

#[tokio::test]
async fn a_grant_is_extended_by_what_is_offered_and_policy_permits() {
    let world = World::new().await;
    let made = world.post("dave", "/v1/requests", wish("lab")).await.ok().json();
    let dave = world.browser("dave").await;
    let extend = format!("/grants/{}/extend", made["outcome"]["grant"]["id"].as_str().unwrap());
    assert_eq!(world.send(&dave, &extend, "minutes=16").await.word(), "422 page", "none of those offered");
    assert_eq!(world.send(&dave, &extend, "minutes=120").await.word(), "403 page", "an hour is the most");
    assert_eq!(world.send(&dave, &extend, "minutes=15").await.header("location"), Some("/?done=extended"));
    let carol = world.browser("carol").await;
    assert_eq!(world.send(&carol, &extend, "minutes=15").await.word(), "404 page");
}

#[tokio::test]
async fn i12_a_change_is_approved_by_another_administrator_who_names_what_they_saw() {
    let mut world = World::new().await;
    world.second_administrator().await;
    let proposed = world.post("bob", "/v1/users", json!({"name": "erin"})).await.ok().json();
    let change = format!("/changes/{}", proposed["outcome"]["change"].as_str().unwrap());
    let (alice, bob, carol) = (world.browser("alice").await, world.browser("bob").await, world.browser("carol").await);
    assert_eq!(world.ask(Ask::get(&change).cookie(&carol)).await.word(), "403 page");
    assert!(world.ask(Ask::get(&change).cookie(&bob)).await.ok().text().contains("Take it back"));
    let page = world.ask(Ask::get(&change).cookie(&alice)).await.ok().text();
    assert!(page.contains("erin"), "{page}");
    let digest = page.split_once("name=\"digest\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let approve = format!("{change}/approve");
    let other = format!("digest={}", "0".repeat(64));
    assert_eq!(world.send(&alice, &approve, &other).await.word(), "409 page");
    assert_eq!(world.send(&bob, &approve, &format!("digest={digest}")).await.word(), "403 page", "his own");
    let done = world.send(&alice, &approve, &format!("digest={digest}")).await.ok();
    assert_eq!(done.header("cache-control"), Some("no-store"));
    assert!(done.text().contains("Your half of the invitation"), "{}", done.text());
}
