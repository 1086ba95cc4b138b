//! Who may call what: every route by everybody, and what a call writes. // I1, I8

use std::{collections::BTreeSet, sync::Arc};

use axum::http::Method;
use daypass_app::signin::code_for;
use daypass_control::{
    route::{Access, Audience, Face, Once, Route},
    routes::routes,
};
use daypass_domain::Span;
use daypass_ports::{
    authority::{Authority as _, NodeId},
    rows::TokenScope,
};
use serde_json::{Value, json};

use crate::elsewhere::ELSEWHERE;
use crate::things::{
    approve, change, grant, notice, pending, request, session, spare, spare_group, spare_user, statement,
};
use crate::world::{Ask, PASSWORD, Reply, World, golden, wish};
use crate::{kits, products, signals};

/// Everybody: the name of the column, and the person behind it.
const CALLERS: [(&str, &str); 8] = [
    ("anonymous", "dave"),
    ("disabled", "dave"),
    ("user", "dave"),
    ("token-read", "dave"),
    ("token-request", "dave"),
    ("workload", "dave"),
    ("token-administer", "alice"),
    ("administrator", "alice"),
];

async fn world() -> World {
    let mut world = World::new().await;
    world.user("frank").await;
    let enrolment = world.post("frank", "/v1/me/totp", json!({"password": PASSWORD})).await.ok().json();
    let code = code_for(enrolment["secret"].as_str().unwrap(), world.app.time()).unwrap();
    world.post("frank", "/v1/me/totp/confirm", json!({"code": code})).await.ok();
    world.second_administrator().await;
    let owned = json!({"name": "bot", "owner": "dave"});
    let proposed = world.post("alice", "/v1/workloads", owned).await.ok().json();
    approve(&world, "bob", &proposed).await;
    for (name, scopes) in [("token-read", &["read"][..]), ("token-request", &["request"])] {
        world.token(name, "dave", None, scopes).await;
    }
    world.token("workload", "dave", Some("bot"), &["read", "request", "administer"]).await;
    world.token("product", "dave", None, &["decide", "request"]).await;
    connector(&mut world).await;
    world.token("token-administer", "alice", None, &["read", "request", "administer"]).await;
    let (user, administrator) = (world.bearers["dave"].clone(), world.bearers["alice"].clone());
    world.bearers.extend([("user", user), ("administrator", administrator)]);
    world.bearers.insert("disabled", world.bearers["carol"].clone());
    world.bearers.insert("disabled in a browser", world.browser("carol").await);
    browsers(&mut world).await;
    world.act("alice", "/v1/principals/carol/disable").await.ok();
    world
}

/// The connector of a directory, declared and given its token by two administrators.
async fn connector(world: &mut World) {
    let owned = json!({"name": "okta-scim", "owner": "alice"});
    let proposed = world.post("alice", "/v1/workloads", owned).await.ok().json();
    approve(world, "bob", &proposed).await;
    let declared = json!({"name": "okta", "connector": "okta-scim", "groups": ["dba-team"]});
    let proposed = world.post("alice", "/v1/directories", declared).await.ok().json();
    approve(world, "bob", &proposed).await;
    let token = json!({"workload": "okta-scim", "scopes": ["scim"]});
    let proposed = world.post("alice", "/v1/tokens", token).await.ok().json()["proposed"].clone();
    // Its owner asks for it, and still another administrator says yes. // I12
    approve(world, "bob", &proposed).await;
    world.bearers.insert("connector", proposed["handed"]["token"].as_str().unwrap().to_owned());
}

/// Browsers of dave's and alice's.
async fn browsers(world: &mut World) {
    for (called, who) in [("user in a browser", "dave"), ("administrator in a browser", "alice")] {
        let cookie = world.browser(who).await;
        world.bearers.insert(called, cookie);
    }
}

/// Where somebody shows who they are: so often, here, that it would be held against them.
const SIGN_IN: [&str; 4] = ["/signin", "/signout", "/welcome", "/requests/{id}/confirm"];

/// A call of a page: by a cookie, with a form's own token where the cookie is good.
async fn page(world: &World, route: &Route, caller: &str, person: &str) -> Ask {
    let known = world.bearers.get(format!("{caller} in a browser").as_str());
    // A token's secret in a cookie must open nothing.
    let mut cookie = known.or(world.bearers.get(caller)).cloned().unwrap_or_default();
    let signature = format!("{route:?}");
    let good = matches!(caller, "user" | "administrator");
    if SIGN_IN.contains(&route.path) {
        world.clock.later(Span::from_secs(3));
    }
    if good && signature == "POST /signout" {
        cookie = world.browser(person).await;
    }
    let (path, fields) = match signature.as_str() {
        "GET /assets/{file}" => ("/assets/daypass.css".to_owned(), String::new()),
        "POST /signin" => (route.path.to_owned(), format!("name=dave&password={}", PASSWORD.replace(' ', "+"))),
        "POST /grants/{id}/release" => (format!("/grants/{}/release", grant(world).await), String::new()),
        "POST /grants/{id}/extend" => {
            let ask = format!("/grants/{}/extend", grant(world).await);
            (ask, "minutes=15".to_owned())
        }
        "POST /sessions/{id}/kill" => {
            (format!("/sessions/{}/kill", session(world).await), "reason=an+incident".to_owned())
        }
        "GET /changes/{id}" => (format!("/changes/{}", change(world).await), String::new()),
        "POST /changes/{id}/approve" => {
            let id = change(world).await;
            let digest = world.get("alice", &format!("/v1/changes/{id}")).await.json()["change"]["digest"].clone();
            (format!("/changes/{id}/approve"), format!("digest={}", digest.as_str().unwrap()))
        }
        "POST /changes/{id}/reject" => (format!("/changes/{}/reject", change(world).await), String::new()),
        "POST /ask" | "POST /ask/check" | "POST /ask/verdict" => {
            (route.path.to_owned(), "what=lab/readonly&minutes=10&reason=to+try+it".to_owned())
        }
        "GET /requests/{id}" => (format!("/requests/{}", pending(world, "dave").await), String::new()),
        "POST /requests/{id}/withdraw" => {
            (format!("/requests/{}/withdraw", pending(world, "dave").await), String::new())
        }
        "POST /requests/{id}/approve" | "POST /requests/{id}/confirm" | "POST /requests/{id}/deny" => {
            let made = request(world, "bob", "orders").await["request"].clone();
            let (id, digest) = (made["id"].as_str().unwrap(), made["digest"].as_str().unwrap());
            (route.path.replace("{id}", id), format!("digest={digest}&note=not+today"))
        }
        "POST /signin/second-factor" => (route.path.to_owned(), "ticket=nonsense&code=123456".to_owned()),
        "POST /welcome" => (route.path.to_owned(), format!("code=a.b&password={}", PASSWORD.replace(' ', "+"))),
        "POST /factors/passkeys" => (route.path.to_owned(), "name=mine&answer=nonsense".to_owned()),
        "POST /factors/passkeys/{id}/remove" => {
            (format!("/factors/passkeys/passkey_{}/remove", "0".repeat(32)), String::new())
        }
        "GET /signin"
        | "GET /signin/oidc/start"
        | "GET /signin/oidc/callback"
        | "GET /welcome"
        | "GET /factors"
        | "POST /factors/show"
        | "POST /factors/passkeys/begin"
        | "POST /factors/recovery-codes"
        | "POST /signout"
        | "GET /"
        | "GET /ask"
        | "GET /inbox"
        | "POST /secret"
        | "GET /sessions"
        | "GET /changes"
        | "GET /emergency"
        | "GET /live" => (route.path.to_owned(), String::new()),
        other => panic!("{other} has no authorization test: say here how it is called"),
    };
    if route.method == Method::GET {
        return Ask::get(path).cookie(&cookie);
    }
    let token = if good { world.form_token(&cookie).await } else { String::new() };
    Ask::form(path, &format!("form_token={token}&{fields}")).cookie(&cookie)
}

/// A call of SCIM, of something that the connector made for it.
async fn scim(world: &World, route: &Route, caller: &str) -> Ask {
    let connector = world.bearers["connector"].clone();
    let named = world.fresh("said");
    let body = if route.path.contains("Groups") { json!({"displayName": named}) } else { json!({"userName": named}) };
    let made = |path: &'static str| world.ask(Ask::post(path, body.clone()).by(&connector));
    let path = match route.path {
        "/scim/v2/Users/{id}" => {
            format!("/scim/v2/Users/{}", made("/scim/v2/Users").await.ok().json()["id"].as_str().unwrap())
        }
        "/scim/v2/Groups/{id}" => {
            format!("/scim/v2/Groups/{}", made("/scim/v2/Groups").await.ok().json()["id"].as_str().unwrap())
        }
        "/scim/v2/ResourceTypes/{id}" => "/scim/v2/ResourceTypes/User".to_owned(),
        "/scim/v2/Schemas/{id}" => format!("/scim/v2/Schemas/{}", daypass_scim::schema::USER),
        plain => plain.to_owned(),
    };
    let mut ask = match route.method.as_str() {
        "GET" | "DELETE" => Ask::new(route.method.clone(), &path),
        "PATCH" => {
            let named = if path.contains("Groups") { "displayName" } else { "userName" };
            let operation = json!({"op": "replace", "path": named, "value": world.fresh("anew")});
            let schemas = [daypass_scim::schema::PATCH];
            Ask::post(&path, json!({"schemas": schemas, "Operations": [operation]}))
        }
        "PUT" if path.contains("Groups") => Ask::post(&path, json!({"displayName": world.fresh("anew")})),
        "PUT" => Ask::post(&path, json!({"userName": world.fresh("anew")})),
        _ => Ask::post(&path, body.clone()),
    };
    ask.method = route.method.clone();
    ask.bearer = world.bearers.get(caller).cloned();
    ask
}

/// A call of the route that would succeed for whoever may make it, and what had to be there for it.
async fn call(world: &World, route: &Route, caller: &str, person: &str) -> Ask {
    match route.face {
        Face::People => return page(world, route, caller, person).await,
        Face::Directories => return scim(world, route, caller).await,
        Face::Products => return products::call(world, route, caller, person).await,
        Face::Transmitters | Face::Programs => {}
    }
    if let Some(ask) = signals::call(world, route).await {
        return Ask { bearer: world.bearers.get(caller).cloned(), ..ask };
    }
    if let Some(mut ask) = kits::call(world, route).await {
        ask.bearer = world.bearers.get(caller).cloned();
        return ask;
    }
    let signature = format!("{route:?}");
    let post = |path: &str, body: Value| Ask::post(path, body);
    let put = |path: String| Ask::new(route.method.clone(), path);
    let mut ask = match signature.as_str() {
        "POST /v1/setup" => post(route.path, json!({"code": "a.b", "name": "eve", "password": PASSWORD})),
        "POST /v1/invitations/accept" => post(route.path, json!({"code": "a.b", "password": PASSWORD})),
        "POST /v1/token" => post(route.path, json!({"grant_type": "password"})),
        "POST /v1/signin/oidc/begin" => post(route.path, json!({"way": {"way": "device"}})),
        "POST /v1/signin/oidc/finish" => post(route.path, json!({"attempt": "made up"})),
        "POST /signin/oidc/logout" => post(route.path, json!({"logout_token": "made up"})),
        "POST /v1/trust/apply" => post(
            route.path,
            json!({"file": "t.toml", "mode": "apply", "text": format!(
                "[provider.corp]\nissuer = 'https://i.example'\nclient_id = '{}'", world.fresh("client")
            )}),
        ),
        "POST /v1/signin" => post(route.path, json!({"name": "dave", "password": PASSWORD})),
        "POST /v1/signin/second-factor" | "POST /v1/me/totp/confirm" => post(route.path, json!({"code": "000000"})),
        "POST /v1/signout" => {
            let ask = Ask::act(route.path);
            match caller {
                "user" | "administrator" => return ask.by(&world.fresh_sign_in(person).await),
                _ => ask,
            }
        }
        "POST /v1/me/password" => {
            // Of a sign-in of its own, since it ends the others: those are made anew.
            post(route.path, json!({"old": PASSWORD, "new": PASSWORD}))
        }
        "POST /v1/me/passkeys" | "POST /v1/me/recovery-codes" => Ask::act(route.path),
        "POST /v1/me/passkeys/finish" => post(route.path, json!({"name": "mine", "answer": {}})),
        "DELETE /v1/me/passkeys/{id}" => put(format!("/v1/me/passkeys/passkey_{}", "0".repeat(32))),
        "POST /v1/me/totp" => post(route.path, json!({"password": PASSWORD})),
        "POST /v1/me/connection-secret" => Ask::act(route.path),
        "POST /v1/tokens" => post(route.path, json!({"scopes": ["read"]})),
        "DELETE /v1/tokens/{id}" => {
            let made = world.post("dave", "/v1/tokens", json!({"scopes": ["read"]})).await.ok().json();
            put(format!("/v1/tokens/{}", made["token"]["id"].as_str().unwrap()))
        }
        "POST /v1/users" => post(route.path, json!({"name": world.fresh("new")})),
        "POST /v1/invitations" => {
            post(route.path, json!({"name": world.fresh("new"), "groups": [spare_group(world).await]}))
        }
        "POST /v1/workloads" => post(route.path, json!({"name": world.fresh("new"), "owner": "dave"})),
        "POST /v1/directories" => {
            let connector = spare(world, "bob").await;
            post(route.path, json!({"name": world.fresh("directory"), "connector": connector, "groups": []}))
        }
        "POST /v1/groups" => post(route.path, json!({"name": world.fresh("group")})),
        "POST /v1/principals/{name}/disable" => put(format!("/v1/principals/{}/disable", spare(world, "bob").await)),
        "POST /v1/principals/{name}/enable" => put("/v1/principals/carol/enable".to_owned()),
        "POST /v1/principals/{name}/invite" => put(format!("/v1/principals/{}/invite", spare_user(world).await)),
        "POST /v1/principals/{name}/reset-second-factor" => put("/v1/principals/frank/reset-second-factor".to_owned()),
        "POST /v1/principals/{name}/mail" => {
            let user = spare_user(world).await;
            post(&format!("/v1/principals/{user}/mail"), json!({"mail": format!("{user}@example.com")}))
        }
        "DELETE /v1/principals/{name}/mail" => {
            let user = spare_user(world).await;
            let (path, mail) = (format!("/v1/principals/{user}/mail"), format!("{user}@example.com"));
            let proposed = world.post("alice", &path, json!({"mail": mail})).await.ok().json();
            approve(world, "bob", &proposed).await;
            put(path)
        }
        "GET /v1/notices/{id}" => put(format!("/v1/notices/{}", notice(world).await)),
        "POST /v1/notices/test" => post(route.path, json!({"to": "dave", "channel": "room"})),
        "DELETE /v1/groups/{name}" => put(format!("/v1/groups/{}", spare_group(world).await)),
        "PUT /v1/groups/{name}/members/{principal}" => {
            put(format!("/v1/groups/{}/members/dave", spare_group(world).await))
        }
        "DELETE /v1/groups/{name}/members/{principal}" => {
            let group = spare_group(world).await;
            let path = format!("/v1/groups/{group}/members/dave");
            let joined = world.ask(Ask::new(Method::PUT, &path).by(&world.bearers["alice"])).await.ok().json();
            approve(world, "bob", &joined).await;
            put(path)
        }
        "GET /v1/resources/{name}" => put("/v1/resources/lab".to_owned()),
        "GET /v1/resources/{name}/doctor" => put("/v1/resources/lab/doctor".to_owned()),
        "GET /v1/resources/{name}/who" => put("/v1/resources/lab/who".to_owned()),
        "POST /v1/resources/apply" => {
            let text = format!("remove = [\"lab\"] # {}", world.fresh("again"));
            post(route.path, json!({"file": "x.toml", "text": text, "mode": "apply"}))
        }
        "POST /v1/policy/check" => post(route.path, json!({"files": starter()})),
        "POST /v1/policy/apply" => {
            let mut files = starter();
            files["more.cedar"] = json!(format!("// {}", world.fresh("more")));
            post(route.path, json!({"files": files, "mode": "apply"}))
        }
        "GET /v1/changes/{id}" => put(format!("/v1/changes/{}", change(world).await)),
        "POST /v1/changes/{id}/approve" => put(format!("/v1/changes/{}/approve", change(world).await)),
        "POST /v1/changes/{id}/reject" => put(format!("/v1/changes/{}/reject", change(world).await)),
        "POST /v1/requests" | "POST /v1/explain" => post(route.path, wish("lab")),
        "GET /v1/requests/{id}" => put(format!("/v1/requests/{}", pending(world, "dave").await)),
        "POST /v1/requests/{id}/approve" => put(format!("/v1/requests/{}/approve", pending(world, "bob").await)),
        "POST /v1/requests/{id}/confirm" => put(format!("/v1/requests/{}/confirm", pending(world, "dave").await)),
        "POST /v1/requests/{id}/deny" => {
            post(&format!("/v1/requests/{}/deny", pending(world, "bob").await), json!({"note": "not today"}))
        }
        "POST /v1/requests/{id}/withdraw-approval" => {
            let id = pending(world, "bob").await;
            world.act(person, &format!("/v1/requests/{id}/approve")).await.ok();
            put(format!("/v1/requests/{id}/withdraw-approval"))
        }
        "POST /v1/requests/{id}/withdraw" => put(format!("/v1/requests/{}/withdraw", pending(world, "dave").await)),
        "GET /v1/grants/{id}" => put(format!("/v1/grants/{}", grant(world).await)),
        "POST /v1/grants/{id}/extend" => {
            post(&format!("/v1/grants/{}/extend", grant(world).await), json!({"by_s": 60}))
        }
        "POST /v1/requests/{id}/look" => {
            let made = statement(world, "bob", "orders").await;
            put(format!("/v1/requests/{}/look", made["request"]["id"].as_str().unwrap()))
        }
        "POST /v1/grants/{id}/run" => {
            let made = statement(world, "dave", "lab").await;
            put(format!("/v1/grants/{}/run", made["outcome"]["grant"]["id"].as_str().unwrap()))
        }
        "POST /v1/grants/{id}/release" => put(format!("/v1/grants/{}/release", grant(world).await)),
        "POST /v1/revoke" => {
            post(route.path, json!({"what": {"of": "grant", "grant": grant(world).await}, "reason": "to try it"}))
        }
        "GET /v1/sessions/{id}" => put(format!("/v1/sessions/{}", session(world).await)),
        "POST /v1/sessions/{id}/kill" => put(format!("/v1/sessions/{}/kill", session(world).await)),
        "GET /v1/ledger/tile/{*path}" => put("/v1/ledger/tile/entries/000.p/1".to_owned()),
        "GET /v1/ledger/receipts/{seq}" => put("/v1/ledger/receipts/0".to_owned()),
        "POST /v1/evidence/{payload}" => put(format!("/v1/evidence/payload_{}", "0".repeat(32))),
        "GET /healthz"
        | "GET /readyz"
        | "GET /metrics"
        | "GET /v1/authority.pem"
        | "GET /v1/openapi.json"
        | "GET /v1/me"
        | "GET /v1/me/factors"
        | "GET /v1/tokens"
        | "GET /v1/principals"
        | "GET /v1/groups"
        | "GET /v1/directories"
        | "GET /v1/resources"
        | "GET /v1/policy"
        | "GET /v1/trust"
        | "GET /v1/signin/providers"
        | "GET /v1/changes"
        | "GET /v1/requests"
        | "GET /v1/grants"
        | "GET /v1/sessions"
        | "GET /v1/notices"
        | "GET /v1/ledger/checkpoint"
        | "GET /v1/ledger/key"
        | "GET /v1/ledger/entries"
        | "GET /v1/events" => Ask::get(route.path),
        other => panic!("{other} has no authorization test: say here how it is called"),
    };
    ask.bearer = world.bearers.get(caller).cloned();
    ask
}

fn starter() -> Value {
    json!(daypass_policy::starter_files())
}

/// Calls, and reads no further than the head of a stream.
async fn answer(world: &World, ask: Ask) -> Reply {
    let response = world.open(ask).await;
    let (parts, body) = response.into_parts();
    let stream = parts.headers.get("content-type").is_some_and(|t| t == "text/event-stream");
    let bytes = if stream { Vec::new() } else { axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec() };
    Reply { status: parts.status, headers: parts.headers, bytes }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_what_the_matrix_says_and_it_is_written_down() {
    let mut world = world().await;
    // A gateway that comes for statements; there is no target that it could go to with one.
    let app = Arc::clone(&world.app);
    let gateway = tokio::spawn(async move {
        while let Ok(none) = app.next_statement(NodeId(1)).await {
            assert!(none.is_none(), "there is no target");
        }
    });
    let mut text = String::from("# what each caller is answered: a status, and the code of a problem\n");
    let mut audited = BTreeSet::new();
    for route in routes() {
        text.push_str(&format!("{route:?}\n"));
        for (caller, person) in CALLERS.into_iter().chain(products::special(route.face)) {
            let ask = call(&world, &route, caller, person).await;
            let before = world.size().await;
            let reply = answer(&world, ask).await;
            text.push_str(&format!("    {caller:<17} {}\n", reply.word()));
            holds(&route, caller, &reply);
            if audit(&world, &route, &reply, before).await {
                audited.insert(route.path);
            }
        }
        if route.path == "/v1/me/password" {
            // It ended every other sign-in of theirs.
            for (caller, person) in [("user", "dave"), ("administrator", "alice")] {
                assert_eq!(world.get(caller, "/v1/me").await.status, 200, "the sign-in that changed it goes on");
                let kept = world.bearers[caller].clone();
                world.bearers.insert(person, kept);
            }
            browsers(&mut world).await;
        }
    }
    gateway.abort();
    golden("tests/golden/matrix.txt", &text);
    for route in routes().iter().filter(|r| r.once != Once::Reads) {
        let elsewhere = ELSEWHERE.iter().any(|(path, _)| *path == route.path);
        assert!(elsewhere || audited.contains(route.path), "{route:?} never wrote an entry in these calls (I1)");
    }
}

/// What must hold whatever the golden file says.
fn holds(route: &Route, caller: &str, reply: &Reply) {
    let scope = match route.access {
        Access::Anybody => return,
        Access::Browser => {
            let may = matches!(caller, "user" | "administrator");
            assert_eq!(reply.word() == "303 /signin", !may, "{route:?} by {caller}: {}", reply.word());
            return;
        }
        Access::Scope(scope) => scope,
    };
    let word = reply.word();
    let refused = |code: &str| assert!(word.ends_with(code), "{route:?} by {caller}: {word}");
    let lacks = match scope {
        TokenScope::Read => &["token-request"][..],
        TokenScope::Request => &["token-read"],
        TokenScope::Administer => &["token-read", "token-request"],
        TokenScope::Scim | TokenScope::Decide => &["token-read", "token-request", "workload", "token-administer"],
    };
    if route.face == Face::Directories {
        // SCIM has no codes of ours, so the status speaks. // I12
        let refused = match caller {
            "anonymous" | "disabled" => reply.status == 401,
            "connector" => matches!(reply.status.as_u16(), 200 | 201 | 204 | 501),
            _ => reply.status == 403,
        };
        assert!(refused, "{route:?} by {caller}: {word}");
        return;
    }
    if matches!(caller, "anonymous" | "disabled") {
        return refused("401 not_signed_in");
    }
    if lacks.contains(&caller) {
        return refused("403 token_scope");
    }
    let token = caller.starts_with("token") || caller == "workload";
    match route.audience {
        Audience::Everybody => {}
        Audience::People if token => assert_eq!(reply.status, 403, "{route:?} by {caller}: {word}"), // I8
        Audience::People => {}
        Audience::Connectors => panic!("{route:?} speaks SCIM, or should"),
        Audience::Administrators => {
            if matches!(caller, "user" | "workload") {
                assert!(matches!(reply.status.as_u16(), 403 | 404), "{route:?} by {caller}: {word}");
            }
        }
    }
}

/// What a call writes is among what the route says, a success of a change writes, and looking doesn't. // I1
async fn audit(world: &World, route: &Route, reply: &Reply, before: u64) -> bool {
    let written = world.events_from(before).await;
    for event in &written {
        assert!(route.writes.contains(&event.as_str()), "{route:?} wrote {event}, and doesn't say so");
    }
    let done = reply.status.is_success() || reply.word() == "303";
    let changed = route.once != Once::Reads && done;
    let same = || reply.json()["outcome"]["outcome"] == "nothing_to_do";
    if changed && route.face == Face::Programs && reply.status != 204 && same() {
        return false;
    }
    assert!(!changed || !written.is_empty(), "{route:?} changed something, and wrote nothing (I1)");
    changed
}
