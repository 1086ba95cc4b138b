//! The calls about emergency kits.

use daypass_api::{
    changes::Proposed,
    emergency::{EmergencyKit, MakeKit, ReviewKit, RotateKit},
};
use reqwest::Method;

use super::http::{Api, segment};
use crate::failure::Failure;

/// The emergency kits.
pub async fn list(api: &Api) -> Result<Vec<EmergencyKit>, Failure> {
    api.list("/v1/emergency-kits").await
}

/// One emergency kit.
pub async fn show(api: &Api, id: &str) -> Result<EmergencyKit, Failure> {
    api.get(&format!("/v1/emergency-kits/{}", segment(id))).await
}

/// Makes an emergency kit.
pub async fn make(api: &Api, body: &MakeKit) -> Result<Proposed, Failure> {
    api.post("/v1/emergency-kits", body).await
}

/// Seals an emergency kit anew.
pub async fn rotate(api: &Api, id: &str, body: &RotateKit) -> Result<Proposed, Failure> {
    api.post(&format!("/v1/emergency-kits/{}/rotate", segment(id)), body).await
}

/// Reviews the use of an emergency kit.
pub async fn review(api: &Api, id: &str, words: String) -> Result<EmergencyKit, Failure> {
    api.post(&format!("/v1/emergency-kits/{}/review", segment(id)), &ReviewKit { words }).await
}

/// Takes an emergency kit away.
pub async fn remove(api: &Api, id: &str) -> Result<EmergencyKit, Failure> {
    api.act(Method::DELETE, &format!("/v1/emergency-kits/{}", segment(id))).await
}
