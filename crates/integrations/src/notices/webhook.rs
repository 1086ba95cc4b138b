//! A program of one's own: JSON by POST, signed by Standard Webhooks (HMAC-SHA256 over `id.timestamp.body`).

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use data_encoding::BASE64;
use daypass_domain::{Name, notice::Why};
use daypass_ports::{
    notices::{Channel, Letter, Names, NotSent, Reach},
    secret::Credentials,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::BadSettings;
use crate::http::{Http, Network, Reached};

/// Where notices are posted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address.
    url: String,
    /// The name that the signing secret is bound to: `whsec_` and 24 to 64 bytes in base64.
    credential: Name,
    /// Where it may be.
    #[serde(default)]
    network: Network,
    /// Certificate authorities to believe beside the system's: a PEM file.
    authorities: Option<PathBuf>,
}

/// A program that listens.
pub struct Webhook {
    url: String,
    credential: Name,
    http: Http,
    credentials: Arc<dyn Credentials>,
}

impl Webhook {
    pub(super) fn open(settings: Settings, credentials: Arc<dyn Credentials>) -> Result<Self, BadSettings> {
        let Settings { url, credential, network, authorities } = settings;
        let http = Http::new(&Reached { network, authorities }).map_err(BadSettings)?;
        http.check(&url).map_err(|e| BadSettings(format!("webhook: {e}")))?;
        Ok(Self { url, credential, http, credentials })
    }
}

#[async_trait]
impl Channel for Webhook {
    fn reach(&self) -> Reach {
        Reach::Room
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let secret = self.credentials.credential(&self.credential).await;
        let secret = secret.map_err(|e| NotSent::new(Why::NoCredential, e.to_string()))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let (id, body) = (letter.id.to_string(), body(letter).to_string());
        let signature = sign(secret.expose(), &id, now, &body)
            .ok_or_else(|| NotSent::new(Why::NoCredential, "the secret isn't whsec_ and 24 to 64 bytes in base64"))?;
        let headers = [("webhook-id", id), ("webhook-timestamp", now.to_string()), ("webhook-signature", signature)];
        self.http.post(&self.url, &headers, body).await?.taken()
    }
}

/// The signature of one attempt; none when the secret can't be one.
fn sign(secret: &str, id: &str, timestamp: u64, body: &str) -> Option<String> {
    let key = BASE64.decode(secret.strip_prefix("whsec_")?.as_bytes()).ok()?;
    if !(24..=64).contains(&key.len()) {
        return None;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", BASE64.encode(tag.as_ref())))
}

fn body(letter: &Letter) -> Value {
    let mut data: Map<String, Value> =
        letter.news.ids().into_iter().map(|(kind, id)| (kind.to_owned(), Value::String(id))).collect();
    data.insert("installation".to_owned(), json!(letter.installation));
    data.insert("link".to_owned(), json!(letter.link));
    data.insert("text".to_owned(), json!(letter.words().lines.join(" ")));
    match &letter.names {
        Names::Withheld => {}
        Names::Access { holder, role, resource } => {
            data.insert("names".to_owned(), json!({ "holder": holder, "role": role, "resource": resource }));
        }
        Names::Emergency { resource } => {
            data.insert("names".to_owned(), json!({ "resource": resource }));
        }
        Names::Change { proposer } => {
            data.insert("names".to_owned(), json!({ "proposer": proposer }));
        }
    }
    json!({ "type": format!("daypass.{}", letter.news.word()), "timestamp": letter.made.to_string(), "data": data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the Standard Webhooks specification's own libraries.
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(sign("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a", 1, "{}"), None);
        assert_eq!(sign("whsec_c2hvcnQ=", "a", 1, "{}"), None);
    }
}
