//! The policies that a new installation starts with.

use std::collections::BTreeMap;

use crate::PolicySet;

/// The starter policies: file name to text.
///
/// A reason and another person's approval for an hour at most; a reason alone for what is labelled a lab.
#[must_use]
pub fn starter_files() -> BTreeMap<String, String> {
    [
        ("access.cedar", include_str!("../starter/access.cedar")),
        ("administer.cedar", include_str!("../starter/administer.cedar")),
    ]
    .into_iter()
    .map(|(file, text)| (file.to_owned(), text.to_owned()))
    .collect()
}

/// The starter policies, parsed.
#[must_use]
pub fn starter() -> PolicySet {
    // The texts are part of this program, and a test parses them. If that ever failed, nothing would be permitted.
    PolicySet::parse(&starter_files()).unwrap_or_else(|_| PolicySet::empty())
}
