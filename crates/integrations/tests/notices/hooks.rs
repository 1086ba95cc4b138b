//! Webhooks and rooms of chats, over TLS, to a receiver that isn't ours: Python's own library.

use std::net::TcpListener;

use daypass_domain::{
    Span,
    notice::{Wait, Why},
};
use daypass_ports::notices::Addressee;
use daypass_testkit::receiver::Receiver;
use serde_json::{Value, json};

use crate::{channel, letter, not_sent, refused};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn receiver() -> (tempfile::TempDir, Receiver) {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(folder.path(), SECRET);
    (folder, receiver)
}

fn hook(receiver: &Receiver, path: &str) -> Value {
    json!({"webhook": {
        "url": receiver.url(path), "credential": "secret", "network": "private", "authorities": receiver.authority(),
    }})
}

#[tokio::test]
async fn a_webhook_is_signed_so_that_others_can_check_it() {
    let (_folder, receiver) = receiver();
    let letter = letter(Addressee::Room);
    channel(hook(&receiver, "ok"), SECRET).send(&letter).await.unwrap();
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    channel(hook(&receiver, "ok"), other).send(&letter).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.iter().map(|got| got.verified).collect::<Vec<_>>(), [true, false], "checked by Python's hmac");
    assert_eq!(got[0].headers["webhook-id"], letter.id.to_string());
    assert_eq!((got[0].method.as_str(), got[0].headers["content-type"].as_str()), ("POST", "application/json"));
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(body["type"], "daypass.approval_wanted");
    assert_eq!(body["data"]["link"], letter.link);
    assert_eq!(body["data"]["names"], json!({"holder": "alice", "role": "readonly", "resource": "orders"}));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (_folder, receiver) = receiver();
    let moved = not_sent(&channel(hook(&receiver, "moved"), SECRET), &letter(Addressee::Room)).await;
    assert_eq!(moved.why, Why::Refused { code: 307 });
    assert_eq!(receiver.got().len(), 1, "a redirect would carry the letter to wherever it points");
}

#[tokio::test]
async fn who_says_how_long_to_wait_is_left_alone_so_long() {
    let (_folder, receiver) = receiver();
    let busy = not_sent(&channel(hook(&receiver, "busy"), SECRET), &letter(Addressee::Room)).await;
    assert_eq!((busy.why, busy.wait), (Why::Later { code: 429 }, Wait::AtLeast(Span::from_secs(7))));
    assert!(busy.detail.contains(r"slow \u{1b}[31mdown"), "what came from outside is escaped: {busy}");
}

#[tokio::test]
async fn what_a_receiver_says_is_read_no_further_than_need_be() {
    let (_folder, receiver) = receiver();
    let long = not_sent(&channel(hook(&receiver, "long"), SECRET), &letter(Addressee::Room)).await;
    assert_eq!(long.why, Why::Refused { code: 400 });
    assert!(long.detail.len() < 300, "{long}");
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_not_waited_for_for_ever() {
    let (_folder, receiver) = receiver();
    let never = not_sent(&channel(hook(&receiver, "never"), SECRET), &letter(Addressee::Room)).await;
    assert_eq!(never.why, Why::TooSlow, "{never}");
}

#[tokio::test]
async fn a_private_address_is_spoken_to_only_where_that_is_meant() {
    let (_folder, receiver) = receiver();
    // By its name, which is resolved; public is what is meant where nothing is said.
    let mut settings = hook(&receiver, "ok");
    settings["webhook"].as_object_mut().unwrap().remove("network");
    let named = not_sent(&channel(settings.clone(), SECRET), &letter(Addressee::Room)).await;
    assert_eq!(named.why, Why::NotAllowed, "{named}");
    // By its address.
    settings["webhook"]["url"] = json!(receiver.url("ok").replace("localhost", "127.0.0.1"));
    let why = refused(settings);
    assert!(why.contains("the address is a private one"), "{why}");
    // A room's address is a secret, so it is looked at when it is used.
    let room = channel(json!({"slack": {"credential": "secret"}}), &receiver.url("ok"));
    assert_eq!(not_sent(&room, &letter(Addressee::Room)).await.why, Why::NotAllowed);
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn who_cannot_be_trusted_or_reached_gets_nothing_and_the_address_is_not_told() {
    let (_folder, receiver) = receiver();
    let room = |secret: &str| channel(json!({"teams": {"credential": "secret", "network": "private"}}), secret);
    // Without its authority.
    let url = receiver.url("ok/T000/B000/hidden");
    let untrusted = not_sent(&room(&url), &letter(Addressee::Room)).await;
    assert_eq!(untrusted.why, Why::NotTrusted);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = not_sent(&room(&format!("https://localhost:{gone}/hidden")), &letter(Addressee::Room)).await;
    assert_eq!(away.why, Why::Unreachable);
    let plain = not_sent(&room("http://hooks.example.com/hidden"), &letter(Addressee::Room)).await;
    assert_eq!(plain.why, Why::NotAllowed);
    for said in [untrusted, away, plain] {
        assert!(!said.to_string().contains("hidden"), "{said}");
    }
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn rooms_of_chats_get_a_message_with_a_link() {
    let (_folder, receiver) = receiver();
    let letter = letter(Addressee::Room);
    for service in ["slack", "teams"] {
        let settings = json!({
            service: {"credential": "secret", "network": "private", "authorities": receiver.authority()}
        });
        channel(settings, &receiver.url("ok/hidden")).send(&letter).await.unwrap();
    }
    let bodies: Vec<Value> = receiver.got().iter().map(|got| serde_json::from_str(&got.body).unwrap()).collect();
    assert_eq!(bodies[0]["blocks"][2]["elements"][0]["url"], letter.link);
    assert_eq!(bodies[1]["attachments"][0]["content"]["actions"][0]["url"], letter.link);
}
