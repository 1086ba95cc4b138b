//! What routes are called on: made for each call, since a call may use it up.

use daypass_domain::PrincipalId;
use serde_json::{Value, json};

use crate::world::{World, wish};

pub async fn approve(world: &World, by: &str, proposed: &Value) {
    let id = proposed["outcome"]["change"].as_str().unwrap_or_else(|| panic!("{proposed}"));
    world.act(by, &format!("/v1/changes/{id}/approve")).await.ok();
}

/// Somebody that it can be done to: a workload of dave's, made for this.
pub async fn spare(world: &World, owner: &str) -> String {
    let name = world.fresh("spare");
    let proposed = world.post("alice", "/v1/workloads", json!({"name": name, "owner": owner})).await.ok().json();
    approve(world, "bob", &proposed).await;
    name
}

pub async fn spare_user(world: &World) -> String {
    let name = world.fresh("spare");
    let proposed = world.post("alice", "/v1/users", json!({"name": name})).await.ok().json();
    approve(world, "bob", &proposed).await;
    name
}

pub async fn spare_group(world: &World) -> String {
    let name = world.fresh("group");
    world.post("alice", "/v1/groups", json!({"name": name})).await.ok();
    name
}

/// A change that bob proposed.
pub async fn change(world: &World) -> String {
    let proposed = world.post("bob", "/v1/users", json!({"name": world.fresh("new")})).await.ok().json();
    proposed["outcome"]["change"].as_str().unwrap().to_owned()
}

pub async fn request(world: &World, who: &str, resource: &str) -> Value {
    world.post(who, "/v1/requests", wish(resource)).await.ok().json()
}

pub async fn pending(world: &World, who: &str) -> String {
    request(world, who, "orders").await["request"]["id"].as_str().unwrap().to_owned()
}

pub async fn grant(world: &World) -> String {
    request(world, "dave", "lab").await["outcome"]["grant"]["id"].as_str().unwrap().to_owned()
}

/// What somebody asked one statement for.
pub async fn statement(world: &World, who: &str, resource: &str) -> Value {
    let mut wish = wish(resource);
    wish["statement"] = json!("SELECT 1");
    world.post(who, "/v1/requests", wish).await.ok().json()
}

/// A notice that nobody sends here.
pub async fn notice(world: &World) -> String {
    let made = world.post("alice", "/v1/notices/test", json!({"to": "dave"})).await.ok().json();
    made["notices"][0].as_str().unwrap().to_owned()
}

pub async fn session(world: &World) -> String {
    let grant = grant(world).await;
    let me = world.get("dave", "/v1/me").await.json();
    let holder: PrincipalId = me["principal"].as_str().unwrap().parse().unwrap();
    world.session(&grant, holder).await.to_string()
}
