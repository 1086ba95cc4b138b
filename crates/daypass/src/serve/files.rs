//! How many files and connections the server may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files and connections the server wants to have open: those of the gateway twice (client and target), those of
/// the API, and its own.
const FILES: u64 = 16_384;

/// Raises the process's own limit on open files as far as the system lets it: many systems begin at 1,024, which a
/// thousand waiting clients would use up.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(FILES).min(FILES);
    if limit.current.is_none_or(|now| now >= most) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
