//! Signing in by an identity provider: in a browser on this machine, which comes back here (RFC 8252), or on another device
//! (RFC 8628). The server speaks with the provider; here is no secret of either.

use std::time::Duration;

use daypass_api::{
    identity::{BeginSignIn, CameBack, FinishSignIn, SignInBegun, SignInFinished, SignInWay},
    signin::SignedIn,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    client::{calls, http::Api},
    failure::{Exit, Failure},
    say,
};

/// How long somebody may take in the browser: as long as the server waits.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest request line that a browser comes back with, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// Signs in, in the browser of this machine.
pub async fn in_browser(api: &Api, provider: Option<String>) -> Result<SignedIn, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::setting)?;
    let port = listener.local_addr().map_err(Failure::setting)?.port();
    let begun = calls::begin_sign_in(api, &BeginSignIn { provider, way: SignInWay::Loopback { port } }).await?;
    let SignInBegun::Browser { url, attempt } = begun else { return Err(unexpected()) };
    say::note(&format!("Sign in in your browser, at\n  {}", say::shown(&url)));
    open(&url);
    let came = tokio::time::timeout(PATIENCE, came_back(&listener)).await.map_err(|_| late())??;
    match calls::finish_sign_in(api, &FinishSignIn { attempt, came: Some(came) }).await? {
        SignInFinished::SignedIn { signed_in } => Ok(*signed_in),
        SignInFinished::NotYet { .. } => Err(unexpected()),
    }
}

/// Signs in on another device.
pub async fn on_device(api: &Api, provider: Option<String>) -> Result<SignedIn, Failure> {
    let begun = calls::begin_sign_in(api, &BeginSignIn { provider, way: SignInWay::Device }).await?;
    let SignInBegun::Device { user_code, verification_uri, verification_uri_complete, interval_s, attempt } = begun
    else {
        return Err(unexpected());
    };
    say::note(&format!("Open {} and type the code {}", say::shown(&verification_uri), say::shown(&user_code)));
    if let Some(whole) = verification_uri_complete {
        say::note(&format!("  or open {}", say::shown(&whole)));
    }
    let mut wait = u64::from(interval_s);
    loop {
        tokio::time::sleep(Duration::from_secs(wait.clamp(1, 60))).await;
        match calls::finish_sign_in(api, &FinishSignIn { attempt: attempt.clone(), came: None }).await? {
            SignInFinished::SignedIn { signed_in } => return Ok(*signed_in),
            SignInFinished::NotYet { interval_s } => wait = u64::from(interval_s),
        }
    }
}

/// Opens an address in a browser, if there is one; it is printed in any case.
fn open(url: &str) {
    let browser = std::env::var("BROWSER").ok().filter(|b| !b.is_empty()).unwrap_or_else(|| "xdg-open".to_owned());
    let quiet = std::process::Stdio::null;
    // No browser here is no failure: the address was printed.
    let _ = std::process::Command::new(browser).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
}

/// Waits until the browser comes back with something.
async fn came_back(listener: &TcpListener) -> Result<CameBack, Failure> {
    loop {
        let (mut socket, _) = listener.accept().await.map_err(Failure::setting)?;
        // Others on this machine may knock; a request that takes too long is no browser's.
        let head = tokio::time::timeout(Duration::from_secs(5), head_of(&mut socket)).await.unwrap_or_default();
        let Some(query) = query_of(&head) else {
            answer(&mut socket, "404 Not Found", "There is nothing here.").await;
            continue;
        };
        match read(query) {
            Ok(came) => {
                answer(&mut socket, "200 OK", "You can close this window: the command goes on.").await;
                return Ok(came);
            }
            Err(word) => {
                answer(&mut socket, "200 OK", "The provider says no: the command says more.").await;
                let what = format!("the provider says no: {}", say::shown(&word));
                return Err(Failure::new(Exit::SignIn, what, "daypass login"));
            }
        }
    }
}

async fn head_of(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < HEAD_BYTES {
        match socket.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(n) => head.extend_from_slice(&chunk[..n]),
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// The query of a browser's coming back; nothing for anything else.
fn query_of(head: &str) -> Option<&str> {
    head.lines().next()?.strip_prefix("GET /callback?")?.split(' ').next()
}

/// What the browser came back with, or the provider's word for its no (RFC 6749, 4.1.2).
fn read(query: &str) -> Result<CameBack, String> {
    let (mut code, mut state, mut iss, mut error) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "code" => code = Some(value.into_owned()),
            "state" => state = Some(value.into_owned()),
            "iss" => iss = Some(value.into_owned()),
            "error" => error = Some(value.into_owned()),
            _ => {}
        }
    }
    match (code, state) {
        (Some(code), Some(state)) => Ok(CameBack { code: daypass_api::SecretText::new(code), state, iss }),
        (Some(_), None) | (None, _) => Err(error.unwrap_or_default()),
    }
}

async fn answer(socket: &mut TcpStream, status: &str, text: &str) {
    let body = format!("<!doctype html><title>Daypass</title><p>{text}</p>");
    let head = "content-type: text/html; charset=utf-8\r\ncache-control: no-store\r\nconnection: close";
    let response = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // A browser that went away needs no answer.
    let _ = socket.write_all(response.as_bytes()).await;
    let _ = socket.shutdown().await;
}

fn late() -> Failure {
    Failure::new(Exit::SignIn, "nobody came back from the browser within ten minutes", "daypass login")
}

fn unexpected() -> Failure {
    Failure::data("the server answers something else than was asked. Are both of one version?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_comes_back_with_is_read_and_what_others_send_is_not() {
        let came =
            read(query_of("GET /callback?code=a%2Bb&state=s&iss=https%3A%2F%2Fi HTTP/1.1\r\n").unwrap()).unwrap();
        assert_eq!((came.code.expose(), came.state.as_str(), came.iss.as_deref()), ("a+b", "s", Some("https://i")));
        assert_eq!(read("error=access_denied&state=s").unwrap_err(), "access_denied");
        for other in ["", "GET / HTTP/1.1", "POST /callback?code=a HTTP/1.1", "GET /callback HTTP/1.1"] {
            assert_eq!(query_of(other), None, "{other}");
        }
    }
}
