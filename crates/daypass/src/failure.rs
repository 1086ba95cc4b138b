//! What the program answers when something didn't work, and the exit code that goes with it.

use std::{fmt, net::SocketAddr, path::Path};

/// Why a command didn't do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and why.
    pub what: String,
    /// What to do next; may be empty.
    pub next: String,
}

/// Exit codes, as `daypass --help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something else went wrong.
    Other = 1,
    /// The command line, a file or a setting makes no sense.
    Usage = 2,
    /// Policy or a person said no.
    Refused = 3,
    /// It waits for somebody; ask again.
    Pending = 4,
    /// You aren't signed in, or no longer.
    SignIn = 5,
    /// There is no such thing.
    NotFound = 6,
    /// The server can't be reached, or can't do it now.
    Unavailable = 7,
    /// Evidence doesn't hold: the log was changed, or isn't the one you know.
    Evidence = 8,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, what: impl fmt::Display, next: impl Into<String>) -> Self {
        Self { exit, what: what.to_string(), next: next.into() }
    }

    /// A setting or a command line that makes no sense.
    pub fn setting(what: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what, "")
    }

    /// The data folder can't be used.
    pub fn data(what: impl fmt::Display) -> Self {
        Self::new(Exit::Unavailable, what, "")
    }

    /// A file can't be read or written.
    pub fn file(path: &Path, why: &std::io::Error) -> Self {
        Self::new(Exit::Usage, format!("{}: {why}", path.display()), "")
    }

    /// An address can't be listened on.
    pub fn address(address: SocketAddr, why: &std::io::Error) -> Self {
        Self::new(
            Exit::Usage,
            format!("can't listen on {address}: {why}"),
            "free the port, or choose another in server.toml",
        )
    }

    /// Evidence doesn't hold.
    pub fn evidence(what: impl fmt::Display) -> Self {
        Self::new(Exit::Evidence, what, "keep what you have, and ask who changed it")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", self.next)?;
        }
        Ok(())
    }
}

impl From<daypass_app::Problem> for Failure {
    fn from(problem: daypass_app::Problem) -> Self {
        Self::new(Exit::Unavailable, problem.what, problem.next)
    }
}
