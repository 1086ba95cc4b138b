//! The head file: the newest signed checkpoint, kept outside the data folder, so that a folder put back shows.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use daypass_domain::Span;
use daypass_ledger::{
    Checkpoint, ConsistencyProof, Known, SignedCheckpoint, VerifierKey, merkle::consistency_nodes, note::MAX_NOTE_BYTES,
};
use daypass_ports::world::Boot;
use sqlx::SqliteConnection;

use crate::{
    error::OpenError,
    logstate::{LogState, read_nodes},
};

/// What to do about a folder that was put back to an earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// Refuse to open it.
    Refuse,
    /// Open it, and let this log be the newest from now on. For `daypass restore` alone: what was live when the copy was
    /// made must be ended then.
    Accept,
}

/// The data folder is not the newest: what its head file says of its log isn't true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RolledBack {
    /// The log is shorter than it was.
    #[error(
        "the data folder was put back to an earlier state: its log has {size} entries, and there were {known} (said by {head}). \
         If you restored a backup, accept it with `daypass restore`, which ends what was live then. If you did not, somebody \
         else did: keep the folder and find out", head = .head.display()
    )]
    Shorter {
        /// How many entries there are.
        size: u64,
        /// How many there were.
        known: u64,
        /// The head file.
        head: PathBuf,
    },
    /// The log is another one than it was.
    #[error(
        "the log in the data folder does not extend what it was: its first {known} entries are not those that {head} signs. \
         The folder was put back to an earlier state and then used, or its log was rewritten. If you restored a backup, accept \
         it with `daypass restore`, which ends what was live then. If you did not, keep the folder and find out",
        head = .head.display()
    )]
    Forked {
        /// How many entries there are.
        size: u64,
        /// How many the head file signs.
        known: u64,
        /// The head file.
        head: PathBuf,
    },
}

/// How often a copy of the head is synced to the disk.
const KEEP_EVERY: Span = Span::from_secs(10);

/// The head file and its synced copy.
///
/// The head is replaced after each batch without a sync. A process that is killed loses nothing by that; a power loss can
/// leave the file empty on some file systems. Only then is the copy read, which is synced at least every ten seconds.
#[derive(Debug)]
pub(crate) struct HeadFile {
    path: PathBuf,
    kept_at: Option<Boot>,
}

/// What the head file says.
enum Found {
    Nothing,
    Head(Box<SignedCheckpoint>),
}

impl HeadFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, kept_at: None }
    }

    /// Replaces the head, and the synced copy when that is old.
    pub(crate) fn write(&mut self, note: &[u8], now: Boot) -> std::io::Result<()> {
        let temporary = beside(&self.path, ".new");
        make(&temporary, note)?;
        std::fs::rename(&temporary, &self.path)?;
        if self.kept_at.is_none_or(|at| now.since(at) >= KEEP_EVERY) {
            self.keep(note)?;
            self.kept_at = Some(now);
        }
        Ok(())
    }

    fn keep(&self, note: &[u8]) -> std::io::Result<()> {
        let temporary = beside(&self.path, ".kept.new");
        make(&temporary, note)?.sync_data()?;
        std::fs::rename(&temporary, beside(&self.path, ".kept"))?;
        sync_folder_of(&self.path)
    }

    /// Whether the log in the database is, or extends, the one that the head file signs.
    pub(crate) async fn check(
        &self,
        db: &mut SqliteConnection,
        log: &LogState,
        key: &VerifierKey,
    ) -> Result<(), OpenError> {
        let now = log.head.unverified();
        let known = match self.read()? {
            Found::Head(known) => known,
            Found::Nothing if now.size == 0 => return Ok(()),
            Found::Nothing => return Err(OpenError::HeadMissing { head: self.path.clone(), size: now.size }),
        };
        let known = known.verify(key).map_err(|e| self.unreadable(e))?;
        self.compare(db, known, now).await
    }

    async fn compare(&self, db: &mut SqliteConnection, known: &Checkpoint, now: &Checkpoint) -> Result<(), OpenError> {
        let head = self.path.clone();
        if now.size < known.size {
            return Err(RolledBack::Shorter { size: now.size, known: known.size, head }.into());
        }
        let forked = || RolledBack::Forked { size: now.size, known: known.size, head: head.clone() };
        // Nodes come from the database, which isn't trusted: the proof made of them is, against both signatures.
        let wanted = consistency_nodes(known.size, now.size).map_err(|_| forked())?;
        let nodes = read_nodes(db, &wanted).await.map_err(|e| OpenError::of_sqlite(&self.path, &e))?;
        let proof =
            ConsistencyProof::build(known.size, now.size, &|at| nodes.get(&at).copied()).map_err(|_| forked())?;
        Known::from(known).extended_by(now, &proof).map_err(|_| forked().into())
    }

    fn read(&self) -> Result<Found, OpenError> {
        let Some(note) = read_at_most(&self.path)? else {
            return Ok(Found::Nothing);
        };
        // Empty, or as long as it should be and all zeros: what a power loss leaves. Whoever else writes here isn't guarded
        // against, as the file is where the holder of the data folder can't reach.
        let torn = note.iter().all(|b| *b == 0);
        let note = if torn { read_at_most(&beside(&self.path, ".kept"))?.unwrap_or_default() } else { note };
        let head = SignedCheckpoint::parse(&note).map_err(|e| self.unreadable(e))?;
        Ok(Found::Head(Box::new(head)))
    }

    fn unreadable(&self, why: impl std::fmt::Display) -> OpenError {
        OpenError::HeadUnreadable { head: self.path.clone(), why: why.to_string() }
    }
}

/// A file with this content, open.
fn make(path: &Path, note: &[u8]) -> std::io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(note)?;
    Ok(file)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Makes what was renamed in a file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn read_at_most(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(OpenError::of_io(path, &e)),
    };
    let mut bytes = Vec::new();
    // A note beyond the limit is refused when it is parsed; one byte more is enough to see that.
    let limit = u64::try_from(MAX_NOTE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|e| OpenError::of_io(path, &e))?;
    Ok(Some(bytes))
}
