//! The owner of a workload stands by what it asks: over the API, and on the page. // I8

use std::collections::BTreeSet;

use axum::http::Method;
use daypass_control::routes::routes;
use serde_json::{Value, json};

use crate::world::{Ask, World, wish};

/// Dave has the lab at once, and owns `bot`, which needs his word for it, or somebody's approval.
async fn world() -> World {
    let mut world = World::new().await;
    for (path, body) in
        [("/v1/groups", json!({"name": "dba"})), ("/v1/workloads", json!({"name": "bot", "owner": "dave"}))]
    {
        world.post("alice", path, body).await.ok();
    }
    let join = Ask::new(Method::PUT, "/v1/groups/dba/members/dave").by(&world.bearers["alice"]);
    world.ask(join).await.ok();
    let mut files = json!(daypass_policy::starter_files());
    files["access.cedar"] = json!(
        r#"@id("dba") permit(principal is User in Group::"dba", action == Action::"use", resource)
               when { resource.resource.environment == Environment::"lab" };
           @id("approved") permit(principal, action == Action::"use", resource)
               when { context.now.quorums.contains(Quorum::"1 anyone") };
           @id("confirmed") permit(principal is Workload, action == Action::"use", resource)
               when { context.now.owner_confirmed };"#
    );
    world.post("alice", "/v1/policy/apply", json!({"files": files, "mode": "apply"})).await.ok();
    world.token("bot", "dave", Some("bot"), &["read", "request"]).await;
    world.token("daves", "dave", None, &["read", "request"]).await;
    world
}

async fn waits(world: &World) -> (String, Value) {
    let made = world.post("bot", "/v1/requests", wish("lab")).await.ok().json();
    let lack = &made["outcome"]["missing"][0]["lacks"][0];
    assert_eq!(lack, &json!({"lack": "confirmation", "owner": "dave", "second_factor": false}), "{made}");
    (made["request"]["id"].as_str().unwrap().to_owned(), made)
}

/// What was written since is among what the route says that it writes, and the confirmation is.
async fn written(world: &World, route: &str, before: u64) {
    let events: BTreeSet<String> = world.events_from(before).await.into_iter().collect();
    let route = routes().into_iter().find(|r| format!("{r:?}") == route).unwrap();
    assert!(events.contains("request.confirmed"), "{events:?}");
    assert!(events.iter().all(|event| route.writes.contains(&event.as_str())), "{events:?}");
}

#[tokio::test]
async fn an_owner_confirms_what_their_workload_asks_and_nobody_else_does() {
    let world = world().await;
    let (id, made) = waits(&world).await;
    assert_eq!((&made["request"]["owner"], &made["request"]["beneficiary"]), (&json!("dave"), &json!("bot")));
    let inbox = world.get("dave", "/v1/requests?which=to_answer").await.ok().json();
    assert_eq!(inbox["items"][0]["id"], id.as_str());
    let path = format!("/v1/requests/{id}/confirm");
    let (person_only, not_its_owner) = ("403 person_only", "403 not_its_owner");
    for (who, code) in
        [("bot", person_only), ("daves", person_only), ("carol", not_its_owner), ("alice", not_its_owner)]
    {
        assert_eq!(world.act(who, &path).await.word(), code, "{who}");
    }
    let before = world.size().await;
    let body = json!({"digest": made["request"]["digest"]});
    let answered = world.post("dave", &path, body).await.ok().json();
    assert_eq!(answered["outcome"]["outcome"], "granted", "{answered}");
    assert_eq!(answered["request"]["confirmation"]["by"], "dave");
    assert_eq!(answered["request"]["approvals"], json!([]));
    written(&world, "POST /v1/requests/{id}/confirm", before).await;
    let grants = world.get("bot", "/v1/grants").await.ok().json();
    assert_eq!((&grants["items"][0]["holder"], &grants["items"][0]["owner"]), (&json!("bot"), &json!("dave")));
}

#[tokio::test]
async fn an_owner_confirms_on_the_page() {
    let world = world().await;
    let (id, made) = waits(&world).await;
    let (dave, carol) = (world.browser("dave").await, world.browser("carol").await);
    let open = async |cookie: &str, path: &str| world.ask(Ask::get(path).cookie(cookie)).await.ok().text();
    let inbox = open(&dave, "/inbox").await;
    assert!(inbox.contains("bot, of dave asks for"), "{inbox}");
    let page = open(&dave, &format!("/requests/{id}")).await;
    assert!(page.contains("bot, of dave, asks for") && page.contains(&format!("/requests/{id}/confirm")), "{page}");
    assert!(page.contains("It is no approval") && !page.contains(&format!("/requests/{id}/approve")), "{page}");
    assert!(!open(&carol, &format!("/requests/{id}")).await.contains("/confirm\""));
    let fields = format!("digest={}", made["request"]["digest"].as_str().unwrap());
    let path = format!("/requests/{id}/confirm");
    assert_eq!(world.send(&carol, &path, &fields).await.word(), "403 page");
    let before = world.size().await;
    let confirmed = world.send(&dave, &path, &fields).await;
    assert_eq!(confirmed.header("location"), Some("/inbox?done=confirmed"));
    written(&world, "POST /requests/{id}/confirm", before).await;
}
