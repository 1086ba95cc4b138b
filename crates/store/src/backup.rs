//! Copies of everything in one file, and how one becomes a data folder again.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use daypass_ledger::SignedCheckpoint;
use daypass_ports::store::StoreError;
use sqlx::{Connection, SqliteConnection};

use crate::{
    error::{OpenError, unreadable},
    head::sync_folder_of,
    lock::make_folder,
    places,
    schema::{self, Age},
};

/// Copies a database in use into a new file: one consistent snapshot, while commits go on. The log's signed head is in it,
/// and keys that were destroyed are not. Sealed payloads stay sealed: the master key isn't in it.
pub(crate) async fn backup(file: &Path, to: &Path) -> Result<(), StoreError> {
    let failed =
        |e: &dyn std::fmt::Display| unreadable(format_args!("the backup can't be written to {}: {e}", to.display()));
    // Made here, so that it is new, and readable by this user alone from the first byte; SQLite fills an empty file.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(|e| failed(&e))?;
    let copied = copy(file, to).await;
    if copied.is_err() {
        // Half a copy is none. Ours: it was made above.
        std::fs::remove_file(to).ok();
    }
    copied.map_err(|e| failed(&e))
}

/// Copies a data folder's database into a new file, whether a server has the folder or not.
///
/// # Errors
/// When there is no database, or the copy can't be written. Nothing is left of half a copy.
pub async fn backup_folder(folder: &Path, to: &Path) -> Result<(), StoreError> {
    let file = folder.join(schema::FILE);
    if !file.exists() {
        return Err(unreadable(format_args!("there is no database in {}", folder.display())));
    }
    backup(&file, to).await
}

/// Copies the payloads of a region that isn't home into a new file, which had better be in that region too. // I10
///
/// # Errors
/// When there are none, or the copy can't be written. Nothing is left of half a copy.
pub async fn backup_region(folder: &Path, to: &Path) -> Result<(), StoreError> {
    let file = folder.join(places::FILE);
    if !file.exists() {
        return Err(unreadable(format_args!("there are no payloads in {}", folder.display())));
    }
    backup(&file, to).await
}

async fn copy(file: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let name = to.to_str().ok_or("its name is not UTF-8")?;
    let mut db = SqliteConnection::connect_with(&schema::reader(file)).await?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(&mut db).await?;
    schema::close(db).await;
    let copy = to.to_owned();
    let synced = move || File::open(&copy)?.sync_all().and_then(|()| sync_folder_of(&copy));
    Ok(tokio::task::spawn_blocking(synced).await??)
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The database in the new data folder.
    pub file: PathBuf,
    /// How many entries its log has.
    pub entries: u64,
    /// The log's origin as the backup says it, like `daypass.local/<installation>`: what to open the folder with. Checked at
    /// the opening, against the key.
    pub origin: String,
}

/// Makes a data folder from a backup: into an empty folder, after the backup was read through and found whole.
///
/// The folder's log is now older than its head file says. Open it with [`crate::Rollback::Accept`], and end what was live
/// in the first commit; without that it stays refused.
///
/// # Errors
/// [`OpenError`]: the backup is damaged, of something else or of a newer Daypass, or the folder isn't empty.
pub async fn restore(backup: &Path, folder: &Path) -> Result<Restored, OpenError> {
    // SQLite would say less clearly that it isn't there.
    File::open(backup).map_err(|e| OpenError::of_io(backup, &e))?;
    let (entries, origin) = inspect(backup).await?;
    let file = put_back(backup, folder, schema::FILE).await?;
    Ok(Restored { file, entries, origin })
}

/// Puts the payloads of a region that isn't home back into an empty folder of that region. // I10
///
/// # Errors
/// [`OpenError`]: the backup is damaged or of something else, or the folder isn't empty.
pub async fn restore_region(backup: &Path, folder: &Path) -> Result<(), OpenError> {
    File::open(backup).map_err(|e| OpenError::of_io(backup, &e))?;
    let mut db =
        SqliteConnection::connect_with(&schema::still(backup)).await.map_err(|e| OpenError::of_sqlite(backup, &e))?;
    schema::check(&mut db, backup).await?;
    let age = schema::age(&mut db, backup).await?;
    schema::close(db).await;
    if age == Age::New {
        return Err(OpenError::NotOurs { file: backup.to_owned() });
    }
    put_back(backup, folder, places::FILE).await.map(drop)
}

/// Copies a backup into an empty folder, under a name.
async fn put_back(backup: &Path, folder: &Path, name: &str) -> Result<PathBuf, OpenError> {
    make_folder(folder)?;
    let mut there = std::fs::read_dir(folder).map_err(|e| OpenError::of_io(folder, &e))?;
    if there.next().is_some() {
        return Err(OpenError::NotEmpty { folder: folder.to_owned() });
    }
    let (from, file) = (backup.to_owned(), folder.join(name));
    let to = file.clone();
    match tokio::task::spawn_blocking(move || copy_durably(&from, &to)).await {
        Ok(Ok(())) => Ok(file),
        Ok(Err(e)) => Err(OpenError::of_io(&file, &e)),
        Err(e) => Err(OpenError::Folder { path: file, why: e.to_string() }),
    }
}

/// Reads a backup through, and gives the size and the origin of its log.
async fn inspect(backup: &Path) -> Result<(u64, String), OpenError> {
    let failed = |e: sqlx::Error| OpenError::of_sqlite(backup, &e);
    let mut db = SqliteConnection::connect_with(&schema::still(backup)).await.map_err(failed)?;
    schema::check(&mut db, backup).await?;
    if schema::age(&mut db, backup).await? == Age::New {
        return Err(OpenError::NotOurs { file: backup.to_owned() });
    }
    let note: String = sqlx::query_scalar("SELECT note FROM head").fetch_one(&mut db).await.map_err(failed)?;
    schema::close(db).await;
    // Only for telling: whether it is believed is decided at the opening, with the key.
    let head = SignedCheckpoint::parse(note.as_bytes())
        .map_err(|e| OpenError::LogDamaged { file: backup.to_owned(), why: e.to_string() })?;
    let head = head.unverified();
    Ok((head.size, head.origin.to_string()))
}

/// Copies under another name first, so that half a copy never looks like a database.
fn copy_durably(from: &Path, to: &Path) -> std::io::Result<()> {
    let temporary = to.with_extension("restoring");
    let mut source = File::open(from)?;
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    std::io::copy(&mut source, &mut copy)?;
    copy.sync_all()?;
    if to.exists() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(&temporary, to)?;
    sync_folder_of(to)
}
