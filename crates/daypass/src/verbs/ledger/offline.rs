//! Verifying a log in a folder: without a server, and without trusting whoever gave the folder.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use daypass_ledger::{
    Known, VerifierKey,
    verify::{Failure as Broken, Report, Source, verify},
};

use super::{super::Context, checkpoint_in};
use crate::{
    client::checkpoint::{self, Kept},
    failure::{Exit, Failure},
    verbs::{output, words},
};

/// The largest file that a log has: 256 entries of 65,535 bytes and their lengths.
const FILE_BYTES: u64 = 17_000_000;

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

/// A folder with a log in it.
pub struct Folder<'a>(pub &'a Path);

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

/// Verifies a folder.
pub fn verify_folder(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    if !args.folder.is_dir() {
        return Err(Failure::setting(format!("{} is no folder", args.folder.display())));
    }
    let kept = checkpoint::kept(&context.profile)?;
    let key = key(args.key.as_deref(), kept.as_ref())?;
    let known = known(args, kept.as_ref(), &key)?;
    let report = verify(&Folder(&args.folder), &key, known.as_ref()).map_err(|broken| told(&broken))?;
    context.format.show(&report, |report| report_words(report, known.as_ref()))
}

/// The key that is trusted: the given one, or the one that this client first saw.
pub fn key(given: Option<&str>, kept: Option<&Kept>) -> Result<VerifierKey, Failure> {
    match (given, kept) {
        (Some(text), _) => text.parse().map_err(Failure::setting),
        (None, Some(kept)) => Ok(kept.key.clone()),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "this client has never seen a log, so it knows no key to trust",
            "give --key VKEY, from somebody who has: `daypass ledger key` shows it",
        )),
    }
}

/// The head that the log must extend. One that was kept of another log says nothing about this one.
fn known(args: &VerifyArgs, kept: Option<&Kept>, key: &VerifierKey) -> Result<Option<Known>, Failure> {
    if args.without_checkpoint {
        return Ok(None);
    }
    if let Some(path) = &args.checkpoint {
        let signed = checkpoint_in(path)?;
        let head = signed.verify(key).map_err(|e| Failure::setting(format!("{}: {e}", path.display())))?;
        return Ok(Some(Known::from(head)));
    }
    Ok(kept.filter(|kept| kept.key == *key).map(|kept| Known::from(&kept.head)))
}

/// That the folder couldn't be read says nothing about the log.
fn told(broken: &Broken) -> Failure {
    if let Broken::Unreadable { .. } = broken {
        return Failure::new(Exit::Unavailable, broken, "");
    }
    let keep = "keep this folder and your checkpoint: together they are the proof";
    // An honest folder can be shorter than what its reader has seen since; only the reader knows when it was written.
    let next = if matches!(broken, Broken::Truncated { .. } | Broken::Replayed { .. }) {
        format!(
            "if you exported this folder before you saw the rest, export it again, or give --checkpoint FILE from then; \
             if not, {keep}"
        )
    } else {
        keep.to_owned()
    };
    Failure::new(Exit::Evidence, format!("THE LOG DOES NOT HOLD. {broken}"), next)
}

fn report_words(report: &Report, known: Option<&Known>) -> String {
    let when = |us: Option<i64>| us.map_or_else(String::new, |us| words::time(daypass_api::Timestamp::from_micros(us)));
    let against = known.map_or_else(
        || "nothing: a rewritten log that was signed again would look like this too".to_owned(),
        |known| format!("the checkpoint of {} entries that you hold", known.size),
    );
    let events: Vec<String> = report.events.iter().map(|(event, count)| format!("{event} {count}")).collect();
    let fields = output::fields(&[
        ("log", report.origin.to_string()),
        ("entries", report.size.to_string()),
        ("root", report.root.to_string()),
        ("from", when(report.first_time_us)),
        ("to", when(report.last_time_us)),
        ("extends", against),
        ("events", events.join(", ")),
    ]);
    format!("The log holds: every entry hashes to the signed root.\n{fields}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_log_has_is_not_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("tile/0")).unwrap();
        let big = fs::File::create(folder.path().join("tile/0/000")).unwrap();
        big.set_len(FILE_BYTES + 1).unwrap();
        let source = Folder(folder.path());
        assert!(source.read("tile/0/000").unwrap_err().contains("longer than any file"));
        assert_eq!(source.read("tile/0/001"), Ok(None));
        big.set_len(FILE_BYTES).unwrap();
        assert_eq!(source.read("tile/0/000").unwrap().map(|bytes| bytes.len() as u64), Some(FILE_BYTES));
    }

    #[test]
    fn that_a_folder_cannot_be_read_is_no_evidence() {
        let unread = told(&Broken::Unreadable { path: "checkpoint".into(), why: "permission denied".into() });
        assert_eq!(unread.exit, Exit::Unavailable);
        assert_eq!(told(&Broken::BadSignature).exit, Exit::Evidence);
    }
}
