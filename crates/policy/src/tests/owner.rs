//! The owner's confirmation: what it gives, and what it never does. // I8

use daypass_domain::{
    Span, Time,
    confirmation::{Confirmation, Confirmed as Given},
    request::Request,
    resource::{Environment, Labels, Resource},
    signals::{RiskLevel, Since, Told},
};
use proptest::prelude::*;

use super::{
    NOW, asked, directory, id, labelled,
    laws::{any_input, any_policies},
    name, reasoned, request, resource, set,
};
use crate::{
    Act, Confirmed, Input, Lack, Party, PartyKind, PolicySet, Word, Yes, answer, explain, input::AskedFacts, judge,
    missing, missing::Factor,
};

/// What people of dba have at once, and everybody with an approval; a workload by its owner's confirmation too.
const POLICIES: &str = r#"
    @id("dba") permit(principal is User in Group::"dba", action == Action::"use", resource in Resource::"try-out")
        when { context.asked.reason_given && context.asked.duration_s <= 3600 };
    @id("approved") permit(principal, action == Action::"use", resource)
        when { context.asked.reason_given && context.now.quorums.contains(Quorum::"1 anyone") };
    @id("confirmed") permit(principal is Workload, action == Action::"use", resource)
        when { context.asked.reason_given && context.now.owner_confirmed };
"#;

fn try_out() -> Resource {
    resource("try-out", labelled(Environment::Development))
}

fn confirmed_by(who: &str, request: Request) -> Request {
    let confirmation = Confirmation {
        by: id(who),
        at: NOW,
        request_digest: request.asked.digest(),
        role_digest: request.role_digest,
        second_factor_age_s: None,
    };
    Request { confirmed: Given::Then(confirmation), ..request }
}

fn input(request: &Request, on: &Resource) -> Input {
    Input::for_request(request, on, &directory(), NOW).unwrap()
}

fn nightlys(on: &Resource) -> Request {
    request(reasoned("nightly", on), on, &[])
}

#[test]
fn i8_it_suffices_for_what_the_owner_could_have_at_once() {
    let (policies, on) = (set(POLICIES), try_out());
    let waits = input(&nightlys(&on), &on);
    insta::assert_snapshot!(explain(&policies, &waits, &directory()).lines.join("\n"));
    let confirmed = input(&confirmed_by("alice", nightlys(&on)), &on);
    assert!(judge(&policies, &confirmed).is_permitted());
    // Another resource is one that alice needs an approval for: so her word gives nothing there.
    let orders = resource("orders", Labels::default());
    let elsewhere = confirmed_by("alice", nightlys(&orders));
    assert!(!judge(&policies, &input(&elsewhere, &orders)).is_permitted());
    let ways = missing(&policies, &input(&nightlys(&orders), &orders), &directory()).ways;
    assert!(ways.iter().flat_map(|w| &w.lacks).all(|l| !matches!(l, Lack::Confirmation { .. })), "{ways:?}");
}

#[test]
fn i8_it_stands_for_what_it_named_only_and_by_the_owner_only() {
    let (policies, on) = (set(POLICIES), try_out());
    let permitted = |request: &Request, on: &Resource| judge(&policies, &input(request, on)).is_permitted();
    let fine = confirmed_by("alice", nightlys(&on));
    assert!(permitted(&fine, &on));
    assert!(!permitted(&confirmed_by("bob", nightlys(&on)), &on), "bob doesn't own it, though he could have it");
    let mut longer = fine.clone();
    longer.asked.duration = Span::from_mins(50);
    assert!(!permitted(&longer, &on), "the request is another one");
    let mut wider = on.clone();
    wider.roles.get_mut(&name("readonly")).unwrap().member_of.insert("app_owner".parse().unwrap());
    assert!(!permitted(&fine, &wider), "the role gives something else now");
    // Nobody confirms what they ask themselves, nor what somebody else asks for their workload.
    assert!(!permitted(&confirmed_by("alice", request(reasoned("frank", &on), &on, &[])), &on));
    let mut for_other = nightlys(&on);
    (for_other.asked.requester, for_other.asked.requester_person) = (id("bob"), super::person("bob"));
    assert!(!permitted(&confirmed_by("alice", for_other), &on));
    // Nobody who is disabled confirms anything.
    assert!(!permitted(&confirmed_by("gone", request(reasoned("orphan", &on), &on, &[])), &on));
}

#[test]
fn i8_a_policy_that_does_not_read_it_gives_nothing_by_it_and_a_forbid_stands() {
    let on = try_out();
    let confirmed = input(&confirmed_by("alice", nightlys(&on)), &on);
    let without = POLICIES.replace("context.now.owner_confirmed", "context.asked.ticket_given");
    assert!(!judge(&set(&without), &confirmed).is_permitted());
    let forbidden =
        format!(r#"{POLICIES} @id("no") forbid(principal is Workload, action == Action::"use", resource);"#);
    assert!(!judge(&set(&forbidden), &confirmed).is_permitted());
    // What forbids the owner leaves their word without weight.
    let owner =
        format!(r#"{POLICIES} @id("no") forbid(principal == User::"alice", action == Action::"use", resource);"#);
    assert!(!judge(&set(&owner), &confirmed).is_permitted());
}

#[test]
fn an_owner_who_needs_a_second_factor_confirms_with_it() {
    let fresh = r#"
        @id("dba") permit(principal is User in Group::"dba", action == Action::"use", resource)
            when { context.asked has mfa_age_s && context.asked.mfa_age_s <= 300 };
        @id("confirmed") permit(principal is Workload, action == Action::"use", resource) when { context.now.owner_confirmed };
    "#;
    let (policies, on) = (set(fresh), try_out());
    let mut waits = nightlys(&on);
    let found = missing(&policies, &input(&waits, &on), &directory());
    let wanted = Lack::Confirmation { owner: name("alice"), factor: Factor::Needed };
    assert_eq!(found.ways.iter().flat_map(|w| w.lacks.clone()).collect::<Vec<_>>(), [wanted]);
    for (age, permitted) in [(None, false), (Some(301), false), (Some(300), true)] {
        let Given::Then(confirmation) = confirmed_by("alice", waits.clone()).confirmed else { panic!() };
        waits.confirmed = Given::Then(Confirmation { second_factor_age_s: age, ..confirmation });
        assert_eq!(judge(&policies, &input(&waits, &on)).is_permitted(), permitted, "{age:?}");
    }
}

/// A signal is about the person behind the workload: what is supposed of it is supposed of the owner who is asked about.
#[test]
fn what_a_signal_would_have_to_say_goes_with_the_confirmation() {
    let high = r#"context.now has risk_level && context.now.risk_level == Risk::"high""#;
    let careful =
        format!(r#"{POLICIES} @id("high") forbid(principal, action == Action::"use", resource) when {{ {high} }};"#);
    let on = try_out();
    let mut waits = input(&nightlys(&on), &on);
    waits.principal.told = Told { risk: Some(Since { what: RiskLevel::High, at: NOW }), ..Told::default() };
    let ways = missing(&set(&careful), &waits, &directory()).ways;
    let wanted = [
        Lack::Confirmation { owner: name("alice"), factor: Factor::NotNeeded },
        Lack::LowerRisk { at_most: RiskLevel::Medium },
    ];
    assert!(ways.iter().any(|way| way.lacks == wanted), "{ways:?}");
}

#[test]
fn what_the_token_of_a_workload_says_is_not_the_owners() {
    let claims = r#"
        @id("from-main") permit(principal, action == Action::"use", resource)
            when { context.asked.claims.hasTag("ref") && context.asked.claims.getTag("ref") == "main" && principal is User };
        @id("confirmed") permit(principal is Workload, action == Action::"use", resource) when { context.now.owner_confirmed };
    "#;
    let on = try_out();
    let mut asks = asked("nightly", &on);
    asks.claims = daypass_domain::trust::Attributes::new([("ref".parse().unwrap(), Some("main".to_owned()))]).unwrap();
    let confirmed = confirmed_by("alice", request(asks, &on, &[]));
    assert!(!judge(&set(claims), &input(&confirmed, &on)).is_permitted());
    // Where the workload itself may have it for what its token says, it does.
    let own = claims.replace(" && principal is User", "");
    assert!(judge(&set(&own), &input(&confirmed, &on)).is_permitted());
}

#[test]
fn what_would_let_it_through_says_both_ways() {
    let (policies, on) = (set(POLICIES), try_out());
    let bare = input(&request(asked("nightly", &on), &on, &[]), &on);
    insta::assert_snapshot!(answer(&policies, &bare, &directory()).to_string());
}

/// What the owner would be asked about, written anew here: themselves, without approvals, by their own second factor.
fn of_the_owner(input: &Input) -> Option<Input> {
    let (Act::Use(used), PartyKind::Workload { owner }) = (&input.act, &input.principal.kind) else { return None };
    let confirmation = used.confirmation?;
    let world = directory();
    let owner: Party = world.party(owner.id)?;
    let mut theirs = input.clone();
    theirs.principal = owner;
    let Act::Use(asks) = &mut theirs.act else { return None };
    asks.approvals.clear();
    asks.confirmation = None;
    asks.asked = AskedFacts { second_factor_age_s: confirmation.second_factor_age_s, ..asks.asked.clone() };
    Some(theirs)
}

fn without(input: &Input) -> Input {
    let mut input = input.clone();
    if let Act::Use(used) = &mut input.act {
        used.confirmation = None;
    }
    input
}

fn confirms(policies: &PolicySet, input: &Input) -> bool {
    policies.owner_confirmed(input) == Word::Suffices
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever it gives, the owner could have had at once, by nobody's approval; and it is nothing to a person.
    #[test]
    fn i8_a_confirmation_never_suffices_where_the_owner_needs_an_approval(policies in any_policies(), input in any_input()) {
        let gives = judge(&policies, &input).is_permitted() && !judge(&policies, &without(&input)).is_permitted();
        prop_assert!(!gives || confirms(&policies, &input));
        if gives || confirms(&policies, &input) {
            let theirs = of_the_owner(&input);
            prop_assert!(theirs.as_ref().is_some_and(|theirs| judge(&policies, theirs).is_permitted()), "{theirs:?}");
        }
    }

    /// It fills no place of any quorum.
    #[test]
    fn i8_a_confirmation_counts_toward_no_quorum(policies in any_policies(), input in any_input()) {
        prop_assert_eq!(policies.quorums_met(&input), policies.quorums_met(&without(&input)));
    }

    /// What nobody confirms, or what policies don't read, changes nothing; approvals don't make a confirmation suffice.
    #[test]
    fn i8_approvals_lend_a_confirmation_nothing(policies in any_policies(), input in any_input(), at in any::<i64>()) {
        let mut more = input.clone();
        more.at = Time::from_micros(at);
        let mut fewer = more.clone();
        if let (Act::Use(more), Act::Use(fewer)) = (&mut more.act, &mut fewer.act) {
            more.approvals = directory().voices().cloned().collect::<Vec<Yes>>();
            fewer.approvals.clear();
        }
        prop_assert_eq!(confirms(&policies, &more), confirms(&policies, &fewer));
        prop_assert!(!confirms(&policies, &without(&input)));
    }
}

#[test]
fn it_is_part_of_what_a_decision_keeps() {
    let (policies, on) = (set(POLICIES), try_out());
    let made =
        crate::Decision::make(super::decision_id(), &policies, input(&confirmed_by("alice", nightlys(&on)), &on));
    let read: crate::Decision = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
    assert!(read.verdict.is_permitted() && read.replay(&policies).is_permitted(), "{read:?}");
    let Act::Use(used) = &read.input.act else { panic!() };
    assert_eq!(used.confirmation, Some(Confirmed { second_factor_age_s: None }));
}
