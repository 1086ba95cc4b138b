//! `daypass backup` and `daypass restore`.

use std::{fs, path::PathBuf, str::FromStr};

use daypass_domain::Name;
use daypass_store::Rollback;

use super::{
    Folders, Opened,
    config::{self, Config},
    folders, open,
};
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
    /// The backup of another region's folder: its payloads never leave the region, so they have a backup of their own there
    #[arg(long = "region", value_name = "REGION=FOLDER")]
    pub regions: Vec<RegionFolder>,
}

/// What `daypass backup` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct BackupArgs {
    /// The folder to write: it must not exist
    pub to: PathBuf,
    /// The data folder, of a running server or not [default: $XDG_DATA_HOME/daypass]
    #[arg(long, env = "DAYPASS_DATA")]
    pub data: Option<PathBuf>,
    /// The configuration folder, whose server.toml names the folders of other regions [default: $XDG_CONFIG_HOME/daypass]
    #[arg(long, env = "DAYPASS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where to write the payloads of another region: a new folder in that region
    #[arg(long = "region", value_name = "REGION=FOLDER")]
    pub regions: Vec<RegionFolder>,
}

/// A region, and a folder for a backup of it that is in the region too. // I10
#[derive(Debug, Clone)]
pub struct RegionFolder {
    region: Name,
    folder: PathBuf,
}

impl FromStr for RegionFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (region, folder) = text.split_once('=').ok_or("say it as REGION=FOLDER, like eu=/srv/eu/backup")?;
        let region = region.parse().map_err(|e| format!("`{region}` is no region: {e}"))?;
        Ok(Self { region, folder: folder.into() })
    }
}

/// The places of the other regions with the folders that were given for their backups: for each exactly one.
fn pair(config: &Config, given: &[RegionFolder]) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    if let Some(other) = given.iter().find(|given| !config.regions.contains_key(&given.region)) {
        let why = format!("server.toml names no folder for the region {}: see [regions] there", other.region);
        return Err(Failure::setting(why));
    }
    config.regions.iter().map(|(region, place)| {
        let mut folders = given.iter().filter(|given| given.region == *region);
        match (folders.next(), folders.next()) {
            (Some(one), None) => Ok((place.clone(), one.folder.clone())),
            (Some(_), Some(_)) => Err(Failure::setting(format!("two folders are given for the region {region}"))),
            (None, _) => Err(Failure::setting(format!(
                "payloads of the region {region} are in a folder of that region, and must not leave it: say where in the \
                 region their backup is, with --region {region}=FOLDER"
            ))),
        }
    }).collect()
}

/// The files beside the store that make an installation. The sealing key isn't among them: it is kept apart.
const BESIDE: [&str; 3] = ["installation", "authority.pem", "authority.key.sealed"];

/// The payloads in a backup of another region.
const REGION: &str = "payloads.sqlite";

/// Copies everything but the sealing key into a new folder, while the server runs or not.
pub async fn backup(args: BackupArgs) -> Result<(), Failure> {
    let Folders { data, config } = Folders::find(args.data, args.config).map_err(Failure::setting)?;
    let config = config::read(&config.join("server.toml")).map_err(Failure::setting)?;
    let regions = pair(&config, &args.regions)?;
    for to in regions.iter().map(|(_, to)| to).chain([&args.to]) {
        if to.exists() {
            return Err(Failure::setting(format!("{} exists: a backup goes into a new folder", to.display())));
        }
    }
    for (_, to) in &regions {
        folders::private_folder(to).map_err(|e| Failure::file(to, &e))?;
    }
    folders::private_folder(&args.to).map_err(|e| Failure::file(&args.to, &e))?;
    // The log first: the payloads of what it names are durable already.
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
    for (place, to) in &regions {
        daypass_store::backup_region(&place.join("store"), &to.join(REGION)).await.map_err(Failure::data)?;
        copy_tree(&place.join("recordings"), &to.join("recordings"))?;
        say::line(&format!("Backed up to {}.", to.display()));
    }
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
    let config = config::read(&folders.config.join("server.toml")).map_err(Failure::setting)?;
    for (place, from) in pair(&config, &args.regions)? {
        daypass_store::restore_region(&from.join(REGION), &place.join("store")).await.map_err(Failure::data)?;
        copy_tree(&from.join("recordings"), &place.join("recordings"))?;
    }
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
