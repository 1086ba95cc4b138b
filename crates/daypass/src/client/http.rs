//! Speaking with the server.

use std::time::Duration;

pub use daypass_api::connection::segment;
use daypass_api::{Page, Problem};
use reqwest::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    pin,
    profile::{Profile, Server},
};
use crate::{
    failure::{Exit, Failure},
    say,
};

/// The server, as somebody who may be signed in.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
    patience: Duration,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The longest list that is read, in items.
const LIST_ITEMS: usize = 100_000;

impl Api {
    /// The known server, as whoever is signed in; `DAYPASS_TOKEN` goes before a sign-in.
    pub fn signed_in(profile: &Profile) -> Result<Self, Failure> {
        let server = profile.server()?;
        let token = match std::env::var("DAYPASS_TOKEN") {
            Ok(token) if !token.is_empty() => token,
            _ => profile.sign_in()?.token,
        };
        Ok(Self { token: Some(token), ..Self::anonymous(&server)? })
    }

    /// A server, as nobody yet.
    pub fn anonymous(server: &Server) -> Result<Self, Failure> {
        Self::over(&server.url, pin::under_authority(&server.authority_pem)?)
    }

    /// A server behind the given TLS.
    pub fn over(url: &str, tls: rustls::ClientConfig) -> Result<Self, Failure> {
        let base = url.trim_end_matches('/');
        if !base.starts_with("https://") {
            return Err(Failure::setting(format!(
                "{} is no address of a server: write https://HOST:7443",
                say::shown(base)
            )));
        }
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("daypass/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(Failure::setting)?;
        Ok(Self { client, base: base.to_owned(), token: None, patience: PATIENCE })
    }

    /// The same server, whose answers may take this long.
    pub fn patient(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The same server, as whoever holds this token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Whether it is an API token that speaks, not somebody who signed in.
    #[must_use]
    pub fn speaks_by_token(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.starts_with(daypass_app::signin::TOKEN_PREFIX))
    }

    /// Reads.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        parse(&self.bytes(path).await?)
    }

    /// Reads every page of a list.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut page: Page<T> = self.get(path).await?;
        let mut items = page.items;
        while let Some(after) = page.next.take() {
            if items.len() > LIST_ITEMS {
                return Err(Failure::data("the server's list is longer than any should be"));
            }
            page = self.get(&format!("{path}{join}after={}", segment(&after))).await?;
            items.append(&mut page.items);
        }
        Ok(items)
    }

    /// Reads bytes.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.ask(Method::GET, path, None::<&()>, Key::None).await?.map_err(|problem| refused(&problem))
    }

    /// Writes.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.try_post(path, body).await?.map_err(|problem| refused(&problem))
    }

    /// Writes once, even when the connection breaks before the answer comes: not for answers with a secret in them,
    /// which a server keeps for nobody.
    pub async fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let answer = self.ask(Method::POST, path, Some(body), Key::Fresh).await?;
        parse(&answer.map_err(|problem| refused(&problem))?)
    }

    /// Writes, and hands the server's no to the caller, who knows something to do about it.
    pub async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Result<T, Problem>, Failure> {
        match self.ask(Method::POST, path, Some(body), Key::None).await? {
            Ok(bytes) => parse(&bytes).map(Ok),
            Err(problem) => Ok(Err(problem)),
        }
    }

    /// As [`Api::post_once`], and hands the server's no to the caller.
    pub async fn try_post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Result<T, Problem>, Failure> {
        match self.ask(Method::POST, path, Some(body), Key::Fresh).await? {
            Ok(bytes) => parse(&bytes).map(Ok),
            Err(problem) => Ok(Err(problem)),
        }
    }

    /// Writes, where the answer says nothing.
    pub async fn post_quietly(&self, path: &str, body: &impl Serialize) -> Result<(), Failure> {
        let answer = self.ask(Method::POST, path, Some(body), Key::None).await?;
        answer.map(drop).map_err(|problem| refused(&problem))
    }

    /// Sends a form, where a standard says so.
    pub async fn post_form<T: DeserializeOwned>(&self, path: &str, pairs: &[(&str, &str)]) -> Result<T, Failure> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = self.client.post(format!("{}{path}", self.base)).timeout(PATIENCE).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        parse(&self.read(response).await?.map_err(|problem| refused(&problem))?)
    }

    /// Does what the path says, without a body.
    pub async fn act<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Failure> {
        parse(&self.ask(method, path, None::<&()>, Key::None).await?.map_err(|problem| refused(&problem))?)
    }

    /// Does what the path says, without a body, where the answer says nothing.
    pub async fn act_quietly(&self, method: Method, path: &str) -> Result<(), Failure> {
        self.ask(method, path, None::<&()>, Key::None).await?.map(drop).map_err(|problem| refused(&problem))
    }

    /// Asks; and where that can't do it twice, asks once more when the connection broke before the answer came.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        key: Key,
    ) -> Result<Result<Vec<u8>, Problem>, Failure> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base)).timeout(self.patience);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if key == Key::Fresh {
            request = request.header("idempotency-key", idempotency_key()?);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let safe_twice = method != Method::POST || key == Key::Fresh;
        let again = request.try_clone().filter(|_| safe_twice);
        let response = match (request.send().await, again) {
            (Ok(response), _) => response,
            (Err(error), Some(again)) if !error.is_timeout() && !error.is_connect() => {
                again.send().await.map_err(|e| self.unreachable(&e))?
            }
            (Err(error), _) => return Err(self.unreachable(&error)),
        };
        self.read(response).await
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Result<Vec<u8>, Problem>, Failure> {
        let (status, retry_after_s) = (response.status(), retry_after(&response));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES {
                return Err(Failure::data("the server's answer is longer than any should be"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(if status.is_success() { Ok(bytes) } else { Err(Problem { retry_after_s, ..problem(status, &bytes) }) })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        // reqwest's own words end before what matters: the innermost cause says it.
        let mut why: &dyn std::error::Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        Failure::new(
            Exit::Unavailable,
            format!("{} can't be reached: {}", self.base, say::shown(&why.to_string())),
            "see that it runs (`daypass serve`) and that this is its address",
        )
    }
}

/// Whether a write carries an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    None,
    Fresh,
}

/// A key under which the server does a write once, however often it is sent.
fn idempotency_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Failure::data)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|e| Failure::data(format!("the server's answer can't be understood: {e}. Are both of one version?")))
}

/// In how many seconds the server wants to be asked again (RFC 9110, 10.2.3), where it says so as a number.
fn retry_after(response: &reqwest::Response) -> Option<u64> {
    response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// What the server said of an answer that is no success (RFC 9457); its status where it said nothing else.
fn problem(status: StatusCode, body: &[u8]) -> Problem {
    let said = serde_json::from_slice::<Problem>(body).ok();
    let mut problem =
        said.unwrap_or_else(|| Problem::new(status.as_u16(), "unknown", format!("the server answered {status}")));
    problem.status = status.as_u16();
    problem
}

/// The failure that a problem makes of a command.
#[must_use]
pub fn refused(problem: &Problem) -> Failure {
    let exit = match StatusCode::from_u16(problem.status).unwrap_or(StatusCode::IM_A_TEAPOT) {
        StatusCode::UNAUTHORIZED => Exit::SignIn,
        StatusCode::FORBIDDEN => Exit::Refused,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::BAD_REQUEST
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE => Exit::Usage,
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Exit::Unavailable,
        _ => Exit::Other,
    };
    if let Some(seconds) = problem.retry_after_s {
        return Failure::new(exit, shown_lines(&problem.detail), format!("wait {seconds} s, then try again"));
    }
    let next = match (&problem.next, exit) {
        (Some(next), _) => shown_lines(next),
        (None, Exit::SignIn) => "daypass login".to_owned(),
        (None, _) => String::new(),
    };
    Failure::new(exit, shown_lines(&problem.detail), next)
}

/// Text of several lines from outside, each line escaped.
#[must_use]
pub fn shown_lines(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(say::shown).collect::<Vec<_>>().join("\t");
    text.trim_end().split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_climbs_out_of_its_segment() {
        assert_eq!(segment("orders-eu.1_x"), "orders-eu.1_x");
        assert_eq!(segment("../me?x=1&y#z"), "..%2Fme%3Fx%3D1%26y%23z");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("é"), "%C3%A9");
    }

    #[test]
    fn what_the_server_says_is_escaped_line_by_line() {
        let said = Problem::new(422, "bad_policy", "line one\nline \u{1b}[2J two").next("mend it");
        let failure = refused(&said);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.what, "line one\nline \\u{1b}[2J two");
        assert_eq!(failure.next, "mend it");
    }

    #[test]
    fn an_answer_without_words_is_told_by_its_status() {
        let failure = refused(&problem(StatusCode::BAD_GATEWAY, b"<html>"));
        assert_eq!(failure.exit, Exit::Unavailable);
        assert!(failure.what.contains("502"), "{}", failure.what);
        assert_eq!(refused(&problem(StatusCode::UNAUTHORIZED, b"")).next, "daypass login");
    }
}
