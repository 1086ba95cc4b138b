//! The files that recordings go into: a port, so that a test can have a full disk.
//!
//! An attacker holding this can withhold and destroy recordings; it can't read them (they are sealed before they come
//! here), nor change one unseen (their digests are in the ledger).

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Makes segment files.
pub trait Disk: Send + Sync {
    /// A new file, for the owner only, in a folder that is made if need be.
    ///
    /// # Errors
    /// When it can't be made, or exists.
    fn create(&self, path: &Path) -> io::Result<std::sync::Arc<dyn SegmentFile>>;
}

/// A segment file, open for appending.
pub trait SegmentFile: Send + Sync {
    /// Appends all of it: when this returns it is in the kernel.
    ///
    /// # Errors
    /// When the system didn't take it whole.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file back to that length.
    ///
    /// # Errors
    /// When the system doesn't.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Returns when the content is on the disk, and the file's name as well.
    ///
    /// # Errors
    /// When the system doesn't promise it.
    fn sync(&self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem;

struct OnDisk {
    file: File,
    folder: PathBuf,
    named: std::sync::Once,
}

impl Disk for FileSystem {
    fn create(&self, path: &Path) -> io::Result<std::sync::Arc<dyn SegmentFile>> {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(std::sync::Arc::new(OnDisk { file, folder, named: std::sync::Once::new() }))
    }
}

impl SegmentFile for OnDisk {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if !self.named.is_completed() {
            File::open(&self.folder)?.sync_all()?;
            self.named.call_once(|| ());
        }
        Ok(())
    }
}
