//! What the handlers work on.

use std::sync::Arc;

use daypass_app::App;
use daypass_domain::Time;

use crate::{health::Probe, metrics::Metrics};

/// What the API is made of. The binary fills it in.
#[derive(Clone)]
pub struct State {
    pub(crate) app: Arc<App>,
    pub(crate) gateway: Arc<dyn GatewayView>,
    pub(crate) info: ServerInfo,
}

impl State {
    /// Of the use cases, what the gateway in this process says of itself, and what the API tells of the server.
    #[must_use]
    pub fn new(app: Arc<App>, gateway: Arc<dyn GatewayView>, info: ServerInfo) -> Self {
        Self { app, gateway, info }
    }
}

/// What the API tells of the server.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// The version of the server.
    pub version: String,
    /// The address that browsers reach it by: `https://host:port`.
    pub url: String,
    /// The certificate authority of the API and the gateway, PEM.
    pub authority_pem: String,
    /// Where workloads connect that show a certificate: `https://host:port`, where anything listens for them.
    pub workloads: Option<String>,
    /// Where database clients connect: `host:port`, at least one.
    pub gateways: Vec<String>,
}

/// What the gateway in this process says of itself: numbers for metrics and readiness, and nothing else.
pub trait GatewayView: Send + Sync {
    /// Its numbers now.
    fn numbers(&self) -> GatewayNumbers;
}

/// What a gateway counts, since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GatewayNumbers {
    /// Whether its lease holds: without it nothing passes. // I3
    pub holds_lease: bool,
    /// Sessions that are open.
    pub sessions_open: u64,
    /// Statements begun.
    pub statements: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}

/// The state with what the API keeps for itself.
pub struct Control {
    pub(crate) state: State,
    pub(crate) metrics: Metrics,
    pub(crate) probe: Probe,
    pub(crate) openapi: String,
    /// When the API came up, in authority time.
    pub(crate) since: Time,
}

impl Control {
    pub(crate) fn new(state: State, openapi: String) -> Self {
        let since = state.app.time();
        let metrics = Metrics::new(&state.app);
        Self { state, metrics, probe: Probe::default(), openapi, since }
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.state.app
    }
}
