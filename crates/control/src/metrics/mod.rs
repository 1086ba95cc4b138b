//! Numbers for Prometheus. They name nobody: labels are routes, statuses, events and words.
//!
//! What was decided is counted from the ledger's headers, since that is where it is true; what the gateway carries comes
//! through [`crate::GatewayView`].

mod endings;
mod log;

use std::sync::{Arc, atomic::AtomicU64};

use axum::http::{Method, StatusCode};
use daypass_app::App;
use daypass_domain::request::Request;
use daypass_ports::rows::key;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::sync::Mutex;

use self::endings::Endings;
use crate::{fault::Result, ledger, state::Control};

/// What is counted.
pub struct Metrics {
    registry: Registry,
    http: Family<HttpLabels, Counter>,
    decisions: Family<VerdictLabels, Counter>,
    entries: Family<EventLabels, Counter>,
    gauges: Gauges,
    /// How far the ledger was counted; one scrape at a time.
    counted: Mutex<log::Counted>,
}

#[derive(Default)]
struct Gauges {
    sessions: Gauge,
    lease: Gauge,
    statements: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    size: Gauge,
    lag: Gauge,
    revision: Counter,
    waiting: Gauge,
    unheard: Gauge,
    emergencies: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    event: String,
}

impl Metrics {
    /// Nothing is counted yet. How long endings took is the use cases' to say.
    pub(crate) fn new(app: &Arc<App>) -> Self {
        let (http, decisions, entries) = (Family::default(), Family::default(), Family::default());
        let gauges = Gauges::default();
        let mut registry = Registry::with_prefix("daypass");
        registry.register("http_requests", "Requests to the API", Family::clone(&http));
        registry.register(
            "decisions",
            "Decisions about requests since the start, by what came of them",
            Family::clone(&decisions),
        );
        registry.register("ledger_entries", "Entries of the ledger since the start, by event", Family::clone(&entries));
        registry.register(
            "revocation_seconds",
            "From the instant at which a grant or a session was to be over until both its sockets were closed (client, by \
             session) or the target had no backend of it (target, by grant)",
            Endings(Arc::clone(app)),
        );
        registry.register("sessions_open", "Sessions that are open", gauges.sessions.clone());
        registry.register("gateway_lease", "1 while the gateway's lease holds", gauges.lease.clone());
        registry.register("statements", "Statements begun through the gateway", gauges.statements.clone());
        registry.register("bytes_from_clients", "Bytes from clients through the gateway", gauges.bytes_in.clone());
        registry.register("bytes_to_clients", "Bytes to clients through the gateway", gauges.bytes_out.clone());
        registry.register("ledger_size", "Entries in the newest checkpoint", gauges.size.clone());
        registry.register("ledger_lag", "Commits that wait to become durable", gauges.lag.clone());
        registry.register("commits", "Durable commits, ever", gauges.revision.clone());
        registry.register("requests_waiting", "Requests that wait for an answer", gauges.waiting.clone());
        registry.register(
            "signals_unheard",
            "Transmitters of shared signals that are asked and don't answer",
            gauges.unheard.clone(),
        );
        registry.register(
            "emergency_kits_used",
            "Emergency kits that were used, and wait to be sealed anew or reviewed",
            gauges.emergencies.clone(),
        );
        Self { registry, http, decisions, entries, gauges, counted: Mutex::default() }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode) {
        // Methods come from outside and have no end; routes come from the table.
        let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE].contains(method);
        let method = if known { method.as_str() } else { "other" }.to_owned();
        self.http.get_or_create(&HttpLabels { method, route: route.to_owned(), status: status.as_u16() }).inc();
    }
}

/// Everything in OpenMetrics text, as it is now.
pub(crate) async fn scrape(control: &Control) -> Result<String> {
    let metrics = &control.metrics;
    log::count(control).await?;
    let numbers = control.state.gateway.numbers();
    let gauges = &metrics.gauges;
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    gauges.sessions.set(whole(numbers.sessions_open));
    gauges.lease.set(i64::from(numbers.holds_lease));
    raise(&gauges.statements, numbers.statements);
    raise(&gauges.bytes_in, numbers.bytes_in);
    raise(&gauges.bytes_out, numbers.bytes_out);
    let store = control.app().store();
    gauges.size.set(whole(ledger::size(control.app()).await?));
    gauges.lag.set(i64::try_from(store.lag()).unwrap_or(i64::MAX));
    let revision = store.watch().borrow().0;
    raise(&gauges.revision, revision);
    let waiting = store.find::<Request>(key::STATE, "pending").await?.len();
    gauges.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    gauges.unheard.set(i64::try_from(control.app().unheard().await?).unwrap_or(i64::MAX));
    let used = control.app().alarms().await?.len();
    gauges.emergencies.set(i64::try_from(used).unwrap_or(i64::MAX));
    let mut text = String::new();
    encode(&mut text, &metrics.registry)
        .map_err(|e| daypass_app::Problem::unavailable(format!("the metrics can't be written: {e}")))?;
    Ok(text)
}

/// A counter whose truth is elsewhere: it follows, and never falls.
fn raise(counter: &Counter<u64, AtomicU64>, to: u64) {
    counter.inner().fetch_max(to, std::sync::atomic::Ordering::Relaxed);
}
