//! The server's own configuration: local, and the only place where credential names are bound (I12).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use daypass_domain::Name;
use serde::Deserialize;

use super::credentials::Binding;

/// `server.toml`. Every key may be left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where the API listens for workloads that show a certificate (X.509-SVID): nowhere, unless said.
    pub workloads: Option<SocketAddr>,
    /// Where the gateway listens for PostgreSQL clients.
    pub gateway: Vec<SocketAddr>,
    /// Names and addresses that clients reach the server by, besides loopback: they go into its certificate.
    pub names: Vec<String>,
    /// The address that browsers reach the API by, when it isn't the first of `names` with the port of `api`.
    pub url: Option<PublicUrl>,
    /// The region that what belongs to no resource is kept in. Read at the first start only.
    pub region: Name,
    /// Folders of other regions, for payloads and recordings of the resources there. // I10
    pub regions: BTreeMap<Name, PathBuf>,
    /// Where the sealing key comes from; by default a file beside this one, made at the first start.
    pub sealing_key: Option<Binding>,
    /// What credential names are bound to: of resources, and of channels for notices.
    pub credentials: BTreeMap<Name, Binding>,
    /// How notices go.
    pub notices: super::notices::Settings,
}

impl Default for Config {
    fn default() -> Self {
        // Constants that parse: loopback, so that nothing is open before somebody decides to open it.
        Self {
            api: SocketAddr::from(([127, 0, 0, 1], 7443)),
            workloads: None,
            gateway: vec![SocketAddr::from(([127, 0, 0, 1], 7432))],
            names: Vec::new(),
            url: None,
            region: "home".parse().unwrap_or_else(|_| unreachable!("a plain word is a name")),
            regions: BTreeMap::new(),
            sealing_key: None,
            credentials: BTreeMap::new(),
            notices: super::notices::Settings::default(),
        }
    }
}

/// An address that browsers are sent to: `https://`, a host, perhaps a port, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

impl TryFrom<String> for PublicUrl {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
        match text.strip_prefix("https://") {
            Some(host) if !host.is_empty() && host.bytes().all(plain) => Ok(Self(text)),
            Some(_) | None => {
                Err("an address like https://daypass.example.com:7443, with no path and no slash after it")
            }
        }
    }
}

impl Config {
    /// What browsers reach the API by, which listens here: links and redirects begin with it.
    pub fn url(&self, api: SocketAddr) -> String {
        match &self.url {
            Some(url) => url.0.clone(),
            None => format!("https://{}", super::reachable(api, &self.names)),
        }
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("the configuration {path} can't be read: {why}")]
    Unreadable {
        /// Where.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// It can't be understood.
    #[error("the configuration {path} can't be understood:\n{why}")]
    Bad {
        /// Where.
        path: String,
        /// Line, column, and what is wrong.
        why: Box<toml::de::Error>,
    },
}

/// Reads a configuration; the defaults when there is no file.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let shown = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|why| ConfigError::Bad { path: shown, why: Box::new(why) }),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(why) => Err(ConfigError::Unreadable { path: shown, why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_configured_is_loopback_only() {
        let config = Config::default();
        assert!(config.api.ip().is_loopback());
        assert!(config.gateway.iter().all(|a| a.ip().is_loopback()));
        assert_eq!(config.workloads, None);
    }

    #[test]
    fn browsers_are_sent_to_an_address_that_is_one() {
        let url = |text: &str| toml::from_str::<Config>(&format!("url = '{text}'")).map(|c| c.url(c.api));
        assert_eq!(url("https://d.example:7443").unwrap(), "https://d.example:7443");
        assert_eq!(Config::default().url(Config::default().api), "https://localhost:7443");
        for bad in ["http://d.example", "https://", "https://d.example/", "https://u@d.example", "d.example"] {
            assert!(url(bad).unwrap_err().to_string().contains("with no path"), "{bad}");
        }
    }

    #[test]
    fn a_typing_error_is_named() {
        let error = toml::from_str::<Config>("apii = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(error.contains("apii") && error.contains("expected"), "{error}");
    }
}
