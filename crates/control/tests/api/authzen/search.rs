//! Searching.

use serde_json::{Value, json};

use super::{EVALUATION, asked, fixture, grant, policies, resource, revoke, subject};
use crate::world::World;

const SUBJECTS: &str = "/access/v1/search/subject";
const RESOURCES: &str = "/access/v1/search/resource";
const ACTIONS: &str = "/access/v1/search/action";

fn users(role: &str, what: &str) -> Value {
    json!({"subject": {"type": "user"}, "action": {"name": role}, "resource": resource(what)})
}

fn records(who: &str, role: &str) -> Value {
    json!({"subject": subject(who), "action": {"name": role}, "resource": {"type": "postgres"}})
}

fn roles(who: &str, what: &str) -> Value {
    json!({"subject": subject(who), "resource": resource(what)})
}

async fn found(world: &World, by: &str, path: &str, body: Value) -> Value {
    let reply = world.post(by, path, body).await.ok().json();
    let results = reply["results"].as_array().unwrap_or_else(|| panic!("{reply}"));
    assert_eq!(reply["page"]["count"], results.len(), "{reply}");
    reply
}

/// Cert, "Subject Search", "Resource Search", "Action Search", and the fixture's requirements of search.
#[tokio::test]
async fn who_has_what_as_which_role_is_found() {
    let world = fixture().await;
    let both = json!([subject("alice"), subject("bob")]);
    assert_eq!(found(&world, "pep", SUBJECTS, users("read", "record-1")).await["results"], both);
    let mut with_context = users("read", "record-1");
    with_context["context"] = json!({"time": "2024-10-26T01:22-07:00"});
    with_context["subject"]["id"] = json!("passed over");
    assert_eq!(found(&world, "pep", SUBJECTS, with_context).await["results"], both);
    assert_eq!(found(&world, "pep", SUBJECTS, users("write", "record-1")).await["results"], json!([subject("alice")]));
    let mine = found(&world, "pep", RESOURCES, records("alice", "read")).await;
    assert_eq!(mine["results"], json!([resource("record-1")]));
    let mine = found(&world, "pep", ACTIONS, roles("alice", "record-1")).await;
    assert_eq!(mine["results"], json!([{"name": "read"}, {"name": "write"}]));
    // API, "Subject Search Semantics": what is found is decided true; and what has ended is found no more.
    let grant = grant(&world, "dave", "record-2", "write").await;
    assert_eq!(found(&world, "pep", SUBJECTS, users("write", "record-2")).await["results"], json!([subject("dave")]));
    let yes = world.post("pep", EVALUATION, asked("dave", "write", "record-2")).await.ok().json();
    assert_eq!(yes["decision"], true);
    revoke(&world, &grant).await;
    assert_eq!(found(&world, "pep", SUBJECTS, users("write", "record-2")).await["results"], json!([]));
    assert_eq!(found(&world, "pep", RESOURCES, records("dave", "write")).await["results"], json!([]));
    assert_eq!(found(&world, "pep", ACTIONS, roles("dave", "record-2")).await["results"], json!([]));
}

/// Cert, "Empty results".
#[tokio::test]
async fn what_isnt_known_is_not_found_and_no_error() {
    let world = fixture().await;
    let spaceship =
        json!({"subject": {"type": "spaceship"}, "action": {"name": "read"}, "resource": resource("record-1")});
    let by_kind = json!({"subject": subject("alice"), "action": {"name": "read"}, "resource": {"type": "spaceship"}});
    for (path, body) in [
        (SUBJECTS, spaceship),
        (SUBJECTS, users("fly", "record-1")),
        (SUBJECTS, users("read", "record-9")),
        (RESOURCES, records("nobody", "read")),
        (RESOURCES, records("alice", "fly")),
        (RESOURCES, by_kind),
        (ACTIONS, roles("nobody", "record-1")),
        (ACTIONS, roles("alice", "record-9")),
    ] {
        let empty = found(&world, "pep", path, body.clone()).await;
        assert_eq!((&empty["results"], &empty["page"]["next_token"]), (&json!([]), &json!("")), "{path} {body}");
    }
}

/// Cert, "Search Error Handling".
#[tokio::test]
async fn a_search_that_lacks_something_is_400() {
    let world = fixture().await;
    for (path, body) in [
        (SUBJECTS, json!({"subject": {"type": "user"}, "resource": resource("record-1")})),
        (SUBJECTS, json!({"action": {"name": "read"}, "resource": resource("record-1")})),
        (SUBJECTS, json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "postgres"}})),
        (SUBJECTS, json!({"subject": {"id": "alice"}, "action": {"name": "read"}, "resource": resource("record-1")})),
        (RESOURCES, json!({"action": {"name": "read"}, "resource": {"type": "postgres"}})),
        (RESOURCES, json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "postgres"}})),
        (ACTIONS, json!({"subject": subject("alice")})),
        (ACTIONS, json!({"subject": subject("alice"), "resource": {"type": "postgres"}})),
        (ACTIONS, json!([])),
        (ACTIONS, json!([subject("alice"), resource("record-1")])),
        (SUBJECTS, json!({"subject": ["user"], "action": {"name": "read"}, "resource": resource("record-1")})),
    ] {
        let reply = world.post("pep", path, body.clone()).await;
        assert_eq!(reply.status, 400, "{path} {body}: {}", reply.text());
    }
    let mut page = users("read", "record-1");
    for wrong in [json!({"limit": -1}), json!({"limit": "many"}), json!({"token": 1}), json!({"token": "x"}), json!([])]
    {
        page["page"] = wrong.clone();
        assert_eq!(world.post("pep", SUBJECTS, page.clone()).await.status, 400, "{wrong}");
    }
}

/// Cert, "Pagination".
#[tokio::test]
async fn results_come_in_pages() {
    let world = fixture().await;
    grant(&world, "carol", "record-1", "read").await;
    let mut body = users("read", "record-1");
    let mut seen = Vec::new();
    body["page"] = json!({"limit": 1});
    for last in [false, false, true] {
        let page = found(&world, "pep", SUBJECTS, body.clone()).await;
        seen.extend(page["results"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()));
        let next = page["page"]["next_token"].as_str().unwrap();
        assert_eq!(next.is_empty(), last, "{page}");
        body["page"]["token"] = json!(next);
    }
    assert_eq!(seen, ["alice", "bob", "carol"]);
    for limit in [0, 3, 1_000_000] {
        body["page"] = json!({"limit": limit});
        let page = found(&world, "pep", SUBJECTS, body.clone()).await;
        assert_eq!(
            (page["results"].as_array().unwrap().len(), &page["page"]["next_token"]),
            (3, &json!("")),
            "{limit}"
        );
    }
    // A token is of its search.
    body["page"] = json!({"limit": 1});
    let token = found(&world, "pep", SUBJECTS, body).await["page"]["next_token"].clone();
    let mut other = users("write", "record-1");
    other["page"] = json!({"token": token});
    assert_eq!(world.post("pep", SUBJECTS, other).await.status, 400);
    let mut actions = roles("alice", "record-1");
    actions["page"] = json!({"limit": 1});
    let first = found(&world, "pep", ACTIONS, actions.clone()).await;
    actions["page"] = json!({"token": first["page"]["next_token"]});
    let second = found(&world, "pep", ACTIONS, actions).await;
    assert_eq!((&first["results"], &second["results"]), (&json!([{"name": "read"}]), &json!([{"name": "write"}])));
}

/// Whoever may not be told of others finds themselves alone; what is told of others is an entry. // I11
#[tokio::test]
async fn i11_one_finds_only_of_whom_one_may_be_told() {
    let world = fixture().await;
    let before = world.size().await;
    let own = found(&world, "bob", SUBJECTS, users("read", "record-1")).await;
    assert_eq!(own["results"], json!([subject("bob")]));
    for (path, body) in [(RESOURCES, records("alice", "read")), (ACTIONS, roles("alice", "record-1"))] {
        assert_eq!(found(&world, "bob", path, body).await["results"], json!([]));
    }
    assert_eq!(found(&world, "stranger", SUBJECTS, users("read", "record-1")).await["results"], json!([]));
    assert_eq!(world.size().await, before, "nothing was told of anybody else");
    found(&world, "pep", SUBJECTS, users("read", "record-1")).await;
    found(&world, "pep", RESOURCES, records("alice", "read")).await;
    found(&world, "pep", ACTIONS, roles("alice", "record-1")).await;
    assert_eq!(world.events_from(before).await, ["decision.told"; 3]);
    // Of one role only, where policy says so of one.
    grant(&world, "alice", "record-2", "read").await;
    policies(
        &world,
        "permit(principal == Workload::\"pep\", action == Action::\"decide\", resource == Role::\"record-1/read\");",
    )
    .await;
    assert_eq!(found(&world, "pep", ACTIONS, roles("alice", "record-1")).await["results"], json!([{"name": "read"}]));
    assert_eq!(found(&world, "pep", SUBJECTS, users("write", "record-1")).await["results"], json!([]));
    let some = found(&world, "pep", RESOURCES, records("alice", "read")).await;
    assert_eq!(some["results"], json!([resource("record-1")]));
}
