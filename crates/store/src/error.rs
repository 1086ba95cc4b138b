//! Why a store can't be opened, and what SQLite's errors are to the port.

use std::path::{Path, PathBuf};

use daypass_ports::store::StoreError;

use crate::head::RolledBack;

/// Why the data folder can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The system refused something about a file or folder.
    #[error("{path} can't be used: {why}. See that it exists and that this user may read and write it", path = .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Another Daypass has the folder.
    #[error(
        "another Daypass (process {}) uses the data folder {folder}: two on one folder would undo each other. \
         Stop that one first, or give this one a folder of its own",
        .pid.map_or_else(|| "unknown".to_owned(), |p| p.to_string()), folder = .folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Which process, where it could be read.
        pid: Option<u32>,
    },
    /// The database is damaged.
    #[error(
        "the database {file} is damaged: {why}. Nothing of it is believed. Keep the file, and restore the newest backup \
         into an empty folder with `daypass restore`", file = .file.display()
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// A SQLite database of something else.
    #[error("{file} is not a database of Daypass. Give another data folder", file = .file.display())]
    NotOurs {
        /// The file.
        file: PathBuf,
    },
    /// A newer Daypass wrote it.
    #[error(
        "the database has schema {found}, and this program knows schema {known}: a newer Daypass wrote it. \
         Run that version, or a newer one"
    )]
    Newer {
        /// The version of its schema.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The master key isn't the one that the store was made with.
    #[error(
        "the master key is not the one that this data folder was made with, so nothing in it can be read. \
         Give the key that it was made with"
    )]
    WrongKey,
    /// The log's key or name isn't the one that the store was made with.
    #[error(
        "the data folder holds the log of the key `{found}`, and was opened with `{given}`. \
         Give the installation's own name and signing key"
    )]
    OtherLog {
        /// The verifier key of the log in the folder.
        found: String,
        /// The verifier key that was given.
        given: String,
    },
    /// The name or the seed of the log can't make a key.
    #[error("the ledger has no key: {why}")]
    LogKey {
        /// Why.
        why: String,
    },
    /// The log in the database contradicts itself.
    #[error(
        "the log in {file} contradicts itself: {why}. It was damaged, or somebody wrote to it past Daypass. \
         Keep the file, and restore the newest backup into an empty folder with `daypass restore`", file = .file.display()
    )]
    LogDamaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The folder was put back to an earlier state, or its log was rewritten.
    #[error(transparent)]
    RolledBack(#[from] RolledBack),
    /// There is a log, and no head to compare it with.
    #[error(
        "the log has {size} entries, and its head file {head} is missing, so it can't be told whether the data folder is the \
         newest. Put the head file back; or, when the folder is a restored copy, run `daypass restore`, which ends what \
         was live then", head = .head.display()
    )]
    HeadMissing {
        /// Where it should be.
        head: PathBuf,
        /// How many entries the log has.
        size: u64,
    },
    /// The head file doesn't hold a checkpoint of this log.
    #[error(
        "the head file {head} holds no checkpoint of this log: {why}. Put the right file back; or, when the folder is a \
         restored copy, run `daypass restore`, which ends what was live then", head = .head.display()
    )]
    HeadUnreadable {
        /// The file.
        head: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The head file is where it guards nothing.
    #[error(
        "the head file {head} is inside the data folder, so whoever puts the folder back puts it back too. \
         Keep it in another folder, best where the data folder's snapshots and backups don't reach", head = .head.display()
    )]
    HeadInside {
        /// The file.
        head: PathBuf,
    },
    /// A backup is only ever restored into an empty folder.
    #[error("{folder} is not empty, and a backup is restored only into an empty folder. Move what is there away first", folder = .folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A region's folder belongs to another region or installation.
    #[error(
        "{file} is not this installation's place for the region {region}: another region or installation keeps its payloads \
         there. Give each region a folder of its own", file = .file.display()
    )]
    OtherPlace {
        /// The database in it.
        file: PathBuf,
        /// The region that the folder was named for.
        region: String,
    },
    /// A region that has a place already is named no more.
    #[error(
        "this installation keeps payloads of the region {region}, and its folder is not named any more. Name it again under \
         [regions] in server.toml: {region} = \"FOLDER\""
    )]
    PlaceUnnamed {
        /// The region.
        region: String,
    },
    /// The home region is the data folder's.
    #[error(
        "the region {region} is this installation's own: what belongs to it is in the data folder. \
         Take it out of [regions] in server.toml"
    )]
    PlaceIsHome {
        /// The region.
        region: String,
    },
    /// SQLite failed otherwise.
    #[error("the database {file} can't be used: {why}", file = .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        why: String,
    },
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB` (sqlite.org/rescode.html), without their extended bits.
const DAMAGED: [i32; 2] = [11, 26];

impl OpenError {
    /// What a SQLite error means for the opening.
    pub(crate) fn of_sqlite(file: &Path, error: &sqlx::Error) -> Self {
        let (file, why) = (file.to_owned(), error.to_string());
        if result_code(error).is_some_and(|code| DAMAGED.contains(&code)) {
            Self::Corrupt { file, why }
        } else {
            Self::Database { file, why }
        }
    }

    pub(crate) fn of_io(path: &Path, error: &std::io::Error) -> Self {
        Self::Folder { path: path.to_owned(), why: error.to_string() }
    }
}

/// SQLite's primary result code, where the error is SQLite's.
pub(crate) fn result_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// A read that failed, for the port.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable { why: error.to_string() }
}

/// A number for a column. Columns are signed; no count of ours gets near the difference.
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from a column; what is negative was never written by us.
pub(crate) fn number(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| unreadable(format_args!("a count in it is negative ({column})")))
}
