//! What reading leaves behind. // I11

use serde_json::json;

use crate::world::{Ask, World, wish};

#[tokio::test]
async fn i11_looking_at_anothers_request_is_an_entry_and_at_ones_own_is_none() {
    let world = World::new().await;
    let made = world.post("carol", "/v1/requests", wish("orders")).await.ok().json();
    let path = format!("/v1/requests/{}", made["request"]["id"].as_str().unwrap());
    let before = world.size().await;
    let own = world.get("carol", &path).await.ok().json();
    assert_eq!(own["reason"], "to try it");
    assert_eq!(world.size().await, before);
    let seen = world.get("dave", &path).await.ok().json();
    assert_eq!(seen["reason"], "to try it", "who may answer it sees why it is asked");
    assert_eq!(world.events_from(before).await, ["evidence.read"]);
}

#[tokio::test]
async fn i11_evidence_is_shown_after_its_reading_is_recorded_and_to_nobody_else() {
    let world = World::new().await;
    let made = world.post("carol", "/v1/requests", wish("lab")).await.ok().json();
    let grant = made["outcome"]["grant"]["id"].as_str().unwrap();
    let body = json!({"what": {"of": "grant", "grant": grant}, "reason": "carol left"});
    let receipt = world.post("alice", "/v1/revoke", body).await.ok().json();
    let payload = receipt["targets"][0]["state"]["cause"]["reason"].as_str().unwrap();
    let path = format!("/v1/evidence/{payload}");
    let before = world.size().await;
    assert_eq!(world.act("carol", &path).await.word(), "404 not_found");
    assert_eq!(world.size().await, before);
    let read = world.act("alice", &path).await.ok().json();
    assert_eq!(read["content"], "carol left");
    assert_eq!(world.events_from(before).await, ["evidence.read"]);
    let keyed = world.ask(Ask::act(&path).by(&world.bearers["alice"]).header("idempotency-key", "k1")).await;
    assert_eq!(keyed.word(), "422 idempotency_not_kept", "evidence is kept nowhere else");
}

#[tokio::test]
async fn bundles_of_entries_are_for_who_may_read_them_all() {
    let world = World::new().await;
    let bundle = "/v1/ledger/tile/entries/000.p/2";
    assert_eq!(world.get("carol", bundle).await.word(), "403 not_permitted");
    assert_eq!(world.get("alice", bundle).await.status, 200);
    let tile = world.get("carol", "/v1/ledger/tile/0/000.p/2").await.ok();
    assert_eq!(tile.bytes.len(), 64, "two hashes");
    for bad in [
        "/v1/ledger/tile/0/0",
        "/v1/ledger/tile/0/000.p/0",
        "/v1/ledger/tile/..%2f..%2fsecret",
        "/v1/ledger/tile/9/000",
    ] {
        assert_eq!(world.get("alice", bad).await.word(), "404 not_found", "{bad}");
    }
    let mine = world.get("carol", "/v1/ledger/entries?most=200").await.ok().json();
    let own = world.get("carol", "/v1/me").await.json()["principal"].clone();
    for entry in mine["items"].as_array().unwrap() {
        assert!(entry["ids"].as_array().unwrap().iter().any(|id| id["id"] == own), "{entry}");
    }
    assert!(!mine["items"].as_array().unwrap().is_empty());
}
