//! From the domain to the facts of a judgement.

use daypass_domain::{
    Digest, PayloadId, Span,
    approval::{Narrowing, Picked},
    request::{Asked, Start},
    resource::{Labels, Role},
    statement::Wants,
};

use super::{NOW, asked, directory, id, input, name, person, reasoned, request, resource, set};
use crate::{Act, BadFacts, Input, PartyKind, Use, input::standing_approvals, judge};

fn used(input: Input) -> Use {
    match input.act {
        Act::Use(used) => *used,
        act => panic!("{act:?}"),
    }
}

#[test]
fn what_approvers_narrowed_is_what_is_judged() {
    let orders = resource("orders", Labels::default());
    let wide = Asked { role: name("readwrite"), ..reasoned("alice", &orders) };
    let mut request = request(wide, &orders, &["bob", "carol"]);
    let picked = |role: &str| {
        let digest = orders.roles.get(&name(role)).map_or(request.role_digest, |r| r.digest(&orders));
        Some(Picked { role: name(role), digest })
    };
    let (readonly, superuser) = (picked("readonly"), picked("superuser"));
    request.approvals[0].narrowing = Narrowing { duration: Some(Span::from_mins(10)), role: readonly };
    let facts = used(Input::for_request(&request, &orders, &directory(), NOW).unwrap());
    assert_eq!((facts.role, facts.asked.duration), (name("readonly"), Span::from_mins(10)));
    assert_eq!(facts.approvals.len(), 2, "a narrowing voids nobody's approval"); // I8
    request.approvals[0].narrowing.role = superuser;
    let refused = Input::for_request(&request, &orders, &directory(), NOW);
    assert_eq!(refused, Err(BadFacts::NotNarrower { asked: name("readwrite"), picked: name("superuser") }));
}

#[test]
fn i8_an_approval_stands_for_what_it_named_only() {
    let orders = resource("orders", Labels::default());
    let fine = request(reasoned("alice", &orders), &orders, &["bob", "gone", "nightly"]);
    let names = |r: &daypass_domain::request::Request, on| {
        standing_approvals(r, on, &directory()).into_iter().map(|y| y.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&fine, &orders), ["bob"], "not the disabled one, not the workload");
    let mut longer = fine.clone();
    longer.asked.duration = Span::from_mins(61);
    assert!(names(&longer, &orders).is_empty(), "the request is another one");
    let mut wider = orders.clone();
    wider.roles.get_mut(&name("readonly")).unwrap().member_of.insert("app_owner".parse().unwrap());
    assert!(names(&fine, &wider).is_empty(), "the role gives something else now");
}

#[test]
fn i8_a_picked_role_is_approved_as_it_was_picked() {
    let mut orders = resource("orders", Labels::default());
    let second = orders.roles[&name("readonly")].clone();
    orders.roles.insert(name("reports"), Role { member_of: ["app_reports".parse().unwrap()].into(), ..second });
    orders.roles.get_mut(&name("readwrite")).unwrap().narrower.insert(name("reports"));
    let wide = Asked { role: name("readwrite"), ..reasoned("alice", &orders) };
    let mut request = request(wide, &orders, &["bob", "carol"]);
    let picked = |role: &str| Some(Picked { role: name(role), digest: orders.roles[&name(role)].digest(&orders) });
    let names = |r: &daypass_domain::request::Request, on| {
        standing_approvals(r, on, &directory()).into_iter().map(|y| y.name.to_string()).collect::<Vec<_>>()
    };
    request.approvals[0].narrowing.role = picked("readonly");
    assert_eq!(names(&request, &orders), ["bob", "carol"], "carol's yes to more covers it");
    let mut wider = orders.clone();
    wider.roles.get_mut(&name("readonly")).unwrap().member_of.insert("app_owner".parse().unwrap());
    assert_eq!(names(&request, &wider), ["carol"], "what bob picked gives something else now");
    request.approvals[1].narrowing.role = picked("reports");
    assert_eq!(names(&request, &orders), ["carol"], "bob said yes to readonly, which isn't reports");
}

#[test]
fn facts_that_are_not_there_are_errors() {
    let (orders, other) = (resource("orders", Labels::default()), resource("other", Labels::default()));
    let of = |asked: Asked, on| Input::for_request(&request(asked, &orders, &[]), on, &directory(), NOW);
    let there = asked("alice", &orders);
    assert_eq!(of(there.clone(), &other), Err(BadFacts::OtherResource { asked: orders.id, given: other.id }));
    let mut without = orders.clone();
    without.roles.clear();
    let unknown = BadFacts::UnknownRole { resource: name("orders"), role: name("readonly") };
    assert_eq!(of(there.clone(), &without), Err(unknown));
    let stranger = daypass_domain::PrincipalId::new(NOW, [77; 10]);
    assert_eq!(of(Asked { beneficiary: stranger, ..there }, &orders), Err(BadFacts::UnknownPrincipal(stranger)));
}

#[test]
fn a_workload_is_as_active_as_its_owner() {
    let world = directory();
    assert!(world.party(id("nightly")).unwrap().active);
    assert!(!world.party(id("orphan")).unwrap().active);
    assert!(!world.party(id("gone")).unwrap().active);
    let PartyKind::Workload { owner } = world.party(id("nightly")).unwrap().kind else { panic!() };
    assert_eq!((owner.id, owner.groups), (id("alice"), [name("dba")].into()));
}

#[test]
fn the_start_is_counted_from_the_asking() {
    let orders = resource("orders", Labels::default());
    let later = Asked { start: Start::At { time: NOW + Span::from_mins(30) }, ..asked("alice", &orders) };
    let facts = used(input(later, &orders, &[]));
    assert_eq!(facts.asked.start_in, Span::from_mins(30));
    assert_eq!((facts.asked.requester, facts.asked.reason_given), (person("alice"), false));
}

#[test]
fn a_policy_tells_one_statement_from_sessions() {
    let orders = resource("orders", Labels::default());
    let policies = set(r#"
        @id("statement") permit(principal, action == Action::"use", resource) when { context.asked.one_statement && context.now.quorums.contains(Quorum::"1 anyone") };
        @id("session") permit(principal, action == Action::"use", resource) when { context.now.quorums.contains(Quorum::"2 anyone") };
    "#);
    let at = PayloadId::new(NOW, [8; 10]);
    let wants = Wants::Statement { at, digest: Digest::of(b"SELECT 1") };
    let statement = Asked { wants, ..reasoned("alice", &orders) };
    let permitted = |asked: &Asked| judge(&policies, &input(asked.clone(), &orders, &["bob"])).is_permitted();
    assert!(permitted(&statement));
    assert!(!permitted(&reasoned("alice", &orders)));
    // I8: what was approved is that statement, to the byte.
    let mut other = request(statement.clone(), &orders, &["bob"]);
    other.asked.wants = Wants::Statement { at, digest: Digest::of(b"SELECT 2") };
    let changed = Input::for_request(&other, &orders, &directory(), NOW).unwrap();
    assert!(!judge(&policies, &changed).is_permitted());
}
