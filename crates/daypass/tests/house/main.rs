//! The whole house: a real server, real command lines, a real PostgreSQL.

mod four_eyes;
mod story;
mod world;
