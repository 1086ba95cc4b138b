//! Tests of the whole crate, and the small world that they share.

mod answers;
mod facts;
mod guards;
mod laws;
mod owner;
mod quorums;
mod reading;
mod signals;

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    ApprovalId, DecisionId, Digest, Name, PayloadId, PrincipalId, RequestId, ResourceId, Span, Time,
    approval::{Approval, Narrowing},
    principal::{Group, Kind, Person, Principal, Standing},
    request::{Asked, Purpose, Reason, Request, RequestState, Start, TicketRef},
    resource::{Environment, Labels, Limits, Ownership, PostgresTarget, RecordMode, Resource, Role, Target, TargetTls},
};

use crate::{Directory, Input, PolicySet};

/// Tuesday, 2026-11-24, 10:00 UTC.
pub(crate) const NOW: Time = Time::from_micros(1_795_514_400_000_000);

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Everybody in the small world: name, and the groups that they are in. The order gives the ids.
const PEOPLE: [(&str, &[&str]); 7] = [
    ("alice", &["dba"]),
    ("bob", &["dba", "dba-leads"]),
    ("carol", &["dba-leads", "security"]),
    ("dave", &["security"]),
    ("erin", &["administrators"]),
    ("frank", &[]),
    ("gone", &["dba-leads", "administrators"]),
];

pub(crate) fn id(who: &str) -> PrincipalId {
    let n = match who {
        "nightly" => 100,
        "orphan" => 101,
        who => PEOPLE.iter().position(|(name, _)| *name == who).expect("somebody in the small world"),
    };
    PrincipalId::new(Time::from_micros(0), [u8::try_from(n).unwrap(); 10])
}

pub(crate) fn person(who: &str) -> Person {
    user(who).person()
}

fn user(who: &str) -> Principal {
    let standing = if who == "gone" { Standing::Disabled { at: NOW, by: id("erin") } } else { Standing::Active };
    Principal { id: id(who), name: name(who), kind: Kind::User, standing }
}

/// `nightly` belongs to alice; `orphan` belongs to gone, who is disabled.
pub(crate) fn directory() -> Directory {
    let workload = |who: &str, owner: &str| Principal {
        id: id(who),
        name: name(who),
        kind: Kind::Workload { owner: id(owner) },
        standing: Standing::Active,
    };
    let principals =
        PEOPLE.iter().map(|(who, _)| user(who)).chain([workload("nightly", "alice"), workload("orphan", "gone")]);
    let mut groups: BTreeMap<&str, BTreeSet<PrincipalId>> = BTreeMap::new();
    for (who, of) in PEOPLE {
        for group in of {
            groups.entry(group).or_default().insert(id(who));
        }
    }
    groups.entry("dba-leads").or_default().insert(id("nightly"));
    let groups = groups.into_iter().enumerate().map(|(n, (called, members))| Group {
        id: daypass_domain::GroupId::new(Time::from_micros(0), [u8::try_from(n).unwrap(); 10]),
        name: name(called),
        members,
    });
    Directory::new(principals, groups)
}

/// A resource with the roles `readonly` and `readwrite`, of which the first is narrower.
pub(crate) fn resource(called: &str, labels: Labels) -> Resource {
    let role = |to: &str, narrower: &[&str]| Role {
        description: format!("to {to}"),
        member_of: [to.parse().unwrap()].into(),
        owns: Ownership::Quarantine,
        narrower: narrower.iter().map(|n| name(n)).collect(),
    };
    Resource {
        id: ResourceId::new(Time::from_micros(0), Digest::of(called.as_bytes()).bytes()[..10].try_into().unwrap()),
        name: name(called),
        target: Target::Postgres(PostgresTarget {
            address: "db.internal:5432".parse().unwrap(),
            database: "app".into(),
            credential: name("orders"),
            administrator: "daybreak".parse().unwrap(),
            tls: TargetTls::Verify { authorities: None },
            replicas: Vec::new(),
        }),
        region: name("eu"),
        owner: name("dba"),
        labels,
        roles: [
            (name("readonly"), role("pg_read_all_data", &[])),
            (name("readwrite"), role("pg_write_all_data", &["readonly"])),
        ]
        .into(),
        record: RecordMode::Full,
        limits: Limits::default(),
    }
}

pub(crate) fn labelled(environment: Environment) -> Labels {
    Labels { environment, classification: BTreeSet::new(), tags: BTreeMap::new() }
}

/// A request by `who`, for themselves, for an hour of readonly, without anything else.
pub(crate) fn asked(who: &str, on: &Resource) -> Asked {
    let person = directory().party(id(who)).expect("somebody in the small world").person;
    Asked {
        requester: id(who),
        requester_person: person,
        beneficiary: id(who),
        beneficiary_person: person,
        resource: on.id,
        role: name("readonly"),
        duration: Span::from_mins(60),
        start: Start::AtOnce,
        purpose: Purpose::Operations,
        ticket: None,
        reason: Reason::Missing,
        second_factor_age_s: None,
        wants: daypass_domain::statement::Wants::Sessions,
        claims: daypass_domain::trust::Attributes::default(),
    }
}

pub(crate) fn reasoned(who: &str, on: &Resource) -> Asked {
    let at = PayloadId::new(NOW, [9; 10]);
    Asked { reason: Reason::Kept { at, digest: Digest::of(b"because") }, ..asked(who, on) }
}

pub(crate) fn request(asked: Asked, on: &Resource, approvers: &[&str]) -> Request {
    let role_digest = on.roles[&asked.role].digest(on);
    let request_digest = asked.digest();
    let approvals = approvers
        .iter()
        .map(|who| Approval {
            id: ApprovalId::new(NOW, [1; 10]),
            approver: id(who),
            at: NOW,
            request_digest,
            role_digest,
            narrowing: Narrowing::default(),
        })
        .collect();
    Request {
        id: RequestId::new(NOW, [1; 10]),
        asked,
        role_digest,
        made: NOW,
        state: RequestState::Pending { expires: NOW + Span::from_mins(60) },
        approvals,
        looked: daypass_domain::statement::Looked::Never,
        confirmed: daypass_domain::confirmation::Confirmed::Never,
    }
}

pub(crate) fn input(asked: Asked, on: &Resource, approvers: &[&str]) -> Input {
    Input::for_request(&request(asked, on, approvers), on, &directory(), NOW).unwrap()
}

pub(crate) fn ticket(key: &str) -> Option<TicketRef> {
    Some(key.to_owned().try_into().unwrap())
}

pub(crate) fn files(text: &str) -> BTreeMap<String, String> {
    [("test.cedar".to_owned(), text.to_owned())].into()
}

/// A set of one file.
pub(crate) fn set(text: &str) -> PolicySet {
    PolicySet::parse(&files(text)).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

pub(crate) fn shown(problems: &[crate::PolicyProblem]) -> String {
    problems.iter().map(|p| format!("{p}\n")).collect()
}

pub(crate) fn decision_id() -> DecisionId {
    DecisionId::new(NOW, [4; 10])
}
