//! Emergency kits: every state against every event as a table, and what no order of events can do.

mod common;

use std::collections::BTreeSet;

use common::{person, principal, t, target};
use daypass_domain::{
    KitId, PayloadId, ResourceId,
    end::{EndConfirmation, EndProgress},
    kit::{Alarm, AtTarget, Holder, Kit, KitEvent, REVIEW_WITHIN, Review, Rotation, Sealed, Traces},
};
use proptest::prelude::*;

fn sealed(one: u8, other: u8) -> Sealed {
    let holder = |n| Holder { principal: principal(n), recipient: format!("age1{n}") };
    Sealed {
        at: t(1),
        holders: [holder(one), holder(other)],
        roles: ["readonly".parse().unwrap()].into(),
        member_of: ["app_ro".parse().unwrap()].into(),
    }
}

fn kit(at_target: AtTarget, alarm: Alarm) -> Kit {
    Kit {
        id: KitId::new(t(0), [1; 10]),
        resource: ResourceId::new(t(0), [2; 10]),
        region: "local".parse().unwrap(),
        target: target(),
        login: "daypass_a_b_emergency".into(),
        sealed: sealed(1, 2),
        made: t(1),
        at_target,
        alarm,
        last_used: None,
        traces: Traces::default(),
    }
}

fn making() -> AtTarget {
    AtTarget::Making { verifier: "old".into(), before: BTreeSet::new() }
}

fn raised(rotation: Rotation, review: Review) -> Alarm {
    Alarm::Raised {
        first: t(10),
        last: t(20),
        held: [principal(1), principal(2)].into(),
        rotation,
        review,
        remind: t(10) + REVIEW_WITHIN,
    }
}

fn events() -> Vec<(&'static str, KitEvent)> {
    let words = PayloadId::new(t(0), [9; 10]);
    let more = Traces { objects: 1, ..Traces::default() };
    vec![
        ("made", KitEvent::Made { clock: t(99), traces: Traces::default() }),
        ("resealed", KitEvent::Reseal { sealed: sealed(3, 4), verifier: "new".into() }),
        ("resealed to one", KitEvent::Reseal { sealed: sealed(3, 3), verifier: "new".into() }),
        ("seen", KitEvent::Seen),
        ("traced: nothing", KitEvent::Traced(Traces::default())),
        ("traced: more", KitEvent::Traced(more)),
        ("reviewed", KitEvent::Review { by: principal(5), person: person(5), words }),
        ("reviewed by holder", KitEvent::Review { by: principal(2), person: person(2), words }),
        ("remind", KitEvent::Remind),
        ("remove", KitEvent::Remove),
        ("listed", KitEvent::Listed(EndConfirmation::Clean)),
        ("unknown", KitEvent::TargetUnknown),
        ("confirm", KitEvent::Confirm),
    ]
}

fn word(kit: &Kit) -> String {
    let alarm = match &kit.alarm {
        Alarm::Quiet => "quiet".to_owned(),
        Alarm::Raised { first, rotation, review, remind, .. } => {
            let rotation = if *rotation == Rotation::Wanted { "rotation wanted" } else { "rotated" };
            let review = if *review == Review::Wanted { "review wanted" } else { "reviewed" };
            format!("{rotation}, {review}, since {first}, remind {remind}")
        }
    };
    format!("{}; {alarm}; {} objects", kit.at_target.word(), kit.traces.objects)
}

#[test]
fn every_state_against_every_event() {
    let closed = || Review::Closed { by: principal(6), at: t(30), words: PayloadId::new(t(0), [8; 10]) };
    let ready = || AtTarget::Ready { since: t(5), clock: t(5) };
    let removing = |progress| AtTarget::Removing { at: t(40), progress };
    let found = EndConfirmation::Clean;
    let states = [
        ("making", kit(making(), Alarm::Quiet)),
        ("ready", kit(ready(), Alarm::Quiet)),
        ("ready, used", kit(ready(), raised(Rotation::Wanted, Review::Wanted))),
        ("ready, used, reviewed", kit(ready(), raised(Rotation::Wanted, closed()))),
        ("ready, used, rotated", kit(ready(), raised(Rotation::Done { at: t(30) }, Review::Wanted))),
        ("making, used", kit(making(), raised(Rotation::Wanted, Review::Wanted))),
        ("making, used, reviewed", kit(making(), raised(Rotation::Wanted, closed()))),
        ("removing", kit(removing(EndProgress::Cutting), Alarm::Quiet)),
        ("removing, used", kit(removing(EndProgress::Cutting), raised(Rotation::Wanted, Review::Wanted))),
        ("removing, listed", kit(removing(EndProgress::Listed { found: found.clone() }), Alarm::Quiet)),
        ("removing, unknown", kit(removing(EndProgress::Unknown { tried: t(41), times: 3 }), Alarm::Quiet)),
        (
            "gone, used",
            kit(
                AtTarget::Gone { at: t(40), confirmed: t(50), confirmation: found },
                raised(Rotation::Done { at: t(50) }, Review::Wanted),
            ),
        ),
    ];
    let mut table = String::new();
    for (from, kit) in &states {
        for (what, event) in events() {
            let to = match kit.clone().apply(event, t(100)) {
                Ok(next) => word(&next),
                Err(refusal) => format!("no: {}", refusal.why),
            };
            table += &format!("{from:22} | {what:18} | {to}\n");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn its_login_carries_the_installation_and_the_kit() {
    let installation = daypass_domain::InstallationId::new(t(0), [0xab; 10]);
    let login = Kit::login_name(installation, KitId::new(t(0), [0xcd; 10]));
    assert_eq!(login, "daypass_abababababab_cdcdcdcdcdcd_emergency");
}

proptest! {
    /// Whatever happens in whatever order: an alarm that was raised is quiet again only once the credential that was used
    /// is replaced or gone, and somebody who held no half reviewed.
    #[test]
    fn an_alarm_goes_by_rotation_and_review_and_by_nothing_else(picks in prop::collection::vec(0..13_usize, 0..40)) {
        let mut kit = kit(making(), Alarm::Quiet);
        let (mut open, mut rotated, mut reviewed) = (false, true, true);
        // Whether principal 2 could have opened it when it was used, by a credential that may still be good.
        let (mut could, mut suspect) = (true, false);
        for (step, pick) in picks.into_iter().enumerate() {
            let (what, event) = events().swap_remove(pick);
            let before = kit.clone();
            let now = t(1_000 + i64::try_from(step).unwrap() * 1_000_000);
            let Ok(next) = kit.clone().apply(event, now) else { continue };
            if matches!(what, "seen" | "traced: more") && next.alarm != before.alarm {
                suspect = could || (suspect && !reviewed);
            }
            match what {
                "seen" => (open, rotated, reviewed) = (true, false, false),
                "traced: more" if next.alarm != before.alarm => (open, rotated, reviewed) = (true, false, false),
                "made" => {
                    could = next.is_held_by(person(2));
                    rotated = true;
                }
                "confirm" => rotated = true,
                "reviewed" | "reviewed by holder" => reviewed = true,
                _ => {}
            }
            if rotated && reviewed {
                open = false;
            }
            prop_assert_eq!(next.alarm.is_raised(), open, "after {}", what);
            prop_assert!(what != "reviewed by holder" || !(suspect || before.is_held_by(person(2))));
            prop_assert!(next.sealed.holders[0].principal != next.sealed.holders[1].principal);
            kit = next;
        }
    }
}
