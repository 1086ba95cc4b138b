//! The API on a real store and real use cases; targets are nobody's subject here. In process, but for one test over TLS.

mod audit;
mod authzen;
mod confirm;
mod documents;
mod elsewhere;
mod endings;
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
mod products;
mod signals;
mod story;
mod svids;
mod things;
mod world;
