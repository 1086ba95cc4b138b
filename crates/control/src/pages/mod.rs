//! The pages: HTML made here, for people with a browser and nothing installed. Each page is a file, and each calls the use
//! cases that the REST handlers call: there is no second logic.
//!
//! They work without JavaScript. With it, the verdict is said while a request is filled in, countdowns count, and a page
//! gets itself anew when something moves.
//!
//! | to read | where |
//! | --- | --- |
//! | the frame of every page, its headers, redirects | `shell` |
//! | the cookie that a sign-in is kept in | `cookie` |
//! | going to a provider, and coming back | `by_provider` |
//! | how a form of another site is told from one of ours | `forgery` |
//! | what went wrong, as a page | `refusal` |
//! | style and script | `assets`, `crates/control/assets/` |
//! | what tells a page that something moved | `live` |
//! | how a page asks for a second factor | `step_up` |
//! | one page | `<page>.rs`, with `templates/<page>.html` |

mod access;
mod ask;
mod assets;
mod by_provider;
mod changes;
mod cookie;
mod emergency;
mod factors;
mod forgery;
mod inbox;
mod live;
mod refusal;
mod request;
mod secret;
mod sessions;
mod shell;
mod sign_in;
mod step_up;
mod welcome;
mod words;

pub(crate) use cookie::{read as cookie, touch};
pub(crate) use forgery::{from_own_site, own_form};
pub(crate) use refusal::refusal;

use crate::route::Route;

pub(crate) fn routes() -> Vec<Route> {
    let all = [
        assets::routes(),
        sign_in::routes(),
        by_provider::routes(),
        welcome::routes(),
        access::routes(),
        secret::routes(),
        factors::routes(),
        ask::routes(),
        request::routes(),
        inbox::routes(),
        sessions::routes(),
        changes::routes(),
        emergency::routes(),
        live::routes(),
    ];
    all.into_iter().flatten().map(Route::for_browsers).collect()
}
