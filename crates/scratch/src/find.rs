//! Where PostgreSQL's programs are.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::ScratchError;

/// A folder with PostgreSQL's programs in it.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
}

const DEBIAN: &str = "/usr/lib/postgresql";

impl Binaries {
    /// Looks in the PATH, then among Debian's versions (the newest first), then asks `pg_config`.
    ///
    /// # Errors
    /// [`ScratchError::NoPostgres`], which names what to install.
    pub fn find() -> Result<Self, ScratchError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(debian(Path::new(DEBIAN)))
            .chain(pg_config())
            .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
            .map(|folder| Self { folder: behind_links(folder) })
            .ok_or_else(|| ScratchError::NoPostgres { searched: format!("the PATH, {DEBIAN}/*/bin and pg_config") })
    }

    /// The path of one program.
    ///
    /// # Errors
    /// [`ScratchError::NoProgram`] when it isn't beside the others.
    pub fn program(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let path = self.folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(ScratchError::NoProgram { program: name.to_owned(), folder: self.folder.display().to_string() })
    }
}

/// Debian keeps one folder a major version: `/usr/lib/postgresql/15/bin`.
fn debian(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Where the programs really are: somebody may have linked a few of them into a folder on the PATH.
fn behind_links(folder: PathBuf) -> PathBuf {
    let real = folder.join("initdb").canonicalize().ok();
    real.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or(folder)
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17", "common"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        let names: Vec<_> =
            debian(root.path()).iter().map(|p| p.strip_prefix(root.path()).unwrap().to_owned()).collect();
        assert_eq!(names, ["17/bin", "15/bin", "9/bin"].map(PathBuf::from));
    }
}
