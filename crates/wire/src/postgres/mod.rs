//! The PostgreSQL frontend/backend protocol, version 3.
//!
//! A connection begins with two handshakes, which are machines that their modules' pages show how to drive:
//!
//! - [`front`]: the client's door, up to ReadyForQuery; [`startup`] says what the client asked for, [`cancel`] what its cancel key is.
//! - [`back`]: the target's handshake.
//!
//! After them:
//!
//! - [`relay`]: passes everything on, and tells what is done; [`redact`] keeps passwords out of that.
//! - [`once`]: a client of our own, which runs one statement.
//!
//! Underneath:
//!
//! - [`frame`]: where messages begin and end.
//! - [`message`]: the few messages that we write ourselves; [`error`]: errors and notices.
//! - [`read`]: what a body holds.

pub mod back;
pub mod cancel;
pub mod error;
pub mod frame;
pub mod front;
pub mod message;
pub mod once;
mod outbox;
pub mod read;
pub mod redact;
mod refusals;
pub mod relay;
pub mod startup;
