//! Signing in on a provider's word (OpenID Connect Core 1.0).
//!
//! | | |
//! | --- | --- |
//! | `attempt` | what is kept between going there and coming back: sealed, with whoever went |
//! | `begin` | going there, by a browser or another device, and coming back |
//! | `follow` | who that is here, and in which groups, as the trust allows |
//! | `logout` | the provider says that they are gone |
//!
//! The provider decides who somebody is, and what was declared ([`crate::trust`], I12) decides what that is good for. What it
//! says is taken at the sign-in and at its logout; between them nobody asks it, so it may be away.

mod attempt;
mod begin;
mod follow;
mod logout;

pub use attempt::Return;
pub(crate) use attempt::Spent;
pub use begin::{Began, Came, CameBack, DeviceBegan, Finished, FinishedInBrowser, ProviderView};
pub(crate) use follow::{session_digest, subject_digest};
pub(crate) use logout::LoggedOut;
