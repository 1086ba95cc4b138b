//! Listeners, leases, sessions, recording.
