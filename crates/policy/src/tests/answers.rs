//! What people are answered.

use daypass_domain::{
    Span,
    request::Asked,
    resource::{Environment, Labels, Resource},
};

use super::{NOW, asked, directory, id, input, labelled, name, person, reasoned, resource, set, ticket};
use crate::{Act, Input, Scope, Service, Thing, answer, explain, judge, starter, who};

fn act(who: &str, act: Act) -> Input {
    Input { at: NOW, principal: directory().party(id(who)).unwrap(), act }
}

/// Everything that the starter policies answer, as a table.
#[test]
fn the_starter_policies_answer() {
    let (orders, sandbox) = (resource("orders", Labels::default()), resource("sandbox", labelled(Environment::Lab)));
    let development = resource("try-out", labelled(Environment::Development));
    let long = |asked: Asked| Asked { duration: Span::from_mins(90), ..asked };
    let uses: Vec<(&str, &Resource, Asked, &[&str])> = vec![
        ("lab, nothing said", &sandbox, asked("alice", &sandbox), &[]),
        ("lab, a reason", &sandbox, reasoned("alice", &sandbox), &[]),
        ("lab, a reason, 90 min", &sandbox, long(reasoned("alice", &sandbox)), &[]),
        ("lab, a workload", &sandbox, reasoned("nightly", &sandbox), &[]),
        ("lab, disabled", &sandbox, reasoned("gone", &sandbox), &[]),
        ("lab, owner disabled", &sandbox, reasoned("orphan", &sandbox), &[]),
        ("unlabelled, nothing said", &orders, asked("alice", &orders), &[]),
        ("unlabelled, a reason", &orders, reasoned("alice", &orders), &[]),
        ("unlabelled, approved", &orders, asked("alice", &orders), &["bob"]),
        ("unlabelled, a reason, approved", &orders, reasoned("alice", &orders), &["bob"]),
        ("unlabelled, a reason, self-approved", &orders, reasoned("alice", &orders), &["alice"]),
        ("unlabelled, a reason, 90 min, approved", &orders, long(reasoned("alice", &orders)), &["bob"]),
        ("unlabelled, a workload, approved", &orders, reasoned("nightly", &orders), &["bob"]),
        ("development, a reason", &development, reasoned("alice", &development), &[]),
    ];
    let mut rows: Vec<String> = uses
        .into_iter()
        .map(|(what, on, wish, approvers)| {
            format!("{what}: {}", answer(&starter(), &input(wish, on, approvers), &directory()))
        })
        .collect();
    let second_factor_age_s = None;
    let thing = || Thing::of(&orders);
    let serve = |service| Act::Serve { service, resource: thing(), role: name("readonly"), second_factor_age_s };
    for who in ["alice", "erin", "frank", "nightly"] {
        let acts = [
            ("administer", Act::Administer { subject: "policy".into(), second_factor_age_s }),
            ("revoke", Act::Revoke { resource: thing(), role: name("readonly"), second_factor_age_s }),
            ("view_sessions", Act::ViewSessions { resource: thing(), second_factor_age_s }),
            ("read_evidence", Act::ReadEvidence { scope: Scope::Resource { resource: thing() }, second_factor_age_s }),
            ("read_evidence of Daypass", Act::ReadEvidence { scope: Scope::Installation, second_factor_age_s }),
            ("decide", serve(Service::Decide)),
            ("request_for", serve(Service::RequestFor)),
        ];
        rows.extend(acts.map(|(what, does)| format!("{who}, {what}: {}", judge(&starter(), &act(who, does)))));
    }
    insta::assert_snapshot!(rows.join("\n"));
}

/// What is missing under policies of all kinds, in words.
#[test]
fn what_is_missing_is_said_in_plain_words() {
    let orders = resource("orders", Labels::default());
    let when = |condition: &str| {
        set(&format!("permit(principal, action == Action::\"use\", resource) when {{ {condition} }};"))
    };
    let plain = || input(asked("alice", &orders), &orders, &[]);
    let half = || input(asked("alice", &orders), &orders, &["bob"]);
    let q = |text: &str| format!("context.now.quorums.contains(Quorum::\"{text}\")");
    let cases: Vec<(&str, crate::PolicySet, Input)> = vec![
        ("one of a group, a reason", when(&format!("{} && context.asked.reason_given", q("1 dba-leads"))), plain()),
        ("anyone implied by a group", when(&format!("{} || {}", q("1 dba-leads"), q("1 anyone"))), plain()),
        ("two ways", when(&format!("{} || context.asked.ticket_given", q("2 anyone"))), plain()),
        ("two groups, one of two given", when(&q("1 dba-leads, 1 security")), half()),
        ("a group and anyone", when(&q("2 security, 1 anyone")), plain()),
        ("more people than there are", when(&q("3 dba-leads")), plain()),
        ("a group that nobody is in", when(&q("1 auditors")), plain()),
        ("a kind of ticket", when("context.asked has ticket && context.asked.ticket like \"OPS-*\""), plain()),
        ("a fresh second factor", when("context.asked has mfa_age_s && context.asked.mfa_age_s < 300"), plain()),
        ("less time", when("context.asked.duration_s <= 900"), plain()),
        ("a purpose", when("context.asked.purpose == Purpose::\"incident\""), plain()),
        (
            "four things",
            when(&format!(
                "context.asked.reason_given && context.asked.ticket_given && context.asked.duration_s < 600 && {}",
                q("2 anyone")
            )),
            plain(),
        ),
        ("hours that aren't", when("context.now.hour_utc == 3"), plain()),
    ];
    let rows: Vec<String> = cases
        .iter()
        .map(|(what, policies, input)| format!("{what}: {}", answer(policies, input, &directory())))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn a_forbid_that_something_lifts_is_not_the_end() {
    let policies = set(r#"@id("all") permit(principal, action, resource);
        @id("fresh") @why("a second factor of the last five minutes")
        forbid(principal, action == Action::"use", resource) unless { context.asked has mfa_age_s && context.asked.mfa_age_s <= 300 };
        @id("not-frank") forbid(principal == User::"frank", action, resource);"#);
    let orders = resource("orders", Labels::default());
    let said: Vec<String> = ["alice", "frank"]
        .iter()
        .flat_map(|who| explain(&policies, &input(asked(who, &orders), &orders, &[]), &directory()).lines)
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn explaining_names_who_could_say_yes() {
    let orders = resource("orders", Labels::default());
    let mut wish = asked("alice", &orders);
    wish.requester = id("erin");
    wish.requester_person = person("erin");
    let explained = explain(&starter(), &input(wish.clone(), &orders, &[]), &directory());
    insta::assert_snapshot!(explained.lines.join("\n"));
    wish.ticket = ticket("OPS-1");
    let round: crate::Explanation = serde_json::from_value(serde_json::to_value(&explained).unwrap()).unwrap();
    assert_eq!(round, explained);
}

#[test]
fn who_could_have_what_is_asked_of_the_same_evaluator() {
    let policies = set(
        r#"@id("dba") permit(principal in Group::"dba", action == Action::"use", resource == Role::"orders/readonly");
        @id("lead") permit(principal, action == Action::"use", resource) when { context.asked.reason_given && context.now.quorums.contains(Quorum::"1 dba-leads") };
        @id("no-programs") forbid(principal is Workload, action == Action::"use", resource == Role::"orders/readwrite");"#,
    );
    let orders = resource("orders", Labels::default());
    let rows: Vec<String> = who(&policies, &orders, &directory(), NOW)
        .into_iter()
        .map(|p| format!("{} {}: {}", p.name, p.role, p.answer))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}
