//! chromedriver, on a free port.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

/// How often it is started anew: it takes a free port of IPv6 and wants the same of IPv4, which somebody else may have.
const TRIES: usize = 10;

/// Starts it with one more variable in its environment. Gives the port that it says it listens on.
pub fn start(name: &str, value: &OsStr) -> (Child, u16) {
    for _ in 0..TRIES {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .env(name, value)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: `cargo xtask setup test` installs it");
        if let Some(port) = port_of(&mut driver) {
            return (driver, port);
        }
        driver.wait().expect("it has ended");
    }
    panic!("chromedriver found no free port, {TRIES} times");
}

/// The port that it says it listens on; none when it ends without saying so.
fn port_of(driver: &mut Child) -> Option<u16> {
    let mut lines = BufReader::new(driver.stdout.take()?).lines().map_while(Result::ok);
    let port = lines.by_ref().find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // Whoever says more into a pipe that nobody reads would stop one day.
    thread::spawn(move || lines.for_each(drop));
    port
}
