//! Tokens of a real issuer on a port of its own, and what hostile ones meet.

mod flow;
mod hostile;
mod issuer;
mod keys;
mod signals;
mod svid;
