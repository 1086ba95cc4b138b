//! The REST API: `/v1`, JSON, errors as RFC 9457 problems, described by an OpenAPI 3.1 document that is made from the
//! same table as the router. And the pages: HTML that is made here, for people with a browser.
//!
//! An attacker holding this process holds Daypass; an attacker who reaches it holds nothing until they show a bearer
//! secret, or the cookie of a browser's sign-in. The API takes no cookies and the pages take no bearer secrets; a form is
//! taken from a page of our own only, so no other site can act for a signed-in browser.
//!
//! | to read | where |
//! | --- | --- |
//! | what a route is: method, path, who may, what it takes, gives and writes | [`route`] |
//! | all of them, in one table | [`routes`] |
//! | what happens to every request, in order | [`dispatch`] |
//! | AuthZEN: other products ask | `authzen/` |
//! | one verb | `<noun>/<verb>.rs`, or `<noun>/mod.rs` where a verb is a few lines |
//! | what people and programs are shown of the domain | `show/` |
//! | the pages | `pages/<page>.rs`, with `templates/<page>.html` |
//! | TLS, limits, graceful shutdown | [`serve()`] |

mod authzen;
pub mod body;
pub mod call;
mod changes;
mod directories;
pub mod dispatch;
mod emergency;
mod events;
pub mod fault;
mod grants;
mod groups;
mod headers;
mod health;
mod idempotent;
mod identity;
mod ledger;
mod me;
pub mod metrics;
mod notices;
mod openapi;
mod page;
mod pages;
mod people;
mod policy;
pub mod possession;
mod requests;
mod resources;
pub mod route;
pub mod routes;
mod scim;
mod serve;
mod sessions;
mod show;
mod signals;
mod signin;
pub mod state;
mod tokens;
mod trust;

pub use openapi::{is_described, openapi};
pub use routes::router;
pub use serve::{Certificates, Peer, Stopping, serve};
pub use show::statements::server_error;
pub use state::{GatewayNumbers, GatewayView, ServerInfo, State};
