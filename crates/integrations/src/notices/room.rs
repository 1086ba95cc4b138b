//! A room of a chat, by an incoming webhook: an address that is a secret, and a message in the service's own shape.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use daypass_domain::{Name, notice::Why};
use daypass_ports::{
    notices::{Channel, Letter, NotSent, Reach},
    secret::Credentials,
};
use serde::Deserialize;
use serde_json::Value;

use super::BadSettings;
use crate::http::{Http, Network, Reached};

/// Which room.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name that the webhook's address is bound to: the address is a secret.
    credential: Name,
    /// Where it may be.
    #[serde(default)]
    network: Network,
    /// Certificate authorities to believe beside the system's: a PEM file.
    authorities: Option<PathBuf>,
}

/// A room.
pub struct Room {
    credential: Name,
    http: Http,
    credentials: Arc<dyn Credentials>,
    message: fn(&Letter) -> Value,
}

impl Room {
    /// `message` is what the service takes for a letter.
    pub(super) fn open(
        settings: Settings,
        credentials: Arc<dyn Credentials>,
        message: fn(&Letter) -> Value,
    ) -> Result<Self, BadSettings> {
        let Settings { credential, network, authorities } = settings;
        let http = Http::new(&Reached { network, authorities }).map_err(BadSettings)?;
        Ok(Self { credential, http, credentials, message })
    }
}

#[async_trait]
impl Channel for Room {
    fn reach(&self) -> Reach {
        Reach::Room
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let url = self.credentials.credential(&self.credential).await;
        let url = url.map_err(|e| NotSent::new(Why::NoCredential, e.to_string()))?;
        self.http.post(url.expose(), &[], (self.message)(letter).to_string()).await?.taken()
    }
}
