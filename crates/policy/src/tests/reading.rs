//! What is refused when policies are read, and what is only warned of.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::Name;

use super::{directory, files, set, shown};
use crate::{
    Place, PolicySet,
    set::{BYTES_MAX, FILES_MAX},
    starter, starter_files,
};

fn problems(text: &str) -> String {
    match PolicySet::parse(&files(text)) {
        Ok(_) => "fine\n".into(),
        Err(problems) => shown(&problems),
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_do() {
    let use_when = |condition: &str| {
        format!("// a comment\npermit(principal, action == Action::\"use\", resource) when {{\n  {condition}\n}};\n")
    };
    let cases: Vec<(&str, String)> = vec![
        ("unknown attribute", use_when("resource.sensitivity == \"high\"")),
        ("unknown label", use_when("resource.resource.environment == Environment::\"prod\"")),
        ("unknown class of data", use_when("resource.resource.classification.contains(Classification::\"gdpr\")")),
        ("unknown purpose", use_when("context.asked.purpose == Purpose::\"curiosity\"")),
        ("unknown action", "permit(principal, action == Action::\"borrow\", resource);".into()),
        ("unknown type", "permit(principal == Robot::\"r2\", action, resource);".into()),
        ("type error", use_when("context.asked.duration_s <= \"3600\"")),
        ("optional, not asked for first", use_when("context.asked.mfa_age_s < 300")),
        ("not there for this action", "permit(principal, action, resource) when { context.asked.reason_given };".into()),
        ("never applies", "forbid(principal, action == Action::\"use\", resource is Installation);".into()),
        ("syntax", "permit(principal, action, resource) when { context. };".into()),
        ("not a quorum", use_when("context.now.quorums.contains(Quorum::\"two dba\")")),
        ("twice in a quorum", use_when("context.now.quorums.contains(Quorum::\"1 dba, 1 dba\")")),
        ("template", "permit(principal == ?principal, action, resource);".into()),
        ("same id", "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") forbid(principal, action, resource);".into()),
        ("odd why", "@why(\"one\\ntwo\") permit(principal, action, resource);".into()),
        ("unknown annotation", "@when(\"one\") permit(principal, action, resource);".into()),
        ("two at once", "permit(principal, action, resource) when { principal.a };\n\n  permit(principal, action, resource) when { principal.b };".into()),
        ("letters that look alike", use_when("resource.name == \"оrders\"")),
        ("nests", format!("permit(principal, action, resource) when {{ {}true{} }};", "(".repeat(65), ")".repeat(65))),
        ("chains", format!("permit(principal, action, resource);\n permit(principal, action, resource) when {{ true{} }};", " && true".repeat(129))),
        ("dots", format!("permit(principal, action, resource) when {{ context{} }};", ".a".repeat(513))),
        ("long", format!("permit(principal, action, resource) when {{ \"{}\" == \"\" }};", "x".repeat(9_000))),
    ];
    let said: Vec<String> = cases.iter().map(|(what, text)| format!("-- {what}\n{}", problems(text))).collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// As long and as deep as is allowed, on the small stack of a test's thread.
#[test]
fn what_is_allowed_exhausts_no_stack() {
    let when = |condition: String| format!("permit(principal, action, resource) when {{ {condition} }};");
    let ands = when(format!("true{}", " && true".repeat(128)));
    let ors = when(format!("principal.name == \"x\"{}", "||principal.name == \"alice\"".repeat(63)));
    let ifs = when(format!("{} true", "if true then true else ".repeat(128)));
    let sums = when(format!("0{} == 128", "+1".repeat(128)));
    let deep = when(format!("{}true{}", "(".repeat(60), ")".repeat(60)));
    let whens = format!("permit(principal, action, resource) {};", "when{true}".repeat(700));
    for text in [ands, ors, ifs, sums, deep, whens] {
        let orders = super::resource("orders", daypass_domain::resource::Labels::default());
        let verdict = crate::judge(&set(&text), &super::input(super::reasoned("alice", &orders), &orders, &[]));
        assert_eq!(verdict.word(), "permitted", "{text}: {verdict}");
    }
    let dots = when(format!("context{}", ".a".repeat(512)));
    let has = when(format!("context has a{}", ".a".repeat(511)));
    for text in [dots, has] {
        assert!(problems(&text).starts_with("test.cedar:1:"), "{text}");
    }
}

#[test]
fn too_many_files_or_bytes_are_refused_unread() {
    let many = (0..=FILES_MAX).map(|n| (format!("{n}.cedar"), String::new())).collect();
    let big = files(&"/".repeat(BYTES_MAX + 1));
    let said: Vec<String> = [many, big].iter().map(|f| shown(&PolicySet::parse(f).unwrap_err())).collect();
    insta::assert_snapshot!(said.join(""));
}

#[test]
fn policies_are_named_by_id_or_place() {
    let text = "permit(principal, action, resource);\n@id(\"second\") @why(\"because\")\nforbid(principal, action, resource);\n@id(\"\") permit(principal, action, resource);";
    let named: Vec<String> = set(text).policies().map(ToString::to_string).collect();
    assert_eq!(named, ["second (because)", "test.cedar#1", "test.cedar#3"]);
}

#[test]
fn a_digest_covers_names_and_texts() {
    let (one, other) = (set("permit(principal, action, resource);"), set("permit(principal, action, resource); "));
    assert_ne!(one.digest(), other.digest());
    let renamed: BTreeMap<String, String> = [("other.cedar".to_owned(), one.files()["test.cedar"].clone())].into();
    assert_ne!(PolicySet::parse(&renamed).unwrap().digest(), one.digest());
    assert_eq!(PolicySet::parse(one.files()).unwrap().digest(), one.digest());
    assert_eq!(PolicySet::empty().digest(), PolicySet::parse(&BTreeMap::new()).unwrap().digest());
}

#[test]
fn the_starter_policies_read_and_warn_of_nothing() {
    assert_eq!(PolicySet::parse(&starter_files()).map(|s| s.digest()), Ok(starter().digest()));
    assert_eq!(starter().policies().count(), 8);
    assert_eq!(starter().warnings(&known_groups()), []);
}

fn known_groups() -> BTreeSet<Name> {
    directory().group_names().cloned().collect()
}

#[test]
fn what_may_be_meant_otherwise_is_warned_of() {
    let policies = set(r#"@id("typo") permit(principal in Group::"dba-lead", action == Action::"use", resource);
@id("no-such-people") permit(principal, action == Action::"use", resource)
when { context.now.quorums.contains(Quorum::"1 dba-leads, 1 auditors") };
@id("for-ever") permit(principal, action == Action::"use", resource) when { context.asked.reason_given };
@id("fine") permit(principal, action == Action::"use", resource) when { context.now.hour_utc < 18 };
@id("fine-too") forbid(principal, action == Action::"use", resource);"#);
    insta::assert_snapshot!(shown(&policies.warnings(&known_groups())));
}

#[test]
fn the_clock_is_looked_at_again_on_the_hour_where_policies_read_it() {
    let hours = set(r#"permit(principal, action, resource) when { context.now.hour_utc < 18 };"#);
    let half_past = super::NOW + daypass_domain::Span::from_mins(30);
    assert_eq!(hours.next_change(half_past), Some(super::NOW + daypass_domain::Span::from_mins(60)));
    assert_eq!(starter().next_change(half_past), None);
}

#[test]
fn places_count_characters_from_one() {
    assert_eq!(Place::of("äö\nü=", 5), Place { line: 2, column: 1 });
    assert_eq!(Place::of("äö\nü=", 7), Place { line: 2, column: 2 });
    assert_eq!(Place::of("ab", 99), Place { line: 1, column: 3 });
    assert_eq!(Place::of("ä", 1), Place::START);
}
