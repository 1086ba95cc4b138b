//! The folder of a throwaway server, and the user that it runs as.

use std::{
    fs,
    io::Read,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::ScratchError;

/// Who the server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunAs {
    /// Whoever we are.
    Us,
    /// This user: we are root, which PostgreSQL refuses to run as.
    User { uid: u32, gid: u32 },
}

impl RunAs {
    pub(crate) fn choose() -> Result<Self, ScratchError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Us);
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(ScratchError::system("read /etc/passwd"))?;
        ["postgres", "nobody"].iter().find_map(|name| user(&passwd, name)).ok_or(ScratchError::NoUser)
    }

    /// A command that runs as this user. Its environment has nothing of ours but the PATH.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LC_ALL", "C");
        command.stdin(Stdio::null()).current_dir("/");
        if let Self::User { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn own(self, path: &Path) -> Result<(), ScratchError> {
        match self {
            Self::Us => Ok(()),
            Self::User { uid, gid } => chown(path, Some(uid), Some(gid))
                .map_err(ScratchError::system(format!("give {} to the server's user", path.display()))),
        }
    }
}

/// `name:x:uid:gid:...` in /etc/passwd.
fn user(passwd: &str, name: &str) -> Option<RunAs> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(RunAs::User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// A folder that only the server's user reads.
#[derive(Debug)]
pub(crate) struct Folder {
    root: TempDir,
    pub(crate) run_as: RunAs,
}

impl Folder {
    pub(crate) fn make() -> Result<Self, ScratchError> {
        let run_as = RunAs::choose()?;
        // Root's TMPDIR may be closed to others; and a Unix socket's path has 107 bytes at most.
        let base = match run_as {
            RunAs::Us => std::env::temp_dir(),
            RunAs::User { .. } => PathBuf::from("/tmp"),
        };
        let root = tempfile::Builder::new()
            .prefix("daypass-pg-")
            .tempdir_in(&base)
            .map_err(ScratchError::system(format!("make a folder in {}", base.display())))?;
        run_as.own(root.path())?;
        Ok(Self { root, run_as })
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.path().join("server.log")
    }

    /// Writes a file that only the server's user reads.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<(), ScratchError> {
        let failed = || ScratchError::system(format!("write {}", path.display()));
        fs::write(path, text).map_err(failed())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed())?;
        self.run_as.own(path)
    }

    /// Gives a folder, and all in it, to the server's user, who alone reads it.
    pub(crate) fn own_all(&self, path: &Path) -> Result<(), ScratchError> {
        let failed = || ScratchError::system(format!("give {} to the server's user", path.display()));
        let mut mode = 0o600;
        if path.is_dir() {
            mode = 0o700;
            for entry in fs::read_dir(path).map_err(failed())? {
                self.own_all(&entry.map_err(failed())?.path())?;
            }
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed())?;
        self.run_as.own(path)
    }

    /// Appends to a file that is there.
    pub(crate) fn append(&self, path: &Path, text: &str) -> Result<(), ScratchError> {
        let before = fs::read_to_string(path).map_err(ScratchError::system(format!("read {}", path.display())))?;
        self.write(path, &(before + text))
    }
}

/// Random hexadecimal digits for a password.
pub(crate) fn random_password() -> Result<String, ScratchError> {
    let mut bytes = [0; 24];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(ScratchError::system("read /dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "postgresx:x:1:2::/:\npostgres:x:101:104::/var:/bin/bash\n";
        assert_eq!(user(passwd, "postgres"), Some(RunAs::User { uid: 101, gid: 104 }));
        assert_eq!(user(passwd, "nobody"), None);
    }
}
