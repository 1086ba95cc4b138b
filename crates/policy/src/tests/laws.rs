//! What holds for every input and every policy set made of a pool: judging never panics, shelves change nothing, more
//! approvals never take away, and a decision says the same after JSON.

use cedar_policy::{Authorizer, Decision as CedarDecision};
use daypass_domain::{
    Span, Time,
    request::Purpose,
    resource::{Classification, Environment},
    signals::{Compliance, RiskLevel, Since},
};
use proptest::prelude::*;

use super::{asked, decision_id, directory, files, id, input, labelled, name, reasoned, resource, set, ticket};
use crate::{
    Act, Confirmed, Decision, Input, Lack, PolicySet, Scope, Service, Thing, Verdict, Word, Yes, answer,
    evaluate::Case, explain, judge, missing, missing::Factor, owner::Found, schema::PARSED, starter,
};

/// Permits, of all shapes that the schema allows.
const PERMITS: [&str; 11] = [
    r#"permit(principal, action == Action::"use", resource) when { context.now.quorums.contains(Quorum::"1 anyone") };"#,
    r#"permit(principal in Group::"dba", action == Action::"use", resource in Resource::"orders");"#,
    r#"permit(principal, action == Action::"use", resource == Role::"sandbox/readonly") when { context.asked.reason_given };"#,
    r#"permit(principal is Workload, action, resource) when { principal.owner in Group::"dba" };"#,
    r#"permit(principal, action == Action::"use", resource) when { context.asked has mfa_age_s && context.asked.mfa_age_s < 300 };"#,
    r#"permit(principal, action == Action::"use", resource) when { context.asked has ticket && context.asked.ticket like "OPS-*" && context.asked.duration_s <= 600 };"#,
    r#"permit(principal, action == Action::"use", resource) when { context.now.quorums.containsAll([Quorum::"2 anyone", Quorum::"1 dba-leads"]) };"#,
    r#"permit(principal, action in [Action::"view_sessions", Action::"revoke"], resource) when { context.now.weekday_utc <= 5 };"#,
    r#"permit(principal in Group::"administrators", action, resource);"#,
    r#"permit(principal is Workload, action == Action::"use", resource) when { context.now.owner_confirmed };"#,
    r#"permit(principal, action == Action::"use", resource in Resource::"sandbox") when { context.asked.reason_given && (context.now.owner_confirmed || context.now.quorums.contains(Quorum::"1 security")) };"#,
];

/// Forbids, one of which may overflow.
const FORBIDS: [&str; 6] = [
    r#"forbid(principal, action == Action::"use", resource in Resource::"orders") when { resource.resource.classification.contains(Classification::"phi") };"#,
    r#"forbid(principal, action == Action::"use", resource) when { context.asked.duration_s * 3000000000000000 > 0 && context.asked.for_other };"#,
    r#"forbid(principal, action, resource) when { principal.name == "frank" };"#,
    r#"forbid(principal, action, resource) when { context.now has risk_level && context.now.risk_level == Risk::"high" };"#,
    r#"forbid(principal is User, action == Action::"use", resource) unless { context.now has device_compliance && context.now.device_compliance == Compliance::"compliant" && context.now has device_age_s && context.now.device_age_s < 86400 };"#,
    r#"forbid(principal, action == Action::"use", resource) unless { context.now.quorums.contains(Quorum::"1 security") || context.asked.purpose == Purpose::"incident" };"#,
];

fn joined(policies: &[&str]) -> String {
    policies.join("\n")
}

fn policies(of: Vec<&'static str>) -> impl Strategy<Value = PolicySet> {
    let most = of.len();
    proptest::sample::subsequence(of, 0..=most).prop_map(|chosen| set(&joined(&chosen)))
}

pub(super) fn any_policies() -> impl Strategy<Value = PolicySet> {
    policies(PERMITS.into_iter().chain(FORBIDS).collect())
}

fn people() -> impl Strategy<Value = Vec<&'static str>> {
    let all = vec!["alice", "bob", "carol", "dave", "erin", "frank"];
    proptest::sample::subsequence(all, 0..=6)
}

prop_compose! {
    pub(super) fn any_input()(
        who in proptest::sample::select(vec!["alice", "bob", "erin", "frank", "nightly", "orphan", "gone"]),
        by in proptest::sample::select(vec!["alice", "erin"]),
        on in proptest::sample::select(vec!["orders", "sandbox"]),
        environment in proptest::sample::select(vec![Environment::Lab, Environment::Production]),
        phi in any::<bool>(),
        purpose in proptest::sample::select(Purpose::ALL.to_vec()),
        key in proptest::sample::select(vec![None, ticket("OPS-1"), ticket("X")]),
        factor in proptest::option::of(any::<i64>()),
        duration in any::<i64>(),
        at in any::<i64>(),
        approvers in people(),
        reason in any::<bool>(),
        confirmed in proptest::option::weighted(0.3, proptest::option::of(0..900_i64)),
        risk in proptest::option::of((proptest::sample::select(RiskLevel::ALL.to_vec()), any::<i64>())),
        device in proptest::option::of((proptest::sample::select(Compliance::ALL.to_vec()), any::<i64>())),
        act in 0..9_u8,
    ) -> Input {
        let mut labels = labelled(environment);
        labels.classification.extend(phi.then_some(Classification::Phi));
        labels.tags.insert(name("team"), name("billing"));
        let on = resource(on, labels);
        let mut wish = if reason { reasoned(who, &on) } else { asked(who, &on) };
        wish.requester = id(by);
        wish.requester_person = super::person(by);
        wish.purpose = purpose;
        wish.ticket = key;
        wish.second_factor_age_s = factor;
        wish.duration = Span::from_micros(duration);
        let mut input = input(wish, &on, &approvers);
        input.at = Time::from_micros(at);
        if let Act::Use(used) = &mut input.act {
            used.confirmation = confirmed.map(|second_factor_age_s| Confirmed { second_factor_age_s });
        }
        input.principal.told.risk = risk.map(|(what, at)| Since { what, at: Time::from_micros(at) });
        input.principal.told.device = device.map(|(what, at)| Since { what, at: Time::from_micros(at) });
        let (resource, second_factor_age_s) = (Thing::of(&on), factor);
        match act {
            0 => input.act = Act::Administer { subject: "policy".into(), second_factor_age_s },
            1 => input.act = Act::Revoke { resource, role: name("readonly"), second_factor_age_s },
            2 => input.act = Act::ViewSessions { resource, second_factor_age_s },
            3 => input.act = Act::ReadEvidence { scope: Scope::Resource { resource }, second_factor_age_s },
            4 => input.act = Act::ReadEvidence { scope: Scope::Installation, second_factor_age_s },
            5 | 6 => {
                let service = if act == 5 { Service::Decide } else { Service::RequestFor };
                input.act = Act::Serve { service, resource, role: name("readonly"), second_factor_age_s };
            }
            _ => {}
        }
        input
    }
}

/// One Cedar set with everything in it, and no shelves.
fn flat(policies: &PolicySet, input: &Input) -> Verdict {
    if !input.principal.active {
        return Verdict::Inactive;
    }
    let case = Case::of(input).unwrap();
    let request = case.request(&input.act, &policies.found(input)).unwrap();
    let all = crate::reading::read(policies.files()).unwrap().into_iter().map(|(p, _, _)| p);
    let all = cedar_policy::PolicySet::from_policies(all).unwrap();
    let response = Authorizer::new().is_authorized(&request, &all, case.entities());
    let mut refs: Vec<_> = response.diagnostics().reason().map(|id| policies.known(id).policy.clone()).collect();
    refs.sort();
    if response.diagnostics().errors().next().is_some() {
        return judge(policies, input);
    }
    match response.decision() {
        CedarDecision::Allow => Verdict::Permitted { policies: refs },
        CedarDecision::Deny if refs.is_empty() => Verdict::NotPermitted,
        CedarDecision::Deny => Verdict::Forbidden { policies: refs },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn shelves_change_nothing(policies in any_policies(), input in any_input()) {
        prop_assert_eq!(judge(&policies, &input), flat(&policies, &input));
    }

    #[test]
    fn facts_are_always_as_the_schema_says(input in any_input()) {
        let case = Case::of(&input).unwrap();
        let entities: Vec<_> = case.entities().iter().cloned().collect();
        prop_assert!(cedar_policy::Entities::from_entities(entities, Some(&PARSED)).is_ok());
        let found = Found { quorums: ["1 anyone".to_owned()].into(), confirmation: Word::Suffices };
        let request = case.request(&input.act, &found).unwrap();
        let [principal, action, resource] = [request.principal(), request.action(), request.resource()].map(|u| u.unwrap().clone());
        let checked = cedar_policy::Request::new(principal, action, resource, request.context().unwrap().clone(), Some(&PARSED));
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }

    #[test]
    fn i7_a_decision_says_the_same_after_json(policies in any_policies(), others in any_policies(), input in any_input()) {
        let made = Decision::make(decision_id(), &policies, input);
        let read: Decision = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        prop_assert_eq!(&read, &made);
        prop_assert_eq!(read.replay(&policies), made.verdict);
        prop_assert_eq!(read.replay(&others), judge(&others, &made.input));
    }

    #[test]
    fn one_more_approval_never_takes_away(policies in policies(PERMITS.to_vec()), input in any_input(), more in people()) {
        let before = judge(&policies, &input);
        let mut after = input;
        if let Act::Use(used) = &mut after.act {
            used.approvals.extend(more.into_iter().filter_map(|who| directory().yes_of(id(who))));
        }
        prop_assert!(!before.is_permitted() || judge(&policies, &after).is_permitted());
    }

    #[test]
    fn i8_approvals_of_parties_change_nothing(policies in any_policies(), input in any_input()) {
        let mut after = input.clone();
        if let Act::Use(used) = &mut after.act {
            let yes = |person| Yes { person, name: name("x"), groups: directory().group_names().cloned().collect() };
            used.approvals.push(yes(input.principal.person));
            used.approvals.push(yes(used.asked.requester));
            used.approvals.push(yes(used.asked.beneficiary));
        }
        prop_assert_eq!(judge(&policies, &input), judge(&policies, &after));
    }

    #[test]
    fn i2_who_is_disabled_is_permitted_nothing(policies in any_policies(), mut input in any_input()) {
        input.principal.active = false;
        prop_assert_eq!(judge(&policies, &input), Verdict::Inactive);
        prop_assert!(missing(&policies, &input, &directory()).ways.is_empty());
    }

    /// Every way is enough when it really comes true, and without any one of its things it isn't.
    #[test]
    fn each_way_is_enough_and_minimal(policies in any_policies(), input in any_input()) {
        let world = directory();
        let found = missing(&policies, &input, &world);
        prop_assert!(found.ways.is_empty() || !judge(&policies, &input).is_permitted());
        for way in &found.ways {
            let all: Vec<&Lack> = way.lacks.iter().collect();
            prop_assert!(judge(&policies, &granted(&input, &all)).is_permitted(), "{way} for {input:?}");
            for left_out in 0..all.len() {
                let mut others = all.clone();
                others.remove(left_out);
                // Everybody's approval could meet more than the quorum that is named, so it is tried only without any.
                if !others.iter().any(|l| matches!(l, Lack::Approvals { .. })) {
                    prop_assert!(!judge(&policies, &granted(&input, &others)).is_permitted(), "{way}, {left_out} for {input:?}");
                }
            }
        }
        let _ = (answer(&policies, &input, &world), explain(&policies, &input, &world));
    }
}

/// The input with these things really there: approvals by everybody who isn't a party.
fn granted(input: &Input, lacks: &[&Lack]) -> Input {
    let mut input = input.clone();
    for lack in lacks {
        let at = input.at;
        let told = &mut input.principal.told;
        match lack {
            Lack::SecondFactor { within } => input.act.set_second_factor_age_s(within.secs()),
            Lack::LowerRisk { at_most } => told.risk = Some(Since { what: *at_most, at }),
            Lack::CompliantDevice => told.device = Some(Since { what: Compliance::Compliant, at }),
            Lack::Assurance { level } => told.assurance = Some(Since { what: level.clone(), at }),
            Lack::Approvals { .. }
            | Lack::Confirmation { .. }
            | Lack::Reason
            | Lack::Ticket { .. }
            | Lack::ShorterTime { .. }
            | Lack::Purpose { .. } => {}
        }
        let Act::Use(used) = &mut input.act else { continue };
        match lack {
            Lack::Approvals { .. } => used.approvals = directory().voices().cloned().collect(),
            Lack::Confirmation { owner: _, factor } => {
                let second_factor_age_s = (*factor == Factor::Needed).then_some(0);
                used.confirmation = Some(Confirmed { second_factor_age_s });
            }
            Lack::Reason => used.asked.reason_given = true,
            Lack::Ticket { like } => {
                used.asked.ticket = ticket(&like.clone().unwrap_or("any".into()).replace('*', "7"));
            }
            Lack::ShorterTime { at_most } => used.asked.duration = *at_most,
            Lack::Purpose { purpose } => used.asked.purpose = *purpose,
            Lack::SecondFactor { .. } | Lack::LowerRisk { .. } | Lack::CompliantDevice | Lack::Assurance { .. } => {}
        }
    }
    input
}

/// Cedar skips a policy that fails; a `forbid` that overflows would vanish and the permit beside it win. // I2
#[test]
fn i2_a_forbid_that_overflows_is_a_no() {
    let overflow = r#"@id("everybody") permit(principal, action, resource);
        @id("too-long") forbid(principal, action == Action::"use", resource) when { context.asked.duration_s * 9223372036854775807 > 3600 };"#;
    let sandbox = resource("sandbox", labelled(Environment::Lab));
    let input = input(reasoned("alice", &sandbox), &sandbox, &["bob"]);
    let verdict = judge(&set(overflow), &input);
    insta::assert_snapshot!(verdict.to_string());
    assert!(
        matches!(answer(&set(overflow), &input, &directory()), crate::Answer::Refused { verdict: v } if v == verdict)
    );
    let permit = overflow.replace("forbid", "permit");
    assert_eq!(judge(&set(&permit), &input).word(), "failed", "a permit that fails is no smaller fault");
}

#[test]
fn no_policies_permit_nothing() {
    let sandbox = resource("sandbox", labelled(Environment::Lab));
    let input = input(reasoned("alice", &sandbox), &sandbox, &["bob", "carol"]);
    assert_eq!(judge(&PolicySet::empty(), &input), Verdict::NotPermitted);
    assert_eq!(judge(&PolicySet::parse(&files("// nothing")).unwrap(), &input), Verdict::NotPermitted);
    assert!(judge(&starter(), &input).is_permitted());
}

#[test]
fn hours_and_weekdays_are_those_of_utc() {
    let tuesday_ten =
        r#"permit(principal, action, resource) when { context.now.weekday_utc == 2 && context.now.hour_utc == 10 };"#;
    let sandbox = resource("sandbox", labelled(Environment::Lab));
    let mut input = input(reasoned("alice", &sandbox), &sandbox, &[]);
    assert!(judge(&set(tuesday_ten), &input).is_permitted());
    input.at = input.at + Span::from_mins(60);
    assert!(!judge(&set(tuesday_ten), &input).is_permitted());
    let thursday_midnight_1970 = tuesday_ten.replace("== 2", "== 4").replace("== 10", "== 0");
    input.at = Time::from_micros(0);
    assert!(judge(&set(&thursday_midnight_1970), &input).is_permitted());
    let before = tuesday_ten.replace("== 2", "== 3").replace("== 10", "== 23");
    input.at = Time::from_micros(-1);
    assert!(judge(&set(&before), &input).is_permitted());
}

#[test]
fn at_most_an_hour_is_not_half_a_second_more() {
    let sandbox = resource("sandbox", labelled(Environment::Lab));
    let mut wish = reasoned("alice", &sandbox);
    wish.duration = Span::from_mins(60);
    assert!(judge(&starter(), &input(wish.clone(), &sandbox, &[])).is_permitted());
    wish.duration = Span::from_micros(3_600_500_000);
    assert!(!judge(&starter(), &input(wish, &sandbox, &[])).is_permitted());
}

#[test]
fn policies_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&starter());
}
