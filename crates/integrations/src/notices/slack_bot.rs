//! Slack, as an app's bot: a direct message to each person, whom Slack knows by their mail address.
//!
//! Two calls of the Web API a letter: `users.lookupByEmail` (scope `users:read.email`), `chat.postMessage` (scope
//! `chat:write`) to the person's id. Slack answers 200 to what it refuses too, with `ok: false` and a word. The message
//! has a button that opens the page: nothing that is pressed in Slack reaches Daypass, so nothing there can approve (I8).

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use daypass_domain::{MailAddress, Name, notice::Why};
use daypass_ports::{
    notices::{Addressee, Channel, Letter, NotSent, Reach},
    secret::Credentials,
};
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use super::{BadSettings, slack};
use crate::http::{Answer, Http, Network, Reached, shown};

/// As which bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name that the bot's token is bound to: `xoxb-...`.
    credential: Name,
    /// Where Slack's Web API is: for GovSlack, or a relay of one's own.
    #[serde(default = "slack_api")]
    url: String,
    /// Where that may be.
    #[serde(default)]
    network: Network,
    /// Certificate authorities to believe beside the system's: a PEM file.
    authorities: Option<PathBuf>,
}

fn slack_api() -> String {
    "https://slack.com/api/".to_owned()
}

/// A bot.
pub struct SlackBot {
    lookup: Url,
    post: Url,
    credential: Name,
    http: Http,
    credentials: Arc<dyn Credentials>,
}

/// What Slack answers, as far as it matters.
#[derive(Debug, Deserialize)]
struct Said {
    ok: bool,
    #[serde(default)]
    error: String,
    user: Option<User>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
}

/// The longest id of a person that is believed, in bytes: Slack's have about eleven.
const ID_BYTES: usize = 64;

impl SlackBot {
    pub(super) fn open(settings: Settings, credentials: Arc<dyn Credentials>) -> Result<Self, BadSettings> {
        let Settings { credential, url, network, authorities } = settings;
        let bad = |why: &dyn std::fmt::Display| BadSettings(format!("slack_bot: {why}"));
        let http = Http::new(&Reached { network, authorities }).map_err(|e| bad(&e))?;
        let base = http.check(&format!("{}/", url.trim_end_matches('/'))).map_err(|e| bad(&e))?;
        let method = |name: &str| base.join(name).map_err(|e| bad(&e));
        Ok(Self {
            lookup: method("users.lookupByEmail")?,
            post: method("chat.postMessage")?,
            credential,
            http,
            credentials,
        })
    }

    /// Whom Slack knows by this address.
    async fn person(&self, mail: &MailAddress, headers: &[(&'static str, String)]) -> Result<String, NotSent> {
        let mut url = self.lookup.clone();
        url.query_pairs_mut().append_pair("email", mail.as_str());
        let user = said(&self.http.get(url.as_str(), headers).await?)?.user;
        let id = user.map(|user| user.id).filter(|id| {
            !id.is_empty() && id.len() <= ID_BYTES && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        });
        id.ok_or_else(|| NotSent::new(Why::NotUnderstood, "there is no id of a person in the answer"))
    }
}

#[async_trait]
impl Channel for SlackBot {
    fn reach(&self) -> Reach {
        Reach::People
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let Addressee::Mail(mail) = &letter.to else { return Err(Why::NoAddress.into()) };
        let token = self.credentials.credential(&self.credential).await;
        let token = token.map_err(|e| NotSent::new(Why::NoCredential, e.to_string()))?;
        let headers = [("authorization", format!("Bearer {}", token.expose()))];
        let mut message = slack::message(letter);
        message["channel"] = json!(self.person(mail, &headers).await?);
        message["unfurl_links"] = json!(false);
        message["unfurl_media"] = json!(false);
        // The same at every try, for programs; Slack itself takes a message as often as it comes.
        message["metadata"] = json!({ "event_type": "daypass_notice", "event_payload": { "notice": letter.id } });
        said(&self.http.post(self.post.as_str(), &headers, message.to_string()).await?)?;
        Ok(())
    }
}

/// What it answered, when it is a yes.
fn said(answer: &Answer) -> Result<Said, NotSent> {
    answer.taken()?;
    let said: Said =
        serde_json::from_slice(&answer.body).map_err(|e| NotSent::new(Why::NotUnderstood, shown(&e.to_string())))?;
    if said.ok {
        return Ok(said);
    }
    let why = match said.error.as_str() {
        "users_not_found" | "user_not_found" => Why::UnknownPerson,
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "missing_scope"
        | "no_permission"
        | "not_allowed_token_type" => Why::CredentialRefused,
        "ratelimited"
        | "rate_limited"
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => Why::Busy,
        _ => Why::Declined,
    };
    Err(NotSent { wait: answer.wait, ..NotSent::new(why, shown(&said.error)) })
}
