//! One evaluation.

use serde_json::{Value, json};

use super::{EVALUATION, asked, decided, fixture, grant, policies, raw, resource, revoke, subject};
use crate::world::{Ask, World};

/// Cert, "Required Policy Behaviour", rules 1 to 4; "Idempotency".
#[tokio::test]
async fn the_fixture_is_decided_as_the_scenario_says_however_often() {
    let world = fixture().await;
    for (who, role, yes) in
        [("alice", "read", true), ("alice", "write", true), ("bob", "read", true), ("bob", "write", false)]
    {
        for _ in 0..3 {
            assert_eq!(decided(&world, who, role, "record-1").await["decision"], yes, "{who} {role}");
        }
    }
}

/// Cert, "Request with optional context", "Request with additional properties", "Request with unknown fields": and what is
/// said of anybody there changes nothing.
#[tokio::test]
async fn what_a_product_says_of_a_subject_is_taken_and_never_believed() {
    let world = fixture().await;
    for (who, role, yes) in [("alice", "read", true), ("bob", "write", false)] {
        let mut body = asked(who, role, "record-1");
        body["context"] = json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1", "approved": true});
        body["subject"]["properties"] = json!({"role": "admin", "groups": ["administrators"]});
        body["action"]["properties"] = json!({"method": "GET"});
        body["resource"]["properties"] = json!({"owner": who, "environment": "lab"});
        body["futureField"] = json!({"nested": true});
        body["subject"]["future"] = json!(1);
        let reply = world.post("pep", EVALUATION, body).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")));
        assert_eq!(reply.json()["decision"], yes);
    }
}

/// Cert, "Missing required fields", "Missing required sub-fields", "Invalid field types".
#[tokio::test]
async fn what_lacks_something_or_has_it_of_another_type_is_400() {
    let world = fixture().await;
    let good = || asked("alice", "read", "record-1");
    let without = |path: &[&str]| {
        let mut body = good();
        let (last, way) = path.split_last().unwrap();
        let at = way.iter().fold(&mut body, |at, step| &mut at[*step]);
        at.as_object_mut().unwrap().remove(*last);
        body
    };
    let with = |path: &[&str], value: Value| {
        let mut body = good();
        *path.iter().fold(&mut body, |at, step| &mut at[*step]) = value;
        body
    };
    let bodies = [
        without(&["subject"]),
        without(&["action"]),
        without(&["resource"]),
        without(&["subject", "type"]),
        without(&["subject", "id"]),
        without(&["action", "name"]),
        without(&["resource", "type"]),
        without(&["resource", "id"]),
        with(&["subject"], json!("alice")),
        with(&["subject"], Value::Null),
        with(&["action", "name"], json!(123)),
        with(&["resource"], json!([])),
        // A list of what would do as an object's members is no object.
        with(&["subject"], json!(["user", "alice"])),
        with(&["action"], json!(["read"])),
        with(&["resource"], json!(["postgres", "record-1"])),
        json!([subject("alice"), {"name": "read"}, resource("record-1")]),
        with(&["subject", "id"], json!({"deep": "hunter2"})),
        with(&["subject", "properties"], json!("hunter2")),
        with(&["subject", "id"], json!("x".repeat(257))),
        with(&["context"], json!("now")),
        json!([]),
        json!("hunter2"),
        Value::Null,
    ];
    for body in bodies {
        let reply = world.post("pep", EVALUATION, body.clone()).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        assert!(!reply.text().contains("hunter2"), "what was sent isn't repeated: {}", reply.text());
        assert!(reply.json()["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{}", reply.text());
    }
}

/// Cert, "Invalid content type", "Malformed JSON", "Empty request body".
#[tokio::test]
async fn what_is_no_json_is_400() {
    let world = fixture().await;
    let good = asked("alice", "read", "record-1").to_string();
    for (content_type, text) in [
        ("text/plain", good.as_str()),
        ("application/x-www-form-urlencoded", &good),
        ("application/json", "{"),
        ("application/json", ""),
        ("application/json", "{} {}"),
    ] {
        assert_eq!(raw(&world, EVALUATION, content_type, text).await.status, 400, "{content_type} {text}");
    }
    assert_eq!(raw(&world, EVALUATION, "application/json; charset=utf-8", &good).await.status, 200);
    let long = format!("{{\"padding\": \"{}\"}}", "x".repeat(64 << 10));
    assert_eq!(raw(&world, EVALUATION, "application/json", &long).await.status, 413);
}

/// Cert, "X-Request-ID echo": in refusals as well.
#[tokio::test]
async fn the_id_of_a_call_is_said_again() {
    let world = fixture().await;
    let good = asked("alice", "read", "record-1");
    for (ask, status) in [
        (Ask::post(EVALUATION, good.clone()).by(&world.bearers["pep"]), 200),
        (Ask::post(EVALUATION, json!({})).by(&world.bearers["pep"]), 400),
        (Ask::post(EVALUATION, good.clone()), 401),
        (Ask::post("/access/v1/evaluations", good.clone()).by(&world.bearers["pep"]), 200),
        (Ask::get("/access/v1/requests/none").by(&world.bearers["pep"]), 404),
        (Ask::get("/.well-known/authzen-configuration"), 200),
    ] {
        let reply = world.ask(ask.header("x-request-id", "bfe9eb29")).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-request-id")), (status, Some("bfe9eb29")));
    }
    let reply = world.post("pep", EVALUATION, good).await;
    assert_eq!((reply.status.as_u16(), reply.header("x-request-id")), (200, None));
}

/// Cert, "PDP Metadata"; profile, "PDP Metadata".
#[tokio::test]
async fn it_says_where_it_is() {
    let world = World::bare().await;
    let reply = world.ask(Ask::get("/.well-known/authzen-configuration").header("host", "evil.example")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")));
    let said = reply.json();
    let here = "https://localhost:7443";
    assert_eq!(said["policy_decision_point"], here, "as the operator says it, and not as the caller does");
    for (member, path) in [
        ("access_evaluation_endpoint", EVALUATION),
        ("access_evaluations_endpoint", "/access/v1/evaluations"),
        ("search_subject_endpoint", "/access/v1/search/subject"),
        ("search_resource_endpoint", "/access/v1/search/resource"),
        ("search_action_endpoint", "/access/v1/search/action"),
        ("access_request_endpoint", "/access/v1/requests"),
    ] {
        assert_eq!(said[member], format!("{here}{path}"));
    }
    assert_eq!(said["capabilities"], json!(["urn:openid:authzen:capability:access-request"]));
}

/// API, "Access Evaluation API Response": a no is 200 and false, whatever isn't known.
#[tokio::test]
async fn what_nobody_knows_is_a_no() {
    let world = fixture().await;
    for (who, kind, role, what, on, reason) in [
        ("nobody", "user", "read", "record-1", "postgres", "no_such_subject"),
        ("alice", "workload", "read", "record-1", "postgres", "no_such_subject"),
        ("alice", "spaceship", "read", "record-1", "postgres", "no_such_subject"),
        ("Not A Name", "user", "read", "record-1", "postgres", "no_such_subject"),
        ("alice", "user", "fly", "record-1", "postgres", "no_such_role"),
        ("alice", "user", "NOT A ROLE", "record-1", "postgres", "no_such_role"),
        ("alice", "user", "read", "record-9", "postgres", "no_such_resource"),
        ("alice", "user", "read", "record-1", "spaceship", "no_such_resource"),
    ] {
        let body = json!({"subject": {"type": kind, "id": who}, "action": {"name": role}, "resource": {"type": on, "id": what}});
        let said = world.post("pep", EVALUATION, body).await.ok().json();
        assert_eq!(
            (said["decision"].as_bool(), said["context"]["reason"].as_str()),
            (Some(false), Some(reason)),
            "{said}"
        );
        assert!(said["context"]["access_request"].is_null(), "{said}");
    }
    let any = json!({"subject": subject("alice"), "action": {"name": "read"}, "resource": {"type": "daypass-resource", "id": "record-1"}});
    assert_eq!(world.post("pep", EVALUATION, any).await.ok().json()["decision"], true);
}

/// A yes lasts as long as the grant, and is none once it has ended, whatever ended it. // I2
#[tokio::test]
async fn i2_a_yes_is_a_live_grant_that_policy_still_permits() {
    let world = fixture().await;
    let grant = grant(&world, "dave", "record-2", "read").await;
    let yes = decided(&world, "dave", "read", "record-2").await;
    assert_eq!((&yes["decision"], &yes["context"]["approval"]["id"]), (&json!(true), &json!(grant)));
    assert!(yes["context"]["approval"]["approved_until"].as_str() > yes["context"]["evaluated_at"].as_str(), "{yes}");
    assert_eq!(decided(&world, "dave", "write", "record-2").await["decision"], false, "one role isn't another");
    assert_eq!(decided(&world, "dave", "read", "record-1").await["decision"], false);
    revoke(&world, &grant).await;
    let no = decided(&world, "dave", "read", "record-2").await;
    assert_eq!((&no["decision"], &no["context"]["reason"]), (&json!(false), &json!("approval_required")), "{no}");
    // The deadline.
    assert_eq!(decided(&world, "alice", "read", "record-1").await["decision"], true);
    world.clock.later(daypass_domain::Span::from_secs(601));
    let no = decided(&world, "alice", "read", "record-1").await;
    assert_eq!((&no["decision"], &no["context"]["reason"]), (&json!(false), &json!("approval_required")), "{no}");
    // Whoever is disabled has nothing.
    super::grant(&world, "dave", "record-2", "read").await;
    world.act("alice", "/v1/principals/dave/disable").await.ok();
    let no = decided(&world, "dave", "read", "record-2").await;
    assert_eq!((&no["decision"], &no["context"]["reason"]), (&json!(false), &json!("policy_denied")), "{no}");
}

/// A grant for one statement opens no session.
#[tokio::test]
async fn a_grant_for_one_statement_is_no_access() {
    let world = fixture().await;
    let wish = json!({"resource": "record-2", "role": "read", "duration_s": 600, "reason": "to try it", "statement": "SELECT 1"});
    world.post("dave", "/v1/requests", wish).await.ok();
    let no = decided(&world, "dave", "read", "record-2").await;
    assert_eq!((&no["decision"], &no["context"]["reason"]), (&json!(false), &json!("one_statement")), "{no}");
}

/// What is missing is said in the words of the one evaluator.
#[tokio::test]
async fn a_no_says_why_and_what_would_help() {
    let world = fixture().await;
    let no = decided(&world, "dave", "readonly", "orders").await;
    let context = &no["context"];
    assert_eq!(context["reason"], "approval_required");
    assert_eq!(context["reason_user"]["en"], "it needs a reason; one approval by another person");
    assert!(context["evaluation_id"].as_str().is_some_and(|id| id.starts_with("eval_")), "{no}");
    assert_eq!(context["access_request"]["endpoint"], "https://localhost:7443/access/v1/requests");
    assert!(context["access_request"]["expires_at"].as_str() > context["evaluated_at"].as_str(), "{no}");
    // A product that may not ask for dave there, or by this token, isn't told that it could.
    for (who, what, role) in [("pep", "record-2", "read"), ("only-decides", "orders", "readonly")] {
        let no = world.post(who, EVALUATION, asked("dave", role, what)).await.ok().json();
        assert_eq!((no["decision"].as_bool(), &no["context"]["access_request"]), (Some(false), &Value::Null), "{no}");
    }
    // Each for themselves may ask wherever they like.
    let own = world.post("dave", EVALUATION, asked("dave", "read", "record-2")).await.ok().json();
    assert!(own["context"]["access_request"].is_object(), "{own}");
    // What no one could have can't be asked for.
    policies(&world, &format!("{} @id(\"never\") @why(\"nobody writes\") forbid(principal, action == Action::\"use\", resource == Role::\"orders/writer\");", super::PRODUCT)).await;
    let no = decided(&world, "dave", "writer", "orders").await;
    assert_eq!((&no["context"]["reason"], &no["context"]["access_request"]), (&json!("policy_denied"), &Value::Null));
    assert!(no["context"]["reason_user"]["en"].as_str().unwrap().contains("nobody writes"), "{no}");
}

/// Who may be told of whom: each of themselves, and of others by policy. What is told of others is an entry. // I11
#[tokio::test]
async fn i11_asking_about_others_takes_a_policy_and_is_an_entry_and_about_oneself_is_none() {
    let world = fixture().await;
    let before = world.size().await;
    assert_eq!(world.post("alice", EVALUATION, asked("alice", "read", "record-1")).await.ok().json()["decision"], true);
    // A workload and its owner are one person. // I8
    assert_eq!(world.post("stranger", EVALUATION, asked("carol", "read", "record-1")).await.status, 200);
    assert_eq!(world.size().await, before, "about oneself it is none");
    for who in ["alice", "bob", "stranger"] {
        // Being an administrator opens nobody's evidence; and whether there is such a person makes no difference.
        for whom in ["dave", "nobody"] {
            let reply = world.post(who, EVALUATION, asked(whom, "read", "record-1")).await;
            assert_eq!(reply.word(), "403 not_permitted", "{who} about {whom}");
        }
    }
    assert_eq!(world.size().await, before, "nothing was told");
    decided(&world, "alice", "read", "record-1").await;
    decided(&world, "dave", "read", "record-1").await;
    assert_eq!(world.events_from(before).await, ["decision.told", "decision.told"]);
    // They see in their own entries who was told what of them.
    let mine = world.get("alice", "/v1/ledger/entries?most=200").await.ok().json();
    let told = mine["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["event"] == "decision.told")
        .unwrap_or_else(|| panic!("{mine}"));
    let ids = told["ids"].to_string();
    for part in ["\"outcome\"", "\"yes\"", "\"reader\"", "\"grant\"", "\"decision\""] {
        assert!(ids.contains(part), "{part}: {ids}");
    }
}

/// Nothing is told while the clock is behind the ledger: a yes may give. // I3
#[tokio::test]
async fn nothing_is_decided_by_a_clock_that_is_behind() {
    let world = fixture().await;
    world.clock.back(daypass_domain::Span::from_secs(5));
    assert_eq!(world.post("pep", EVALUATION, asked("alice", "read", "record-1")).await.status, 503);
}

#[tokio::test]
async fn a_token_needs_the_scope() {
    let mut world = fixture().await;
    world.token("reads", "carol", Some("pep"), &["read", "request", "administer"]).await;
    for path in [
        EVALUATION,
        "/access/v1/evaluations",
        "/access/v1/search/subject",
        "/access/v1/search/resource",
        "/access/v1/search/action",
    ] {
        let body = json!({"subject": subject("alice"), "action": {"name": "read"}, "resource": resource("record-1")});
        assert_eq!(world.post("reads", path, body).await.word(), "403 token_scope", "{path}");
    }
    let submitted = world.post("only-decides", "/access/v1/requests", json!({})).await;
    assert_eq!(submitted.word(), "403 token_scope");
}
