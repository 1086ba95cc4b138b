//! People sign in by a provider on the pages; and others who would like to be signed in as somebody else, or to sign
//! somebody in as themselves.

use std::fs;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};

use crate::{
    oidc::{FOLLOWED, signs_in, trust, trusting},
    provider::{PAGES_URL, Provider, browse_until},
    web::{get, tls},
    world::World,
};

const ATTEMPT: &str = "__Host-daypass-oidc";
const SIGN_IN: &str = "__Host-daypass";

/// What a page answers: its status, where it leads, the cookies that it sets, its text.
struct Reply {
    status: u16,
    to: String,
    cookies: Vec<String>,
    text: String,
}

impl Reply {
    /// A cookie that it sets, as a browser sends it back.
    fn cookie(&self, name: &str) -> String {
        let pair = |line: &String| line.split(';').next().unwrap().to_owned();
        let found = self.cookies.iter().map(pair).find(|pair| pair.starts_with(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("{name} isn't among {:?}: {}", self.cookies, self.text))
    }
}

fn ask(world: &World, path: &str, cookie: &str) -> Reply {
    let tls = tls(&fs::read(world.authority()).unwrap());
    let none = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().redirect(none).build().unwrap();
    let url = format!("{}{path}", world.url());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let answer = client.get(url).header(COOKIE, cookie).send().await.unwrap();
        let said = |name| answer.headers().get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect();
        let (mut to, cookies): (Vec<String>, Vec<String>) = (said(LOCATION), said(SET_COOKIE));
        let status = answer.status().as_u16();
        Reply { status, to: to.pop().unwrap_or_default(), cookies, text: answer.text().await.unwrap() }
    })
}

/// A browser that went to the provider: what it keeps, and where it comes back to when somebody signed in there.
fn went(world: &World, login: &str, next: &str) -> (String, String) {
    let begun = ask(world, &format!("/signin/oidc/start?provider=corp&next={next}"), "");
    assert_eq!(begun.status, 303, "{}", begun.text);
    let back = browse_until(login, &begun.to, &format!("{PAGES_URL}/signin/oidc/callback"));
    (begun.cookie(ATTEMPT), back.trim().strip_prefix(PAGES_URL).unwrap().to_owned())
}

fn refused(world: &World, path: &str, cookie: &str, words: &str) {
    let reply = ask(world, path, cookie);
    assert_eq!(reply.status, 401, "{words}: {}", reply.text);
    assert!(reply.text.contains(words), "{words}: {}", reply.text);
    assert!(reply.cookies.is_empty(), "{:?}", reply.cookies);
}

#[test]
fn a_browser_signs_in_by_a_provider_and_is_taken_to_where_it_wanted() {
    let (world, _provider) = trusting(FOLLOWED);
    let (_, page) = get(&world, "/signin?next=/inbox");
    let link = "/signin/oidc/start?provider=corp&amp;next=/inbox";
    assert!(page.contains(link) && page.contains("Sign in with Example Corp"), "{page}");
    let (attempt, back) = went(&world, "carol", "/inbox");
    let made = ask(&world, &back, &attempt);
    assert_eq!((made.status, made.to.as_str()), (303, "/inbox"), "{}", made.text);
    assert_eq!(made.cookie(ATTEMPT), format!("{ATTEMPT}="), "what it went with is forgotten");
    let inbox = ask(&world, "/inbox", &made.cookie(SIGN_IN));
    assert_eq!(inbox.status, 200, "{}", inbox.text);
    assert!(inbox.text.contains("carol"), "{}", inbox.text);
    // A page of another site is no place to be taken to.
    let (attempt, back) = went(&world, "carol", "//evil.example/inbox");
    assert_eq!(ask(&world, &back, &attempt).to, "/");
}

#[test]
fn nobody_comes_in_by_anothers_way_or_twice_by_their_own() {
    let (world, _provider) = trusting(FOLLOWED);
    let (attempt, back) = went(&world, "carol", "/");
    let (others, _) = went(&world, "dave", "/");
    // A link to where somebody else's way ends signs nobody in as them (RFC 9700, 4.7); nor does their code help another.
    refused(&world, &back, "", "began no sign-in");
    refused(&world, &back, &others, "begun here");
    refused(&world, &back, &format!("{attempt}; {others}"), "began no sign-in");
    refused(&world, &back, &format!("{attempt}x"), "begun here");
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    refused(&world, &back.replace(state, "made-up"), &attempt, "begun here");
    refused(&world, "/signin/oidc/callback?error=access_denied&state=x", &attempt, "access_denied");
    refused(&world, "/signin/oidc/callback?error=%3Cscript%3E", &attempt, "&#60;script&#62;");
    // What a page began is good for nothing at the door of programs, which would be shown its secret.
    let (code, iss) = (parameter(&back, "code"), parameter(&back, "iss"));
    let sealed = attempt.split_once('=').unwrap().1;
    let body = serde_json::json!({
        "attempt": sealed, "came": {"code": code, "state": state, "iss": iss}
    });
    let said = post(&world, "/v1/signin/oidc/finish", &body);
    assert!(said.contains("no_such_attempt"), "{said}");
    // None of that spoiled it, and it is good once.
    let made = ask(&world, &back, &attempt);
    assert_eq!(made.status, 303, "{}", made.text);
    refused(&world, &back, &attempt, "done already");
}

#[test]
fn the_answer_of_another_provider_is_not_this_ones() {
    let (world, _provider) = trusting(FOLLOWED);
    for change in [
        |back: &str, iss: &str| back.replace(iss, "https%3A%2F%2Fevil.example"),
        |back: &str, iss: &str| back.replace(&format!("&iss={iss}"), ""),
    ] {
        let (attempt, back) = went(&world, "carol", "/");
        let iss = back.split("iss=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let other = change(&back, &iss);
        assert_ne!(other, back);
        refused(&world, &other, &attempt, "isn&#39;t of the provider that was gone to");
        // Whoever was shown to another is used up.
        refused(&world, &back, &attempt, "done already");
    }
}

#[test]
fn a_browser_hears_that_the_provider_is_away_and_whoever_is_in_stays() {
    let (world, mut provider) = trusting(FOLLOWED);
    let (attempt, back) = went(&world, "carol", "/");
    let kept = ask(&world, &back, &attempt).cookie(SIGN_IN);
    provider.go_away();
    let said = ask(&world, "/signin/oidc/start?provider=corp", "");
    assert_eq!(said.status, 503, "{}", said.text);
    for words in ["can&#39;t be reached", "whoever has a password can sign in by it"] {
        assert!(said.text.contains(words), "{words}: {}", said.text);
    }
    assert_eq!(ask(&world, "/", &kept).status, 200);
    // The page to sign in is there, for those who have a password.
    assert_eq!(get(&world, "/signin").0, 200);
}

#[test]
fn a_logout_at_the_provider_ends_a_browsers_sign_in() {
    let (world, provider) = trusting(FOLLOWED);
    let (attempt, back) = went(&world, "carol", "/");
    let kept = ask(&world, &back, &attempt).cookie(SIGN_IN);
    assert_eq!(ask(&world, "/", &kept).status, 200);
    provider.told(&format!("/test/logout?sub=carol&sid={}", sid(&provider)));
    let reply = ask(&world, "/", &kept);
    assert_eq!((reply.status, reply.to.as_str()), (303, "/signin?next=/"));
}

#[test]
fn pages_and_the_command_line_are_clients_of_their_own_where_two_are_declared() {
    let (world, provider) = trusting("");
    // The one comes back to the pages alone, and the other to a command alone.
    let pages = provider.trust(FOLLOWED).replace("client_id = 'daypass'", "client_id = 'daypass-pages'");
    trust(&world, &format!("{pages}cli = {{ client_id = 'daypass-cli' }}\n"));
    let (attempt, back) = went(&world, "carol", "/inbox");
    let made = ask(&world, &back, &attempt);
    assert_eq!((made.status, made.to.as_str()), (303, "/inbox"), "{}", made.text);
    let carol = signs_in(&world, "carol");
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
    // A logout is for either.
    let told = provider.told("/test/replay?sub=carol&client=daypass-cli");
    assert_eq!(told.lines().last(), Some("200"));
    carol.fails(5, &["whoami"]);
    let reply = ask(&world, "/", &made.cookie(SIGN_IN));
    assert_eq!((reply.status, reply.to.as_str()), (303, "/signin?next=/"));
}

fn sid(provider: &Provider) -> String {
    provider.told("/test/sid?sub=carol").lines().last().unwrap().to_owned()
}

fn parameter(back: &str, name: &str) -> String {
    let query = back.split_once('?').unwrap().1;
    let found = form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name);
    found.unwrap().1.into_owned()
}

fn post(world: &World, path: &str, body: &serde_json::Value) -> String {
    let authority = fs::read(world.authority()).unwrap();
    let url = format!("{}{path}", world.url());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let request = crate::web::client(&authority).post(url).header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap().text().await.unwrap()
    })
}
