//! One Daypass a folder: a lock that the system lets go of when the process ends, however it ends.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::error::OpenError;

const FILE: &str = "lock";

/// The lock on a data folder, held until this is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of a folder that exists.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let failed = |e: &std::io::Error| OpenError::of_io(&path, e);
        // Not truncated when opened: it says who has it.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| failed(&e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who can't be told is still somebody.
                let read = (&file).take(20).read_to_string(&mut holder);
                let pid = read.ok().and_then(|_| holder.trim().parse().ok());
                return Err(OpenError::InUse { folder: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(failed(&e)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(|e| failed(&e))?;
        Ok(Self { _file: file })
    }
}

/// Makes a folder that only this user can enter, unless it is there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| OpenError::of_io(folder, &e))
}

/// Makes an empty file that only this user can read, unless it is there. SQLite gives its side files the same mode.
pub(crate) fn make_file(path: &Path) -> Result<(), OpenError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop).map_err(|e| OpenError::of_io(path, &e))
}
