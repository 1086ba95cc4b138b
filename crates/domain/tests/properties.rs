//! Random sequences of events keep the invariants.

mod common;

use common::{person, principal, t, target};
use daypass_domain::{
    ApprovalId, Digest, GrantId, Name, PayloadId, RequestId, ResourceId, SessionId, Span, Time,
    approval::{Approval, Narrowing},
    confirmation::Confirmed,
    end::{EndCause, EndConfirmation},
    grant::{Grant, GrantEvent, GrantState, Login, MadeLogin},
    request::{Asked, Purpose, Reason, Request, RequestEvent, RequestState, Start},
    resource::Ownership,
    statement::{Looked, Opens, Outcome, Run, Wants},
};
use proptest::prelude::*;

fn made() -> Box<MadeLogin> {
    Box::new(MadeLogin { name: "daypass_a_b_alice".into(), target: target(), owns: Ownership::Quarantine })
}

fn grant_event() -> impl Strategy<Value = GrantEvent> {
    let payload = PayloadId::new(t(0), [9; 10]);
    prop_oneof![
        Just(GrantEvent::Activate),
        (0..5_000_i64).prop_map(|d| GrantEvent::Extend { deadline: t(d) }),
        Just(GrantEvent::LoginBegun(made())),
        Just(GrantEvent::End(EndCause::Deadline)),
        Just(GrantEvent::End(EndCause::Revoked { by: principal(1), reason: payload })),
        Just(GrantEvent::Listed(EndConfirmation::Clean)),
        Just(GrantEvent::Listed(EndConfirmation::Residue { items: 1, list: payload })),
        Just(GrantEvent::TargetUnknown),
        Just(GrantEvent::Confirm),
    ]
}

fn start() -> impl Strategy<Value = GrantState> {
    prop_oneof![
        (0..2_000_i64).prop_map(|s| GrantState::Scheduled { start: t(s), duration: Span::from_secs(600) }),
        (1..2_000_i64).prop_map(|d| GrantState::Active { since: t(0), deadline: t(d), login: Login::NotMade }),
    ]
}

/// How far along its one-way road a grant is.
fn stage(state: &GrantState) -> u8 {
    match state {
        GrantState::Scheduled { .. } => 0,
        GrantState::Active { .. } => 1,
        GrantState::Ending { .. } => 2,
        GrantState::Ended { .. } => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn i2_i5_a_grant_goes_one_way_and_ends_once(
        first in start(),
        events in prop::collection::vec((grant_event(), 0..300_i64), 1..40),
    ) {
        let mut grant = Grant {
            id: GrantId::new(t(0), [1; 10]),
            request: RequestId::new(t(0), [2; 10]),
            holder: principal(1),
            person: person(1),
            resource: ResourceId::new(t(0), [3; 10]),
            role: "readonly".parse().unwrap(),
            role_digest: Digest::of(b"role"),
            opens: Opens::Sessions,
            state: first,
        };
        let mut now = 0;
        let mut login_made = false;
        let mut end: Option<(Time, EndCause)> = None;
        for (event, passed) in events {
            now += passed;
            let before = grant.clone();
            let Ok(after) = grant.clone().apply(event.clone(), t(now)) else { continue };
            prop_assert!(stage(&after.state) >= stage(&before.state), "{before:?} {event:?}");
            if let GrantState::Active { since, deadline, .. } = &after.state {
                // I2: the clock starts at activation, and nothing shortens or stops it.
                if let GrantState::Active { since: s, deadline: d, .. } = &before.state {
                    prop_assert_eq!(since, s);
                    prop_assert!(deadline >= d);
                    prop_assert!(deadline == d || t(now) < *d, "extended after its time was up");
                }
            }
            if matches!(event, GrantEvent::LoginBegun(_)) {
                login_made = true;
            }
            match (&after.state, &end) {
                (GrantState::Ending { at, cause, .. } | GrantState::Ended { at, cause, .. }, None) => {
                    end = Some((*at, cause.clone()));
                }
                // The time and the cause of an end never change afterwards.
                (GrantState::Ending { at, cause, .. } | GrantState::Ended { at, cause, .. }, Some((a, c))) => {
                    prop_assert_eq!(at, a);
                    prop_assert_eq!(cause, c);
                }
                (GrantState::Scheduled { .. } | GrantState::Active { .. }, _) => {}
            }
            // I5: where a login may exist, nothing but a look at the target confirms the end.
            if let GrantState::Ended { confirmation: EndConfirmation::NothingMade, .. } = &after.state {
                prop_assert!(!login_made);
            }
            prop_assert!(stage(&after.state) < 2 || !after.opens_doors(t(now)));
            grant = after;
        }
    }

    #[test]
    fn i8_no_sequence_lets_a_party_or_a_duplicate_count(
        steps in prop::collection::vec((1..6_u8, 0..3_u8, 0..120_i64), 1..30),
    ) {
        let asked = Asked {
            requester: principal(1),
            requester_person: person(1),
            beneficiary: principal(2),
            beneficiary_person: person(2),
            resource: ResourceId::new(t(0), [3; 10]),
            role: "readonly".parse().unwrap(),
            duration: Span::from_mins(30),
            start: Start::AtOnce,
            purpose: Purpose::Operations,
            ticket: None,
            reason: Reason::Missing,
            second_factor_age_s: None,
            wants: Wants::Sessions,
        claims: daypass_domain::trust::Attributes::default(),
        };
        let state = RequestState::Pending { expires: t(1_000) };
        let digest = asked.digest();
        let id = RequestId::new(t(0), [2; 10]);
        let (role_digest, confirmed) = (Digest::of(b"role"), Confirmed::Never);
        let mut request =
            Request { id, asked, role_digest, made: t(0), state, approvals: Vec::new(), looked: Looked::Never, confirmed };
        let mut now = 0;
        for (who, what, passed) in steps {
            now += passed;
            let approval = Approval {
                id: ApprovalId::new(t(now), [who; 10]),
                approver: principal(who),
                at: t(now),
                request_digest: digest,
                role_digest: Digest::of(b"role"),
                narrowing: Narrowing { duration: Some(Span::from_secs(u32::from(who) * 100)), role: None },
            };
            let event = match what {
                0 => RequestEvent::Approve { approval, person: person(who) },
                1 => RequestEvent::WithdrawApproval { approver: principal(who) },
                _ => RequestEvent::Expire,
            };
            if let Ok(next) = request.clone().apply(event, t(now)) {
                request = next;
            }
            let mut approvers: Vec<_> = request.approvals.iter().map(|a| a.approver).collect();
            prop_assert!(!approvers.contains(&principal(1)) && !approvers.contains(&principal(2)));
            approvers.sort();
            approvers.dedup();
            prop_assert_eq!(approvers.len(), request.approvals.len());
            prop_assert!(request.narrowed().0 <= request.asked.duration);
        }
    }

    #[test]
    fn names_and_spans_never_panic(text in ".{0,80}") {
        let _ = text.parse::<Name>();
        let _ = text.parse::<Span>();
        let _ = text.parse::<GrantId>();
        let _ = text.parse::<daypass_domain::resource::HostPort>();
    }
}

proptest! {
    #[test]
    fn i1_a_run_is_begun_once_and_over_once(events in prop::collection::vec((any::<bool>(), 0..3_000_i64), 1..20)) {
        let state = GrantState::Active { since: t(0), deadline: t(2_000), login: Login::NotMade };
        let mut grant = Grant {
            id: GrantId::new(t(0), [1; 10]),
            request: RequestId::new(t(0), [2; 10]),
            holder: principal(1),
            person: person(1),
            resource: ResourceId::new(t(0), [3; 10]),
            role: "readonly".parse().unwrap(),
            role_digest: Digest::of(b"role"),
            opens: Opens::Statement { run: Run::NotBegun },
            state,
        };
        let (mut begun, mut over) = (0, 0);
        for (begins, now) in events {
            let session = SessionId::new(t(now), [1; 10]);
            let next = if begins {
                grant.clone().begin_run(session, t(now))
            } else {
                grant.clone().end_run(Outcome::Unknown, t(now))
            };
            if let Ok(next) = next {
                if begins {
                    begun += 1;
                    prop_assert!(now < 2_000, "nothing is begun after the deadline");
                } else {
                    over += 1;
                }
                grant = next;
            }
            prop_assert!(begun <= 1 && over <= begun);
            prop_assert!(!grant.opens_doors(t(now)));
        }
    }
}
