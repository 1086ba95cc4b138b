//! What people read on a terminal. Everything that came from outside is escaped before it gets here.

use std::io::{IsTerminal, Write};

/// A line on standard output. A closed pipe is no error: the reader has seen enough.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Text on standard output as it is, with its own line ends.
pub fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// A line on standard error: progress, warnings, hints.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether standard output is a terminal that wants colours (<https://no-color.org>).
#[must_use]
pub fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Text from outside, with control characters and the ones that reorder text escaped.
#[must_use]
pub fn shown(text: &str) -> String {
    daypass_ports::targets::Shown(text).to_string()
}

/// Tells systemd how it stands, where it started us (sd_notify(3)).
pub fn tell_systemd(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = std::os::unix::net::UnixDatagram::unbound().and_then(|s| s.send_to(state.as_bytes(), path));
    if let Err(error) = told {
        tracing::debug!(%error, "systemd can't be told");
    }
}
