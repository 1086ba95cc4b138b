//! Whether the process lives, whether it can do its work, what it is, and its numbers.

mod ready;

use axum::http::header;
use daypass_app::signin::Touch;
use daypass_ports::rows::TokenScope;

use crate::{
    body::Raw,
    call::Call,
    dispatch::caller_of,
    fault::Result,
    route::{
        Access::{Anybody, Scope},
        Route,
    },
};

pub(crate) use ready::Probe;

/// The media type of Prometheus' text format, as its scrapers ask for it.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const PEM: &str = "application/pem-certificate-chain";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/healthz", Anybody, "Whether the process lives", alive).gives(TEXT),
        Route::get("/readyz", Anybody, "Whether the server can do its work, and why not", ready::ready),
        Route::get(
            "/metrics",
            Anybody,
            "Numbers for Prometheus: from this machine, or with a token that may read",
            metrics,
        )
        .gives(METRICS),
        Route::get("/v1/authority.pem", Anybody, "The certificate authority of the API and the gateway", authority)
            .gives(PEM),
        Route::get("/v1/openapi.json", Anybody, "This description", openapi).gives(JSON),
    ]
}

async fn alive(_: Call) -> Result<Raw> {
    Ok(Raw::of(TEXT, "ok\n"))
}

async fn authority(call: Call) -> Result<Raw> {
    Ok(Raw::of(PEM, call.control.state.info.authority_pem.clone()))
}

async fn openapi(call: Call) -> Result<Raw> {
    Ok(Raw::of(JSON, call.control.openapi.clone()))
}

/// The numbers name nobody, and still tell how busy a place is: so they are for this machine, and for who may read.
async fn metrics(call: Call) -> Result<Raw> {
    if !call.peer.ip().is_loopback() || call.headers.contains_key(header::AUTHORIZATION) {
        let scope = Scope(TokenScope::Read);
        caller_of(&call.control, scope, &call.headers, &call.certificates, Touch::Alone).await?;
    }
    Ok(Raw::of(METRICS, crate::metrics::scrape(&call.control).await?))
}
