//! What Daypass says to, and hears from, other people's services: notices, identity providers, tickets.
//!
//! One integration a file and one line in its registry. Each implements a trait of `ports`; nobody but `daypass` names this
//! crate, so that what another service expects stays in the file that speaks to it.

pub mod http;
pub mod notices;
pub mod oidc;
mod tls;
pub mod webauthn;
