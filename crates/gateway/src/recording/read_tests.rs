use std::sync::{Arc, Mutex};

use daypass_domain::Time;
use daypass_ports::{authority::NodeId, world::Random};
use daypass_wire::postgres::relay::{Outcome, Record};

use super::*;
use crate::recording::{
    disk::{Disk, FileSystem, SegmentFile},
    record::encode,
    segment::{Stream, root},
    session::SessionRecorder,
};

struct Counting(Mutex<u8>);
impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let mut next = self.0.lock().unwrap();
        *next += 1;
        buffer.fill(*next);
    }
}

fn session(number: u8) -> SessionId {
    SessionId::new(Time::from_micros(1_700_000_000_000_000), [number; 10])
}

fn stream(folder: &Path, disk: Arc<dyn Disk>) -> Arc<Stream> {
    let random = Arc::new(Counting(Mutex::new(0)));
    Arc::new(Stream::new("eu".parse().unwrap(), folder.join("eu"), (NodeId(1), Time::from_micros(5)), disk, random))
}

fn recorder(stream: &Arc<Stream>, number: u8) -> SessionRecorder {
    SessionRecorder::raw(Arc::clone(stream), session(number), [number; 32], vec![]).unwrap()
}

fn write(recorder: &mut SessionRecorder, outcome: Outcome) {
    encode(&Record::Stray(outcome), Time::from_micros(7), recorder.buffer());
    recorder.commit().unwrap();
}

fn key(of: SessionId) -> Option<DataKey> {
    (1..=3).find(|number| session(*number) == of).map(|number| DataKey::from_bytes([number; 32]))
}

fn completed(tag: &str) -> Outcome {
    Outcome::Completed { tag: bytes::Bytes::copy_from_slice(tag.as_bytes()) }
}

/// Two sessions' records in one segment, the second session without its last frame.
fn example(folder: &Path) -> (Arc<Stream>, Vec<u8>, Vec<Entry>) {
    let stream = stream(folder, Arc::new(FileSystem));
    let (mut one, mut two) = (recorder(&stream, 1), recorder(&stream, 2));
    write(&mut one, completed("a"));
    write(&mut two, Outcome::Skipped);
    write(&mut one, completed("b"));
    one.finish().unwrap();
    write(&mut two, Outcome::Empty);
    let bytes = std::fs::read(folder.join("eu/1-5-1.seg")).unwrap();
    let entry = |number, outcome| Entry {
        session: session(number),
        recorded: Recorded::Record { at: Time::from_micros(7), record: Record::Stray(outcome) },
    };
    let entries =
        vec![entry(1, completed("a")), entry(2, Outcome::Skipped), entry(1, completed("b")), entry(2, Outcome::Empty)];
    (stream, bytes, entries)
}

#[test]
fn what_was_written_is_read_and_the_seal_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (stream, bytes, entries) = example(folder.path());
    let mut reader = Reader::of(bytes.clone(), &key).unwrap();
    assert_eq!(reader.by_ref().collect::<Vec<_>>(), entries);
    assert_eq!(reader.tail(), Some(&Tail::Clean));
    let synced = stream.sync();
    let [seal] = &synced.seals[..] else { panic!("one seal: {synced:?}") };
    assert_eq!(seal.length, bytes.len() as u64);
    assert_eq!(seal.sessions, reader.chains().clone().into_iter().collect::<Vec<_>>());
    assert_eq!(seal.root, root(reader.chains()));
    assert!(stream.sync().seals.is_empty());
}

#[test]
fn without_a_key_a_session_is_passed_over_but_its_chain_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes, entries) = example(folder.path());
    let only_two = |of| key(of).filter(|_| of == session(2));
    let mut reader = Reader::of(bytes, &only_two).unwrap();
    let expected: Vec<_> = entries.into_iter().filter(|entry| entry.session == session(2)).collect();
    assert_eq!(reader.by_ref().collect::<Vec<_>>(), expected);
    assert_eq!(reader.chains().len(), 2);
}

#[test]
fn a_torn_tail_loses_only_itself_and_a_change_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes, entries) = example(folder.path());
    for cut in HEAD_LEN..bytes.len() {
        let mut reader = Reader::of(bytes[..cut].to_vec(), &key).unwrap();
        let found: Vec<_> = reader.by_ref().collect();
        assert!(entries.starts_with(&found));
        assert!(!matches!(reader.tail(), Some(Tail::Rejected { .. }) | None), "{cut}");
    }
    for at in HEAD_LEN..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let mut reader = Reader::of(changed, &key).unwrap();
        let found: Vec<_> = reader.by_ref().collect();
        assert!(found != entries || reader.chains() != &chains(&bytes), "{at}");
    }
    assert!(matches!(Reader::of(bytes[1..].to_vec(), &key), Err(SegmentError::NotASegment)));
}

fn chains(bytes: &[u8]) -> BTreeMap<SessionId, Chain> {
    let mut reader = Reader::of(bytes.to_vec(), &key).unwrap();
    reader.by_ref().for_each(drop);
    reader.chains().clone()
}

#[test]
fn a_long_record_is_split_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream(folder.path(), Arc::new(FileSystem));
    let mut one = recorder(&stream, 1);
    let long = "x".repeat(3_000_000);
    write(&mut one, completed(&long));
    let path = folder.path().join("eu/1-5-1.seg");
    let found: Vec<_> = Reader::open(&path, &key).unwrap().collect();
    assert_eq!(found.len(), 1);
    assert!(format!("{:?}", found[0].recorded).len() > 3_000_000);
}

#[test]
fn a_full_segment_is_followed_by_another_and_chains_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream(folder.path(), Arc::new(FileSystem));
    let (mut one, mut two) = (recorder(&stream, 1), recorder(&stream, 2));
    let megabytes = "x".repeat(8_000_000);
    for _ in 0..9 {
        write(&mut one, completed(&megabytes));
    }
    write(&mut two, Outcome::Empty);
    write(&mut one, Outcome::Skipped);
    let synced = stream.sync();
    assert_eq!(synced.seals.len(), 2);
    let first = folder.path().join("eu/1-5-1.seg");
    let mut reader = Reader::open(&first, &key).unwrap();
    assert_eq!(reader.by_ref().count(), 9);
    let mut second = Reader::open(&folder.path().join("eu/1-5-2.seg"), &key).unwrap().after(reader.chains().clone());
    assert_eq!(second.by_ref().map(|entry| entry.session).collect::<Vec<_>>(), [session(2), session(1)]);
    assert_eq!(synced.seals[1].sessions, second.chains().clone().into_iter().collect::<Vec<_>>());
}

/// A disk that takes so many bytes of an entry, once.
struct Full(Arc<Mutex<Option<usize>>>);
struct FullFile(Arc<dyn SegmentFile>, Arc<Mutex<Option<usize>>>);

impl Disk for Full {
    fn create(&self, path: &Path) -> std::io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(FullFile(FileSystem.create(path)?, Arc::clone(&self.0))))
    }
}

impl SegmentFile for FullFile {
    fn append(&self, bytes: &[u8]) -> std::io::Result<()> {
        match self.1.lock().unwrap().take() {
            None => self.0.append(bytes),
            Some(some) => {
                self.0.append(&bytes[..some.min(bytes.len())])?;
                Err(std::io::ErrorKind::StorageFull.into())
            }
        }
    }
    fn truncate(&self, length: u64) -> std::io::Result<()> {
        self.0.truncate(length)
    }
    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_full_disk_fails_one_and_leaves_the_others_readable() {
    let folder = tempfile::tempdir().unwrap();
    let room = Arc::new(Mutex::new(None));
    let stream = stream(folder.path(), Arc::new(Full(Arc::clone(&room))));
    let (mut one, mut two) = (recorder(&stream, 1), recorder(&stream, 2));
    write(&mut one, completed("a"));
    *room.lock().unwrap() = Some(11);
    encode(&Record::Stray(Outcome::Empty), Time::from_micros(7), one.buffer());
    assert!(one.commit().unwrap_err().to_string().contains("Make room"));
    write(&mut two, Outcome::Skipped);
    let mut reader = Reader::open(&folder.path().join("eu/1-5-1.seg"), &key).unwrap();
    assert_eq!(reader.by_ref().map(|entry| entry.session).collect::<Vec<_>>(), [session(1), session(2)]);
    assert_eq!(reader.tail(), Some(&Tail::Clean));
}
