//! How the routes of AuthZEN are called, for the matrix.

use daypass_control::route::{Face, Route};
use serde_json::{Value, json};

use crate::{
    things::pending,
    world::{Ask, World},
};

/// A call of the route that would succeed for whoever may make it: each asks about themselves.
pub async fn call(world: &World, route: &Route, caller: &str, person: &str) -> Ask {
    let bearer = world.bearers.get(caller).cloned();
    let asked = |who: &str| json!({"subject": {"type": "user", "id": who}, "action": {"name": "readonly"}, "resource": {"type": "postgres", "id": "orders"}});
    let signature = format!("{route:?}");
    let mut ask = match signature.as_str() {
        "GET /.well-known/authzen-configuration" | "GET /access/v1/requests/schema.json" => Ask::get(route.path),
        "POST /access/v1/evaluation"
        | "POST /access/v1/evaluations"
        | "POST /access/v1/search/subject"
        | "POST /access/v1/search/resource"
        | "POST /access/v1/search/action" => Ask::post(route.path, asked(person)),
        "POST /access/v1/requests" => {
            let mut ask = Ask::post("/access/v1/evaluation", asked(person));
            ask.bearer.clone_from(&bearer);
            let denied: Value = world.ask(ask).await.json();
            let mut body = asked(person);
            body["context"] = json!({"business_justification": "to try it"});
            body["denial"] = json!({
                "evaluation_id": denied["context"]["evaluation_id"],
                "expires_at": "2099-01-01T00:00:00Z",
            });
            Ask::post(route.path, body)
        }
        "GET /access/v1/requests/{id}" => Ask::get(format!("/access/v1/requests/{}", pending(world, "dave").await)),
        "POST /access/v1/requests/{id}/cancel" => {
            Ask::act(format!("/access/v1/requests/{}/cancel", pending(world, "dave").await))
        }
        other => panic!("{other} has no authorization test: say here how it is called"),
    };
    ask.bearer = bearer;
    ask
}

/// Whoever calls such routes alone.
pub fn special(face: Face) -> Option<(&'static str, &'static str)> {
    match face {
        Face::Directories => Some(("connector", "alice")),
        Face::Products => Some(("product", "dave")),
        Face::Programs | Face::People | Face::Transmitters => None,
    }
}
