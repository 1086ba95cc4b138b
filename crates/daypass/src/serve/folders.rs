//! Where things are kept: data in one place, the key that seals it in another.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Where a server keeps things.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The store, the log, recordings: what is backed up.
    pub data: PathBuf,
    /// The sealing key, the newest head, the configuration: what must not lie where the data lies.
    pub config: PathBuf,
}

impl Folders {
    /// The given ones, or those that the XDG base directory specification names.
    pub fn find(data: Option<PathBuf>, config: Option<PathBuf>) -> Result<Self, NoHome> {
        Ok(Self {
            data: data.map_or_else(|| xdg("XDG_DATA_HOME", ".local/share"), Ok)?,
            config: config.map_or_else(|| xdg("XDG_CONFIG_HOME", ".config"), Ok)?,
        })
    }
}

/// There is no telling where the user's files are.
#[derive(Debug, thiserror::Error)]
#[error("neither HOME nor {variable} is set, so there is no telling where to keep things: give --data and --config")]
pub struct NoHome {
    variable: &'static str,
}

/// A folder of ours below an XDG base directory.
pub fn xdg(variable: &'static str, below_home: &str) -> Result<PathBuf, NoHome> {
    if let Some(base) = std::env::var_os(variable).filter(|v| Path::new(v).is_absolute()) {
        return Ok(PathBuf::from(base).join("daypass"));
    }
    let home = std::env::var_os("HOME").filter(|v| !v.is_empty()).ok_or(NoHome { variable })?;
    Ok(PathBuf::from(home).join(below_home).join("daypass"))
}

/// Makes a folder that only this user can look into.
pub fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that only this user can read, all of it or nothing.
pub fn private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let parent = path.parent().unwrap_or(Path::new("."));
    private_folder(parent)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = parent.join(format!(".{name}.{}", std::process::id()));
    // What a process that died left behind.
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(parent)?.sync_all()
}
