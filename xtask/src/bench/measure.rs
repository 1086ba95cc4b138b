//! What is measured, by which way, and what is good enough.

/// A way from the client to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// TLS straight to PostgreSQL.
    Direct,
    /// HAProxy passing TCP: TLS ends at PostgreSQL.
    Haproxy,
    /// pgbouncer in session mode, TLS on both sides.
    Pgbouncer,
    /// Daypass, TLS on both sides, recording.
    Daypass,
}

impl Route {
    pub const ALL: [Self; 4] = [Self::Direct, Self::Haproxy, Self::Pgbouncer, Self::Daypass];
    /// Those that are a process of their own.
    pub const PROXIES: [Self; 3] = [Self::Haproxy, Self::Pgbouncer, Self::Daypass];

    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Haproxy => "haproxy",
            Self::Pgbouncer => "pgbouncer",
            Self::Daypass => "daypass",
        }
    }
}

/// How pgbench sends its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Simple,
    Prepared,
}

/// One thing that is run by each way in each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// `pgbench -S` with so many clients.
    Select(Protocol, u32),
    /// `COPY pgbench_accounts TO STDOUT`.
    CopyOut,
    /// `pgbench -C -S` with one client.
    Connect,
    /// Idle sessions of a proxy that was started for it.
    Idle,
}

/// What the session does when its grant is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    Idle,
    Statement,
    Copy,
    /// [`CROWD`] idle sessions under one grant.
    Crowd,
}

/// How many sessions are opened for the memory of one, and revoked at once.
pub const CROWD: u32 = 200;

/// One row of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    pub name: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// More is better; judged by the ratio to pgbouncer.
    Rate(Load, Option<Goal>),
    /// Less is better, of proxies only; shown as it is.
    Cost(Load),
    /// Milliseconds from the order to the end, at one of the two ends.
    Revocation(Busy, End, Option<Goal>),
    /// Milliseconds that people wait for.
    Waiting(Wait, Option<Goal>),
}

/// What people wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// From asking to the grant, somebody else saying yes at once.
    Grant,
    /// The first byte of a page.
    Page,
}

/// Where the end of a session is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Client,
    Target,
}

/// What is good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Percent of pgbouncer's rate, or more.
    PercentOfPgbouncer(u32),
    /// So many milliseconds, or fewer.
    Millis(u32),
}

impl Eq for Goal {}

impl Goal {
    /// In the unit that the measure's value has.
    pub fn number(self) -> f64 {
        match self {
            Self::PercentOfPgbouncer(percent) => f64::from(percent) / 100.0,
            Self::Millis(millis) => f64::from(millis),
        }
    }

    pub fn met(self, value: f64) -> bool {
        match self {
            Self::PercentOfPgbouncer(_) => value >= self.number(),
            Self::Millis(_) => value <= self.number(),
        }
    }
}

const RATE: Option<Goal> = Some(Goal::PercentOfPgbouncer(90));
const AT_CLIENT: Option<Goal> = Some(Goal::Millis(5));
const AT_TARGET: Option<Goal> = Some(Goal::Millis(100));

const fn rate(name: &'static str, what: &'static str, unit: &'static str, load: Load, goal: Option<Goal>) -> Measure {
    Measure { name, what, unit, kind: Kind::Rate(load, goal) }
}

const fn cost(name: &'static str, what: &'static str, unit: &'static str, load: Load) -> Measure {
    Measure { name, what, unit, kind: Kind::Cost(load) }
}

const fn revocation(name: &'static str, what: &'static str, busy: Busy, end: End, goal: Option<Goal>) -> Measure {
    Measure { name, what, unit: "ms", kind: Kind::Revocation(busy, end, goal) }
}

const SIXTEEN: Load = Load::Select(Protocol::Simple, 16);

/// Everything, in the order in which it is shown.
pub const MEASURES: &[Measure] = &[
    rate("simple-1", "`pgbench -S`, simple, 1 client", "tps", Load::Select(Protocol::Simple, 1), RATE),
    rate("prepared-1", "`pgbench -S`, prepared, 1 client", "tps", Load::Select(Protocol::Prepared, 1), RATE),
    rate("simple-16", "`pgbench -S`, simple, 16 clients", "tps", SIXTEEN, RATE),
    rate("prepared-16", "`pgbench -S`, prepared, 16 clients", "tps", Load::Select(Protocol::Prepared, 16), RATE),
    rate("copy-out", "`COPY` out of a million rows", "MB/s", Load::CopyOut, RATE),
    rate("connect", "`pgbench -C -S`: connect, one query, close", "connects/s", Load::Connect, None),
    cost("cpu", "CPU of the proxy for 100,000 statements, 16 clients", "s", SIXTEEN),
    cost("memory", "memory of the proxy for an idle session", "KB", Load::Idle),
    revocation(
        "revoke-idle-client",
        "idle, until the client's connection is closed",
        Busy::Idle,
        End::Client,
        AT_CLIENT,
    ),
    revocation(
        "revoke-idle-target",
        "idle, until the database has no backend of it",
        Busy::Idle,
        End::Target,
        AT_TARGET,
    ),
    revocation(
        "revoke-statement-client",
        "in a statement, until psql has ended",
        Busy::Statement,
        End::Client,
        AT_CLIENT,
    ),
    revocation(
        "revoke-statement-target",
        "in a statement, until no backend is left",
        Busy::Statement,
        End::Target,
        AT_TARGET,
    ),
    revocation("revoke-copy-client", "in a `COPY` out, until psql has ended", Busy::Copy, End::Client, AT_CLIENT),
    revocation("revoke-copy-target", "in a `COPY` out, until no backend is left", Busy::Copy, End::Target, AT_TARGET),
    revocation(
        "revoke-200-client",
        "200 idle at once, until the last client's connection is closed",
        Busy::Crowd,
        End::Client,
        None,
    ),
    revocation("revoke-200-target", "200 idle at once, until no backend is left", Busy::Crowd, End::Target, None),
    Measure {
        name: "ask-to-grant",
        what: "`daypass request`, then `daypass approve` by somebody else, both from start to end",
        unit: "ms",
        kind: Kind::Waiting(Wait::Grant, Some(Goal::Millis(300))),
    },
    Measure {
        name: "page-first-byte",
        what: "the pages of access, of asking, of what waits and of sessions, until their first byte",
        unit: "ms",
        kind: Kind::Waiting(Wait::Page, Some(Goal::Millis(20))),
    },
];

/// The measures that a name means: its own, or those that it begins.
pub fn chosen(name: Option<&str>) -> Vec<Measure> {
    let Some(name) = name else { return MEASURES.to_vec() };
    let exact: Vec<_> = MEASURES.iter().copied().filter(|measure| measure.name == name).collect();
    if !exact.is_empty() {
        return exact;
    }
    let family = format!("{name}-");
    MEASURES.iter().copied().filter(|measure| measure.name.starts_with(&family)).collect()
}

impl Measure {
    /// What is run by each way for it; nothing for a revocation.
    pub fn load(self) -> Option<Load> {
        match self.kind {
            Kind::Rate(load, _) | Kind::Cost(load) => Some(load),
            Kind::Revocation(..) | Kind::Waiting(..) => None,
        }
    }

    pub fn busy(self) -> Option<Busy> {
        match self.kind {
            Kind::Rate(..) | Kind::Cost(_) | Kind::Waiting(..) => None,
            Kind::Revocation(busy, ..) => Some(busy),
        }
    }

    pub fn goal(self) -> Option<Goal> {
        match self.kind {
            Kind::Rate(_, goal) | Kind::Revocation(_, _, goal) | Kind::Waiting(_, goal) => goal,
            Kind::Cost(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_itself_or_its_family() {
        let names = |name| chosen(Some(name)).iter().map(|measure| measure.name).collect::<Vec<_>>();
        assert_eq!(names("simple-1"), ["simple-1"]);
        assert_eq!(names("simple"), ["simple-1", "simple-16"]);
        assert_eq!(names("revoke-idle"), ["revoke-idle-client", "revoke-idle-target"]);
        assert_eq!(names("simpl"), [""; 0]);
        assert_eq!(chosen(None).len(), MEASURES.len());
    }

    #[test]
    fn a_rate_may_be_more_and_a_time_less() {
        assert!(Goal::PercentOfPgbouncer(90).met(0.9) && !Goal::PercentOfPgbouncer(90).met(0.89));
        assert!(Goal::Millis(5).met(5.0) && !Goal::Millis(5).met(5.1));
    }
}
