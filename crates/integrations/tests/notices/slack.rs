//! Slack as an app's bot, to a receiver that answers as Slack's documentation shows.

use daypass_domain::{
    Span,
    notice::{Wait, Why},
};
use daypass_ports::notices::{Channel, Reach};
use daypass_testkit::receiver::Receiver;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::{channel, not_sent, refused, to};

fn bot(receiver: &Receiver, token: &str) -> Arc<dyn Channel> {
    let settings = json!({"slack_bot": {
        "credential": "secret", "url": receiver.url("api"), "network": "private", "authorities": receiver.authority(),
    }});
    channel(settings, token)
}

fn receiver() -> (tempfile::TempDir, Receiver) {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(folder.path(), "");
    (folder, receiver)
}

#[tokio::test]
async fn a_person_is_found_by_their_address_and_gets_a_message_with_a_link() {
    let (_folder, receiver) = receiver();
    let (bot, letter) = (bot(&receiver, "xoxb-good"), to("bob@example.com"));
    assert_eq!(bot.reach(), Reach::People);
    bot.send(&letter).await.unwrap();
    let got = receiver.got();
    let [lookup, post] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(
        (lookup.method.as_str(), lookup.path.as_str()),
        ("GET", "/api/users.lookupByEmail?email=bob%40example.com")
    );
    assert_eq!((post.method.as_str(), post.path.as_str()), ("POST", "/api/chat.postMessage"));
    for one in [lookup, post] {
        assert_eq!(one.headers["authorization"], "Bearer xoxb-good");
    }
    let body: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!(body["channel"], "U012A3CDE");
    assert_eq!(body["blocks"][2]["elements"][0]["url"], letter.link);
    assert_eq!(body["metadata"]["event_payload"]["notice"], letter.id.to_string());
}

#[tokio::test]
async fn what_slack_says_is_told_apart() {
    let (_folder, receiver) = receiver();
    let bob = to("bob@example.com");
    let stranger = not_sent(&bot(&receiver, "xoxb-good"), &to("stranger@example.com")).await;
    assert_eq!(stranger.why, Why::UnknownPerson);
    let busy = not_sent(&bot(&receiver, "xoxb-busy"), &bob).await;
    assert_eq!((busy.why, busy.wait), (Why::Later { code: 429 }, Wait::AtLeast(Span::from_secs(30))));
    assert_eq!(not_sent(&bot(&receiver, "xoxb-broken"), &bob).await.why, Why::Busy);
    assert_eq!(not_sent(&bot(&receiver, "xoxb-odd"), &bob).await.why, Why::NotUnderstood);
    let wrong = not_sent(&bot(&receiver, "xoxb-stolen"), &bob).await;
    assert_eq!(wrong.why, Why::CredentialRefused);
    assert!(!wrong.to_string().contains("stolen"), "{wrong}");
    assert!(receiver.got().iter().all(|got| got.method == "GET"), "nobody is written to who wasn't found");
}

#[test]
fn a_channel_is_one_thing() {
    let why = refused(json!({"slack": {"credential": "a"}, "slack_bot": {"credential": "a"}}));
    assert!(why.contains("exactly one of smtp, slack, slack_bot, teams, webhook"), "{why}");
    let why = refused(json!({"slack_bot": {"credential": "a", "url": "http://slack.example/api"}}));
    assert!(why.contains("must begin with https://"), "{why}");
}
