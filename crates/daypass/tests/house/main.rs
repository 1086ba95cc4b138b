//! The whole house: a real server, real command lines, a real PostgreSQL.

mod agent;
mod around;
mod authzen;
mod bad_days;
mod clock;
mod conformance;
mod crash;
mod crowd;
mod disk;
mod four_eyes;
mod job;
mod notices;
mod numbers;
mod oidc;
mod oidc_pages;
mod provider;
mod refusals;
mod regions;
mod scim;
mod signals;
mod statements;
mod story;
mod svid;
mod transmitter;
mod web;
mod world;
