//! The pages in a real browser: Chromium, driven by WebDriver, against a real server and a real PostgreSQL.

mod audit;
mod browser;
mod driver;
mod golden;
mod keys;
mod people;
mod story;

#[allow(dead_code)]
#[path = "../house/around.rs"]
mod around;
/// The API without a command line: what it offers is more than is needed here.
#[allow(dead_code)]
#[path = "../house/web.rs"]
mod web;
/// The world of the whole house: what it offers is more than is needed here.
#[allow(dead_code)]
#[path = "../house/world.rs"]
mod world;
