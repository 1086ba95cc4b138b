//! Several evaluations at once.

use serde_json::{Value, json};

use super::{EVALUATIONS, asked, fixture, resource, subject};
use crate::world::World;

async fn several(world: &World, body: Value) -> Vec<Value> {
    let reply = world.post("pep", EVALUATIONS, body).await.ok().json();
    assert!(reply.get("decision").is_none(), "a list has no decision of its own: {reply}");
    reply["evaluations"].as_array().unwrap_or_else(|| panic!("{reply}")).clone()
}

fn decisions(of: &[Value]) -> Vec<bool> {
    of.iter().map(|one| one["decision"].as_bool().unwrap_or_else(|| panic!("{one}"))).collect()
}

/// Cert, "Batch request with evaluations array", "Batch with fixture decisions validated", "Batch with fully specified
/// evaluations", "Batch with context inheritance", "Response ordering", "Response array length matches request".
#[tokio::test]
async fn they_are_answered_in_their_order_each_with_its_defaults() {
    let world = fixture().await;
    let two = [json!({"resource": resource("record-1")}), json!({"resource": resource("record-2")})];
    let body = json!({"subject": subject("alice"), "action": {"name": "read"}, "evaluations": two});
    assert_eq!(decisions(&several(&world, body).await), [true, false]);
    let both = [json!({"action": {"name": "read"}}), json!({"action": {"name": "write"}})];
    let body = json!({"subject": subject("bob"), "resource": resource("record-1"), "evaluations": both});
    assert_eq!(decisions(&several(&world, body).await), [true, false]);
    let whole =
        [asked("bob", "write", "record-1"), asked("alice", "read", "record-1"), asked("bob", "read", "record-1")];
    assert_eq!(decisions(&several(&world, json!({"evaluations": whole})).await), [false, true, true]);
    let with_context = json!({
        "subject": subject("alice"), "action": {"name": "read"}, "context": {"time": "2025-06-27T18:03-07:00"},
        "evaluations": [
            {"resource": resource("record-1")},
            {"resource": resource("record-1"), "context": {"time": "2025-06-27T19:00-07:00", "source": "mine"}},
        ],
    });
    assert_eq!(decisions(&several(&world, with_context).await), [true, true]);
}

/// Cert, "Batch with default value merging": whole, save what an evaluation must say and doesn't.
#[tokio::test]
async fn what_an_evaluation_lacks_of_a_member_is_the_default() {
    let world = fixture().await;
    let body = json!({
        "subject": subject("alice"), "action": {"name": "write"}, "resource": {"type": "postgres"},
        "evaluations": [
            {"resource": {"id": "record-1", "properties": {"status": "active"}}},
            {"resource": {"type": "postgres", "id": "record-2"}},
            {"resource": {"id": "record-1"}, "subject": {"id": "bob"}},
            {"resource": null},
        ],
    });
    let told = several(&world, body).await;
    assert_eq!(decisions(&told), [true, false, false, false]);
    assert_eq!(told[3]["context"]["error"]["status"], 400, "a default without an id is none: {}", told[3]);
}

/// Cert, "Evaluation-level errors"; API, "Errors": a wrong one is a no, and the others are answered.
#[tokio::test]
async fn what_is_wrong_with_one_is_its_own_answer() {
    let world = fixture().await;
    let body = json!({
        "subject": subject("alice"), "action": {"name": "read"},
        "evaluations": [
            {"resource": resource("record-1")},
            {},
            {"resource": "hunter2"},
            "hunter2",
            {"resource": resource("record-1"), "action": {"name": 7}},
            {"resource": ["postgres", "record-1"]},
            {"resource": resource("record-9")},
            {"resource": resource("record-1"), "subject": subject("bob")},
        ],
    });
    let told = several(&world, body.clone()).await;
    assert_eq!(decisions(&told), [true, false, false, false, false, false, false, true]);
    for wrong in &told[1..6] {
        assert_eq!(wrong["context"]["error"]["status"], 400, "{wrong}");
        assert!(wrong["context"]["error"]["message"].as_str().is_some_and(|m| m.len() > 10), "{wrong}");
        assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
    }
    assert_eq!(told[6]["context"]["reason"], "no_such_resource");
    // Of whom one may not be told is a refusal of its own, too.
    let told = world.post("stranger", EVALUATIONS, body).await.ok().json();
    assert_eq!(told["evaluations"][0]["context"]["error"]["status"], 403, "{told}");
    assert_eq!(told["evaluations"][6]["context"]["reason"], "no_such_resource", "{told}");
}

/// API, "Evaluations semantics".
#[tokio::test]
async fn they_stop_where_they_are_told_to() {
    let world = fixture().await;
    let all = [("bob", "read"), ("bob", "write"), ("alice", "read"), ("alice", "write")];
    let all: Vec<Value> = all.iter().map(|(who, role)| asked(who, role, "record-1")).collect();
    let reversed: Vec<Value> = [&all[1..2], &all].concat();
    for (semantic, evaluations, is) in [
        (None, &all, &[true, false, true, true][..]),
        (Some("execute_all"), &all, &[true, false, true, true]),
        (Some("deny_on_first_deny"), &all, &[true, false]),
        (Some("permit_on_first_permit"), &all, &[true]),
        (Some("permit_on_first_permit"), &reversed, &[false, true]),
        (Some("deny_on_first_deny"), &reversed, &[false]),
    ] {
        let mut body = json!({"evaluations": evaluations, "options": {"another_option": "value"}});
        if let Some(semantic) = semantic {
            body["options"]["evaluations_semantic"] = json!(semantic);
        }
        assert_eq!(decisions(&several(&world, body).await), is, "{semantic:?}");
    }
    // What is wrong counts as a no.
    let body = json!({"evaluations": [{}, all[0]], "options": {"evaluations_semantic": "deny_on_first_deny"}});
    assert_eq!(decisions(&several(&world, body).await), [false]);
    let unknown = json!({"evaluations": all, "options": {"evaluations_semantic": "sometimes"}});
    assert_eq!(world.post("pep", EVALUATIONS, unknown).await.status, 400);
}

/// Cert, "Missing evaluations array", "Empty evaluations array".
#[tokio::test]
async fn without_a_list_it_is_one_evaluation() {
    let world = fixture().await;
    let mut body = asked("alice", "read", "record-1");
    for evaluations in [None, Some(json!([])), Some(Value::Null)] {
        if let Some(evaluations) = evaluations {
            body["evaluations"] = evaluations;
        }
        let said = world.post("pep", EVALUATIONS, body.clone()).await.ok().json();
        assert_eq!((&said["decision"], said.get("evaluations")), (&json!(true), None), "{said}");
    }
    for wrong in [
        json!({}),
        json!({"evaluations": []}),
        json!({"evaluations": {}}),
        json!({"subject": "alice", "evaluations": [{}]}),
        json!({"subject": ["user", "alice"], "evaluations": [asked("alice", "read", "record-1")]}),
        json!({"evaluations": [asked("alice", "read", "record-1")], "options": ["execute_all"]}),
    ] {
        assert_eq!(world.post("pep", EVALUATIONS, wrong.clone()).await.status, 400, "{wrong}");
    }
}

/// There is a bound, and what is told of others in one call is durable in one commit. // I11
#[tokio::test]
async fn there_are_fifty_at_most_and_each_about_another_is_an_entry() {
    let world = fixture().await;
    let many = |n: usize| json!({"evaluations": vec![asked("alice", "read", "record-1"); n]});
    assert_eq!(world.post("pep", EVALUATIONS, many(51)).await.status, 400);
    let before = world.size().await;
    assert_eq!(several(&world, many(50)).await.len(), 50);
    assert_eq!(world.events_from(before).await, ["decision.told"; 50]);
}
