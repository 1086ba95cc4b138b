//! The ledger: followed, exported, verified offline.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use daypass_ledger::{
    Known, SignedCheckpoint, TlogProof, VerifierKey,
    tile::{bundles, tiles as tiles_of},
    verify::{Failure as Broken, Report, Source, verify},
};
use indicatif::ProgressBar;

use super::{Context, output, words};
use crate::{
    client::{calls, checkpoint, tiles},
    failure::{Exit, Failure},
    say,
};

/// The largest file that a log has: 256 entries of 65,535 bytes and their lengths.
const FILE_BYTES: u64 = 17_000_000;

/// Verbs of `ledger`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum LedgerVerb {
    /// Show the newest checkpoint, once it is consistent with the one that you hold
    #[command(after_help = "Example: daypass ledger checkpoint")]
    Checkpoint,
    /// Show the log's verifier key
    #[command(after_help = "Example: daypass ledger key")]
    Key,
    /// Write the whole log into a folder, as C2SP tiles
    #[command(after_help = "Example: daypass ledger export log/")]
    Export {
        /// The folder: made when it isn't there
        folder: PathBuf,
    },
    /// Verify an exported log offline, against the checkpoint that this client kept
    #[command(after_help = "Example: daypass ledger verify log/")]
    Verify(VerifyArgs),
    /// Show the proof that an entry is in the log (C2SP tlog-proof), or check one
    #[command(after_help = "Example: daypass ledger receipt 17 > 17.proof")]
    Receipt {
        /// The entry's number
        seq: u64,
        /// Check this file instead of asking for a proof: the entry's bytes are read from the server
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
}

/// Arguments of `ledger verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// The folder of an exported log
    pub folder: PathBuf,
    /// The log's verifier key; the one that this client kept when absent
    #[arg(long, value_name = "VKEY")]
    pub key: Option<String>,
    /// A checkpoint that you hold, to be consistent with; the one that this client kept when absent
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Consistent with nothing: a rewritten log that was signed again then looks fine
    #[arg(long, conflicts_with = "checkpoint")]
    pub without_checkpoint: bool,
}

/// Runs a verb of `ledger`.
pub async fn ledger(context: &Context, verb: LedgerVerb) -> Result<(), Failure> {
    match verb {
        LedgerVerb::Checkpoint => {
            let head = checkpoint::follow(&context.profile, &context.api()?).await?;
            say::line(&format!(
                "{} entries, root {}\nconsistent with what this client has seen.",
                head.size, head.root
            ));
            Ok(())
        }
        LedgerVerb::Key => context.format.show(&calls::log_key(&context.api()?).await?, |key| key.key.clone()),
        LedgerVerb::Export { folder } => export(context, &folder).await,
        LedgerVerb::Verify(args) => verify_folder(context, &args),
        LedgerVerb::Receipt { seq, check } => receipt(context, seq, check).await,
    }
}

async fn export(context: &Context, folder: &Path) -> Result<(), Failure> {
    let api = context.api()?;
    checkpoint::follow(&context.profile, &api).await?;
    let newest = tiles::newest(&api).await?;
    let size = SignedCheckpoint::parse(&newest).map_err(Failure::evidence)?.unverified().size;
    let files: Vec<String> =
        tiles_of(size).map(|t| t.to_string()).chain(bundles(size).map(|b| b.to_string())).collect();
    let bar = ProgressBar::new(files.len() as u64);
    for path in files {
        write(folder, &path, &tiles::file(&api, &path).await?)?;
        bar.inc(1);
    }
    // Last, so that a folder with a checkpoint in it is whole.
    write(folder, "checkpoint", &newest)?;
    bar.finish_and_clear();
    say::line(&format!("{size} entries written to {}. Check them anywhere with:", folder.display()));
    say::line(&format!("  daypass ledger verify {}", folder.display()));
    Ok(())
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let file = folder.join(path);
    let parent = file.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(|e| Failure::file(parent, &e))?;
    fs::write(&file, bytes).map_err(|e| Failure::file(&file, &e))
}

/// A folder with a log in it.
struct Folder<'a>(&'a Path);

impl Source for Folder<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let file = self.0.join(path);
        let opened = match fs::File::open(&file) {
            Ok(opened) => opened,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("{}: {e}", file.display())),
        };
        let mut bytes = Vec::new();
        opened.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| format!("{}: {e}", file.display()))?;
        if bytes.len() as u64 > FILE_BYTES {
            return Err(format!("{} is longer than any file of a log", file.display()));
        }
        Ok(Some(bytes))
    }
}

fn verify_folder(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let kept = checkpoint::kept(&context.profile)?;
    let key: VerifierKey = match (&args.key, &kept) {
        (Some(text), _) => text.parse().map_err(Failure::setting)?,
        (None, Some(kept)) => kept.key.clone(),
        (None, None) => {
            return Err(Failure::setting(
                "this client has never seen the log, so it knows no key: give --key VKEY (`daypass ledger key` shows it)",
            ));
        }
    };
    let known = match (&args.checkpoint, args.without_checkpoint) {
        (_, true) => None,
        (Some(path), false) => {
            let bytes = fs::read(path).map_err(|e| Failure::file(path, &e))?;
            let signed = SignedCheckpoint::parse(&bytes).map_err(Failure::evidence)?;
            Some(Known::from(signed.verify(&key).map_err(Failure::evidence)?))
        }
        (None, false) => kept.as_ref().map(|kept| Known::from(&kept.head)),
    };
    let report = verify(&Folder(&args.folder), &key, known.as_ref()).map_err(|broken| told(&broken))?;
    context.format.show(&report, |report| report_words(report, known.as_ref()))
}

fn told(broken: &Broken) -> Failure {
    Failure::new(
        Exit::Evidence,
        format!("THE LOG DOES NOT HOLD: {broken}"),
        "keep this folder and your checkpoint: they are the proof",
    )
}

fn report_words(report: &Report, known: Option<&Known>) -> String {
    let when = |us: Option<i64>| us.map_or_else(String::new, |us| words::time(daypass_api::Timestamp::from_micros(us)));
    let against = known.map_or_else(
        || "nothing: a rewritten log that was signed again would look like this too".to_owned(),
        |known| format!("the checkpoint of {} entries that you hold", known.size),
    );
    let mut pairs = vec![
        ("log", report.origin.to_string()),
        ("entries", report.size.to_string()),
        ("root", report.root.to_string()),
        ("from", when(report.first_time_us)),
        ("to", when(report.last_time_us)),
        ("extends", against),
    ];
    let events: Vec<String> = report.events.iter().map(|(event, n)| format!("{event} {n}")).collect();
    pairs.push(("events", events.join(", ")));
    format!("The log holds: every entry hashes to the signed root.\n{}", output::fields(&pairs))
}

async fn receipt(context: &Context, seq: u64, check: Option<PathBuf>) -> Result<(), Failure> {
    let api = context.api()?;
    let Some(path) = check else {
        let proof = calls::receipt(&api, seq).await?;
        say::line(String::from_utf8_lossy(&proof).trim_end());
        return Ok(());
    };
    let text = fs::read(&path).map_err(|e| Failure::file(&path, &e))?;
    let proof = TlogProof::parse(&text).map_err(Failure::evidence)?;
    checkpoint::follow(&context.profile, &api).await?;
    let kept = checkpoint::kept(&context.profile)?.ok_or_else(|| Failure::setting("no checkpoint is kept here"))?;
    let head = SignedCheckpoint::parse(&tiles::newest(&api).await?).map_err(Failure::evidence)?;
    let entry = tiles::entry(&api, seq, &head).await?;
    proof.verify(&entry, &kept.key).map_err(Failure::evidence)?;
    say::line(&format!("Entry {seq} is in the log, as the proof says."));
    Ok(())
}
