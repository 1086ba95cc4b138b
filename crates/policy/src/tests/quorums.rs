//! Quorums against a brute force that tries every way to seat people. // I8

use std::collections::BTreeSet;

use daypass_domain::{
    Name, PrincipalId, Time,
    principal::{Kind, Person, Principal, Standing},
};
use proptest::prelude::*;

use super::{id, input, name, person, reasoned, resource};
use crate::{
    Quorum, Yes, judge,
    quorum::{BadQuorum, Source, Voices},
    tests::set,
};

const GROUPS: [&str; 3] = ["a", "b", "c"];

fn someone(n: u8) -> Person {
    let id = PrincipalId::new(Time::from_micros(0), [n; 10]);
    Principal { id, name: name("x"), kind: Kind::User, standing: Standing::Active }.person()
}

prop_compose! {
    fn yes()(n in 0..6_u8, groups in proptest::sample::subsequence(GROUPS.to_vec(), 0..=3)) -> Yes {
        Yes { person: someone(n), name: name("x"), groups: groups.into_iter().map(name).collect() }
    }
}

prop_compose! {
    fn quorum()(counts in proptest::array::uniform4(0..3_usize)
        .prop_filter("nobody", |c| c.iter().sum::<usize>() > 0)) -> Quorum
    {
        let sources = ["a", "b", "c", "anyone"];
        let parts = counts.iter().zip(sources).filter(|(n, _)| **n > 0).map(|(n, s)| format!("{n} {s}"));
        parts.collect::<Vec<_>>().join(", ").parse().unwrap()
    }
}

/// Tries every assignment of people to places.
fn seats(places: &[&Source], people: &[&Yes]) -> bool {
    let Some((first, rest)) = places.split_first() else { return true };
    (0..people.len()).any(|i| {
        let fits = match first {
            Source::Anyone => true,
            Source::Group(group) => people[i].groups.contains(group),
        };
        let others: Vec<&Yes> = people.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| *p).collect();
        fits && seats(rest, &others)
    })
}

fn places(quorum: &Quorum) -> Vec<&Source> {
    quorum.parts().iter().flat_map(|p| std::iter::repeat_n(&p.source, p.count)).collect()
}

proptest! {
    #[test]
    fn i8_met_is_what_trying_every_seating_says(quorum in quorum(), given in proptest::collection::vec(yes(), 0..7)) {
        let voices = Voices::of(&given, &[]);
        let people: Vec<&Yes> = voices.iter().collect();
        prop_assert_eq!(quorum.is_met(&voices), seats(&places(&quorum), &people));
    }

    #[test]
    fn i8_a_party_to_the_request_never_counts(quorum in quorum(), given in proptest::collection::vec(yes(), 0..7), party in 0..6_u8, theirs in yes()) {
        let parties = [someone(party)];
        let mut more = given.clone();
        more.push(Yes { person: someone(party), ..theirs });
        prop_assert_eq!(quorum.filled(&Voices::of(&given, &parties)), quorum.filled(&Voices::of(&more, &parties)));
    }

    #[test]
    fn i8_fewer_people_than_the_sum_never_suffice(quorum in quorum(), given in proptest::collection::vec(yes(), 0..7)) {
        let distinct: BTreeSet<Person> = given.iter().map(|y| y.person).collect();
        if quorum.is_met(&Voices::of(&given, &[])) {
            prop_assert!(distinct.len() >= quorum.people());
        }
    }

    #[test]
    fn i8_saying_yes_twice_changes_nothing(quorum in quorum(), given in proptest::collection::vec(yes(), 1..7)) {
        let twice: Vec<Yes> = given.iter().chain(&given).cloned().collect();
        prop_assert_eq!(quorum.filled(&Voices::of(&given, &[])), quorum.filled(&Voices::of(&twice, &[])));
    }

    #[test]
    fn one_more_person_never_hurts(quorum in quorum(), given in proptest::collection::vec(yes(), 0..7), more in yes()) {
        let voices = Voices::of(&given, &[]);
        let filled = quorum.filled(&voices);
        prop_assert!((filled..=filled + 1).contains(&quorum.filled(&voices.with(&more))));
    }

    #[test]
    fn what_is_implied_is_met(one in quorum(), other in quorum(), given in proptest::collection::vec(yes(), 0..7)) {
        let voices = Voices::of(&given, &[]);
        if one.implies(&other) && one.is_met(&voices) {
            prop_assert!(other.is_met(&voices));
        }
        prop_assert!(one.implies(&one));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}") {
        if let Ok(quorum) = text.parse::<Quorum>() {
            prop_assert!((1..=crate::quorum::PEOPLE_MAX).contains(&quorum.people()));
        }
    }
}

#[test]
fn an_unknown_group_is_never_met() {
    let quorum: Quorum = "1 nobody-made-this".parse().unwrap();
    let everybody: Vec<Yes> = super::directory().voices().cloned().collect();
    assert!(!quorum.is_met(&Voices::of(&everybody, &[])));
}

#[test]
fn texts_that_name_no_quorum_say_why() {
    let said: Vec<String> = [
        "",
        "two dba",
        "1",
        "1 ",
        "0 dba",
        "01 dba",
        "+1 dba",
        "1 DBA",
        "1 dba, 1 dba",
        "33 anyone",
        "1 dba,",
        "99999 dba",
        "20 a, 13 b",
    ]
    .iter()
    .map(|text| format!("{text:?}: {}", text.parse::<Quorum>().unwrap_err()))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!("2 a, 2 a".parse::<Quorum>(), Err(BadQuorum::Twice(Source::Group(name("a")))));
    let spaced: Quorum = "  1   a ,2 anyone ".parse().unwrap();
    assert_eq!((spaced.people(), spaced.groups().cloned().collect::<Vec<Name>>()), (3, vec![name("a")]));
}

/// One person in two groups fills one place; a workload's owner is the workload. // I8
#[test]
fn i8_people_are_counted_through_the_whole_of_judging() {
    let policies = set(r#"permit(principal, action == Action::"use", resource)
        when { context.now.quorums.contains(Quorum::"1 dba-leads, 1 security") };"#);
    let orders = resource("orders", daypass_domain::resource::Labels::default());
    let permitted = |who: &str, approvers: &[&str]| {
        judge(&policies, &input(reasoned(who, &orders), &orders, approvers)).is_permitted()
    };
    assert!(permitted("alice", &["bob", "carol"]));
    assert!(permitted("alice", &["carol", "bob"]));
    assert!(permitted("alice", &["carol", "dave"]));
    assert!(!permitted("alice", &["carol"]), "carol is in both groups, and one person");
    assert!(!permitted("alice", &["carol", "carol"]), "however often she says it");
    assert!(!permitted("bob", &["bob", "carol"]), "nobody approves for themselves");
    assert!(!permitted("alice", &["gone", "dave"]), "who is disabled has no say");
    assert!(!permitted("frank", &["nightly", "dave"]), "a workload has no say");
    let bobs = Yes { person: person("bob"), name: name("bob"), groups: [name("dba-leads")].into() };
    let mut theirs = input(reasoned("nightly", &orders), &orders, &["bob", "dave"]);
    assert!(judge(&policies, &theirs).is_permitted());
    assert_eq!(theirs.principal.person, person("alice"), "nightly is alice's");
    let crate::Act::Use(used) = &mut theirs.act else { unreachable!() };
    used.approvals[0] = Yes { person: person("alice"), ..bobs };
    assert!(!judge(&policies, &theirs).is_permitted(), "its owner is the workload");
    assert_eq!(id("alice"), person("alice").id());
}
