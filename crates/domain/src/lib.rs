//! The words of Daypass and its state machines.
//!
//! Everything here is pure: no clock, no sockets, no randomness. Time and randomness are arguments. A lifecycle is an
//! enum whose variants carry their data; a transition consumes `self` and returns the next state and what must happen
//! because of it, or a refusal that names the state and the event.

pub mod approval;
pub mod change;
pub mod confirmation;
pub mod digest;
pub mod end;
pub mod grant;
pub mod id;
pub mod kit;
pub mod mail;
pub mod name;
pub mod notice;
pub mod principal;
pub mod request;
pub mod resource;
pub mod session;
pub mod signals;
pub mod statement;
pub mod time;
pub mod trust;

pub use digest::Digest;
pub use id::*;
pub use mail::{BadMailAddress, MailAddress};
pub use name::{BadName, Name};
pub use time::{Span, Time};
