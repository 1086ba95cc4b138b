//! What `--json` prints: a shape that programs rely on. What differs from run to run is replaced.

use serde_json::{Map, Value};

use crate::world::World;

/// The same value with ids, times, digests and the like replaced by what they are.
fn redacted(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(_) => value.clone(),
        Value::String(text) => Value::String(redacted_text(text)),
        Value::Array(items) => Value::Array(items.iter().map(redacted).collect()),
        Value::Object(map) => {
            let field = |(key, value): (&String, &Value)| {
                let value = match key.as_str() {
                    "entry" | "size" => Value::String("[number]".into()),
                    "entries" => Value::String("[numbers]".into()),
                    "root" => Value::String("[hash]".into()),
                    _ => redacted(value),
                };
                (key.clone(), value)
            };
            Value::Object(map.iter().map(field).collect::<Map<_, _>>())
        }
    }
}

/// Word by word: sentences have ids and times in them too.
fn redacted_text(text: &str) -> String {
    text.split(' ').map(redacted_word).collect::<Vec<_>>().join(" ")
}

fn redacted_word(text: &str) -> String {
    let (text, end) = text.strip_suffix('.').map_or((text, ""), |text| (text, "."));
    redacted_bare(text) + end
}

fn redacted_bare(text: &str) -> String {
    if text.starts_with("daypass.local/") {
        return "[log]".to_owned();
    }
    let hex = |t: &str| t.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some((kind, id)) = text.rsplit_once('_')
        && id.len() == 32
        && hex(id)
    {
        return format!("[{kind}]");
    }
    if text.len() == 64 && hex(text) {
        return "[digest]".to_owned();
    }
    if text.parse::<daypass_api::Timestamp>().is_ok() {
        return "[time]".to_owned();
    }
    text.to_owned()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(&redacted(value)).unwrap()
}

#[test]
fn the_shapes_of_a_working_day() {
    let world = World::new();
    let (ada, bob, alice) = (world.person("ada"), world.person("bob"), world.person("alice"));
    insta::assert_snapshot!("whoami", pretty(&ada.json(&["whoami"])));
    insta::assert_snapshot!("resources", pretty(&ada.json(&["resources"])[0]));
    insta::assert_snapshot!("users", pretty(&ada.json(&["users"])));
    let again = ada.json(&["apply", "-f", &world.path("resources.toml"), "--dry-run"]);
    insta::assert_snapshot!("apply_again", pretty(&again));
    insta::assert_snapshot!(
        "group_add",
        pretty(&{
            ada.json(&["group", "create", "dba"]);
            ada.json(&["group", "add", "dba", "bob"])
        })
    );

    let ask = ["request", "orders", "--role", "readwrite", "--for", "30m", "--reason", "Refund 4711"];
    let asked = alice.says_json(&ask);
    assert_eq!(asked.code, 4, "{}", asked.all());
    insta::assert_snapshot!("request_pending", pretty(&asked.json()));
    let request = asked.json()["request"]["id"].as_str().unwrap().to_owned();
    insta::assert_snapshot!("explain", pretty(&alice.json(&["explain", "orders", "--role", "readonly"])));
    insta::assert_snapshot!("inbox", pretty(&bob.json(&["inbox"])));
    // Less than was asked: a shorter time, a narrower role.
    let approved = bob.json(&["approve", &request, "--for", "10m", "--role", "readonly"]);
    insta::assert_snapshot!("approve", pretty(&approved));
    insta::assert_snapshot!("grants", pretty(&alice.json(&["grants"])));
    insta::assert_snapshot!("sessions_none", pretty(&alice.json(&["sessions"])));
    let grant = alice.json(&["grants"])[0]["id"].as_str().unwrap().to_owned();
    let mut receipt = ada.json(&["revoke", &grant, "--reason", "wrong customer"]);
    // Whether the node's word came before the receipt was written is a matter of chance: the shape isn't.
    receipt.as_object_mut().unwrap().remove("nodes");
    insta::assert_snapshot!("revoke", pretty(&receipt));
    insta::assert_snapshot!("request_granted", pretty(&alice.json(&["show", &request])));
    insta::assert_snapshot!("ledger_checkpoint", pretty(&ada.json(&["ledger", "checkpoint"])));
    insta::assert_snapshot!(
        "lab_granted",
        pretty(&{ alice.json(&["request", "playground", "--role", "readonly", "--reason", "trying"]) })
    );
}
