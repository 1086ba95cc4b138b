//! Passkeys in a real browser: Chromium with a virtual authenticator, driven by WebDriver, in a window as large as a
//! phone's, against a real server and a real PostgreSQL.

mod browser;
#[path = "../pages/driver.rs"]
mod driver;
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
