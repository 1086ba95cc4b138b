//! The whole house: a real server, real command lines, a real PostgreSQL.

mod bad_days;
mod crash;
mod four_eyes;
mod regions;
mod story;
mod world;
