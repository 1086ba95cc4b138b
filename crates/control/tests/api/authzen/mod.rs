//! OpenID AuthZEN. The certification scenario's levels Basic Core, Batch Core, Search Core and Discovery, in Daypass's own
//! terms: a resource's type is `postgres`, and what may be done to it is a role. Each test names what it holds of the
//! Authorization API 1.0 ("API"), its certification scenario ("cert") or the Access Request and Approval Profile ("profile").

mod batch;
mod evaluation;
mod random;
mod requests;
mod search;

use serde_json::{Value, json};

use crate::world::{Ask, Reply, World, wish};

pub const EVALUATION: &str = "/access/v1/evaluation";
pub const EVALUATIONS: &str = "/access/v1/evaluations";
pub const REQUESTS: &str = "/access/v1/requests";

/// What the scenario's fixture holds, as ours: two records, with the roles `read` and `write`.
const RECORD: &str = r#"
[[resource]]
name = "record-1"
kind = "postgres"
address = "127.0.0.1:5434"
administrator = "lab_admin"
credential = "lab"
owner = "administrators"
tls = { mode = "loopback_plaintext" }
labels = { environment = "lab", classification = ["public"] }

[resource.role.read]
description = "read"
member_of = ["records_read"]

[resource.role.write]
description = "write"
member_of = ["records_write"]
"#;

/// The product may be told of everybody, and ask for people on `orders`.
const PRODUCT: &str = r#"
@id("pep-decides") permit(principal == Workload::"pep", action == Action::"decide", resource);
@id("pep-asks") permit(principal == Workload::"pep", action == Action::"request_for", resource in Resource::"orders");
"#;

/// alice may read and write record-1, and bob may read it. `pep` is another product, a workload of carol's; `stranger` is
/// one that no policy speaks of.
pub async fn fixture() -> World {
    let mut world = World::new().await;
    world.user("bob").await;
    let other = RECORD.replace("record-1", "record-2").replace("5434", "5435");
    let body = json!({"file": "records.toml", "text": format!("{RECORD}{other}"), "mode": "apply"});
    world.post("alice", "/v1/resources/apply", body).await.ok();
    for (who, role) in [("alice", "read"), ("alice", "write"), ("bob", "read")] {
        grant(&world, who, "record-1", role).await;
    }
    for name in ["pep", "stranger"] {
        world.post("alice", "/v1/workloads", json!({"name": name, "owner": "carol"})).await.ok();
        world.token(name, "carol", Some(name), &["decide", "request"]).await;
    }
    world.token("only-decides", "carol", Some("pep"), &["decide"]).await;
    policies(&world, PRODUCT).await;
    world
}

/// The starter policies, and these.
pub async fn policies(world: &World, more: &str) {
    let mut files = json!(daypass_policy::starter_files());
    files["more.cedar"] = json!(more);
    let done = world.post("alice", "/v1/policy/apply", json!({"files": files, "mode": "apply"})).await.ok().json();
    assert_eq!(done["outcome"]["outcome"], "done", "{done}");
}

/// A grant of a record's role; its id.
pub async fn grant(world: &World, who: &str, resource: &str, role: &str) -> String {
    let mut wish = wish(resource);
    wish["role"] = json!(role);
    let made = world.post(who, "/v1/requests", wish).await.ok().json();
    made["outcome"]["grant"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

pub async fn revoke(world: &World, grant: &str) {
    let body = json!({"what": {"of": "grant", "grant": grant}, "reason": "to try it"});
    world.post("alice", "/v1/revoke", body).await.ok();
}

pub fn subject(id: &str) -> Value {
    json!({"type": "user", "id": id})
}

pub fn resource(id: &str) -> Value {
    json!({"type": "postgres", "id": id})
}

pub fn asked(who: &str, role: &str, what: &str) -> Value {
    json!({"subject": subject(who), "action": {"name": role}, "resource": resource(what)})
}

/// What the product is answered: a decision with its context.
pub async fn decided(world: &World, who: &str, role: &str, what: &str) -> Value {
    world.post("pep", EVALUATION, asked(who, role, what)).await.ok().json()
}

/// A body that is sent as it is, by the product.
pub async fn raw(world: &World, path: &str, content_type: &str, text: &str) -> Reply {
    let ask = Ask { form: Some(text.to_owned()), ..Ask::act(path) };
    world.ask(ask.header("content-type", content_type).by(&world.bearers["pep"])).await
}
