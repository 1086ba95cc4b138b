//! Microsoft Teams, by a Workflows webhook: an Adaptive Card with a button that opens the page. Its texts are text runs,
//! in which no markdown is read, so nothing needs escaping.

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

/// Which channel or chat.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name that the workflow's address is bound to: the address is a secret.
    credential: Name,
    /// Where it may be.
    #[serde(default)]
    network: Network,
}

/// A channel or chat of Teams.
pub struct Teams {
    credential: Name,
    http: Http,
    credentials: Arc<dyn Credentials>,
}

impl Teams {
    pub(super) fn open(settings: Settings, credentials: Arc<dyn Credentials>) -> Result<Self, BadSettings> {
        let http = Http::new(&Reached { network: settings.network, authorities: None }).map_err(BadSettings)?;
        Ok(Self { credential: settings.credential, http, credentials })
    }
}

#[async_trait]
impl Channel for Teams {
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
    let run = |text: &str, weight: &str| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text, "weight": weight }] });
    let mut body = vec![run(&words.subject, "bolder")];
    body.extend(words.lines.iter().map(|line| run(line, "default")));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": [{ "type": "Action.OpenUrl", "title": words.button, "url": letter.link }],
            },
        }],
    })
}
