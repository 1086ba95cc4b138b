//! What people and programs are shown of the domain: names for ids, RFC 3339 for times, and no free text that the use
//! case didn't give for showing.

pub(crate) mod changes;
pub(crate) mod emergency;
pub(crate) mod grants;
pub(crate) mod notices;
pub(crate) mod policy;
pub(crate) mod requests;
pub(crate) mod resources;
pub(crate) mod sessions;
pub(crate) mod statements;

use daypass_api::Timestamp;
use daypass_domain::Time;

/// A time on its way out.
pub(crate) fn time(at: Time) -> Timestamp {
    Timestamp::from_micros(at.micros())
}

/// Names on their way out.
pub(crate) fn names<'a, N: ToString + 'a>(names: impl IntoIterator<Item = &'a N>) -> Vec<String> {
    names.into_iter().map(ToString::to_string).collect()
}
