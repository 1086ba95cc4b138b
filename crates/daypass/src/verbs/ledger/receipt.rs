//! Receipts: proofs that one entry is in the log (C2SP tlog-proof).

use std::{fs, io::Read, path::PathBuf};

use daypass_ledger::{TlogProof, VerifierKey, proof::MAX_PROOF_BYTES, verify::Source};
use serde::Serialize;

use super::{
    super::Context,
    not_kept,
    offline::{Folder, key},
};
use crate::{
    client::{calls, checkpoint, tiles},
    failure::{Exit, Failure},
    say,
};

/// Arguments of `ledger receipt`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReceiptArgs {
    /// The entry's number
    pub seq: u64,
    /// Check the proof in this file, instead of asking for one
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// Read the entry from this exported log, not from the server: then nothing but the key is trusted
    #[arg(long, value_name = "FOLDER", requires = "check")]
    pub folder: Option<PathBuf>,
    /// The log's verifier key; the one that this client kept when absent
    #[arg(long, value_name = "VKEY", requires = "check")]
    pub key: Option<String>,
}

/// That a proof holds, for programs.
#[derive(Serialize)]
struct Proven {
    seq: u64,
    log: String,
    size: u64,
}

/// Shows a proof, or checks one.
pub async fn receipt(context: &Context, args: &ReceiptArgs) -> Result<(), Failure> {
    let Some(path) = &args.check else {
        let text = calls::receipt(&context.api()?, args.seq).await?;
        // What isn't a proof by the key that this client knows isn't worth keeping.
        let proof = read(&text)?;
        let api = context.api()?;
        checkpoint::follow(&context.profile, &api).await?;
        let kept = checkpoint::kept(&context.profile)?.ok_or_else(not_kept)?;
        proof.checkpoint().verify(&kept.key).map_err(Failure::evidence)?;
        say::line(String::from_utf8_lossy(&text).trim_end());
        return Ok(());
    };
    let file = fs::File::open(path).map_err(|e| Failure::file(path, &e))?;
    let mut text = Vec::new();
    file.take(MAX_PROOF_BYTES as u64 + 1).read_to_end(&mut text).map_err(|e| Failure::file(path, &e))?;
    let proof = read(&text)?;
    if proof.index() != args.seq {
        let what = format!("{} proves entry {}, not {}", path.display(), proof.index(), args.seq);
        return Err(Failure::setting(what));
    }
    let kept = checkpoint::kept(&context.profile)?;
    let key = key(args.key.as_deref(), kept.as_ref())?;
    let entry = entry(context, args, &proof).await?;
    show(context, args.seq, &proof, &entry, &key)
}

fn show(context: &Context, seq: u64, proof: &TlogProof, entry: &[u8], key: &VerifierKey) -> Result<(), Failure> {
    let head = proof.verify(entry, key).map_err(|e| Failure::evidence(format!("THE PROOF DOES NOT HOLD. {e}")))?;
    let proven = Proven { seq, log: head.origin.to_string(), size: head.size };
    context.format.show(&proven, |proven| {
        format!("Entry {} is in the log {}, under its head of {} entries.", proven.seq, proven.log, proven.size)
    })
}

fn read(text: &[u8]) -> Result<TlogProof, Failure> {
    TlogProof::parse(text).map_err(|e| Failure::setting(format!("this is no proof: {e}")))
}

/// The bytes of the entry, out of the bundle that the proof's own head gives. The proof says whether they are right.
async fn entry(context: &Context, args: &ReceiptArgs, proof: &TlogProof) -> Result<Vec<u8>, Failure> {
    let Some(folder) = &args.folder else {
        return tiles::entry(&context.api()?, args.seq, proof.checkpoint()).await;
    };
    // The folder may be of a longer log: then the bundle is wider there.
    let source = Folder(folder);
    let own = tiles::bundle_of(args.seq, proof.checkpoint().unverified().size)?;
    let widths = (own.width()..=daypass_ledger::tile::TILE_WIDTH).rev();
    for width in widths {
        let at = daypass_ledger::BundleAt::new(own.index(), width).map_err(Failure::evidence)?;
        if let Some(bytes) = source.read(&at.to_string()).map_err(Failure::data)? {
            return tiles::entry_in(&bytes, at, args.seq);
        }
    }
    Err(Failure::new(Exit::NotFound, format!("entry {} isn't in {}", args.seq, folder.display()), ""))
}
