//! The calls about shared signals.

use daypass_api::{
    changes::Proposed,
    signals::{DeclareTransmitter, Signal, Transmitter, VerificationAsked},
};

use reqwest::Method;

use super::http::{Api, segment};
use crate::failure::Failure;

/// The declared transmitters.
pub async fn transmitters(api: &Api) -> Result<Vec<Transmitter>, Failure> {
    api.list("/v1/signals").await
}

/// Declares a transmitter.
pub async fn declare_transmitter(api: &Api, body: &DeclareTransmitter) -> Result<Proposed, Failure> {
    api.post("/v1/signals", body).await
}

/// Hears a transmitter no more.
pub async fn remove_transmitter(api: &Api, name: &str) -> Result<Proposed, Failure> {
    api.act(Method::DELETE, &format!("/v1/signals/{}", segment(name))).await
}

/// The last signals of a transmitter.
pub async fn signals_of(api: &Api, name: &str) -> Result<Vec<Signal>, Failure> {
    api.list(&format!("/v1/signals/{}/received", segment(name))).await
}

/// Asks a transmitter to show that its signals arrive.
pub async fn verify(api: &Api, name: &str) -> Result<VerificationAsked, Failure> {
    api.act(Method::POST, &format!("/v1/signals/{}/verify", segment(name))).await
}
