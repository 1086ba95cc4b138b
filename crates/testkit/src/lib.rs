//! What tests share: throwaway servers with the world that they find there, what mail and messages are sent to, an issuer
//! of tokens, a SPIFFE trust domain, a transmitter of signals, and a world that stands still.

pub mod authenticator;
pub mod certificate;
pub mod issuer;
pub mod mail;
pub mod pg;
mod python;
pub mod receiver;
pub mod spiffe;
pub mod still;
pub mod transmitter;

pub use daypass_scratch as scratch;
pub use pg::Pg;
