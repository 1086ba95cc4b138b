//! The client's side: what it keeps, how it speaks with a server, and what it demands of the log.

pub mod calls;
pub mod checkpoint;
pub mod connection;
pub mod http;
pub mod kits;
pub mod pin;
pub mod profile;
pub mod signals;
pub mod tiles;
