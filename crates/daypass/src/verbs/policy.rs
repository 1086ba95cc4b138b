//! Policies: checked, applied, shown.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use daypass_api::{
    Mode,
    policy::{ApplyPolicy, CheckPolicy, PolicyChecked},
};

use super::{Context, changes};
use crate::{
    client::calls,
    failure::{Exit, Failure},
    say,
};

/// The longest policy file that is read, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// Verbs of `policy`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum PolicyVerb {
    /// Check a folder of *.cedar files against the schema
    #[command(after_help = "Example: daypass policy check policies/")]
    Check {
        /// The folder
        folder: PathBuf,
    },
    /// Judge every live grant under a folder of policies, then switch to it
    #[command(after_help = "Example: daypass policy apply policies/ --dry-run")]
    Apply {
        /// The folder
        folder: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the active policies
    #[command(after_help = "Example: daypass policy show --out policies/")]
    Show {
        /// Write them into this folder instead
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

/// Runs a verb of `policy`.
pub async fn policy(context: &Context, verb: PolicyVerb) -> Result<(), Failure> {
    let api = context.api()?;
    match verb {
        PolicyVerb::Check { folder } => {
            let checked = calls::check_policy(&api, &CheckPolicy { files: read(&folder)? }).await?;
            context.format.show(&checked, checked_words)?;
            match checked {
                PolicyChecked::Fine { .. } => Ok(()),
                PolicyChecked::Refused { .. } => Err(Failure::new(Exit::Usage, "the policies can't be used", "")),
            }
        }
        PolicyVerb::Apply { folder, dry_run } => {
            let mode = if dry_run { Mode::Plan } else { Mode::Apply };
            let proposed = calls::apply_policy(&api, &ApplyPolicy { files: read(&folder)?, mode }).await?;
            changes::finish(context, &proposed)
        }
        PolicyVerb::Show { out } => {
            let active = calls::policy(&api).await?;
            if let Some(folder) = out {
                fs::create_dir_all(&folder).map_err(|e| Failure::file(&folder, &e))?;
                for (name, text) in &active.files {
                    let path = folder.join(file_name(name)?);
                    fs::write(&path, text).map_err(|e| Failure::file(&path, &e))?;
                }
                say::note(&format!("{} files written to {}.", active.files.len(), folder.display()));
                return Ok(());
            }
            context.format.show(&active, |active| {
                let files = active.files.iter().map(|(name, text)| format!("// {name}\n{text}"));
                files.collect::<Vec<_>>().join("\n")
            })
        }
    }
}

/// A name from the server may not lead out of the folder.
fn file_name(name: &str) -> Result<&str, Failure> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    if plain { Ok(name) } else { Err(Failure::data(format!("`{}` is no file name", say::shown(name)))) }
}

fn checked_words(checked: &PolicyChecked) -> String {
    match checked {
        PolicyChecked::Fine { digest, policies, warnings } => {
            let mut lines = vec![format!("{policies} policies, digest {digest}: fine.")];
            lines.extend(warnings.iter().map(|w| format!("  warning: {}", say::shown(w))));
            lines.join("\n")
        }
        PolicyChecked::Refused { problems } => {
            problems.iter().map(|p| format!("  {}", say::shown(p))).collect::<Vec<_>>().join("\n")
        }
    }
}

fn read(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|e| Failure::file(folder, &e))? {
        let path = entry.map_err(|e| Failure::file(folder, &e))?.path();
        if path.extension().is_none_or(|e| e != "cedar") {
            continue;
        }
        let size = fs::metadata(&path).map_err(|e| Failure::file(&path, &e))?.len();
        if size > FILE_BYTES {
            return Err(Failure::setting(format!("{} is longer than 1 MiB", path.display())));
        }
        let text = fs::read_to_string(&path).map_err(|e| Failure::file(&path, &e))?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        files.insert(name, text);
    }
    if files.is_empty() {
        return Err(Failure::setting(format!(
            "{} holds no *.cedar file; an empty set would deny everything",
            folder.display()
        )));
    }
    Ok(files)
}
