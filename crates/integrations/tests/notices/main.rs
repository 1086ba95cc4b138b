//! Channels against real receivers: what arrives, and what is said when something doesn't.

mod hooks;
mod mail;
mod slack;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use daypass_domain::{InstallationId, Name, NoticeId, RequestId, Time, notice::News};
use daypass_integrations::notices::Settings;
use daypass_ports::{
    notices::{Addressee, Channel, Letter, Names, NotSent},
    secret::{CredentialError, Credentials, Secret},
};
use serde_json::Value;

/// Secrets by name.
struct Bound(BTreeMap<Name, String>);

#[async_trait]
impl Credentials for Bound {
    async fn credential(&self, name: &Name) -> Result<Secret, CredentialError> {
        let found = self.0.get(name).cloned().ok_or_else(|| CredentialError::NotBound(name.clone()))?;
        Ok(Secret::new(found))
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The channel of these settings, with one secret bound to the name `secret`.
fn channel(settings: Value, secret: &str) -> Arc<dyn Channel> {
    let bound = Arc::new(Bound(BTreeMap::from([(name("secret"), secret.to_owned())])));
    serde_json::from_value::<Settings>(settings).unwrap().open(bound).unwrap()
}

/// Why settings are refused.
fn refused(settings: Value) -> String {
    let settings = serde_json::from_value::<Settings>(settings).unwrap();
    settings.open(Arc::new(Bound(BTreeMap::new()))).err().unwrap().to_string()
}

fn letter(to: Addressee) -> Letter {
    let at = Time::from_micros(1_795_516_200_000_000);
    Letter {
        id: NoticeId::new(at, [6; 10]),
        installation: InstallationId::new(at, [7; 10]),
        made: at,
        to,
        news: News::ApprovalWanted { request: RequestId::new(at, [1; 10]), until: at },
        names: Names::Access { holder: name("alice"), role: name("readonly"), resource: name("orders") },
        link: "https://daypass.example/requests/request_1".to_owned(),
    }
}

fn to(mail: &str) -> Letter {
    letter(Addressee::Mail(mail.parse().unwrap()))
}

async fn not_sent(channel: &Arc<dyn Channel>, letter: &Letter) -> NotSent {
    channel.send(letter).await.unwrap_err()
}
