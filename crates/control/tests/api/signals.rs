//! How the routes of shared signals are called by the matrix.

use axum::http::Method;
use daypass_control::route::Route;
use serde_json::json;

use crate::things::approve;
use crate::world::{Ask, World};

/// A call of a route of signals; nothing when it is another.
pub async fn call(world: &World, route: &Route) -> Option<Ask> {
    let of = async |method, rest: &str| Ask::new(method, format!("/v1/signals/{}{rest}", transmitter(world).await));
    Some(match format!("{route:?}").as_str() {
        "GET /v1/signals" => Ask::get(route.path),
        "POST /v1/signals" => {
            let name = world.fresh("transmitter");
            let declared = json!({"name": name, "issuer": "https://t.example", "audience": "d", "directory": "okta"});
            Ask::post(route.path, declared)
        }
        "DELETE /v1/signals/{name}" => of(Method::DELETE, "").await,
        "GET /v1/signals/{name}/received" => of(Method::GET, "/received").await,
        "POST /v1/signals/{name}/verify" => of(Method::POST, "/verify").await,
        // Whoever calls: it is the secret of a transmitter that counts.
        "POST /signals/{name}" => {
            Ask::post("/signals/nobody", json!("made up")).header("content-type", "application/secevent+jwt")
        }
        _ => return None,
    })
}

/// A transmitter of signals, declared by both; what it calls its stream isn't known, so it can't be asked for anything.
async fn transmitter(world: &World) -> String {
    let name = world.fresh("transmitter");
    let body = json!({"name": name, "issuer": "https://t.example", "audience": "d", "directory": "okta"});
    let proposed = world.post("alice", "/v1/signals", body).await.ok().json();
    approve(world, "bob", &proposed).await;
    name
}
