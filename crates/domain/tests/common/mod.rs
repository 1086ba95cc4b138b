//! What the tests of machines are made of.

use daypass_domain::{
    PrincipalId, Time,
    principal::{Kind, Person, Principal, Standing},
    resource::{PostgresTarget, Target, TargetTls},
};

pub fn t(secs: i64) -> Time {
    Time::from_micros(secs * 1_000_000)
}

pub fn principal(n: u8) -> PrincipalId {
    PrincipalId::new(t(0), [n; 10])
}

pub fn person(n: u8) -> Person {
    Principal { id: principal(n), name: "x".parse().unwrap(), kind: Kind::User, standing: Standing::Active }.person()
}

pub fn target() -> Target {
    Target::Postgres(PostgresTarget {
        address: "db:5432".parse().unwrap(),
        database: "orders".into(),
        credential: "orders".parse().unwrap(),
        administrator: "gatekeeper".parse().unwrap(),
        tls: TargetTls::Verify { authorities: None },
        replicas: Vec::new(),
    })
}
