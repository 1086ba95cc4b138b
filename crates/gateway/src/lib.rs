//! Listeners, leases, sessions, recording.
//!
//! A connection goes through `door` (who is it, may it in), `session` (the target's handshake) and `pump` (the relay's
//! driver). What holds it meanwhile: `lease` and `leased` (no byte passes that may not), `sessions` (what can be cut),
//! `follow` (what has ended), `recording` (nothing passes that isn't written down).

mod attempts;
mod cancel;
pub mod clock;
mod door;
mod follow;
pub mod gateway;
mod lease;
mod leased;
pub mod metrics;
mod node;
mod pump;
pub mod recording;
mod session;
mod sessions;
mod spans;
mod statements;
mod upstream;
mod words;

pub use gateway::{Config, Gateway, GatewayHandle, Limits, StartError, World};
