//! What Okta and Entra send, and what nobody should.

use std::collections::BTreeSet;

use daypass_scim::{FILTER_MOST, Filter, Group, Kind, MEMBERS_MOST, OPERATIONS_MOST, Patch, User};
use proptest::prelude::*;
use serde_json::{Value, json};

fn user() -> User {
    User { user_name: "alice".into(), external_id: Some("00u1".into()), display_name: None, active: true }
}

fn group(members: &[&str]) -> Group {
    let members = members.iter().map(ToString::to_string).collect();
    Group { display_name: "dba".into(), external_id: None, members }
}

fn patch(operations: Value) -> Patch {
    Patch::read(&json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}))
        .unwrap()
}

#[test]
fn every_way_of_saying_that_somebody_left_is_understood() {
    for operation in [
        json!({"op": "replace", "value": {"active": false}}),
        json!({"op": "Replace", "path": "active", "value": "False"}),
        json!({"op": "REPLACE", "path": "Active", "value": false}),
        json!({"op": "add", "path": "active", "value": "false"}),
        json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false}),
        json!({"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:active": "FALSE"}}),
        json!({"op": "remove", "path": "active"}),
    ] {
        let left = patch(json!([operation.clone()])).of_user(user()).unwrap();
        assert_eq!(left, User { active: false, ..user() }, "{operation}");
    }
    // What else is sent along doesn't keep somebody active.
    let more = json!([
        {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@example.com"},
        {"op": "Replace", "path": "name.givenName", "value": "A"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "x"},
        {"op": "Replace", "path": "active", "value": "False"},
    ]);
    assert!(!patch(more).of_user(user()).unwrap().active);
}

#[test]
fn every_way_of_changing_members_is_understood() {
    for (operation, is) in [
        (json!({"op": "Add", "path": "members", "value": [{"value": "3"}]}), &["1", "2", "3"][..]),
        (json!({"op": "add", "value": {"members": [{"value": "3"}]}}), &["1", "2", "3"]),
        (json!({"op": "replace", "path": "members", "value": [{"value": "3"}]}), &["3"]),
        (json!({"op": "remove", "path": "members[value eq \"1\"]"}), &["2"]),
        (json!({"op": "Remove", "path": "members", "value": [{"value": "2"}]}), &["1"]),
        (json!({"op": "remove", "path": "members"}), &[]),
        (json!({"op": "remove", "path": "members[value eq \"1\" or value eq \"2\"]"}), &[]),
    ] {
        assert_eq!(patch(json!([operation.clone()])).of_group(group(&["1", "2"])).unwrap(), group(is), "{operation}");
    }
}

#[test]
fn what_cannot_be_is_refused_under_its_name() {
    for (operation, kind) in [
        (json!({"op": "replace", "path": "isAdministrator", "value": true}), Kind::InvalidPath),
        (json!({"op": "replace", "path": "userName[", "value": "x"}), Kind::InvalidPath),
        (json!({"op": "replace", "path": "x".repeat(FILTER_MOST + 1), "value": "x"}), Kind::InvalidPath),
        (json!({"op": "replace", "path": "active", "value": 1}), Kind::InvalidValue),
        (json!({"op": "replace", "path": "userName", "value": null}), Kind::InvalidValue),
        (json!({"op": "replace", "path": "id", "value": "x"}), Kind::Mutability),
        (json!({"op": "replace", "value": "x"}), Kind::InvalidValue),
        (json!({"op": "replace", "path": "active"}), Kind::InvalidValue),
        (json!({"op": "remove"}), Kind::NoTarget),
        (json!({"op": "move", "path": "active"}), Kind::InvalidSyntax),
    ] {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [operation.clone()],
        });
        let refused = Patch::read(&body).and_then(|patch| patch.of_user(user())).unwrap_err();
        assert_eq!(refused.kind, kind, "{operation}: {refused}");
    }
}

#[test]
fn too_much_at_once_is_refused() {
    let operation = json!({"op": "replace", "path": "active", "value": true});
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": vec![operation; OPERATIONS_MOST + 1],
    });
    assert_eq!(Patch::read(&body).unwrap_err().kind, Kind::TooMany);
    let crowd: Vec<Value> = (0..=MEMBERS_MOST).map(|n| json!({"value": n.to_string()})).collect();
    assert_eq!(Group::read(&json!({"displayName": "x", "members": crowd})).unwrap_err().kind, Kind::TooMany);
    // In two steps as in one.
    let (half, rest) = crowd.split_at(MEMBERS_MOST / 2);
    let steps = json!([
        {"op": "add", "path": "members", "value": half},
        {"op": "add", "path": "members", "value": rest},
    ]);
    assert_eq!(patch(steps).of_group(group(&[])).unwrap_err().kind, Kind::TooMany);
    assert!(Filter::read(&"(".repeat(FILTER_MOST)).is_err());
    assert!(Filter::read(&format!("userName eq \"{}\"", "x".repeat(FILTER_MOST))).is_err());
}

#[test]
fn a_filter_means_whom_it_says() {
    let shown = Value::Object(user().show());
    for (filter, means) in [
        (r#"userName eq "ALICE""#, true),
        (r#"userName eq "bob""#, false),
        (r#"externalId eq "00u1""#, true),
        (r#"externalId eq "00U1""#, false),
        (r#"userName sw "al" and active eq true"#, true),
        (r#"active eq "True""#, true),
        (r#"not (active eq true)"#, false),
        (r#"displayName pr"#, false),
        (r#"displayName ne "x""#, true),
        (r#"title eq "x" or userName co "lic""#, true),
        (r#"emails[type eq "work"]"#, false),
    ] {
        assert_eq!(Filter::read(filter).unwrap().means(&shown), means, "{filter}");
    }
}

/// JSON such as could come, with the words that mean something among it.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "active",
            "members",
            "userName",
            "members[value eq \"1\"]",
            "False",
            "remove",
            "Add"
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec!["op", "path", "value", "active", "members", "userName", "Operations", "x"]);
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(ToOwned::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_taken_whole_or_refused(operations in prop::collection::vec(anything(), 0..5)) {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        if let Ok(patch) = Patch::read(&body) {
            if let Ok(user) = patch.of_user(user()) {
                prop_assert!(!user.user_name.trim().is_empty());
                prop_assert_eq!(User::read(&Value::Object(user.show())), Ok(user));
            }
            if let Ok(group) = patch.of_group(group(&["1", "2"])) {
                prop_assert_eq!(Group::read(&Value::Object(group.show())), Ok(group));
            }
        }
    }

    #[test]
    fn members_are_what_adding_and_removing_make_of_a_set(steps in prop::collection::vec((any::<bool>(), 0u8..6), 0..20)) {
        let mut is = BTreeSet::new();
        let mut operations = Vec::new();
        for (adds, who) in steps {
            let who = who.to_string();
            if adds {
                operations.push(json!({"op": "add", "path": "members", "value": [{"value": who}]}));
                is.insert(who);
            } else {
                operations.push(json!({"op": "remove", "path": format!("members[value eq \"{who}\"]")}));
                is.remove(&who);
            }
        }
        prop_assert_eq!(patch(json!(operations)).of_group(group(&[])).unwrap().members, is);
    }

    #[test]
    fn no_text_breaks_the_filter(text in ".{0,200}") {
        if let Ok(filter) = Filter::read(&text) {
            // Whatever it means: it means something, and doesn't panic.
            let _: bool = filter.means(&Value::Object(user().show()));
        }
    }
}
