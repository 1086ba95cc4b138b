//! Another product asks Daypass over TLS: whether somebody may, and for access; and its answers are what the database does.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    web::client,
    world::{PATIENCE, World, busy, ended, until},
};

/// What lets the product ask about everybody, and for them.
const POLICY: &str = "@id(\"portal\")\n@why(\"the portal asks for its users\")\n\
    permit (principal == Workload::\"portal\", action in [Action::\"decide\", Action::\"request_for\"], resource);\n";

/// A product: a program with a token.
struct Product {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Product {
    /// Ada makes the workload and its token, and lets it ask.
    fn declared(world: &World) -> Self {
        let ada = world.person("ada");
        ada.ok(&["workload", "create", "portal", "--owner", "ada"]);
        let made = ada.json(&["token", "create", "--workload", "portal", "--scope", "decide,request"]);
        let token = made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let folder = world.path("policies");
        ada.ok(&["policy", "show", "--out", &folder]);
        fs::write(Path::new(&folder).join("portal.cedar"), POLICY).unwrap();
        ada.ok(&["policy", "apply", &folder]);
        Self { client: client(&fs::read(world.authority()).unwrap()), url: world.url(), token }
    }

    fn says(&self, method: &str, url: &str, body: &Value) -> (u16, Value) {
        let call = self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token).timeout(PATIENCE);
        let call = if body.is_null() { call } else { call.json(body) };
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let answer = call.header("x-request-id", "portal-1").send().await.unwrap();
            assert_eq!(answer.headers()["x-request-id"], "portal-1");
            let status = answer.status().as_u16();
            (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
        })
    }

    fn ok(&self, method: &str, url: &str, body: &Value) -> Value {
        let (status, said) = self.says(method, url, body);
        assert!((200..300).contains(&status), "{method} {url}: {status} {said}");
        said
    }

    fn decides(&self, question: &Value) -> Value {
        self.ok("POST", &format!("{}/access/v1/evaluation", self.url), question)
    }
}

fn alice_reads() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "readonly"},
        "resource": {"type": "postgres", "id": "orders"},
    })
}

#[test]
fn a_product_asks_for_alice_and_its_yes_is_what_psql_gets() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let portal = Product::declared(&world);
    let place = portal.ok("GET", &format!("{}/.well-known/authzen-configuration", portal.url), &Value::Null);
    assert_eq!(place["policy_decision_point"], portal.url, "what it says of itself is where it was found");
    assert_eq!(place["access_evaluation_endpoint"], format!("{}/access/v1/evaluation", portal.url));

    // No, and it can be asked for.
    let no = portal.decides(&alice_reads());
    assert_eq!((&no["decision"], &no["context"]["reason"]), (&json!(false), &json!("approval_required")), "{no}");
    assert_ne!(alice.sql("SELECT 1").code, 0);
    let mut request = alice_reads();
    request["context"] = json!({"business_justification": "Refund 4711"});
    request["denial"] = json!({
        "evaluation_id": no["context"]["evaluation_id"],
        "expires_at": no["context"]["access_request"]["expires_at"],
    });
    let endpoint = no["context"]["access_request"]["endpoint"].as_str().unwrap();
    assert_eq!(place["access_request_endpoint"], endpoint);
    let task = portal.ok("POST", endpoint, &request);
    assert_eq!(task["task"]["status"], "pending", "{task}");
    let at = task["task"]["status_endpoint"].as_str().unwrap().to_owned();

    // Neither alice, who would hold it, nor ada, who answers for the product, approves it; bob does. // I8
    let id = task["task"]["id"].as_str().unwrap();
    for party in [&alice, &world.person("ada")] {
        assert!(party.fails(3, &["approve", id]).contains("nobody approves"), "{}", party.name);
    }
    assert_eq!(portal.decides(&alice_reads())["context"]["reason"], "request_pending");
    let grant = bob.approves(id);
    let done = portal.ok("GET", &at, &Value::Null);
    assert_eq!((&done["task"]["status"], &done["result"]["approval"]["id"]), (&json!("approved"), &json!(grant)));

    // Yes, and she is let in; no, the moment that she isn't.
    let mut again = alice_reads();
    again["context"] = json!({"approval": done["result"]["approval"]});
    assert_eq!(portal.decides(&again)["decision"], true);
    let said = alice.sql("SELECT count(*) FROM accounts");
    assert_eq!((said.code, said.out.trim()), (0, "100"), "{}", said.all());
    let found = portal.ok(
        "POST",
        place["search_subject_endpoint"].as_str().unwrap(),
        &json!({"subject": {"type": "user"}, "action": {"name": "readonly"}, "resource": {"type": "postgres", "id": "orders"}}),
    );
    assert_eq!(found["results"], json!([{"type": "user", "id": "alice"}]));
    let client = busy(&world, &alice, "orders");
    world.person("ada").ok(&["revoke", &grant, "--reason", "the refund is done"]);
    let no = portal.decides(&again);
    assert_eq!((&no["decision"], &no["context"]["next_action"]), (&json!(false), &json!("request")), "{no}");
    assert_ne!(ended(client).code, 0);
    until("the database lets her in no more", || (alice.sql("SELECT 1").code != 0).then_some(()));

    // What it was told is in the ledger.
    assert_eq!(world.entries("decision.told"), 5, "each decision, and what was found");
}
