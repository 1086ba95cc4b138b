//! The pages as a browser asks for them: sign-in, cookie, forgery, headers, and the way from asking to access.

use daypass_app::signin::code_for;
use daypass_domain::Span;
use serde_json::json;

use crate::world::{Ask, PASSWORD, Reply, World, wish};

async fn open(world: &World, cookie: &str, path: &str) -> Reply {
    world.ask(Ask::get(path).cookie(cookie)).await
}

fn password() -> String {
    PASSWORD.replace(' ', "+")
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let world = World::new().await;
    let elsewhere = world.ask(Ask::get("/inbox")).await;
    assert_eq!(elsewhere.header("location"), Some("/signin?next=/inbox"));
    let wrong = world.ask(Ask::form("/signin", "name=carol&password=wrong")).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("set-cookie")), (401, None));
    assert!(wrong.text().contains("is wrong"), "{}", wrong.text());
    let fields = format!("name=carol&password={}&next=/inbox", password());
    let right = world.ask(Ask::form("/signin", &fields)).await;
    assert_eq!(right.header("location"), Some("/inbox"));
    let kept = right.header("set-cookie").unwrap();
    assert!(kept.starts_with("__Host-daypass=dpb_"), "{kept}");
    assert!(kept.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200"), "{kept}");
    let cookie = world.browser("carol").await;
    assert_eq!(open(&world, &cookie, "/").await.status, 200);
    // What a browser keeps is no bearer secret, and a bearer secret is no cookie.
    assert_eq!(world.ask(Ask::get("/v1/me").by(&cookie)).await.word(), "401 not_signed_in");
    assert_eq!(open(&world, &world.bearers["carol"], "/").await.word(), "303 /signin");
    let out = world.send(&cookie, "/signout", "").await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(open(&world, &cookie, "/").await.word(), "303 /signin");
}

#[tokio::test]
async fn a_browser_that_nobody_uses_is_signed_out() {
    let world = World::new().await;
    let cookie = world.browser("carol").await;
    for _ in 0..3 {
        world.clock.later(Span::from_mins(50));
        assert_eq!(open(&world, &cookie, "/").await.status, 200, "it is used");
    }
    world.clock.later(Span::from_mins(50));
    let alone = Ask::get("/").cookie(&cookie).header("sec-fetch-mode", "cors");
    assert_eq!(world.ask(alone).await.status, 200);
    world.clock.later(Span::from_mins(50));
    assert_eq!(open(&world, &cookie, "/").await.word(), "303 /signin", "a page by itself keeps nobody signed in");
    let cookie = world.browser("carol").await;
    for _ in 0..15 {
        world.clock.later(Span::from_mins(50));
        open(&world, &cookie, "/").await;
    }
    assert_eq!(open(&world, &cookie, "/").await.word(), "303 /signin", "twelve hours are the most");
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    let world = World::new().await;
    let (carol, dave) = (world.browser("carol").await, world.browser("dave").await);
    let own = world.form_token(&carol).await;
    let foreign = world.form_token(&dave).await;
    let fields = |token: &str| format!("form_token={token}&what=lab/readonly&minutes=10&reason=to+try+it");
    let plain = |token: &str| Ask { form: Some(fields(token)), ..Ask::act("/ask") }.cookie(&carol);
    let before = world.size().await;
    let forged = [
        plain(&own),
        plain(&own).header("sec-fetch-site", "cross-site"),
        plain(&own).header("sec-fetch-site", "same-site"),
        plain(&own).header("sec-fetch-site", "none"),
        plain(&own).header("origin", "https://evil.example").header("host", "localhost"),
        plain(&own).header("origin", "http://localhost").header("host", "localhost"),
        plain(&own).header("origin", "null").header("host", "localhost"),
        plain(&foreign).header("sec-fetch-site", "same-origin"),
        plain("").header("sec-fetch-site", "same-origin"),
        plain(&own[1..]).header("sec-fetch-site", "same-origin"),
    ];
    for ask in forged {
        let headers = ask.headers.clone();
        assert_eq!(world.ask(ask).await.word(), "403 page", "{headers:?}");
    }
    let signing_in = format!("name=carol&password={}", password());
    let elsewhere = Ask { form: Some(signing_in), ..Ask::act("/signin") }.header("sec-fetch-site", "cross-site");
    assert_eq!(world.ask(elsewhere).await.word(), "403 page", "nobody is signed in as somebody else");
    assert_eq!(world.size().await, before, "nothing was written");
    let old = plain(&own).header("origin", "https://localhost:7443").header("host", "localhost:7443");
    assert_eq!(world.ask(old).await.word(), "303", "a browser that only says the origin");
}

#[tokio::test]
async fn pages_run_nothing_inline_and_are_kept_nowhere() {
    let world = World::new().await;
    let cookie = world.browser("carol").await;
    let made = world.post("dave", "/v1/requests", wish("orders")).await.ok().json();
    let request = format!("/requests/{}", made["request"]["id"].as_str().unwrap());
    for path in ["/signin", "/", "/ask", "/inbox", "/sessions", "/changes", &request, "/requests/nonsense"] {
        let page = open(&world, &cookie, path).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{path}");
        let text = page.text();
        for inline in ["<style", "style=", "<script>", " onclick", "javascript:"] {
            assert!(!text.contains(inline), "{path} has {inline}");
        }
        assert!(text.contains("<main") && text.contains("lang=\"en\"") && text.contains("class=\"skip\""), "{path}");
        assert!(page.bytes.len() < 60 << 10, "{path} has {} bytes", page.bytes.len());
    }
    let style = world.ask(Ask::get("/assets/daypass.css")).await;
    assert_eq!(style.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(world.ask(Ask::get("/assets/passwd")).await.word(), "404 page");
}

#[tokio::test]
async fn a_statement_is_read_as_the_target_will_read_it() {
    let world = World::new().await;
    let cookie = world.browser("carol").await;
    let mut wish = wish("orders");
    // To PostgreSQL a no-break space is a letter: this names an alias, and deletes every row.
    wish["statement"] = json!("DELETE FROM accounts WHERE\u{a0}old");
    let made = world.post("dave", "/v1/requests", wish).await.ok().json();
    let text = open(&world, &cookie, &format!("/requests/{}", made["request"]["id"].as_str().unwrap())).await.text();
    assert!(text.contains("WHERE\\u{a0}old") && !text.contains('\u{a0}'), "{text}");
    // Nothing stands beside the page, where nobody looks.
    let style = world.ask(Ask::get("/assets/daypass.css")).await.text();
    assert!(style.contains("pre { overflow-wrap: anywhere; white-space: pre-wrap;"), "{style}");
}

#[tokio::test]
async fn one_asks_and_another_approves_less_with_their_second_factor() {
    let world = World::new().await;
    let enrolment = world.post("dave", "/v1/me/totp", json!({"password": PASSWORD})).await.ok().json();
    let secret = enrolment["secret"].as_str().unwrap().to_owned();
    let code = |world: &World| code_for(&secret, world.app.time()).unwrap();
    world.post("dave", "/v1/me/totp/confirm", json!({"code": code(&world)})).await.ok();
    world.clock.later(Span::from_mins(1));
    let without = world.ask(Ask::form("/signin", &format!("name=dave&password={}", password()))).await;
    assert!(without.text().contains("You have a second factor"), "{}", without.text());
    let fields = format!("name=dave&password={}&code={}", password(), code(&world));
    let kept = world.ask(Ask::form("/signin", &fields)).await.header("set-cookie").unwrap().to_owned();
    let dave = kept.strip_prefix("__Host-daypass=").unwrap().split(';').next().unwrap().to_owned();
    let carol = world.browser("carol").await;

    let asked = "what=orders/writer&minutes=30&purpose=incident&reason=%3Cb%3Erefund%3C/b%3E+4711";
    let verdict = world.send(&carol, "/ask/verdict", asked).await.ok().text();
    assert!(verdict.contains("Needs one approval by another person"), "{verdict}");
    let checked = world.send(&carol, "/ask/check", asked).await.ok().text();
    assert!(checked.contains("Needs one approval") && checked.contains("&#60;b&#62;refund"), "{checked}");
    let lab = world.send(&carol, "/ask/verdict", "what=lab/readonly&minutes=30&reason=x").await.ok().text();
    assert!(lab.contains("Granted at once"), "{lab}");
    let made = world.send(&carol, "/ask", asked).await;
    let path = made.header("location").unwrap().split('?').next().unwrap().to_owned();
    assert!(open(&world, &carol, &path).await.text().contains("Take it back"));

    assert!(open(&world, &dave, "/inbox").await.text().contains(&path));
    world.clock.later(Span::from_mins(10));
    let page = open(&world, &dave, &path).await.ok().text();
    assert!(page.contains("read and write every table") && page.contains("production"), "{page}");
    assert!(page.contains("&#60;b&#62;refund&#60;/b&#62; 4711"), "a reason is text: {page}");
    let digest = page.split_once("name=\"digest\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let less = |code: &str| format!("digest={digest}&seconds=300&role=readonly&code={code}");
    let approve = format!("{path}/approve");
    // I8: a browser that was left open approves nothing.
    assert_eq!(world.send(&dave, &approve, &less("")).await.word(), "403 page");
    assert_eq!(world.send(&dave, &approve, &less("000000")).await.word(), "403 page");
    assert_eq!(world.send(&carol, &approve, &less("")).await.word(), "403 page", "not one's own");
    let approved = world.send(&dave, &approve, &less(&code(&world))).await;
    assert_eq!(approved.header("location"), Some("/inbox?done=approved"));
    let held = open(&world, &carol, "/?done=granted").await.text();
    assert!(
        held.contains("orders <span class=\"role\">readonly<") && held.contains("host=localhost port=7432 user=carol"),
        "{held}"
    );
    assert!(held.contains("Granted. You can connect now."));
    let grant = held.split_once("action=\"/grants/").unwrap().1.split('/').next().unwrap().to_owned();
    let released = world.send(&carol, &format!("/grants/{grant}/release"), "").await;
    assert_eq!(released.header("location"), Some("/?done=released"));
}
