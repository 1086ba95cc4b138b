//! `daypass backup` and `daypass restore`.

use std::{fs, path::PathBuf};

use daypass_store::Rollback;

use super::{Folders, Opened, folders, open};
use crate::{failure::Failure, say};

/// What `daypass restore` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct RestoreArgs {
    /// The folder that `daypass backup` wrote
    pub backup: PathBuf,
    /// The data folder to restore into: empty, or not there [default: $XDG_DATA_HOME/daypass]
    #[arg(long, env = "DAYPASS_DATA")]
    pub data: Option<PathBuf>,
    /// The configuration folder, with the sealing key of the data [default: $XDG_CONFIG_HOME/daypass]
    #[arg(long, env = "DAYPASS_CONFIG")]
    pub config: Option<PathBuf>,
}

/// What `daypass backup` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct BackupArgs {
    /// The folder to write: it must not exist
    pub to: PathBuf,
    /// The data folder, of a running server or not [default: $XDG_DATA_HOME/daypass]
    #[arg(long, env = "DAYPASS_DATA")]
    pub data: Option<PathBuf>,
}

/// The files beside the store that make an installation. The sealing key isn't among them: it is kept apart.
const BESIDE: [&str; 3] = ["installation", "authority.pem", "authority.key.sealed"];

/// Copies everything but the sealing key into a new folder, while the server runs or not.
pub async fn backup(args: BackupArgs) -> Result<(), Failure> {
    let data = Folders::find(args.data, Some(PathBuf::new())).map_err(Failure::setting)?.data;
    if args.to.exists() {
        return Err(Failure::setting(format!("{} exists: a backup goes into a new folder", args.to.display())));
    }
    folders::private_folder(&args.to).map_err(|e| Failure::file(&args.to, &e))?;
    daypass_store::backup_folder(&data.join("store"), &args.to.join("store.sqlite")).await.map_err(Failure::data)?;
    for name in BESIDE {
        let from = data.join(name);
        if from.exists() {
            let content = fs::read(&from).map_err(|e| Failure::file(&from, &e))?;
            let to = args.to.join(name);
            folders::private_file(&to, &content).map_err(|e| Failure::file(&to, &e))?;
        }
    }
    copy_tree(&data.join("recordings"), &args.to.join("recordings"))?;
    say::line(&format!("Backed up to {}.", args.to.display()));
    say::line("The sealing key is not in it, on purpose: without it the copy is of no use. Keep both, apart.");
    Ok(())
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    folders::private_folder(to).map_err(|e| Failure::file(to, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Failure::file(from, &e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(|e| Failure::file(&source, &e))?;
        }
    }
    Ok(())
}

/// Makes a data folder of a backup, and ends what was live in it: nothing that was live then is live now.
pub async fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let folders = Folders::find(args.data, args.config).map_err(Failure::setting)?;
    let store = folders.data.join("store");
    let restored = daypass_store::restore(&args.backup.join("store.sqlite"), &store).await.map_err(Failure::data)?;
    for name in BESIDE {
        let from = args.backup.join(name);
        if from.exists() {
            let content = fs::read(&from).map_err(|e| Failure::file(&from, &e))?;
            let to = folders.data.join(name);
            folders::private_file(&to, &content).map_err(|e| Failure::file(&to, &e))?;
        }
    }
    copy_tree(&args.backup.join("recordings"), &folders.data.join("recordings"))?;
    let Opened { app, .. } = open(folders, Rollback::Accept).await?;
    let ended = app.restored().await?;
    say::line(&format!("Restored {} entries. {ended} grants that were live are ended.", restored.entries));
    say::line("Clients that hold a newer checkpoint will say that the log was put back, which is true: tell them.");
    say::line("Start it with: daypass serve   (it ends at the targets what was live)");
    Ok(())
}
