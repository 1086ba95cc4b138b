//! Administering: each verb's happy path and refusals, on a real store, with a clock that is set by hand.

mod barred;
mod confirm;
mod emergency;
mod exchange;
mod factors;
mod four_eyes;
mod notices;
mod people;
mod policies;
mod resources;
mod signalled;
mod signals;
mod signin;
mod start;
mod statements;
mod svids;
mod tokens;
mod world;
