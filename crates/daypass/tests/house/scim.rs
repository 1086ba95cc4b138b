//! A directory says over SCIM who works here: from its words to what is dead at the target.

use std::fs;

use serde_json::{Value, json};

use crate::{
    numbers::{number, timed},
    web::client,
    world::{World, busy, ended, until},
};

/// What speaks for a directory: a program with a token.
pub struct Connector {
    client: reqwest::Client,
    pub url: String,
    pub token: String,
}

impl Connector {
    /// Ada makes the workload and its token, and declares the directory, with the groups that it fills.
    pub fn declared(world: &World, directory: &str, groups: &[&str]) -> Self {
        let ada = world.person("ada");
        let workload = format!("{directory}-scim");
        ada.ok(&["workload", "create", &workload, "--owner", "ada"]);
        let mut declare = vec!["directory", "declare", directory, "--connector", &workload];
        declare.extend(groups.iter().flat_map(|group| ["--group", group]));
        ada.ok(&declare);
        let made = ada.json(&["token", "create", "--workload", &workload, "--scope", "scim"]);
        let token = made["handed"]["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let client = client(&fs::read(world.authority()).unwrap());
        Self { client, url: format!("{}/scim/v2", world.url()), token }
    }

    pub fn says(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.says_text(method, path, body)
    }

    pub fn says_text(&self, method: &str, path: &str, body: String) -> (u16, Value) {
        let method: reqwest::Method = method.parse().unwrap();
        let call = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let call = call.header("content-type", "application/scim+json").body(body);
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let answer = call.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
        })
    }

    /// It must be done.
    pub fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, said) = self.says(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {said}");
        said
    }

    /// It must be refused, as SCIM refuses; what it said.
    pub fn refused(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (got, said) = self.says(method, path, body);
        assert_eq!(got, status, "{method} {path} {body}: {said}");
        assert_eq!(said["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error", "{said}");
        assert_eq!(said["status"], status.to_string(), "{said}");
        assert!(said["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{said}");
        said
    }

    /// Makes a user; their id.
    pub fn makes(&self, user_name: &str) -> String {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": user_name,
            "externalId": format!("00u-{user_name}"),
            "name": {"givenName": "A", "familyName": "Person"},
            "emails": [{"primary": true, "value": user_name, "type": "work"}],
            "displayName": "A Person",
            "active": true,
        });
        self.ok("POST", "/Users", &body)["id"].as_str().unwrap().to_owned()
    }
}

pub fn patch(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

/// The user takes up an invitation, asks, and gets a grant. Their name here, and the grant.
pub fn works(world: &World, user_name: &str) -> (String, String) {
    let name = user_name.split('@').next().unwrap();
    let invited = world.person("ada").json(&["user", "invite", name]);
    let code = invited["handed"]["code"].as_str().unwrap_or_else(|| panic!("{invited}"));
    let person = world.person(name);
    person.accept(&world.url(), &world.authority(), code);
    let request = person.asks("readonly");
    (name.to_owned(), world.person("bob").approves(&request))
}

#[test]
#[expect(clippy::print_stdout, reason = "docs/scim.md says that it is measured by this")]
fn a_leaver_is_dead_at_the_gateway_and_at_the_target() {
    let world = World::new();
    let ada = world.person("ada");
    let okta = Connector::declared(&world, "okta", &["dba-team"]);
    let leaving = [
        // Okta: a PATCH without a path, or the whole user again.
        ("carol@example.com", "PATCH", patch(json!([{"op": "replace", "value": {"active": false}}]))),
        ("dave@example.com", "PUT", json!({"userName": "dave@example.com", "active": false})),
        // Entra: another case, and a truth in quotes; or older, in an object.
        ("erin@example.com", "PATCH", patch(json!([{"op": "Replace", "path": "active", "value": "False"}]))),
        ("frank@example.com", "PATCH", patch(json!([{"op": "Replace", "value": {"active": "False"}}]))),
        ("grace@example.com", "DELETE", Value::Null),
    ];
    for (user_name, method, body) in leaving {
        let id = okta.makes(user_name);
        let (name, grant) = works(&world, user_name);
        let client = busy(&world, &world.person(&name), "orders");
        let said = std::time::Instant::now();
        okta.ok(method, &format!("/Users/{id}"), &body);
        until("no backend is left", || (world.backends() == 0).then_some(()));
        println!("{method} to no backend at the target, as seen from outside: {:?}", said.elapsed());
        let ended = ended(client);
        assert!(ended.err.contains("57P01"), "{method}: {}", ended.err);
        assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
        world.nothing_left(&grant);
        let cause = &ada.json(&["show", &grant])["state"]["cause"];
        assert_eq!(cause["cause"], "disabled", "{cause}");
        world.person(&name).fails(5, &["whoami"]);
    }
    until("every ending was timed, at the client and at the target", || (timed(&world) == (5.0, 5.0)).then_some(()));
    for stage in ["client", "target"] {
        let sum = number(&world, &format!("daypass_revocation_seconds_sum{{stage=\"{stage}\"}}"));
        println!("daypass_revocation_seconds, {stage}: {:.1} ms in the mean of 5", sum * 200.0);
    }
}

#[test]
fn a_directory_fills_the_groups_that_it_was_declared_to_fill_and_no_others() {
    let world = World::new();
    let ada = world.person("ada");
    let okta = Connector::declared(&world, "okta", &["dba-team"]);
    let (carol, dave) = (okta.makes("carol@example.com"), okta.makes("dave@example.com"));
    let groups = |name: &str| {
        let users = ada.json(&["user", "list"]);
        let found = users.as_array().unwrap().iter().find(|user| user["name"] == name).unwrap().clone();
        found["groups"].as_array().unwrap().iter().map(|g| g.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let group = json!({"displayName": "DBA Team", "members": [{"value": carol}]});
    let team = okta.ok("POST", "/Groups", &group)["id"].as_str().unwrap().to_owned();
    assert_eq!(groups("carol"), ["dba-team"]);
    let other = json!({"displayName": "administrators", "members": [{"value": carol}]});
    okta.ok("POST", "/Groups", &other);
    let undeclared = json!({"displayName": "support", "members": [{"value": carol}]});
    okta.ok("POST", "/Groups", &undeclared);
    assert_eq!(groups("carol"), ["dba-team"], "what isn't declared gives nothing, whatever it is called");
    // Entra adds; Okta takes out by a valued path, Entra by a value.
    let add = patch(json!([{"op": "Add", "path": "members", "value": [{"value": dave}]}]));
    okta.ok("PATCH", &format!("/Groups/{team}"), &add);
    assert_eq!(groups("dave"), ["dba-team"]);
    let valued = patch(json!([{"op": "remove", "path": format!("members[value eq \"{carol}\"]")}]));
    okta.ok("PATCH", &format!("/Groups/{team}"), &valued);
    assert_eq!((groups("carol").len(), groups("dave").len()), (0, 1));
    let named = patch(json!([{"op": "Remove", "path": "members", "value": [{"value": dave}]}]));
    let left = okta.ok("PATCH", &format!("/Groups/{team}"), &named);
    assert!(left.get("members").is_none() && groups("dave").is_empty(), "{left}");
    // Somebody local who is in it stays: the directory neither sees nor takes out who isn't its.
    ada.ok(&["group", "add", "dba-team", "bob"]);
    okta.ok("PATCH", &format!("/Groups/{team}"), &patch(json!([{"op": "replace", "path": "members", "value": []}])));
    okta.ok("DELETE", &format!("/Groups/{team}"), &Value::Null);
    assert_eq!(groups("bob"), ["dba-team"]);
    ada.fails(3, &["directory", "declare", "okta", "--connector", "okta-scim", "--group", "administrators"]);
}

#[test]
fn a_directory_never_becomes_or_touches_who_was_here() {
    let world = World::new();
    let ada = world.person("ada");
    let okta = Connector::declared(&world, "okta", &["dba-team"]);
    let entra = Connector::declared(&world, "entra", &["support"]);
    // `alice` and `ada` are local users; a directory's of those names are others.
    okta.makes("alice");
    okta.makes("ada@example.com");
    let names: Vec<String> = ada
        .json(&["user", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains(&"alice-2".to_owned()) && names.contains(&"ada-2".to_owned()), "{names:?}");
    assert_eq!(okta.ok("GET", "/Users", &Value::Null)["totalResults"], 2, "it sees its own only");
    let users = ada.json(&["user", "list"]);
    let local = users.as_array().unwrap().iter().find(|user| user["name"] == "alice").unwrap();
    let local = format!("/Users/{}", local["id"].as_str().unwrap());
    let theirs = format!("/Users/{}", entra.makes("carol@example.com"));
    let off = patch(json!([{"op": "replace", "path": "active", "value": false}]));
    for path in [&local, &theirs] {
        okta.refused(404, "GET", path, &Value::Null);
        okta.refused(404, "PATCH", path, &off);
        okta.refused(404, "PUT", path, &json!({"userName": "x", "active": false}));
        okta.refused(404, "DELETE", path, &Value::Null);
        let id = path.rsplit('/').next().unwrap();
        okta.refused(400, "POST", "/Groups", &json!({"displayName": "DBA Team", "members": [{"value": id}]}));
    }
    // Who was disabled here isn't let in again by a directory; whom it turned off, it turns on.
    let erin = format!("/Users/{}", okta.makes("erin@example.com"));
    let on = patch(json!([{"op": "replace", "path": "active", "value": "True"}]));
    okta.ok("PATCH", &erin, &off);
    assert_eq!(okta.ok("PATCH", &erin, &on)["active"], true);
    ada.ok(&["user", "disable", "erin"]);
    okta.refused(403, "PATCH", &erin, &on);
    // A person's sign-in, and another token, speak for nobody.
    let reader = ada.json(&["token", "create", "--scope", "read,administer"]);
    let other = Connector {
        token: reader["secret"].as_str().unwrap().to_owned(),
        client: okta.client.clone(),
        url: okta.url.clone(),
    };
    other.refused(403, "GET", "/Users", &Value::Null);
    let nobody = Connector { token: "dpt_nothing".into(), client: okta.client.clone(), url: okta.url.clone() };
    nobody.refused(401, "GET", "/Users", &Value::Null);
    ada.fails(2, &["token", "create", "--scope", "scim"]);
}

#[test]
fn hostile_words_are_refused_and_change_nothing() {
    let world = World::new();
    let ada = world.person("ada");
    let okta = Connector::declared(&world, "okta", &["dba-team"]);
    let carol = okta.makes("carol@example.com");
    let user = format!("/Users/{carol}");
    let group = okta.ok("POST", "/Groups", &json!({"displayName": "dba-team", "members": [{"value": carol}]}));
    let group = format!("/Groups/{}", group["id"].as_str().unwrap());
    let before = (ada.json(&["user", "list"]), ada.json(&["group", "list"]), okta.ok("GET", &user, &Value::Null));
    let nobody = format!("{}{}", &carol[..carol.len() - 1], if carol.ends_with('0') { '1' } else { '0' });
    let many = vec![json!({"op": "add", "path": "members", "value": [{"value": carol}]}); 1_001];
    let crowd: Vec<Value> = (0..10_001).map(|n| json!({"value": format!("principal_{n}")})).collect();
    for (method, path, body) in [
        ("PATCH", &user, patch(json!([{"op": "replace", "path": "active", "value": "perhaps"}]))),
        ("PATCH", &user, patch(json!([{"op": "replace", "path": "active", "value": {"deep": [1]}}]))),
        ("PATCH", &user, patch(json!([{"op": "replace", "path": "isAdministrator", "value": true}]))),
        ("PATCH", &user, patch(json!([{"op": "replace", "path": "id", "value": "principal_0"}]))),
        ("PATCH", &user, patch(json!([{"op": "explode", "path": "active", "value": false}]))),
        ("PATCH", &user, patch(json!([{"op": "remove"}]))),
        ("PATCH", &user, patch(json!([{"op": "replace", "path": "userName", "value": ""}]))),
        ("PATCH", &user, patch(json!([{"op": "replace", "path": "userName", "value": "x".repeat(257)}]))),
        (
            "PATCH",
            &user,
            patch(
                json!([{"op": "replace", "path": format!("{}x{}", "a[b eq \"".repeat(100), "\"]".repeat(100)), "value": 1}]),
            ),
        ),
        // One good operation before a bad one isn't done either.
        (
            "PATCH",
            &user,
            patch(
                json!([{"op": "replace", "path": "displayName", "value": "New"}, {"op": "replace", "path": "nope", "value": 1}]),
            ),
        ),
        ("PATCH", &user, json!({"Operations": []})),
        ("PATCH", &user, json!([1, 2])),
        ("PUT", &user, json!({"active": true})),
        ("PUT", &user, json!({"userName": ["carol"]})),
        ("POST", &"/Users".to_owned(), json!({"userName": "new\u{0}line"})),
        ("PATCH", &group, patch(json!(many))),
        ("PATCH", &group, patch(json!([{"op": "replace", "path": "members", "value": crowd}]))),
        ("PATCH", &group, patch(json!([{"op": "add", "path": "members", "value": [{"value": nobody}]}]))),
        (
            "PATCH",
            &group,
            patch(json!([{"op": "add", "path": "members", "value": [{"value": carol, "type": "Group"}]}])),
        ),
        ("PATCH", &group, patch(json!([{"op": "replace", "path": "members[value eq \"x\"].display", "value": "y"}]))),
    ] {
        okta.refused(400, method, path, &body);
    }
    okta.refused(409, "POST", "/Users", &json!({"userName": "CAROL@example.com"}));
    okta.refused(409, "POST", "/Groups", &json!({"displayName": "DBA-Team"}));
    let (status, said) = okta.says_text("PATCH", &user, "[".repeat(100_000));
    assert_eq!((status, said["scimType"].as_str()), (400, Some("invalidSyntax")), "{said}");
    let (status, said) = okta.says_text("POST", "/Users", format!("{{\"userName\":\"{}\"}}", "x".repeat(2 << 20)));
    assert_eq!(status, 413, "{said}");
    okta.refused(400, "GET", &format!("/Users?filter={}", "(".repeat(900)), &Value::Null);
    okta.refused(400, "GET", "/Users?filter=userName%20eq", &Value::Null);
    okta.refused(404, "GET", "/Users/..%2f..%2fv1%2fme", &Value::Null);
    let after = (ada.json(&["user", "list"]), ada.json(&["group", "list"]), okta.ok("GET", &user, &Value::Null));
    assert_eq!(before, after, "nothing changed");
}

#[test]
fn okta_and_entra_find_and_page() {
    let world = World::new();
    let okta = Connector::declared(&world, "okta", &[]);
    let ids: Vec<String> = (1..=5).map(|n| okta.makes(&format!("user{n}@example.com"))).collect();
    let found = |query: &str| okta.ok("GET", &format!("/Users?{query}"), &Value::Null);
    let first = found("startIndex=1&count=2");
    assert_eq!((&first["totalResults"], &first["itemsPerPage"]), (&json!(5), &json!(2)), "{first}");
    assert_eq!(found("startIndex=5&count=2")["Resources"].as_array().unwrap().len(), 1);
    assert_eq!(found("count=0")["Resources"], json!([]));
    for filter in [
        "userName%20eq%20%22USER2%40example.com%22",
        "externalId%20eq%20%2200u-user2%40example.com%22",
        "userName%20sw%20%22user2%22%20and%20active%20eq%20true",
    ] {
        let said = found(&format!("filter={filter}"));
        assert_eq!(
            (&said["totalResults"], &said["Resources"][0]["id"]),
            (&json!(1), &json!(ids[1])),
            "{filter}: {said}"
        );
    }
    let nobody = found("filter=userName%20eq%20%22nobody%22");
    assert_eq!(nobody["totalResults"], 0);
    let narrow = found("attributes=userName");
    assert!(narrow["Resources"][0].get("active").is_none(), "{narrow}");
}
