//! Unlabelled is most sensitive: what would give it away is refused.

use super::set;
use crate::{GuardRefusal, refuse_unlabelled_without_approval, starter};

fn permit_when(condition: &str) -> String {
    format!("@id(\"p\") permit(principal, action == Action::\"use\", resource) when {{ {condition} }};")
}

#[test]
fn what_gives_away_what_nobody_labelled_is_refused() {
    let given_away = [
        "permit(principal, action, resource);".to_owned(),
        "permit(principal in Group::\"dba\", action == Action::\"use\", resource);".to_owned(),
        "permit(principal == User::\"erin\", action, resource in Resource::\"orders\");".to_owned(),
        "permit(principal == Workload::\"nightly\", action, resource == Role::\"orders/readonly\");".to_owned(),
        "permit(principal is Workload, action, resource) when { principal.owner in Group::\"ops\" };".to_owned(),
        permit_when("context.asked.reason_given && context.asked.duration_s <= 3600"),
        permit_when("context.now.hour_utc == 3 && context.now.weekday_utc == 7"),
        permit_when("resource.resource.region == \"eu\""),
        permit_when("resource.resource.hasTag(\"team\") && resource.resource.getTag(\"team\") == \"trial\""),
        permit_when(
            "context.asked.claims.hasTag(\"ref\") && context.asked.claims.getTag(\"ref\") like \"refs/heads/*\" && \
             context.asked.claims.hasTag(\"repository\") && context.asked.claims.getTag(\"repository\") == \"acme/shop\"",
        ),
        permit_when(
            "context.asked.claims.hasTag(\"job\") && [\"a b\", \"c\"].contains(context.asked.claims.getTag(\"job\")) && \
             principal is Workload && !context.asked.claims.hasTag(\"other\")",
        ),
        permit_when("!context.asked.claims.hasTag(\"ref\")"),
        permit_when("resource.name == \"readonly\" && principal.name == \"erin\""),
        permit_when("principal in resource.resource.owner"),
        permit_when("context.asked.purpose == Purpose::\"incident\" && context.asked has ticket && context.asked.ticket like \"INC-*\""),
        permit_when("resource.resource.classification.contains(Classification::\"pii\")"),
        permit_when("resource.resource.environment != Environment::\"lab\" && context.asked.for_other"),
        permit_when("context.asked has mfa_age_s && context.asked.mfa_age_s < 60"),
        permit_when("context.now.quorums.isEmpty()"),
        permit_when("context.asked.start_in_s > 600 && context.asked.duration_s >= 7200 && !context.asked.reason_given"),
        permit_when("!(context.asked has mfa_age_s)"),
        permit_when("context.asked has ticket && [\"OPS-1\", \"OPS-2\"].contains(context.asked.ticket)"),
        permit_when("context.asked.duration_s + 100 > 4000 && context.asked.duration_s < 4000"),
        permit_when("context.asked.duration_s >= context.asked.start_in_s && context.asked.start_in_s > 600"),
        permit_when("[7200, 7300].contains(context.asked.duration_s) && context.asked.start_in_s == 11"),
        // Forbids that don't cover it.
        "permit(principal, action, resource); forbid(principal, action, resource) unless { context has asked && principal in Group::\"dba\" };".to_owned(),
    ];
    let said: Vec<String> = given_away
        .iter()
        .map(|text| match refuse_unlabelled_without_approval(&set(text)) {
            Err(GuardRefusal::Permits { who, what, policies }) => format!("{who}: {what} by {policies:?}"),
            other => panic!("{text}: {other:?}"),
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
    let Err(refusal) = refuse_unlabelled_without_approval(&set(&given_away[0])) else { panic!() };
    insta::assert_snapshot!("in_words", refusal.to_string());
}

#[test]
fn what_asks_for_a_label_or_for_people_passes() {
    let fine = [
        String::new(),
        permit_when("context.now.quorums.contains(Quorum::\"1 anyone\")"),
        permit_when("resource.resource.environment == Environment::\"development\""),
        permit_when("resource.resource.classification == [Classification::\"public\"]"),
        permit_when("!resource.resource.classification.contains(Classification::\"pii\")"),
        "permit(principal, action == Action::\"view_sessions\", resource);".to_owned(),
        "permit(principal, action, resource); forbid(principal, action == Action::\"use\", resource) unless { context.now.quorums.contains(Quorum::\"2 dba\") };".to_owned(),
        // A policy that fails is a no, so it gives nothing away.
        permit_when("9223372036854775807 + 1 > context.asked.duration_s"),
    ];
    for text in &fine {
        assert_eq!(refuse_unlabelled_without_approval(&set(text)), Ok(()), "{text}");
    }
    assert_eq!(refuse_unlabelled_without_approval(&starter()), Ok(()));
}

#[test]
fn what_names_too_much_to_be_checked_is_refused() {
    let list = |letter: &str| (0..250).map(|n| format!("\"{letter}{n}\"")).collect::<Vec<_>>().join(", ");
    let much = permit_when(&format!(
        "context.asked has ticket && [{}].contains(context.asked.ticket) && [{}].contains(resource.resource.region)
         && context.asked.duration_s < 0",
        list("T"),
        list("r")
    ));
    assert_eq!(refuse_unlabelled_without_approval(&set(&much)), Err(GuardRefusal::TooMuch { policy: "p".into() }));
}

/// The examples of the documentation are valid, and none gives anything away.
#[test]
fn the_documentation_shows_policies_that_work() {
    let page = include_str!("../../../../docs/policy.md");
    let examples: Vec<&str> = page.split("```cedar\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 10);
    let all = set(&examples.join("\n"));
    assert_eq!(all.policies().count(), 13);
    assert_eq!(refuse_unlabelled_without_approval(&all), Ok(()));
    // And each alone: nothing that another forbids may be what keeps it from giving something away.
    for example in examples {
        assert_eq!(refuse_unlabelled_without_approval(&set(example)), Ok(()), "{example}");
    }
    for quorum in page.match_indices("Quorum::\"").map(|(at, lead)| &page[at + lead.len()..]) {
        let named = quorum.split('"').next().unwrap_or_default();
        assert!(named.parse::<crate::Quorum>().is_ok(), "{named}");
    }
    for word in crate::schema::ActionWord::ALL {
        assert!(page.contains(&format!("| `{}` |", word.as_str())), "{word:?}");
    }
}
