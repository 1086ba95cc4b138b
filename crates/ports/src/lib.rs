//! Traits, one per noun, and the proofs that only a durable commit makes.

pub mod authority;
pub mod dial;
pub mod directories;
pub mod identity;
pub mod kits;
pub mod notices;
pub mod pages;
pub mod record;
pub mod rows;
pub mod secret;
pub mod signals;
pub mod store;
pub mod targets;
pub mod webauthn;
pub mod world;
