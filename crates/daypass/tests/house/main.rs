//! The whole house: a real server, real command lines, a real PostgreSQL.

mod around;
mod bad_days;
mod clock;
mod conformance;
mod crash;
mod crowd;
mod disk;
mod emergency;
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
mod statements;
mod story;
mod web;
mod world;
