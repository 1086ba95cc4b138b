//! Listeners, leases, sessions, recording.

pub mod attempts;
pub mod cancel;
pub mod clock;
mod follow;
pub mod lease;
pub mod metrics;
pub mod recording;
pub mod sessions;
