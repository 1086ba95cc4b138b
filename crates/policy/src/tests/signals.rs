//! What transmitters of signals said, as policies read it.

use daypass_domain::{
    Span,
    resource::{Labels, Resource},
    signals::{AssuranceLevel, Compliance, RiskLevel, Since, Told},
};

use super::{NOW, asked, directory, id, input, resource, set};
use crate::{Decision, GuardRefusal, Input, answer, judge, refuse_unlabelled_without_approval};

fn orders() -> Resource {
    resource("orders", Labels::default())
}

fn told(who: &str, told: Told) -> Input {
    let mut input = input(asked(who, &orders()), &orders(), &["bob"]);
    input.principal.told = told;
    input
}

fn risk(what: RiskLevel) -> Told {
    Told { risk: Some(Since { what, at: NOW - Span::from_mins(5) }), ..Told::default() }
}

fn device(what: Compliance, ago: Span) -> Told {
    Told { device: Some(Since { what, at: NOW - ago }), ..Told::default() }
}

fn when(condition: &str) -> crate::PolicySet {
    set(&format!(
        "permit(principal, action == Action::\"use\", resource) when {{ context.now.quorums.contains(Quorum::\"1 anyone\") && \
         {condition} }};"
    ))
}

const FRESH_DEVICE: &str = "context.now has device_compliance && context.now.device_compliance == \
                            Compliance::\"compliant\" && context.now has device_age_s && \
                            context.now.device_age_s <= 86400";
const NO_HIGH_RISK: &str = "!(context.now has risk_level && context.now.risk_level == Risk::\"high\")";

#[test]
fn what_is_said_permits_and_forbids_and_does_not_lapse() {
    let permitted = |policy: &str, of: Told| judge(&when(policy), &told("alice", of)).is_permitted();
    assert!(permitted(NO_HIGH_RISK, Told::default()) && permitted(NO_HIGH_RISK, risk(RiskLevel::Medium)));
    assert!(!permitted(NO_HIGH_RISK, risk(RiskLevel::High)));
    let old =
        Told { risk: Some(Since { what: RiskLevel::High, at: NOW - Span::from_mins(1_000_000) }), ..Told::default() };
    assert!(!permitted(NO_HIGH_RISK, old), "silence doesn't make bad news good");
    let day = Span::from_mins(24 * 60);
    assert!(permitted(FRESH_DEVICE, device(Compliance::Compliant, day)));
    assert!(
        !permitted(FRESH_DEVICE, device(Compliance::Compliant, Span::from_secs(24 * 60 * 60 + 1))),
        "good news gets old"
    );
    assert!(!permitted(FRESH_DEVICE, device(Compliance::NotCompliant, Span::ZERO)));
    assert!(!permitted(FRESH_DEVICE, Told::default()), "nobody said anything");
    // A time to come is now.
    let ahead = Told { device: Some(Since { what: Compliance::Compliant, at: NOW + day }), ..Told::default() };
    assert!(permitted("context.now has device_age_s && context.now.device_age_s == 0", ahead));
}

#[test]
fn a_workload_is_told_of_as_its_owner_is() {
    let world = directory().telling([(id("alice"), risk(RiskLevel::High))].into());
    assert_eq!(world.party(id("nightly")).unwrap().told, risk(RiskLevel::High));
    assert_eq!(world.party(id("bob")).unwrap().told, Told::default());
}

#[test]
fn a_decision_keeps_what_was_said_and_one_of_before_reads() {
    let decision = Decision::make(super::decision_id(), &when(NO_HIGH_RISK), told("alice", risk(RiskLevel::High)));
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(serde_json::from_value::<Decision>(json.clone()).unwrap(), decision); // I7
    let silent = serde_json::to_value(told("alice", Told::default())).unwrap();
    assert!(silent["principal"].get("told").is_none(), "decisions of before are as they were");
    assert!(serde_json::from_value::<Input>(silent).is_ok());
}

#[test]
fn what_a_signal_would_have_to_say_is_said_in_plain_words() {
    let assurance = "context.now has assurance_level && context.now.assurance_level == \"NIST-AAL/nist-aal2\"";
    let listed = "context.now has assurance_level && [\"2\", \"3\"].contains(context.now.assurance_level)";
    let low = "context.now has risk_level && context.now.risk_level == Risk::\"low\"";
    let level = AssuranceLevel::new(Some("NIST-AAL"), "nist-aal1").unwrap();
    let weak = Told { assurance: Some(Since { what: level, at: NOW }), ..Told::default() };
    let cases = [
        ("a high risk", NO_HIGH_RISK, risk(RiskLevel::High)),
        ("a medium risk where it must be low", low, risk(RiskLevel::Medium)),
        ("a device that doesn't comply", FRESH_DEVICE, device(Compliance::NotCompliant, Span::ZERO)),
        ("a device of which nobody says anything", FRESH_DEVICE, Told::default()),
        ("a device that complied long ago", FRESH_DEVICE, device(Compliance::Compliant, Span::from_mins(10_000))),
        ("a weak assurance", assurance, weak),
        ("one of a list", listed, Told::default()),
    ];
    let rows: Vec<String> = cases
        .into_iter()
        .map(|(what, policy, of)| format!("{what}: {}", answer(&when(policy), &told("alice", of), &directory())))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn what_a_signal_says_is_no_approval_for_what_nobody_labelled() {
    for condition in [
        "context.now has risk_level && context.now.risk_level == Risk::\"low\"",
        "context.now has device_compliance && context.now.device_compliance == Compliance::\"compliant\"",
        "context.now has device_age_s && context.now.device_age_s > 1000000",
        "context.now has assurance_level && context.now.assurance_level == \"NIST-AAL/nist-aal2\"",
        "context.now has risk_age_s && context.now.risk_age_s == 77 && context.now.hour_utc == 3",
    ] {
        let policy = set(&format!("permit(principal, action == Action::\"use\", resource) when {{ {condition} }};"));
        let refused = refuse_unlabelled_without_approval(&policy);
        assert!(matches!(refused, Err(GuardRefusal::Permits { .. })), "{condition}: {refused:?}");
    }
    assert_eq!(refuse_unlabelled_without_approval(&when(FRESH_DEVICE)), Ok(()));
}

#[test]
fn what_reads_ages_may_change_with_each_second() {
    assert_eq!(when(FRESH_DEVICE).next_change(NOW), Some(NOW + Span::from_secs(1)));
    assert_eq!(when(NO_HIGH_RISK).next_change(NOW), None);
}
