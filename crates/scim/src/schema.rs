//! What the server says of itself: its configuration, its kinds of resources, their schemas (RFC 7643, 5 to 7).

use serde_json::{Value, json};

/// The schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of a group.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The schema of a PATCH.
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// The schema of a list.
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// The schema of an error.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The most resources on one page.
pub const PAGE_MOST: usize = 200;

/// `ServiceProviderConfig` (RFC 7643, 5). `at` is where the server is found, up to `/scim/v2`.
#[must_use]
pub fn service_provider_config(at: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": PAGE_MOST},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": false},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Token",
            "description": "An API token of the scope `scim`, as a bearer token (RFC 6750)",
            "primary": true,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{at}/ServiceProviderConfig")},
    })
}

/// The kinds of resources (RFC 7643, 6).
#[must_use]
pub fn resource_types(at: &str) -> Vec<Value> {
    let kind = |id: &str, endpoint: &str, schema: &str, what: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": id,
            "name": id,
            "endpoint": endpoint,
            "description": what,
            "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": format!("{at}/ResourceTypes/{id}")},
        })
    };
    vec![
        kind("User", "/Users", USER, "A person of the directory"),
        kind("Group", "/Groups", GROUP, "A group of the directory"),
    ]
}

/// The schemas (RFC 7643, 7): as much as is kept.
#[must_use]
pub fn schemas(at: &str) -> Vec<Value> {
    let schema = |id: &str, name: &str, attributes: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id,
            "name": name,
            "description": format!("{name}, as much as is kept of it"),
            "attributes": attributes,
            "meta": {"resourceType": "Schema", "location": format!("{at}/Schemas/{id}")},
        })
    };
    let mut user_name = text("userName", "What the directory calls them");
    user_name["required"] = true.into();
    user_name["uniqueness"] = "server".into();
    let mut external = text("externalId", "The directory's own id");
    external["caseExact"] = true.into();
    let active = json!({
        "name": "active", "type": "boolean", "multiValued": false, "required": true, "mutability": "readWrite",
        "returned": "default", "description": "Whether they may act; what they held ends when not",
    });
    let user = json!([user_name, external, text("displayName", "Their name, for people"), active]);
    let mut name = text("displayName", "Its name, for people");
    name["required"] = true.into();
    name["uniqueness"] = "server".into();
    let group = json!([name, external, members()]);
    vec![schema(USER, "User", user), schema(GROUP, "Group", group)]
}

fn text(name: &str, what: &str) -> Value {
    json!({
        "name": name, "type": "string", "multiValued": false, "required": false, "caseExact": false,
        "mutability": "readWrite", "returned": "default", "uniqueness": "none", "description": what,
    })
}

fn members() -> Value {
    let sub = |name: &str, kind: &str, what: &str| {
        let mut sub = text(name, what);
        sub["type"] = kind.into();
        sub["mutability"] = "immutable".into();
        sub["caseExact"] = true.into();
        sub
    };
    let mut reference = sub("$ref", "reference", "Where the user is");
    reference["referenceTypes"] = json!(["User"]);
    let mut kind = sub("type", "string", "What it is");
    kind["canonicalValues"] = json!(["User"]);
    json!({
        "name": "members", "type": "complex", "multiValued": true, "required": false, "mutability": "readWrite",
        "returned": "default", "description": "The users in it",
        "subAttributes": [sub("value", "string", "The id of a user of this directory"), reference, kind],
    })
}
