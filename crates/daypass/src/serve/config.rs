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
    /// Where the gateway listens for PostgreSQL clients.
    pub gateway: Vec<SocketAddr>,
    /// Names and addresses that clients reach the server by, besides loopback: they go into its certificate.
    pub names: Vec<String>,
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
            gateway: vec![SocketAddr::from(([127, 0, 0, 1], 7432))],
            names: Vec::new(),
            region: "home".parse().unwrap_or_else(|_| unreachable!("a plain word is a name")),
            regions: BTreeMap::new(),
            sealing_key: None,
            credentials: BTreeMap::new(),
            notices: super::notices::Settings::default(),
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
    }

    #[test]
    fn a_typing_error_is_named() {
        let error = toml::from_str::<Config>("apii = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(error.contains("apii") && error.contains("expected"), "{error}");
    }
}
