//! What is committed beside the code: the table of routes, and the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use daypass_app::entry::event;
use daypass_control::{
    route::{Access, Audience, Once, Route},
    routes::routes,
};

use crate::world::golden;

pub fn scope(route: &Route) -> &'static str {
    match route.access {
        Access::Anybody => "-",
        Access::Browser => "cookie",
        Access::Scope(scope) => scope.as_str(),
    }
}

#[test]
fn the_table_of_routes_is_as_it_was_agreed() {
    let mut text =
        String::from("# method path | scope of a token | whom the starter policy lets | idempotency key | entries\n");
    for route in routes() {
        let audience = match route.audience {
            Audience::Everybody => "everybody",
            Audience::Administrators => "administrators",
            Audience::People => "people",
            Audience::Connectors => "connectors",
        };
        let once = match route.once {
            Once::Reads => "reads",
            Once::Kept => "kept",
            Once::KeptIfItCan => "kept if it can",
            Once::Refused => "refused",
            Once::Idempotent => "idempotent",
        };
        let writes = if route.writes.is_empty() { "-".to_owned() } else { route.writes.join(" ") };
        text.push_str(&format!("{route:?} | {} | {audience} | {once} | {writes}\n", scope(&route)));
    }
    golden("tests/golden/routes.txt", &text);
}

#[test]
fn every_route_that_changes_something_says_what_it_writes() {
    let known: BTreeSet<&str> = event::ALL.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for route in routes() {
        assert!(seen.insert(format!("{route:?}")), "{route:?} is there twice");
        assert!(route.summary.len() > 3 && !route.summary.ends_with('.'), "{route:?}");
        for written in route.writes {
            assert!(known.contains(written), "{route:?} writes {written}, which is no event");
        }
        match route.once {
            Once::Reads => {}
            Once::Kept | Once::KeptIfItCan | Once::Refused | Once::Idempotent => {
                assert!(!route.writes.is_empty(), "{route:?} changes something, and writes nothing (I1)");
            }
        }
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        assert!(methods.contains(&route.method.as_str()), "{route:?}: the router knows no such method");
    }
}

#[test]
fn the_openapi_document_is_as_it_was_committed() {
    let mut text = daypass_control::openapi(env!("CARGO_PKG_VERSION")).to_pretty_json().unwrap();
    text.push('\n');
    golden("../../docs/openapi.json", &text);
}

#[test]
fn a_schemas_name_means_one_thing() {
    let mut known: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    for route in routes() {
        for (name, schema) in route.schemas {
            let schema = serde_json::to_value(&schema).unwrap();
            let was = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*was, schema, "two types are called {name}: give one of them `#[schema(as = ...)]`");
        }
    }
}

#[test]
fn the_openapi_document_holds_together() {
    let text = daypass_control::openapi("1").to_json().unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut missing = Vec::new();
    for reference in text.split("\"$ref\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        if document["components"]["schemas"].get(name).is_none() {
            missing.push(name.to_owned());
        }
    }
    assert!(missing.is_empty(), "no schema for {missing:?}");
    assert!(!text.contains("\"type\":\"number\""), "nothing is a float");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{method} {path}: {id} is there twice");
            let parts = path.matches('{').count();
            let declared =
                operation["parameters"].as_array().map_or(0, |p| p.iter().filter(|p| p["in"] == "path").count());
            assert_eq!(parts, declared, "{method} {path}");
        }
    }
    assert_eq!(ids.len(), routes().iter().filter(|r| daypass_control::is_described(r.face)).count());
}
