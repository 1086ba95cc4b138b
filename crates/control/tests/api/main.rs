//! The API on a real store and real use cases; targets are nobody's subject here. In process, but for one test over TLS.

mod audit;
mod documents;
mod errors;
mod factors;
mod follow;
mod idempotency;
mod identity;
mod kits;
mod live;
mod matrix;
mod over_tls;
mod pages;
mod story;
mod things;
mod world;
