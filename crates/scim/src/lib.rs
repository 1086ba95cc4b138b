//! SCIM 2.0 (RFC 7643, RFC 7644) as plain data: what a directory says of a user or a group, what a PATCH makes of it, and
//! which of them a filter means. Pure: JSON in, JSON out.
//!
//! | file | what |
//! | --- | --- |
//! | [`resource`] | users and groups, read from and shown as JSON |
//! | [`patch`] | PATCH, with the habits of Okta and Entra (RFC 7644, 3.5.2) |
//! | [`path`] | what an attribute path names |
//! | [`filter`] | filters (RFC 7644, 3.4.2.2) |
//! | [`schema`] | what the server says of itself (RFC 7643, 5 to 7) |
//!
//! Little is kept of a person: the name that their directory knows them by, its id for them, a name to show, and whether
//! they work here. Everything else that directories send (addresses, telephone numbers, titles, passwords) is passed over
//! and never stored.

pub mod filter;
pub mod patch;
pub mod path;
pub mod refusal;
pub mod resource;
pub mod schema;

pub use filter::Filter;
pub use patch::Patch;
pub use refusal::{Kind, Refusal, Result};
pub use resource::{Group, User};

/// The longest text of an attribute, in characters.
pub const TEXT_MOST: usize = 256;
/// The most members that one group has, or that one operation names.
pub const MEMBERS_MOST: usize = 10_000;
/// The most operations in one PATCH.
pub const OPERATIONS_MOST: usize = 1_000;
/// The longest path or filter, in bytes.
pub const FILTER_MOST: usize = 1_000;
