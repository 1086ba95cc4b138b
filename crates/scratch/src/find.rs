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

/// The environment variable that names the folder of the server's programs, and wins over looking for them. A person
/// chooses with it which version the tests, or the demo, run on.
pub const CHOSEN: &str = "DAYPASS_POSTGRES";

const DEBIAN: &str = "/usr/lib/postgresql";

/// What makes a folder one of a server.
const OF_A_SERVER: [&str; 2] = ["initdb", "postgres"];

/// What clients run. Builds that are a server alone lack it, and one of another version does as well.
const OF_CLIENTS: [&str; 1] = ["psql"];

impl Binaries {
    /// What [`CHOSEN`] names; without it, looks in the PATH, then among Debian's versions (the newest first), then asks
    /// `pg_config`.
    ///
    /// # Errors
    /// [`ScratchError::NoPostgres`], which names what to install; [`ScratchError::NoProgram`] when a folder was chosen
    /// and there is no server in it, rather than another server than the one that was asked for.
    pub fn find() -> Result<Self, ScratchError> {
        if let Some(chosen) = std::env::var_os(CHOSEN) {
            return Self::at(PathBuf::from(chosen));
        }
        folders()
            .into_iter()
            .find(|folder| OF_A_SERVER.iter().all(|name| folder.join(name).is_file()))
            .map(|folder| Self { folder: behind_links(folder) })
            .ok_or_else(|| ScratchError::NoPostgres { searched: format!("the PATH, {DEBIAN}/*/bin and pg_config") })
    }

    /// The server in this folder.
    ///
    /// # Errors
    /// [`ScratchError::NoProgram`] when there is none.
    pub fn at(folder: PathBuf) -> Result<Self, ScratchError> {
        let binaries = Self { folder: behind_links(folder) };
        for name in OF_A_SERVER {
            binaries.program(name)?;
        }
        Ok(binaries)
    }

    /// The path of one program: beside the others, or (`psql`) wherever there is one.
    ///
    /// # Errors
    /// [`ScratchError::NoProgram`] when it isn't there.
    pub fn program(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let elsewhere = if OF_CLIENTS.contains(&name) { folders() } else { Vec::new() };
        std::iter::once(self.folder.clone())
            .chain(elsewhere)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| ScratchError::NoProgram {
                program: name.to_owned(),
                folder: self.folder.display().to_string(),
            })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Where a server may be: the PATH, Debian's folders, and where `pg_config` says.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(debian(Path::new(DEBIAN))).chain(pg_config()).collect()
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
    fn a_folder_without_a_server_is_no_choice() {
        let root = tempfile::tempdir().unwrap();
        let refused = Binaries::at(root.path().to_owned()).unwrap_err().to_string();
        assert!(refused.contains("`initdb` is missing in") && refused.contains(CHOSEN), "{refused}");
    }

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
