//! Second factors over the API and on the pages: what each call writes, and what a browser is led through.

use daypass_testkit::authenticator::Authenticator;
use serde_json::{Value, json};

use crate::world::{Ask, PASSWORD, Reply, World};

const ORIGIN: &str = "https://localhost:7443";

fn form(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}

/// Enrols a passkey over the API, with whatever was shown before.
async fn enrol(world: &World, who: &str, called: &str) -> (Authenticator, Reply) {
    let mut key = Authenticator::at(ORIGIN);
    let options = world.act(who, "/v1/me/passkeys").await.ok().json()["options"].clone();
    let answer: Value = serde_json::from_str(&key.create(&options)).unwrap();
    (key, world.post(who, "/v1/me/passkeys/finish", json!({"name": called, "answer": answer})).await)
}

/// What the script of a page finds in its second step: the ticket, and the options.
fn second_step(page: &str) -> (String, Value) {
    let field = |name: &str| {
        let (_, rest) = page.split_once(name).unwrap_or_else(|| panic!("{name}: {page}"));
        rest.split('"').next().unwrap().replace("&#34;", "\"").replace("&quot;", "\"")
    };
    let options = field("data-passkey=\"");
    (field("name=\"ticket\" value=\""), serde_json::from_str(&options).unwrap_or_else(|e| panic!("{e}: {options}")))
}

async fn first_step(world: &World, who: &str) -> Reply {
    world.ask(Ask::form("/signin", &form(&[("name", who), ("password", PASSWORD), ("next", "/inbox")]))).await
}

#[tokio::test]
async fn a_passkey_is_enrolled_and_another_takes_the_first() {
    let world = World::new().await;
    let before = world.size().await;
    let (_, made) = enrol(&world, "carol", "laptop").await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(world.events_from(before).await, ["factor.enrolled"]);
    let held = world.get("carol", "/v1/me/factors").await.json();
    assert_eq!(held["passkeys"][0]["name"], "laptop");
    assert_eq!((&held["ways"], &held["bar"]["bar"]), (&json!(["passkey"]), &json!("none")));
    // Another takes the first, shown: that goes on a page. Here a sign-in of before doesn't do.
    let (_, refused) = enrol(&world, "carol", "spare").await;
    assert_eq!(refused.word(), "403 second_factor_needed");
    let id = held["passkeys"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/me/passkeys/{id}");
    let remove = || Ask::new(axum::http::Method::DELETE, path.clone()).by(&world.bearers["carol"]);
    assert_eq!(world.ask(remove()).await.word(), "403 second_factor_needed");
}

#[tokio::test]
async fn recovery_codes_are_made_and_each_is_good_once() {
    let mut world = World::new().await;
    assert_eq!(world.act("carol", "/v1/me/recovery-codes").await.word(), "409 no_second_factor");
    let cookie = world.browser("carol").await;
    let (mut key, _) = enrol(&world, "carol", "laptop").await;
    let options = world.send(&cookie, "/factors/show", "").await.ok().json()["options"].clone();
    let fields = form(&[("passkey", &key.get(&options))]);
    let before = world.size().await;
    let shown = world.send(&cookie, "/factors/recovery-codes", &fields).await.ok().text();
    assert_eq!(world.events_from(before).await, ["signin.second_factor_shown", "factor.recovery_codes_made"]);
    let codes: Vec<&str> = shown.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(codes.len(), 10, "{shown}");
    // A program that can't show a passkey signs in with one, and shows another one later.
    let with = |code: &str| json!({"name": "carol", "password": PASSWORD, "code": code});
    let signed_in = world.ask(Ask::post("/v1/signin", with(codes[0]))).await.ok().json();
    assert_eq!(world.ask(Ask::post("/v1/signin", with(codes[0]))).await.word(), "401 wrong_sign_in");
    let bearer = signed_in["token"].as_str().unwrap();
    let again = Ask::post("/v1/signin/second-factor", json!({"code": codes[1]})).by(bearer);
    let before = world.size().await;
    world.ask(again).await.ok();
    assert_eq!(world.events_from(before).await, ["factor.recovery_code_used", "signin.second_factor_shown"]);
    let made = world.ask(Ask::act("/v1/me/recovery-codes").by(bearer)).await.ok().json();
    assert_eq!(made["codes"].as_array().unwrap().len(), 10);
    // What was lost is replaced: another passkey, and the first one goes.
    world.bearers.insert("carol", bearer.to_owned());
    let (_, made) = enrol(&world, "carol", "spare").await;
    assert_eq!(made.status, 201, "{}", made.text());
    let held = world.get("carol", "/v1/me/factors").await.json();
    let lost = format!("/v1/me/passkeys/{}", held["passkeys"][0]["id"].as_str().unwrap());
    let before = world.size().await;
    assert_eq!(world.ask(Ask::new(axum::http::Method::DELETE, lost).by(bearer)).await.status, 204);
    assert_eq!(world.events_from(before).await, ["factor.removed"]);
}

#[tokio::test]
async fn a_browser_signs_in_with_a_passkey() {
    let world = World::new().await;
    let cookie = world.browser("dave").await;
    let options = world.send(&cookie, "/factors/passkeys/begin", "").await.ok().json()["options"].clone();
    let mut key = Authenticator::at(ORIGIN);
    let answer = key.create(&options);
    let done = world.send(&cookie, "/factors/passkeys", &form(&[("name", "phone"), ("answer", &answer)])).await;
    assert_eq!(done.header("location"), Some("/factors?done=enrolled"), "{}", done.text());
    let page = world.ask(Ask::get("/factors?done=enrolled").cookie(&cookie)).await.ok().text();
    assert!(page.contains("phone") && page.contains("Enrolled."), "{page}");

    let page = first_step(&world, "dave").await.ok().text();
    assert!(page.contains("You have a second factor") && !page.contains("or a code of your authenticator"), "{page}");
    let (ticket, options) = second_step(&page);
    let show = |ticket: &str, answer: &str| {
        let fields = form(&[("ticket", ticket), ("passkey", answer), ("next", "/inbox")]);
        Ask::form("/signin/second-factor", &fields)
    };
    let answer = key.get(&options);
    let before = world.size().await;
    let signed_in = world.ask(show(&ticket, &answer)).await;
    assert_eq!(signed_in.header("location"), Some("/inbox"), "{}", signed_in.text());
    assert_eq!(world.events_from(before).await, ["signin.made"]);
    let again = world.ask(show(&ticket, &answer)).await;
    assert_eq!((again.status.as_u16(), again.header("set-cookie")), (409, None));
    // A replay to another question is a guess like a wrong code.
    let (ticket, _) = second_step(&first_step(&world, "dave").await.text());
    let before = world.size().await;
    let replayed = world.ask(show(&ticket, &answer)).await;
    assert_eq!((replayed.status.as_u16(), replayed.header("set-cookie")), (401, None));
    assert_eq!(world.events_from(before).await, ["signin.failed"]);
    assert_eq!(world.ask(show("nonsense", "{}")).await.header("set-cookie"), None);
}

#[tokio::test]
async fn the_last_second_factor_stays() {
    let world = World::new().await;
    let cookie = world.browser("dave").await;
    let (mut key, _) = enrol(&world, "dave", "phone").await;
    let remove = |id: &str| format!("/factors/passkeys/{id}/remove");
    let held = world.get("dave", "/v1/me/factors").await.json();
    let first = held["passkeys"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.send(&cookie, &remove(&first), "").await.word(), "403 page", "it wasn't shown");
    let options = world.send(&cookie, "/factors/show", "").await.ok().json()["options"].clone();
    let shown = form(&[("passkey", &key.get(&options))]);
    assert_eq!(world.send(&cookie, &remove(&first), &shown).await.word(), "409 page", "it is the last");
    // It counts as shown now: a second one is enrolled, and the first may go.
    let options = world.send(&cookie, "/factors/passkeys/begin", "").await.ok().json()["options"].clone();
    let answer = Authenticator::at(ORIGIN).create(&options);
    let done = world.send(&cookie, "/factors/passkeys", &form(&[("name", "spare"), ("answer", &answer)])).await;
    assert_eq!(done.word(), "303", "{}", done.text());
    let before = world.size().await;
    let removed = world.send(&cookie, &remove(&first), "").await;
    assert_eq!(removed.header("location"), Some("/factors?done=removed"));
    assert_eq!(world.events_from(before).await, ["factor.removed"]);
}

#[tokio::test]
async fn a_change_is_approved_on_its_page_with_a_passkey_and_not_without() {
    let mut world = World::new().await;
    world.second_administrator().await;
    let cookie = world.browser("alice").await;
    let (mut key, _) = enrol(&world, "alice", "laptop").await;
    let proposed = world.post("bob", "/v1/users", json!({"name": "erin"})).await.ok().json();
    let change = format!("/changes/{}", proposed["outcome"]["change"].as_str().unwrap());
    let page = world.ask(Ask::get(&change).cookie(&cookie)).await.ok().text();
    assert!(page.contains("Your passkey is asked for"), "{page}");
    let digest = page.split_once("name=\"digest\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let approve = format!("{change}/approve");
    let without = world.send(&cookie, &approve, &form(&[("digest", &digest)])).await;
    assert_eq!(without.word(), "403 page", "{}", without.text());
    let options = world.send(&cookie, "/factors/show", "").await.ok().json()["options"].clone();
    let with = form(&[("digest", &digest), ("passkey", &key.get(&options))]);
    let before = world.size().await;
    let done = world.send(&cookie, &approve, &with).await.ok();
    assert!(done.text().contains("Your half of the invitation"), "{}", done.text());
    assert_eq!(world.events_from(before).await, ["signin.second_factor_shown", "change.committed"]);
}

#[tokio::test]
async fn an_invitation_is_taken_up_on_a_page() {
    let world = World::new().await;
    let invited = world.post("alice", "/v1/invitations", json!({"name": "erin", "groups": ["administrators"]})).await;
    let code = invited.ok().json()["handed"]["code"].as_str().unwrap().to_owned();
    let page = world.ask(Ask::get("/welcome")).await.ok().text();
    assert!(page.contains("data-from-address"), "{page}");
    let take = |code: &str, password: &str| Ask::form("/welcome", &form(&[("code", code), ("password", password)]));
    let short = world.ask(take(&code, "short")).await;
    assert_eq!(short.status, 422);
    assert!(short.text().contains("fewer than 12") && short.header("set-cookie").is_none(), "{}", short.text());
    let before = world.size().await;
    let come = world.ask(take(&code, PASSWORD)).await;
    assert_eq!(come.header("location"), Some("/factors"), "{}", come.text());
    assert!(come.header("set-cookie").unwrap().starts_with("__Host-daypass=dpb_"));
    let wrote = world.events_from(before).await;
    assert_eq!(wrote, ["principal.invitation_used", "installation.four_eyes", "signin.made"]);
    let again = world.ask(take(&code, PASSWORD)).await;
    assert_eq!(again.status, 401);
    assert!(again.text().contains("was used") && again.header("set-cookie").is_none());
}

#[tokio::test]
async fn a_barred_browser_may_only_look_and_enrol() {
    let mut world = World::new().await;
    let (mut key, _) = enrol(&world, "dave", "phone").await;
    world.second_administrator().await;
    let proposed = world.act("alice", "/v1/principals/dave/reset-second-factor").await.ok().json();
    let id = proposed["outcome"]["change"].as_str().unwrap().to_owned();
    assert!(second_step(&first_step(&world, "dave").await.text()).1.is_object(), "nothing has changed yet");
    world.act("bob", &format!("/v1/changes/{id}/approve")).await.ok();
    let signed_in = first_step(&world, "dave").await;
    let kept = signed_in.header("set-cookie").unwrap_or_else(|| panic!("{}", signed_in.text())).to_owned();
    let cookie = kept.strip_prefix("__Host-daypass=").unwrap().split(';').next().unwrap().to_owned();
    let inbox = world.ask(Ask::get("/inbox").cookie(&cookie)).await;
    assert!(inbox.status == 403 && inbox.text().contains("/factors"), "{} {}", inbox.status, inbox.text());
    let page = world.ask(Ask::get("/factors").cookie(&cookie)).await.ok().text();
    assert!(page.contains("was reset"), "{page}");
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap().to_owned();
    let send = |path: &str, fields: &[(&str, &str)]| {
        let fields = [&[("form_token", token.as_str())], fields].concat();
        Ask::form(path, &form(&fields)).cookie(&cookie)
    };
    let ask = [("what", "lab/readonly"), ("minutes", "10"), ("reason", "to try it")];
    assert_eq!(world.ask(send("/ask", &ask)).await.word(), "403 page");
    let options = world.ask(send("/factors/passkeys/begin", &[])).await.ok().json()["options"].clone();
    let answer = key.create(&options);
    let done = world.ask(send("/factors/passkeys", &[("name", "phone"), ("answer", &answer)])).await;
    assert_eq!(done.word(), "303", "{}", done.text());
    assert_eq!(world.ask(send("/ask", &ask)).await.word(), "303", "the bar is gone");
}
