//! Sans-IO protocol machines: no sockets, no clock, no randomness of their own.
//!
//! Every machine takes bytes, and gives outputs for a driver to perform. Time and
//! random bytes are arguments, so a test, a fuzzer or a simulator can be the driver.
//!
//! - [`scram`]: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides.
//! - [`postgres`]: the PostgreSQL frontend/backend protocol, version 3: the client's door, the target's
//!   handshake, and the relay between them.
//! - [`mcp`]: the Model Context Protocol, as a server of tools speaks it over stdio.
//! - [`jwt`]: signed tokens as they come from outside, read and not yet believed.
//! - [`spiffe`]: a SPIFFE trust domain's authorities, as it writes them.
//! - [`secevent`]: security event tokens, and what is said where they are polled.

pub mod jwt;
pub mod mcp;
pub mod postgres;
pub mod scram;
pub mod secevent;
pub mod spiffe;
