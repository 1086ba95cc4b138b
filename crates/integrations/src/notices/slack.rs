//! Slack, by an incoming webhook: a message with a button that opens the page. Nothing can be answered there (I8).

use std::sync::Arc;

use async_trait::async_trait;
use daypass_domain::{Name, notice::Why};
use daypass_ports::{
    notices::{Channel, Letter, NotSent, Reach},
    secret::Credentials,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::BadSettings;
use crate::http::{Http, Network, Reached};

/// Which Slack channel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name that the incoming webhook's address is bound to: the address is a secret.
    credential: Name,
    /// Where it may be.
    #[serde(default)]
    network: Network,
}

/// A Slack channel.
pub struct Slack {
    credential: Name,
    http: Http,
    credentials: Arc<dyn Credentials>,
}

impl Slack {
    pub(super) fn open(settings: Settings, credentials: Arc<dyn Credentials>) -> Result<Self, BadSettings> {
        let http = Http::new(&Reached { network: settings.network, authorities: None }).map_err(BadSettings)?;
        Ok(Self { credential: settings.credential, http, credentials })
    }
}

#[async_trait]
impl Channel for Slack {
    fn reach(&self) -> Reach {
        Reach::Room
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let url = self.credentials.credential(&self.credential).await;
        let url = url.map_err(|e| NotSent::new(Why::NoCredential, e.to_string()))?;
        self.http.post(url.expose(), &[], message(letter).to_string()).await?.taken()
    }
}

fn message(letter: &Letter) -> Value {
    let words = letter.words();
    let (subject, text) = (escape(&words.subject), escape(&words.lines.join("\n")));
    json!({
        "text": subject,
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": subject, "emoji": false } },
            { "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } },
            { "type": "actions", "elements": [{
                "type": "button",
                "text": { "type": "plain_text", "text": words.button },
                "url": letter.link,
            }] },
        ],
    })
}

/// What Slack's texts must escape: no mention, link or channel can be written past it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_mentioned_and_nothing_linked_by_a_text() {
        assert_eq!(escape("<!channel> & <https://evil|x>"), "&lt;!channel&gt; &amp; &lt;https://evil|x&gt;");
    }
}
