//! Coming in on another's word: people by a provider, workloads by a token of their own.
//!
//! | | |
//! | --- | --- |
//! | `exchange` | a workload's token for one of ours (RFC 8693) |
//! | `people` | a command signs somebody in, by a browser or another device; a provider signs somebody out |
//!
//! Our own pages sign somebody in too: `pages/by_provider.rs`.

mod exchange;
mod people;

use daypass_app::entry::event;

use crate::route::{Access::Anybody, Route};

/// What a sign-in by a provider may write: it may change who somebody is, and so what they may have.
pub(crate) const ENTERS: &[&str] = &[
    event::SIGNED_IN,
    event::SIGN_IN_FAILED,
    event::LINKED,
    event::PROVISIONED,
    event::GROUPS_FOLLOWED,
    event::FOUR_EYES,
    event::REJUDGED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/token", Anybody, "A workload's own token for one of ours (RFC 8693)", exchange::exchange)
            .shows_a_secret()
            .writes(&[event::TOKEN_EXCHANGED, event::SIGN_IN_FAILED]),
        Route::get("/v1/signin/providers", Anybody, "The providers that people sign in by", people::providers),
        Route::post("/v1/signin/oidc/begin", Anybody, "Begin a sign-in by a provider", people::begin).only_looks(),
        Route::post("/v1/signin/oidc/finish", Anybody, "Finish a sign-in by a provider", people::finish)
            .shows_a_secret()
            .writes(ENTERS),
        Route::post("/signin/oidc/logout", Anybody, "A provider says that somebody signed out", people::logout)
            .shows_a_secret()
            .gives("text/plain")
            .writes(&[event::PROVIDER_SIGNED_OUT, event::SESSION_KILLED]),
    ]
}
