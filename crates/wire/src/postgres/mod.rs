//! The PostgreSQL frontend/backend protocol, version 3.
//!
//! - [`frame`]: where messages begin and end.
//! - [`message`]: the few messages that we write ourselves, and errors.
//! - [`read`]: what a body holds.

pub mod frame;
pub mod message;
pub mod read;
