//! Whatever a directory sends as a PATCH or a filter: nothing panics, what is taken keeps the bounds, and what is refused
//! has words.
#![no_main]

use std::collections::BTreeSet;

use daypass_scim::{Filter, Group, MEMBERS_MOST, Patch, TEXT_MOST, User};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(filter) = Filter::read(text)
    {
        filter.means(&Value::Object(user().show()));
        filter.means(&Value::Object(group().show()));
    }
    let Ok(body) = serde_json::from_slice::<Value>(input) else { return };
    let patch = match Patch::read(&body) {
        Ok(patch) => patch,
        Err(refusal) => return assert!(!refusal.what.is_empty()),
    };
    if let Ok(user) = patch.of_user(user()) {
        assert!(!user.user_name.trim().is_empty() && user.user_name.chars().count() <= TEXT_MOST);
        assert_eq!(User::read(&Value::Object(user.show())), Ok(user));
    }
    if let Ok(group) = patch.of_group(group()) {
        assert!(group.members.len() <= MEMBERS_MOST);
        assert_eq!(Group::read(&Value::Object(group.show())), Ok(group));
    }
});

fn user() -> User {
    User { user_name: "alice@example.com".into(), external_id: None, display_name: Some("Alice".into()), active: true }
}

fn group() -> Group {
    Group { display_name: "dba".into(), external_id: None, members: BTreeSet::from(["1".into(), "2".into()]) }
}
