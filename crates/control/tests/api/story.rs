//! What people do, from the first step on.

use daypass_app::signin::code_for;
use daypass_domain::Span;
use serde_json::json;

use crate::world::{Ask, PASSWORD, World, wish};

#[tokio::test]
async fn the_first_steps_are_audited() {
    let mut world = World::bare().await;
    let code = world.app.issue_setup_token().await.unwrap();
    let before = world.size().await;
    let body = json!({"code": code.expose(), "name": "alice", "password": PASSWORD});
    let made = world.ask(Ask::post("/v1/setup", body.clone())).await.ok();
    assert_eq!((made.status.as_u16(), made.json()["name"].as_str()), (201, Some("alice")));
    assert_eq!(world.events_from(before).await, ["installation.set_up"]);
    assert_eq!(world.ask(Ask::post("/v1/setup", body)).await.word(), "409 set_up_already");
    world.sign_in("alice").await;
    assert_eq!(world.get("alice", "/v1/me").await.json()["four_eyes"]["four_eyes"], "not_yet");

    let invited = world.post("alice", "/v1/users", json!({"name": "bob"})).await.ok().json();
    let body = json!({"code": invited["handed"]["code"], "password": PASSWORD});
    let before = world.size().await;
    world.ask(Ask::post("/v1/invitations/accept", body.clone())).await.ok();
    assert_eq!(world.events_from(before).await, ["principal.invitation_used"]);
    assert_eq!(world.ask(Ask::post("/v1/invitations/accept", body)).await.word(), "401 bad_code");
    let signed_in = world.ask(Ask::post("/v1/signin", json!({"name": "bob", "password": PASSWORD}))).await.ok().json();
    assert_eq!(signed_in["connection_user"], "bob");
    assert_eq!(signed_in["gateway"], json!(["localhost:7432"]));
    assert!(signed_in["log_key"].as_str().unwrap().starts_with("daypass.local/test+"));
}

#[tokio::test]
async fn a_second_factor_is_enrolled_and_shown() {
    let world = World::new().await;
    let enrolment = world.post("carol", "/v1/me/totp", json!({"password": PASSWORD})).await.ok().json();
    let secret = enrolment["secret"].as_str().unwrap().to_owned();
    let code = |world: &World| json!({"code": code_for(&secret, world.app.time()).unwrap()});
    let before = world.size().await;
    assert_eq!(world.post("carol", "/v1/me/totp/confirm", code(&world)).await.status, 204);
    assert_eq!(world.events_from(before).await, ["factor.enrolled"]);
    let without = world.ask(Ask::post("/v1/signin", json!({"name": "carol", "password": PASSWORD}))).await;
    assert_eq!(without.word(), "403 second_factor_needed");
    world.clock.later(Span::from_secs(60));
    let before = world.size().await;
    let shown = world.post("carol", "/v1/signin/second-factor", code(&world)).await.ok().json();
    assert_eq!(world.events_from(before).await, ["signin.second_factor_shown"]);
    let me = world.get("carol", "/v1/me").await.json();
    assert_eq!(me["via"], json!({"via": "sign_in", "second_factor_at": shown["at"]}));
    assert_eq!(world.post("carol", "/v1/signin/second-factor", code(&world)).await.word(), "401 wrong_sign_in", "once");
}

#[tokio::test]
async fn a_request_is_approved_by_another_used_extended_and_revoked() {
    let world = World::new().await;
    let mut asked = wish("orders");
    asked["role"] = json!("writer");
    let explained = world.post("carol", "/v1/explain", asked.clone()).await.ok().json();
    assert_eq!(explained["answer"]["answer"], "needs");
    let made = world.post("carol", "/v1/requests", asked).await.ok().json();
    let (id, digest) = (made["request"]["id"].as_str().unwrap(), made["request"]["digest"].clone());
    assert_eq!(made["outcome"]["outcome"], "pending");
    assert_eq!(made["outcome"]["missing"][0]["lacks"][0]["quorum"], "1 anyone");
    let path = format!("/v1/requests/{id}/approve");
    assert_eq!(world.act("carol", &path).await.word(), "403 own_request");
    let waiting = world.get("dave", "/v1/requests?which=to_answer").await.ok().json();
    assert_eq!(waiting["items"][0]["id"], id);
    let other = json!({"digest": "0".repeat(64)});
    assert_eq!(world.post("dave", &path, other).await.status, 409, "it isn't what was looked at");
    let less = json!({"digest": digest, "duration_s": 300, "role": "readonly"});
    let answered = world.post("dave", &path, less).await.ok().json();
    let grant = answered["outcome"]["grant"].clone();
    assert_eq!((grant["holder"].as_str(), grant["role"].as_str()), (Some("carol"), Some("readonly")));
    assert_eq!(answered["request"]["approvals"][0]["approver"], "dave");
    let grant_path = format!("/v1/grants/{}", grant["id"].as_str().unwrap());
    assert_eq!(world.get("dave", &grant_path).await.word(), "404 not_found", "not his");
    let longer = world.post("carol", &format!("{grant_path}/extend"), json!({"by_s": 60})).await.ok().json();
    assert!(longer["state"]["deadline"].as_str() > grant["state"]["deadline"].as_str(), "{longer}");
    let everything = json!({"what": {"of": "everything"}, "reason": "an incident"});
    assert_eq!(world.post("carol", "/v1/revoke", everything.clone()).await.status, 200, "only hers is live");
    assert_eq!(world.post("alice", "/v1/revoke", everything).await.word(), "409 nothing_to_revoke");
    let ended = world.get("carol", &grant_path).await.ok().json();
    assert_eq!(ended["state"]["state"], "ended");
    assert_eq!(ended["state"]["confirmation"]["confirmation"], "nothing_made");
    assert_eq!(ended["state"]["cause"]["by"], "carol");
}

#[tokio::test]
async fn a_token_that_may_only_ask_takes_nothing_from_others() {
    let mut world = World::new().await;
    world.token("asks", "alice", None, &["read", "request"]).await;
    world.token("administers", "alice", None, &["administer", "request"]).await;
    let granted = |made: serde_json::Value| made["outcome"]["grant"]["id"].as_str().unwrap().to_owned();
    let carols = granted(world.post("carol", "/v1/requests", wish("lab")).await.ok().json());
    let own = granted(world.post("alice", "/v1/requests", wish("lab")).await.ok().json());
    let revoke = |what: serde_json::Value| json!({"what": what, "reason": "to try it"});
    let grant = |id: &str| revoke(json!({"of": "grant", "grant": id}));
    let everything = revoke(json!({"of": "everything"}));
    let holder = world.get("carol", "/v1/me").await.json()["principal"].as_str().unwrap().parse().unwrap();
    let session = format!("/v1/sessions/{}/kill", world.session(&carols, holder).await);
    let token = world.post("carol", "/v1/tokens", json!({"scopes": ["read"]})).await.ok().json();
    let token = format!("/v1/tokens/{}", token["token"]["id"].as_str().unwrap());
    let delete = |who: &str| Ask::new(axum::http::Method::DELETE, &token).by(&world.bearers[who]);
    for word in [
        world.post("asks", "/v1/revoke", grant(&carols)).await.word(),
        world.post("asks", "/v1/revoke", everything.clone()).await.word(),
        world.act("asks", &session).await.word(),
        world.ask(delete("asks")).await.word(),
    ] {
        assert_eq!(word, "403 token_scope");
    }
    assert_eq!(world.post("asks", "/v1/revoke", grant(&own)).await.status, 200, "its person's own");
    assert_eq!(world.act("administers", &session).await.status, 204);
    assert_eq!(world.ask(delete("administers")).await.status, 204);
    let receipt = world.post("administers", "/v1/revoke", everything).await.ok().json();
    assert_eq!(receipt["grants"], json!([carols]));
}

#[tokio::test]
async fn what_was_denied_says_by_whom_and_why() {
    let world = World::new().await;
    let made = world.post("carol", "/v1/requests", wish("orders")).await.ok().json();
    let path = format!("/v1/requests/{}", made["request"]["id"].as_str().unwrap());
    world.post("dave", &format!("{path}/deny"), json!({"note": "use the replica"})).await.ok();
    let state = world.get("carol", &path).await.ok().json()["state"].clone();
    assert_eq!((state["state"].as_str(), state["by"].as_str()), (Some("denied"), Some("dave")));
    assert_eq!(state["note"], "use the replica");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_an_answer_gets_it_when_it_comes() {
    let world = World::new().await;
    let made = world.post("carol", "/v1/requests", wish("orders")).await.ok().json();
    let id = made["request"]["id"].as_str().unwrap();
    let (path, approve) = (format!("/v1/requests/{id}?wait_s=60"), format!("/v1/requests/{id}/approve"));
    let waiting = world.get("carol", &path);
    let approving = world.act("dave", &approve);
    let (waited, approved) = tokio::join!(waiting, approving);
    approved.ok();
    assert_eq!(waited.ok().json()["state"]["state"], "granted");
    let now = world.get("carol", &path).await.ok().json();
    assert_eq!(now["state"]["state"], "granted", "what is answered isn't waited for");
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let world = World::new().await;
    for _ in 0..5 {
        world.post("carol", "/v1/requests", wish("lab")).await.ok();
        world.clock.later(Span::from_secs(1));
    }
    for (path, who, many) in
        [("/v1/requests", "carol", 5), ("/v1/grants", "carol", 5), ("/v1/grants?whose=all", "alice", 5)]
    {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let page = world.get(who, &format!("{path}{join}most=2{after}")).await.ok().json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|i| i["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen.len(), many, "{path}");
        assert!(seen.windows(2).all(|w| w[0] > w[1]), "{path}: {seen:?}");
    }
    assert!(world.get("dave", "/v1/grants?whose=all").await.ok().json()["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_resource_shows_where_it_is_only_to_who_may_change_it() {
    let world = World::new().await;
    let shown = world.get("carol", "/v1/resources/orders").await.ok();
    assert!(!shown.text().contains("127.0.0.1") && !shown.text().contains("orders_admin"), "{}", shown.text());
    assert_eq!(shown.json()["resource"]["roles"][1]["narrower"], json!(["readonly"]));
    let toml = world.get("alice", "/v1/resources/orders").await.ok().json()["toml"].as_str().unwrap().to_owned();
    let same = json!({"file": "x.toml", "text": toml, "mode": "apply"});
    let applied = world.post("alice", "/v1/resources/apply", same).await.ok().json();
    assert_eq!(applied["outcome"]["outcome"], "nothing_to_do");
    let gone = json!({"file": "x.toml", "text": "remove = [\"lab\"]", "mode": "plan"});
    let planned = world.post("alice", "/v1/resources/apply", gone).await.ok().json();
    assert_eq!(planned["outcome"]["outcome"], "planned");
    assert_eq!(world.get("carol", "/v1/resources/lab").await.status, 200, "planning does nothing");
}

#[tokio::test]
async fn policies_are_checked_and_switched() {
    let world = World::new().await;
    let bad = json!({"files": {"x.cedar": "permit (principal"}});
    let checked = world.post("alice", "/v1/policy/check", bad.clone()).await.ok().json();
    assert_eq!(checked["checked"], "refused");
    assert!(checked["problems"][0].as_str().unwrap().starts_with("x.cedar:1:"), "{checked}");
    let mut bad = bad;
    bad["mode"] = json!("apply");
    assert_eq!(world.post("alice", "/v1/policy/apply", bad).await.word(), "422 bad_policy");
    let mut files = json!(daypass_policy::starter_files());
    files["more.cedar"] = json!(
        "@id(\"nobody-uses-lab\") forbid (principal, action == Action::\"use\", resource) when { resource.resource.environment == Environment::\"lab\" };"
    );
    world.post("carol", "/v1/requests", wish("lab")).await.ok();
    let plan = json!({"files": files, "mode": "plan"});
    let planned = world.post("alice", "/v1/policy/apply", plan.clone()).await.ok().json();
    assert_eq!(planned["outcome"]["outcome"], "planned");
    assert!(planned["plan"].to_string().contains("end 1 live grants"), "{planned}");
    let mut apply = plan;
    apply["mode"] = json!("apply");
    world.post("alice", "/v1/policy/apply", apply).await.ok();
    let grants = world.get("carol", "/v1/grants").await.ok().json();
    assert_eq!(grants["items"][0]["state"]["cause"]["cause"], "policy_changed"); // I2
    let refused = world.post("carol", "/v1/requests", wish("lab")).await.ok().json();
    assert_eq!(refused["outcome"]["outcome"], "refused");
    assert!(refused["outcome"]["why"].as_str().unwrap().contains("nobody-uses-lab"), "{refused}");
}

#[tokio::test]
async fn i12_a_change_waits_for_another_administrator_who_names_what_they_saw() {
    let world = World::with_two().await;
    let proposed = world.post("alice", "/v1/workloads", json!({"name": "bot", "owner": "carol"})).await.ok().json();
    let path = format!("/v1/changes/{}", proposed["outcome"]["change"].as_str().unwrap());
    let approve = format!("{path}/approve");
    assert_eq!(world.act("alice", &approve).await.word(), "403 own_change", "not one's own");
    assert_eq!(world.act("carol", &approve).await.status, 403);
    let seen = world.get("bob", &path).await.ok().json();
    assert_eq!(
        (seen["change"]["proposer"].as_str(), seen["standing"]["standing"].as_str()),
        (Some("alice"), Some("fine"))
    );
    assert_eq!(world.post("bob", &approve, json!({"digest": "0".repeat(64)})).await.word(), "409 another_digest");
    let done = world.post("bob", &approve, json!({"digest": seen["change"]["digest"]})).await.ok().json();
    assert_eq!(done["outcome"]["outcome"], "done");
    let state = world.get("alice", &path).await.ok().json()["change"]["state"].clone();
    assert_eq!((state["state"].as_str(), state["approver"].as_str()), (Some("committed"), Some("bob")));
}
