//! How the routes of emergency kits are called.

use daypass_control::route::Route;
use serde_json::{Value, json};

use crate::{
    things::approve,
    world::{Ask, World},
};

/// Public keys whose secret halves are nowhere.
fn to() -> Value {
    json!([
        {"user": "dave", "recipient": "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"},
        {"user": "bob", "recipient": "age1jcgurlqsjjd00rfeasthm5025gtlc2kft54hgpzt5mpkl2vkeuus592l9x"},
    ])
}

/// A kit that two administrators made. There is no target that could have it.
async fn kit(world: &World) -> String {
    let proposed = world.post("alice", "/v1/emergency-kits", json!({"resource": "lab", "to": to()})).await.ok().json();
    approve(world, "bob", &proposed).await;
    proposed["handed"]["kit"].as_str().unwrap().to_owned()
}

/// A call that would succeed for whoever may make it; none of another route.
pub async fn call(world: &World, route: &Route) -> Option<Ask> {
    let at = |id: String| route.path.replace("{id}", &id);
    Some(match format!("{route:?}").as_str() {
        "GET /v1/emergency-kits" => Ask::get(route.path),
        "POST /v1/emergency-kits" => Ask::post(route.path, json!({"resource": "lab", "to": to()})),
        "GET /v1/emergency-kits/{id}" => Ask::get(at(kit(world).await)),
        "POST /v1/emergency-kits/{id}/rotate" => Ask::post(at(kit(world).await), json!({})),
        "POST /v1/emergency-kits/{id}/review" => Ask::post(at(kit(world).await), json!({"words": "it was right"})),
        "DELETE /v1/emergency-kits/{id}" => Ask::new(route.method.clone(), at(kit(world).await)),
        _ => return None,
    })
}
