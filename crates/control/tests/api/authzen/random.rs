//! Whatever is sent, the answer is one that the specification knows: never an error of ours.

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{EVALUATION, EVALUATIONS, REQUESTS, asked, fixture, raw};
use crate::world::World;

const PATHS: [&str; 6] = [
    EVALUATION,
    EVALUATIONS,
    REQUESTS,
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
];

/// The members that are read somewhere, so that most of what is made gets past the first look.
const MEMBERS: [&str; 20] = [
    "subject",
    "action",
    "resource",
    "context",
    "type",
    "id",
    "name",
    "properties",
    "evaluations",
    "options",
    "evaluations_semantic",
    "page",
    "token",
    "limit",
    "denial",
    "evaluation_id",
    "expires_at",
    "requested_access",
    "approval",
    "business_justification",
];
const WORDS: [&str; 14] = [
    "user",
    "workload",
    "postgres",
    "daypass-resource",
    "alice",
    "pep",
    "record-1",
    "orders",
    "read",
    "readonly",
    "deny_on_first_deny",
    "2099-01-01T00:00:00Z",
    "",
    "\u{202e}\u{0}",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        select(&WORDS[..]).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let member = (select(&MEMBERS[..]), inner.clone());
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::from),
            vec(member, 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

/// A good question with something of it replaced, or put where it doesn't belong.
fn spoilt() -> impl Strategy<Value = Value> {
    (select(&MEMBERS[..]), select(&["", "/subject", "/action", "/resource"][..]), value()).prop_map(
        |(member, at, value)| {
            let mut body = asked("alice", "read", "record-1");
            body.pointer_mut(at).unwrap()[member] = value;
            body
        },
    )
}

/// Runs cases against one world, and shrinks what fails.
fn always(world: &World, runtime: &Runtime, bodies: impl Strategy<Value = String>) {
    let mut runner = TestRunner::new(Config { cases: 128, failure_persistence: None, ..Config::default() });
    let held = runner.run(&(select(&PATHS[..]), bodies), |(path, text)| {
        let reply = runtime.block_on(raw(world, path, "application/json", &text));
        let known = matches!(reply.status.as_u16(), 200..=202 | 400 | 403 | 404 | 409 | 410 | 413);
        prop_assert!(known, "{} {path} {text}: {}", reply.status, reply.text());
        prop_assert!(serde_json::from_slice::<Value>(&reply.bytes).is_ok(), "{}", reply.text());
        Ok(())
    });
    if let Err(why) = held {
        panic!("{why}");
    }
}

#[test]
fn whatever_is_sent_is_answered() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(fixture());
    always(&world, &runtime, value().prop_map(|body| body.to_string()));
    always(&world, &runtime, spoilt().prop_map(|body| body.to_string()));
    always(&world, &runtime, "[\\[\\]{}:,\"a-z0-9 ]{0,64}");
}
