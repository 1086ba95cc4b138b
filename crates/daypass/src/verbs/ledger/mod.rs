//! The ledger: followed, exported, verified offline.

mod offline;
mod receipt;

use std::{
    fs,
    path::{Path, PathBuf},
};

use daypass_ledger::{
    Checkpoint, SignedCheckpoint,
    tile::{CHECKPOINT_PATH, bundles, tiles as tiles_of},
};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Context, Format};
use crate::{
    client::{checkpoint, http::Api, tiles},
    failure::Failure,
    say,
};

pub use offline::VerifyArgs;
pub use receipt::ReceiptArgs;

/// Verbs of `ledger`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum LedgerVerb {
    /// Show the newest checkpoint, once it is consistent with the one that you hold
    #[command(after_help = "Example: daypass ledger checkpoint --signed > today.checkpoint")]
    Checkpoint {
        /// Show it as it was signed (C2SP tlog-checkpoint), to keep elsewhere or to give to somebody
        #[arg(long)]
        signed: bool,
    },
    /// Show the log's verifier key, as this client first saw it
    #[command(after_help = "Example: daypass ledger key")]
    Key,
    /// Write the whole log into a folder, as C2SP tiles
    #[command(after_help = "Example: daypass ledger export log/ && daypass ledger verify log/")]
    Export {
        /// The folder: made when it isn't there; what is there of a log is written again
        folder: PathBuf,
    },
    /// Verify an exported log offline, against the checkpoint that this client kept
    #[command(after_help = "Example: daypass ledger verify log/ --checkpoint today.checkpoint")]
    Verify(VerifyArgs),
    /// Show the proof that an entry is in the log (C2SP tlog-proof), or check one
    #[command(after_help = "Example: daypass ledger receipt 17 > 17.proof")]
    Receipt(ReceiptArgs),
}

/// Runs a verb of `ledger`.
pub async fn ledger(context: &Context, verb: LedgerVerb) -> Result<(), Failure> {
    match verb {
        LedgerVerb::Checkpoint { signed } => newest(context, signed).await,
        LedgerVerb::Key => key(context).await,
        LedgerVerb::Export { folder } => export(context, &folder).await,
        LedgerVerb::Verify(args) => offline::verify_folder(context, &args),
        LedgerVerb::Receipt(args) => receipt::receipt(context, &args).await,
    }
}

/// A checkpoint, for programs.
#[derive(Serialize)]
struct Shown {
    origin: String,
    size: u64,
    root: String,
}

impl From<&Checkpoint> for Shown {
    fn from(head: &Checkpoint) -> Self {
        Self { origin: head.origin.to_string(), size: head.size, root: head.root.to_string() }
    }
}

async fn newest(context: &Context, signed: bool) -> Result<(), Failure> {
    let head = checkpoint::follow(&context.profile, &context.api()?).await?;
    if signed {
        let kept = checkpoint::kept(&context.profile)?.ok_or_else(not_kept)?;
        say::line(kept.signed.trim_end());
        return Ok(());
    }
    context.format.show(&Shown::from(&head), |head| {
        format!("{} entries, root {}\nIt is consistent with what this client has seen.", head.size, head.root)
    })
}

/// The key that was first seen is the one that counts; following the log makes sure of it.
async fn key(context: &Context) -> Result<(), Failure> {
    let api = context.api()?;
    checkpoint::follow(&context.profile, &api).await?;
    let kept = checkpoint::kept(&context.profile)?.ok_or_else(not_kept)?;
    let key = daypass_api::ledger::LogKey { key: kept.key.to_string() };
    context.format.show(&key, |key| key.key.clone())
}

/// What an export wrote, for programs.
#[derive(Serialize)]
struct Exported {
    size: u64,
    files: usize,
    folder: String,
}

async fn export(context: &Context, folder: &Path) -> Result<(), Failure> {
    // Not the context's: following the log once more after the command would leave this client with a checkpoint beyond
    // what it has just written, and to verify that would look like a log that lost its end.
    let api = Api::signed_in(&context.profile)?;
    checkpoint::follow(&context.profile, &api).await?;
    // What is exported is the log under the head that was just followed, not under whatever is shown next.
    let kept = checkpoint::kept(&context.profile)?.ok_or_else(not_kept)?;
    let size = kept.head.size;
    let tiles = tiles_of(size).map(|t| t.to_string());
    let files: Vec<String> = tiles.chain(bundles(size).map(|b| b.to_string())).collect();
    let bar = ProgressBar::new(files.len() as u64);
    for path in &files {
        write(folder, path, &tiles::file(&api, path).await?)?;
        bar.inc(1);
    }
    // Last, so that a folder with a checkpoint in it is whole.
    write(folder, CHECKPOINT_PATH, kept.signed.as_bytes())?;
    bar.finish_and_clear();
    let exported = Exported { size, files: files.len() + 1, folder: folder.display().to_string() };
    context.format.show(&exported, |exported| {
        format!(
            "{size} entries written to {folder}. Check them anywhere with:\n  daypass ledger verify {folder}",
            size = exported.size,
            folder = exported.folder
        )
    })?;
    if context.format == Format::People {
        say::note(&format!("Whoever has never seen the log needs its key too: --key {}", kept.key));
    }
    Ok(())
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let file = folder.join(path);
    let parent = file.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(|e| Failure::file(parent, &e))?;
    fs::write(&file, bytes).map_err(|e| Failure::file(&file, &e))
}

fn not_kept() -> Failure {
    Failure::data("the checkpoint that was just followed isn't kept here")
}

/// A checkpoint out of a file: as it was signed, or as a client keeps it.
fn checkpoint_in(path: &Path) -> Result<SignedCheckpoint, Failure> {
    let bytes = fs::read(path).map_err(|e| Failure::file(path, &e))?;
    let kept = serde_json::from_slice::<crate::client::profile::Seen>(&bytes).ok();
    let bytes = kept.map_or(bytes, |seen| seen.checkpoint.into_bytes());
    SignedCheckpoint::parse(&bytes).map_err(|e| Failure::setting(format!("{}: {e}", path.display())))
}
