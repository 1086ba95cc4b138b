//! Asking for access: the Access Request and Approval Profile, draft 1.

use serde_json::{Value, json};

use super::{EVALUATION, REQUESTS, asked, decided, fixture, grant, resource, revoke, subject};
use crate::world::{Ask, Reply, World};

const ERROR: &str = "urn:openid:authzen:access-request:error:";

/// A request for access that answers a denial of the same.
fn answering(denied: &Value, who: &str, role: &str, what: &str) -> Value {
    let mut body = asked(who, role, what);
    body["context"] = json!({"business_justification": "Refund 4711"});
    body["denial"] = json!({
        "evaluation_id": denied["context"]["evaluation_id"],
        "expires_at": denied["context"]["access_request"]["expires_at"],
        "reason": denied["context"]["reason"],
    });
    body
}

async fn submitted(world: &World, who: &str) -> Value {
    let denied = decided(world, who, "readonly", "orders").await;
    let reply = world.post("pep", REQUESTS, answering(&denied, who, "readonly", "orders")).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.header("location"), reply.json()["task"]["status_endpoint"].as_str());
    reply.json()
}

fn path(task: &Value) -> String {
    let endpoint = task["task"]["status_endpoint"].as_str().unwrap();
    endpoint.strip_prefix("https://localhost:7443").unwrap().to_owned()
}

fn is_refused(reply: &Reply, status: u16, kind: &str) {
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (status, Some("application/problem+json")));
    assert_eq!(reply.json()["type"], format!("{ERROR}{kind}"), "{}", reply.text());
}

/// Profile, "Protocol Overview", "Access Request Response", "Completed Task Response", "Re-evaluation".
#[tokio::test]
async fn from_a_denial_by_a_request_and_an_approval_to_a_yes_and_to_its_end() {
    let world = fixture().await;
    let task = submitted(&world, "dave").await;
    assert_eq!((&task["task"]["status"], task.get("result")), (&json!("pending"), None));
    assert!(task["task"]["expires_at"].is_string(), "{task}");
    assert_eq!(
        task["task"]["links"]["cancel"],
        format!("{}/cancel", task["task"]["status_endpoint"].as_str().unwrap())
    );
    assert_eq!(world.get("pep", &path(&task)).await.ok().json(), task, "a poll says the same");
    // Profile, "Denial Remains Denial": it waits, so it is a no; and it isn't asked for twice.
    let waiting = decided(&world, "dave", "readonly", "orders").await;
    assert_eq!((&waiting["decision"], &waiting["context"]["reason"]), (&json!(false), &json!("request_pending")));
    assert!(waiting["context"]["access_request"].is_null(), "{waiting}");
    // I8: neither who would have it nor whoever answers for the product approves.
    let id = task["task"]["id"].as_str().unwrap();
    for (who, word) in [("dave", "403 own_request"), ("carol", "403 own_request"), ("pep", "403")] {
        let reply = world.act(who, &format!("/v1/requests/{id}/approve")).await;
        assert!(reply.word().starts_with(word), "{who}: {}", reply.word());
    }
    world.act("bob", &format!("/v1/requests/{id}/approve")).await.ok();
    let done = world.get("pep", &path(&task)).await.ok().json();
    assert_eq!(
        (&done["task"]["status"], &done["result"]["mode"]),
        (&json!("approved"), &json!("reevaluate")),
        "{done}"
    );
    assert!(done["task"]["links"].get("cancel").is_none(), "{done}");
    let approval = done["result"]["approval"].clone();
    let again = async || {
        let mut body = asked("dave", "readonly", "orders");
        body["context"] = json!({"approval": approval.clone()});
        world.post("pep", EVALUATION, body).await.ok().json()
    };
    let yes = again().await;
    assert_eq!((&yes["decision"], &yes["context"]["approval"]["id"]), (&json!(true), &approval["id"]), "{yes}");
    revoke(&world, approval["id"].as_str().unwrap()).await;
    // Profile, "Re-evaluation Denials and PEP Behavior".
    let no = again().await;
    assert_eq!((&no["decision"], &no["context"]["reason"]), (&json!(false), &json!("approval_expired")), "{no}");
    assert_eq!(no["context"]["next_action"], "request");
    assert!(no["context"]["access_request"].is_object(), "{no}");
    let ended = world.get("pep", &path(&task)).await.ok().json();
    assert_eq!(ended["task"]["status"], "approved", "a task that ended stays as it ended");
}

/// Profile, "Access Request Response": what policy gives at once is answered at once.
#[tokio::test]
async fn what_is_given_at_once_is_answered_at_once() {
    let world = fixture().await;
    let denied = world.post("dave", EVALUATION, asked("dave", "read", "record-2")).await.ok().json();
    let mut body = answering(&denied, "dave", "read", "record-2");
    let now: Value = denied["context"]["evaluated_at"].clone();
    body["requested_access"] = json!({"requested_until": denied["context"]["access_request"]["expires_at"], "emergency": true, "urn:daypass:ticket": "OPS-1", "unknown": 1});
    let reply = world.post("dave", REQUESTS, body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let done = reply.json();
    assert_eq!(done["task"]["status"], "approved");
    assert_eq!(done["result"]["approval"]["approved_until"], denied["context"]["access_request"]["expires_at"]);
    assert_eq!(done["result"]["approval"]["approved_at"], now);
    let request =
        world.get("dave", &format!("/v1/requests/{}", done["task"]["id"].as_str().unwrap())).await.ok().json();
    let read = [&request["purpose"], &request["ticket"], &request["reason"], &request["duration_s"]];
    assert_eq!(read, [&json!("incident"), &json!("OPS-1"), &json!("Refund 4711"), &json!(600)]);
    let yes = world.post("dave", EVALUATION, asked("dave", "read", "record-2")).await.ok().json();
    assert_eq!(yes["decision"], true);
}

/// What policy refuses, because too little was said, is a task that was denied; it isn't access.
#[tokio::test]
async fn what_policy_refuses_is_denied() {
    let world = fixture().await;
    let denied = decided(&world, "dave", "readonly", "orders").await;
    let mut body = answering(&denied, "dave", "readonly", "orders");
    body.as_object_mut().unwrap().remove("context");
    let reply = world.post("pep", REQUESTS, body).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["task"]["status"]), (201, &json!("denied")));
    assert!(reply.json().get("result").is_none());
    // By a person.
    let task = submitted(&world, "dave").await;
    let id = task["task"]["id"].as_str().unwrap();
    world.post("bob", &format!("/v1/requests/{id}/deny"), json!({"note": "not today"})).await.ok();
    let denied = world.get("pep", &path(&task)).await.ok().json();
    assert_eq!(denied["task"]["status"], "denied");
    assert!(!denied.to_string().contains("not today") && !denied.to_string().contains("bob"), "{denied}");
}

/// Profile, "Cancellation", "Task Status and Transitions".
#[tokio::test]
async fn a_request_is_taken_back_while_it_waits() {
    let world = fixture().await;
    let task = submitted(&world, "dave").await;
    let cancel = format!("{}/cancel", path(&task));
    is_refused(&world.act("bob", &cancel).await, 404, "unknown_task");
    assert_eq!(world.post("pep", &cancel, json!([])).await.status, 400);
    let body = json!({"reason": "no_longer_needed", "comment": "solved otherwise"});
    let cancelled = world.post("pep", &cancel, body).await.ok().json();
    assert_eq!(cancelled["task"]["status"], "cancelled");
    is_refused(&world.act("pep", &cancel).await, 409, "invalid_task_state");
    assert_eq!(decided(&world, "dave", "readonly", "orders").await["context"]["reason"], "approval_required");
    let task = submitted(&world, "dave").await;
    world.clock.later(daypass_domain::Span::from_mins(25 * 60));
    world.app.do_due().await.unwrap();
    assert_eq!(world.get("pep", &path(&task)).await.ok().json()["task"]["status"], "expired");
}

/// Profile, "Task Handle Leakage": whoever isn't a party finds nothing.
#[tokio::test]
async fn a_task_is_for_its_parties() {
    let world = fixture().await;
    let task = submitted(&world, "dave").await;
    for who in ["dave", "carol", "pep", "stranger"] {
        assert_eq!(world.get(who, &path(&task)).await.status, 200, "{who} is a party, or a party's own");
    }
    for who in ["alice", "bob"] {
        is_refused(&world.get(who, &path(&task)).await, 404, "unknown_task");
        is_refused(&world.act(who, &format!("{}/cancel", path(&task))).await, 404, "unknown_task");
    }
    for id in ["none", "request_", &format!("request_{}", "0".repeat(32)), "..%2f"] {
        is_refused(&world.get("pep", &format!("{REQUESTS}/{id}")).await, 404, "unknown_task");
    }
}

/// Profile, "Verifying Denial Binding": who was told, of what, and when.
#[tokio::test]
async fn a_request_answers_just_the_denial_that_its_asker_was_told() {
    let world = fixture().await;
    let denied = decided(&world, "dave", "readonly", "orders").await;
    let good = answering(&denied, "dave", "readonly", "orders");
    let mut others = Vec::new();
    for (pointer, value) in [
        ("/subject", subject("alice")),
        ("/subject/properties", json!({"role": "admin"})),
        ("/resource", resource("record-1")),
        ("/action/name", json!("writer")),
        ("/denial/evaluation_id", json!("eval_AAAA")),
        ("/denial/evaluation_id", json!("")),
        ("/denial/evaluation_id", Value::Null),
        ("/denial/evaluation_id", json!(format!("{}A", denied["context"]["evaluation_id"].as_str().unwrap()))),
    ] {
        let mut body = good.clone();
        let (object, member) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(object).unwrap()[member] = value;
        others.push(body);
    }
    let before = world.size().await;
    for body in others {
        is_refused(&world.post("pep", REQUESTS, body).await, 400, "invalid_denial_binding");
    }
    // Told to somebody else.
    is_refused(&world.post("stranger", REQUESTS, good.clone()).await, 400, "invalid_denial_binding");
    // A denial that came without `access_request`, or a permit, can't be asked for.
    for (who, role, what) in [("dave", "read", "record-2"), ("alice", "read", "record-1")] {
        let told = decided(&world, who, role, what).await;
        let mut body = answering(&told, who, role, what);
        body["denial"]["expires_at"] = denied["context"]["access_request"]["expires_at"].clone();
        is_refused(&world.post("pep", REQUESTS, body).await, 400, "not_requestable");
    }
    for missing in ["subject", "resource", "action", "denial"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(missing);
        assert_eq!(world.post("pep", REQUESTS, body).await.status, 400, "{missing}");
    }
    let mut wrong = good.clone();
    wrong["denial"] = json!([good["denial"]["evaluation_id"], good["denial"]["expires_at"]]);
    assert_eq!(world.post("pep", REQUESTS, wrong).await.status, 400);
    wrong = good.clone();
    wrong["requested_access"] = json!([]);
    assert_eq!(world.post("pep", REQUESTS, wrong).await.status, 400);
    wrong = good.clone();
    wrong["context"]["business_justification"] = json!(7);
    assert_eq!(world.post("pep", REQUESTS, wrong).await.status, 400);
    wrong = good.clone();
    wrong["requested_access"] = json!({"requested_until": "2001-01-01T00:00:00Z"});
    assert_eq!(world.post("pep", REQUESTS, wrong).await.status, 400);
    let made = world.events_from(before).await;
    assert!(!made.iter().any(|event| event == "request.made"), "{made:?}");
    // And it is fresh, whatever the asker says of it.
    world.clock.later(daypass_domain::Span::from_secs(600));
    let mut late = good;
    late["denial"]["expires_at"] = json!("2099-01-01T00:00:00Z");
    is_refused(&world.post("pep", REQUESTS, late).await, 410, "expired_denial");
}

/// Default deny: for others a product asks only where policy lets it, looked up when it asks. // I12
#[tokio::test]
async fn i12_for_others_it_takes_a_policy_when_it_is_asked_for() {
    let world = fixture().await;
    let denied = decided(&world, "dave", "readonly", "orders").await;
    let only_decides = "permit(principal == Workload::\"pep\", action == Action::\"decide\", resource);";
    super::policies(&world, only_decides).await;
    let reply = world.post("pep", REQUESTS, answering(&denied, "dave", "readonly", "orders")).await;
    assert_eq!(reply.word(), "403 not_permitted");
    // Not even for its own owner.
    let own = world.post("pep", EVALUATION, asked("carol", "readonly", "orders")).await.ok().json();
    assert!(own["context"]["access_request"].is_null(), "{own}");
    // A workload asks for itself, as ever.
    let mut itself = asked("pep", "readonly", "orders");
    itself["subject"]["type"] = json!("workload");
    let denied = world.post("pep", EVALUATION, itself.clone()).await.ok().json();
    itself["context"] = json!({"business_justification": "nightly export"});
    itself["denial"] = json!({"evaluation_id": denied["context"]["evaluation_id"], "expires_at": denied["context"]["access_request"]["expires_at"]});
    assert_eq!(world.post("pep", REQUESTS, itself).await.status, 202);
}

/// Profile, "Idempotency and Retries".
#[tokio::test]
async fn the_same_key_is_the_same_task() {
    let world = fixture().await;
    let denied = decided(&world, "dave", "readonly", "orders").await;
    let good = answering(&denied, "dave", "readonly", "orders");
    let send = async |body: Value| {
        world.ask(Ask::post(REQUESTS, body).by(&world.bearers["pep"]).header("idempotency-key", "k1")).await
    };
    let first = send(good.clone()).await;
    let second = send(good.clone()).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!(first.json(), second.json());
    let mut other = good;
    other["context"]["business_justification"] = json!("another");
    is_refused(&send(other).await, 409, "duplicate_request");
}

/// Profile, "Approval Verification": a borrowed, made-up or other approval says nothing and gives nothing.
#[tokio::test]
async fn an_approval_that_is_named_gives_nothing_by_itself() {
    let world = fixture().await;
    let daves = grant(&world, "dave", "record-2", "read").await;
    let named = async |who: &str, role: &str, what: &str, id: Value| {
        let mut body = asked(who, role, what);
        body["context"] = json!({"approval": {"id": id, "approved_until": "2099-01-01T00:00:00Z"}});
        world.post("pep", EVALUATION, body).await.ok().json()
    };
    for (who, role, what, id, reason, next) in [
        ("bob", "read", "record-2", json!(daves), "approval_unverifiable", "none"),
        ("bob", "read", "record-2", json!("grant_made_up"), "approval_unverifiable", "none"),
        ("bob", "read", "record-2", json!(7), "approval_unverifiable", "none"),
        ("dave", "readonly", "orders", json!(daves), "out_of_scope", "request"),
        ("dave", "write", "record-2", json!(daves), "out_of_scope", "none"),
    ] {
        let no = named(who, role, what, id).await;
        let said = [&no["decision"], &no["context"]["reason"], &no["context"]["next_action"]];
        assert_eq!(said, [&json!(false), &json!(reason), &json!(next)], "{who} {role} {what}: {no}");
        assert_eq!(no["context"]["access_request"].is_object(), next == "request", "{no}");
    }
    // Ignored where a grant lets them in anyway.
    let yes = named("dave", "read", "record-2", json!("grant_made_up")).await;
    assert_eq!((&yes["decision"], &yes["context"]["approval"]["id"]), (&json!(true), &json!(daves)));
    // What begins later is waited for.
    let wish = json!({"resource": "record-1", "role": "read", "duration_s": 600, "reason": "later", "start": "2023-11-14T23:13:20Z"});
    let made = world.post("dave", "/v1/requests", wish).await.ok().json();
    let later = made["outcome"]["grant"]["id"].clone();
    let no = named("dave", "read", "record-1", later).await;
    let said = [&no["context"]["reason"], &no["context"]["next_action"], &no["context"]["retry_after"]];
    assert_eq!(said, [&json!("grant_pending"), &json!("retry"), &json!(3600)], "{no}");
}

#[tokio::test]
async fn what_may_be_said_is_a_schema() {
    let world = World::bare().await;
    let reply = world.ask(Ask::get("/access/v1/requests/schema.json")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/schema+json")));
    let schema = reply.json();
    let members = &schema["properties"]["requested_access"]["properties"];
    for member in ["requested_until", "emergency", "urn:daypass:ticket", "urn:daypass:purpose"] {
        assert!(members[member].is_object(), "{member}");
    }
    let purposes: Vec<&str> =
        members["urn:daypass:purpose"]["enum"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    let known: Vec<&str> = daypass_domain::request::Purpose::ALL.iter().map(|p| p.as_str()).collect();
    assert_eq!(purposes, known);
    let longest = schema["properties"]["context"]["properties"]["business_justification"]["maxLength"].as_u64();
    assert_eq!(longest, u64::try_from(daypass_app::request::REASON_CHARS).ok());
}
