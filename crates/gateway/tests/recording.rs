//! Nothing passes that isn't recorded. // I1

mod common;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use common::{
    House, Wishes,
    client::{message, query, tags},
    dialer::TestDialer,
    login,
};
use daypass_domain::{
    resource::{PostgresTarget, RecordMode},
    session::SessionEnd,
};
use daypass_gateway::recording::{
    Closed, Header, Reader, Recorded,
    disk::{Disk, FileSystem, SegmentFile},
    root,
};
use daypass_ports::dial::{DialError, Dialed, Dialer};
use daypass_testkit::Pg;
use daypass_wire::postgres::relay::{Captured, End, Kind, Outcome, Record, Start, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| match record {
        Record::Start(Start { text: Some(Captured::Whole(text)), .. }) => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        Record::Start(_) | Record::End(_) | Record::Stray(_) => None,
    };
    records.iter().filter_map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_recorded_from_header_to_end_and_sealed() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let client = house.client().await;
    client.query_one("SELECT holder FROM accounts WHERE id = $1", &[&7_i32]).await.unwrap();
    client.batch_execute("UPDATE accounts SET balance = 0 WHERE id < 4").await.unwrap();
    client.batch_execute("SELECT nonsense").await.unwrap_err();
    let session = house.gateway.sessions()[0];
    drop(client);
    house.control.closes(1).await;
    let recorded = house.recorded(session);
    let Some(Recorded::Header(Header { session: of, login, .. })) = recorded.first() else { panic!("{recorded:?}") };
    assert_eq!((*of, login), (session, &house.control.terms.lock().unwrap().login));
    let Some(Recorded::Closed { closed: Closed { cause, passed }, .. }) = recorded.last() else { panic!("an end") };
    assert_eq!((*cause, passed.statements), (SessionEnd::ClientLeft, 3));
    let records = house.records(session);
    assert!(texts(&records).contains(&"UPDATE accounts SET balance = 0 WHERE id < 4".to_owned()));
    let bound = records.iter().find_map(|record| match record {
        Record::Start(Start { kind: Kind::Bind, parameters: Some(parameters), .. }) => Some(parameters.clone()),
        Record::Start(_) | Record::End(_) | Record::Stray(_) => None,
    });
    assert_eq!(bound.unwrap()[0].value, Value::Whole(bytes::Bytes::from_static(&[0, 0, 0, 7])));
    let rows = records.iter().any(|record| matches!(record, Record::End(End { rows: Some(3), .. })));
    let failed = records.iter().any(|record| {
        matches!(record, Record::End(End { outcome: Outcome::Failed { sqlstate: Some(code), .. }, .. }) if code.as_str() == "42703")
    });
    assert!(rows && failed, "{records:?}");

    // Each second a seal: the last one is of what the file says.
    let path = house.segments().pop().unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let mut sealed = house.control.sealed.subscribe();
    while house.control.seals.lock().unwrap().last().is_none_or(|seal| seal.length < length) {
        sealed.changed().await.unwrap();
    }
    let mut reader = Reader::open(&path, &|_| None).unwrap();
    assert_eq!(reader.by_ref().count(), 0, "without the key nothing is read");
    let seal = house.control.seals.lock().unwrap().last().cloned().unwrap();
    assert_eq!(seal.segment, path.file_name().unwrap().to_str().unwrap());
    assert_eq!(seal.sessions, reader.chains().clone().into_iter().collect::<Vec<_>>());
    assert_eq!(seal.root, root(reader.chains()));
}

/// A target that takes the login, and then keeps silent: the test holds its end.
struct Silent {
    ends: tokio::sync::mpsc::UnboundedSender<DuplexStream>,
}

#[async_trait]
impl Dialer for Silent {
    async fn dial(&self, target: &PostgresTarget) -> Result<Dialed, DialError> {
        let Dialed { mut stream, security } = TestDialer.dial(target).await?;
        let (ours, theirs) = duplex(1 << 16);
        let (mut mirror, held) = duplex(1 << 16);
        let _ = self.ends.send(held);
        tokio::spawn(async move {
            let (mut from_gateway, mut to_gateway) = tokio::io::split(theirs);
            let (mut up, mut down) = (vec![0; 4096], vec![0; 4096]);
            loop {
                tokio::select! {
                    read = from_gateway.read(&mut up) => {
                        let Ok(read @ 1..) = read else { return };
                        // A query is kept from the server; what precedes it is the login.
                        if up[0] == b'Q' {
                            mirror.write_all(&up[..read]).await.unwrap();
                        } else {
                            stream.write_all(&up[..read]).await.unwrap();
                            stream.flush().await.unwrap();
                        }
                    }
                    read = stream.read(&mut down) => {
                        let Ok(read @ 1..) = read else { return };
                        to_gateway.write_all(&down[..read]).await.unwrap();
                    }
                }
            }
        });
        Ok(Dialed { stream: Box::new(ours), security })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_statement_is_written_down_before_the_target_sees_it() {
    let pg = Pg::start().await;
    let (ends, mut held) = tokio::sync::mpsc::unbounded_channel();
    let house = House::with(login(&pg).await, Wishes { dialer: Arc::new(Silent { ends }), ..Wishes::default() }).await;
    let mut raw = house.raw().await;
    let mut target = held.recv().await.unwrap();
    raw.send(&query("SELECT 'never answered'")).await;
    // The moment that its first byte is at the target, the record is readable.
    assert_eq!(target.read_u8().await.unwrap(), b'Q');
    let session = house.gateway.sessions()[0];
    assert_eq!(texts(&house.records(session)), ["SELECT 'never answered'"]);
}

/// A disk that is full once the test says so.
struct Filling(Arc<AtomicBool>);
struct FillingFile(Arc<dyn SegmentFile>, Arc<AtomicBool>);

impl Disk for Filling {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(FillingFile(FileSystem.create(path)?, Arc::clone(&self.0))))
    }
}

impl FillingFile {
    fn check(&self) -> io::Result<()> {
        if self.1.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl SegmentFile for FillingFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.0.append(bytes)
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.check()?;
        self.0.sync()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_what_cannot_be_recorded_is_not_passed_on() {
    let pg = Pg::start().await;
    let full = Arc::new(AtomicBool::new(false));
    let house =
        House::with(login(&pg).await, Wishes { disk: Arc::new(Filling(full.clone())), ..Wishes::default() }).await;
    let mut raw = house.raw().await;
    raw.send(&query("SELECT 1")).await;
    assert_eq!(tags(&raw.until_ready().await), "TDCZ");
    full.store(true, Ordering::SeqCst);
    raw.send(&query("UPDATE accounts SET balance = -1")).await;
    let error = raw.last_error().await.unwrap();
    assert_eq!(error.sqlstate.as_str(), "58030");
    assert_eq!(house.control.closes(1).await.1, SessionEnd::RecordingFailed);
    let changed = pg.superuser().await.query("SELECT FROM accounts WHERE balance = -1", &[]).await.unwrap();
    assert!(changed.is_empty(), "the target never saw it");
    // Nobody comes in while it lasts, and when there is room again everything goes on.
    assert_eq!(house.raw_with(vec![]).await.err().unwrap().sqlstate.as_str(), "58030");
    full.store(false, Ordering::SeqCst);
    let mut raw = house.raw().await;
    raw.send(&query("SELECT 1")).await;
    assert_eq!(tags(&raw.until_ready().await), "TDCZ");
}

/// A disk that takes everything and promises nothing.
struct Forgetful;
struct ForgetfulFile(Arc<dyn SegmentFile>);

impl Disk for Forgetful {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(ForgetfulFile(FileSystem.create(path)?)))
    }
}

impl SegmentFile for ForgetfulFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        Err(io::Error::other("EIO"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_sync_that_fails_ends_the_sessions_that_it_concerns() {
    let pg = Pg::start().await;
    let house = House::with(login(&pg).await, Wishes { disk: Arc::new(Forgetful), ..Wishes::default() }).await;
    let mut raw = house.raw().await;
    assert_eq!(raw.last_error().await.unwrap().sqlstate.as_str(), "58030");
    assert_eq!(house.control.closes(1).await.1, SessionEnd::RecordingFailed);
    assert!(house.control.seals.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_not_written_down() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    let session = house.gateway.sessions()[0];
    raw.send(&query("ALTER ROLE CURRENT_USER PASSWORD 'hunter2 in clear'")).await;
    raw.until_ready().await;
    raw.send(&query("ALTER ROLE nobody PASSWORD 'hunter3'; SELECT 1")).await;
    raw.until_ready().await;
    let shown = format!("{:?}", texts(&house.records(session)));
    assert!(shown.contains("ALTER ROLE CURRENT_USER PASSWORD") && shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains("hunter"), "{shown}");
    for path in house.segments() {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(5).any(|window| window == b"ALTER"), "recordings are sealed from the first byte");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn less_is_written_down_where_less_is_asked_for() {
    let pg = Pg::start().await;
    for (mode, whole, parameters) in [(RecordMode::Text, true, false), (RecordMode::Digest, false, false)] {
        let mut terms = login(&pg).await;
        terms.record = mode;
        let house = House::with(terms, Wishes::default()).await;
        let mut raw = house.raw().await;
        let session = house.gateway.sessions()[0];
        let messages = [
            message(b'P', b"\0SELECT $1::text\0\0\0"),
            message(b'B', b"\0\0\0\0\0\x01\0\0\0\x02hi\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
        ];
        raw.send(&messages.concat()).await;
        assert_eq!(tags(&raw.until_ready().await), "12DCZ");
        let records = house.records(session);
        assert_eq!(!texts(&records).is_empty(), whole, "{mode:?}");
        let starts: Vec<&Start> = records
            .iter()
            .filter_map(|record| match record {
                Record::Start(start) => Some(start),
                Record::End(_) | Record::Stray(_) => None,
            })
            .collect();
        assert_eq!(starts.len(), 3);
        assert_eq!(starts.iter().any(|start| start.parameters.is_some()), parameters, "{mode:?}");
    }
}
