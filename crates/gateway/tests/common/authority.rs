//! Control as a test has it: in memory, and obedient.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use daypass_domain::{
    GrantId, Name, PayloadId, PrincipalId, RequestId, ResourceId, SessionId, Span, Time,
    end::EndCause,
    resource::{Limits, PostgresTarget, RecordMode},
    session::{Passed, SessionEnd},
};
use daypass_ports::{
    authority::{
        Authority, AuthorityError, Door, NodeId, OpenSession, Opening, RecordingSeal, Refusal, Renewal, Statement,
    },
    record::{
        self, Commit, CommitError, Committed, Entry, Kind, Permit, RecordingKey, RetentionClass, Revision, Terms,
    },
    secret::Secret,
    store::{Changes, Query, Row, Store, StoreError},
};
use daypass_wire::{
    postgres::once::Over,
    scram::{ScramVerifier, mock_verifier},
};
use serde_json::Value;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// What Alice's passfile holds.
pub const SECRET: &str = "the personal secret of alice";

/// How control answers a client that wants in.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With a permit.
    Admit,
    /// It waits for this.
    Wait(String),
    /// No.
    Refuse(Refusal),
}

/// Control.
pub struct Control {
    /// What permits say, but for the session.
    pub terms: Mutex<Terms>,
    pub answer: Mutex<Answer>,
    /// Whether it can be reached.
    pub reachable: AtomicBool,
    /// Whether the grant ends, and the gateway hears of it, while a permit is on its way.
    pub overtakes: AtomicBool,
    /// Everything that ended, with the revision of each.
    ended: Mutex<Vec<(u64, Ended)>>,
    revision: watch::Sender<u64>,
    next: AtomicU64,
    pub asked: Mutex<Vec<OpenSession>>,
    pub closed: Mutex<Vec<(SessionId, SessionEnd, Passed)>>,
    pub closed_count: watch::Sender<usize>,
    pub confirmed: watch::Sender<u64>,
    pub seals: Mutex<Vec<RecordingSeal>>,
    pub sealed: watch::Sender<usize>,
    pub keys: Mutex<HashMap<SessionId, [u8; 32]>>,
    pub backends: Mutex<HashMap<SessionId, i32>>,
}

#[derive(Clone)]
enum Ended {
    Grant(GrantId, EndCause),
    Session(SessionId),
}

/// A grant's id; each number is another.
pub fn grant(number: u8) -> GrantId {
    GrantId::new(Time::from_micros(1_700_000_000_000_000), [number; 10])
}

pub fn revoked() -> EndCause {
    let by = PrincipalId::new(Time::from_micros(1), [4; 10]);
    EndCause::Revoked { by, reason: PayloadId::new(Time::from_micros(1), [5; 10]) }
}

/// Terms of a permit into that database as that login.
pub fn terms(target: PostgresTarget, login: &str, password: &str) -> Terms {
    let then = Time::from_micros(1_700_000_000_000_000);
    Terms {
        session: SessionId::new(then, [0; 10]),
        grant: grant(1),
        principal: PrincipalId::new(then, [2; 10]),
        resource: ResourceId::new(then, [3; 10]),
        resource_name: "orders".parse().unwrap(),
        role: "readonly".parse().unwrap(),
        database: target.database.clone(),
        target,
        login: login.to_owned(),
        password: Secret::new(password.to_owned()),
        deadline: Time::from_micros(1_900_000_000_000_000),
        remaining: Span::from_mins(60),
        region: "eu".parse().unwrap(),
        record: RecordMode::Full,
        recording_key: RecordingKey(Zeroizing::new([0; 32])),
        limits: Limits::default(),
        policy: daypass_domain::Digest::of(b"policy"),
        judged_on: Vec::new(),
    }
}

impl Control {
    pub fn new(terms: Terms) -> Self {
        Self {
            terms: Mutex::new(terms),
            answer: Mutex::new(Answer::Admit),
            reachable: AtomicBool::new(true),
            overtakes: AtomicBool::new(false),
            ended: Mutex::default(),
            revision: watch::channel(1).0,
            next: AtomicU64::new(1),
            asked: Mutex::default(),
            closed: Mutex::default(),
            closed_count: watch::channel(0).0,
            confirmed: watch::channel(0).0,
            seals: Mutex::default(),
            sealed: watch::channel(0).0,
            keys: Mutex::default(),
            backends: Mutex::default(),
        }
    }

    /// A grant ends now.
    pub fn end(&self, grant: GrantId, cause: EndCause) -> u64 {
        self.ends(Ended::Grant(grant, cause))
    }

    /// One session is killed now.
    pub fn kill(&self, session: SessionId) -> u64 {
        self.ends(Ended::Session(session))
    }

    fn ends(&self, what: Ended) -> u64 {
        let mut ended = self.ended.lock().unwrap();
        let revision = *self.revision.borrow() + 1;
        ended.push((revision, what));
        drop(ended);
        self.revision.send_replace(revision);
        revision
    }

    /// From now on it answers so, and whoever waits at the door may ask again.
    pub fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Returns when that many sessions are closed, with how the last ended.
    pub async fn closes(&self, count: usize) -> (SessionId, SessionEnd, Passed) {
        self.closed_count.subscribe().wait_for(|closed| *closed >= count).await.unwrap();
        self.closed.lock().unwrap()[count - 1]
    }

    fn check(&self) -> Result<(), AuthorityError> {
        let up = self.reachable.load(Ordering::SeqCst);
        up.then_some(()).ok_or(AuthorityError::Unavailable { why: "the test cut the line".into() })
    }

    fn since(&self, since: Revision) -> Changes {
        let ended = self.ended.lock().unwrap();
        let mut changes =
            Changes { revision: Revision(*self.revision.borrow()), ended: Vec::new(), killed: Vec::new() };
        for (_, what) in ended.iter().filter(|(at, _)| *at > since.0) {
            match what {
                Ended::Grant(grant, cause) => changes.ended.push((*grant, cause.clone())),
                Ended::Session(session) => changes.killed.push(*session),
            }
        }
        changes
    }
}

#[async_trait]
impl Authority for Control {
    async fn door(&self, user: &str) -> Result<Door, AuthorityError> {
        self.check()?;
        if user == "alice" {
            let verifier = ScramVerifier::from_password(SECRET.as_bytes(), [7; 16], 4096).unwrap();
            return Ok(Door::Known { principal: self.terms.lock().unwrap().principal, verifier });
        }
        Ok(Door::Mock { verifier: mock_verifier(&[9; 32], user) })
    }

    async fn open_session(&self, ask: OpenSession) -> Result<Opening, AuthorityError> {
        self.check()?;
        // Before the answer: what changes in between makes the client ask again.
        let revision = Revision(*self.revision.borrow());
        let answer = self.answer.lock().unwrap().clone();
        self.asked.lock().unwrap().push(ask);
        match answer {
            Answer::Refuse(refusal) => Ok(Opening::Refused(refusal)),
            Answer::Wait(missing) => {
                Ok(Opening::Waiting { request: RequestId::new(Time::from_micros(1), [1; 10]), missing, revision })
            }
            Answer::Admit => {
                let number = self.next.fetch_add(1, Ordering::SeqCst);
                let mut random = [0; 10];
                random[2..].copy_from_slice(&number.to_be_bytes());
                let mut key = [6; 32];
                key[..8].copy_from_slice(&number.to_be_bytes());
                let mut terms = self.terms.lock().unwrap().clone();
                terms.session = SessionId::new(Time::from_micros(1_700_000_000_000_000), random);
                terms.recording_key = RecordingKey(Zeroizing::new(key));
                self.keys.lock().unwrap().insert(terms.session, key);
                let mut commit = Commit::default();
                commit.entry(Entry {
                    event: "session.opened",
                    ids: vec![("session", terms.session.to_string())],
                    region: terms.region.clone(),
                    retention: RetentionClass::Access,
                    parts: Vec::new(),
                });
                let intent = record::commit(&Willing, commit, terms).await.unwrap();
                if self.overtakes.load(Ordering::SeqCst) {
                    let revision = self.end(intent.effect().grant, revoked());
                    self.confirmed.subscribe().wait_for(|confirmed| *confirmed >= revision).await.unwrap();
                }
                Ok(Opening::Admitted(Box::new(Permit::from(intent))))
            }
        }
    }

    async fn renew(&self, _: NodeId, since: Revision) -> Result<Renewal, AuthorityError> {
        self.check()?;
        let terms = self.terms.lock().unwrap();
        let remaining = vec![(terms.grant, terms.remaining)];
        Ok(Renewal { changes: self.since(since), remaining })
    }

    async fn changes(&self, since: Revision) -> Result<Changes, AuthorityError> {
        self.check()?;
        let mut revision = self.revision.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(1), revision.wait_for(|now| *now > since.0)).await;
        self.check()?;
        Ok(self.since(since))
    }

    async fn confirm(&self, _: NodeId, revision: Revision) -> Result<(), AuthorityError> {
        self.check()?;
        self.confirmed.send_modify(|confirmed| *confirmed = (*confirmed).max(revision.0));
        Ok(())
    }

    async fn connected(&self, session: SessionId, backend_pid: i32) -> Result<(), AuthorityError> {
        self.check()?;
        self.backends.lock().unwrap().insert(session, backend_pid);
        Ok(())
    }

    async fn next_statement(&self, _: NodeId) -> Result<Option<Statement>, AuthorityError> {
        // The whole house tests those.
        std::future::pending().await
    }

    async fn statement_over(&self, _: SessionId, _: Over) -> Result<(), AuthorityError> {
        self.check()
    }

    async fn seal(&self, _: NodeId, seal: RecordingSeal) -> Result<(), AuthorityError> {
        self.check()?;
        self.seals.lock().unwrap().push(seal);
        self.sealed.send_modify(|sealed| *sealed += 1);
        Ok(())
    }

    async fn close_session(&self, id: SessionId, cause: SessionEnd, passed: Passed) -> Result<(), AuthorityError> {
        self.check()?;
        self.closed.lock().unwrap().push((id, cause, passed));
        self.closed_count.send_modify(|closed| *closed += 1);
        Ok(())
    }
}

/// A store to which every commit is durable: permits come from nowhere else.
struct Willing;

#[async_trait]
impl Store for Willing {
    async fn append(&self, commit: Commit) -> Result<Committed, CommitError> {
        let entries = (0..commit.entries.len() as u64).collect();
        Ok(Committed { revision: Revision(1), at: Time::from_micros(1), entries })
    }
    async fn row(&self, _: Kind, _: &str) -> Result<Option<Row>, StoreError> {
        Ok(None)
    }
    async fn rows(&self, _: Query<'_>) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }
    async fn due(&self, _: Kind, _: Time, _: u32) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }
    async fn next_due(&self) -> Result<Option<Time>, StoreError> {
        Ok(None)
    }
    async fn payload(&self, _: PayloadId) -> Result<Option<Value>, StoreError> {
        Ok(None)
    }
    async fn changes(&self, _: Revision) -> Result<Changes, StoreError> {
        Ok(Changes { revision: Revision(1), ended: Vec::new(), killed: Vec::new() })
    }
    fn watch(&self) -> watch::Receiver<Revision> {
        watch::channel(Revision(1)).1
    }
    fn last_time(&self) -> Time {
        Time::from_micros(0)
    }
    async fn checkpoint(&self) -> Result<String, StoreError> {
        Ok(String::new())
    }
    async fn log_file(&self, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
    async fn leaves(&self, _: u64, _: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        Ok(Vec::new())
    }
    async fn receipt(&self, _: u64) -> Result<String, StoreError> {
        Ok(String::new())
    }
    fn log_key(&self) -> String {
        String::new()
    }
    async fn backup(&self, _: &std::path::Path) -> Result<(), StoreError> {
        Ok(())
    }
    fn keeps(&self, _: &Name) -> bool {
        true
    }
    fn lag(&self) -> usize {
        0
    }
}

/// A name.
pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}
