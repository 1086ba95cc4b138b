//! Throwaway PostgreSQL servers, for the demo and the tests.
//!
//! [`Scratch::start`] makes a server in a temporary folder, listening on loopback and a Unix socket, with TLS under a
//! certificate made for it and SCRAM passwords, ready to be used. It goes away with the value, and also when this
//! process dies in whatever way: a watchdog waits for the end of a pipe that only this process holds.
//!
//! Never for data of worth: durability is off unless asked for.

mod certificate;
mod copy;
mod error;
mod find;
mod folder;
mod options;
mod server;

pub use error::ScratchError;
pub use find::{Binaries, CHOSEN};
pub use options::{Durability, Encryption, Options};
pub use server::Scratch;
