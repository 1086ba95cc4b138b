//! The newest checkpoint, which every client keeps: whoever rewrites the log before it is caught, with whatever key.

use daypass_ledger::{Checkpoint, ConsistencyProof, Known, SignedCheckpoint, VerifierKey};

use super::{
    calls,
    http::Api,
    profile::{Profile, Seen},
    tiles,
};
use crate::{
    failure::{Exit, Failure},
    say,
};

/// A kept checkpoint, checked: what it says, and the key that signed it.
pub struct Kept {
    /// The log's key: the first that this client saw.
    pub key: VerifierKey,
    /// What the kept checkpoint says.
    pub head: Checkpoint,
    /// The same, as it was signed.
    pub signed: String,
}

/// The kept checkpoint, if there is one.
pub fn kept(profile: &Profile) -> Result<Option<Kept>, Failure> {
    profile.seen()?.map(|seen| read(&seen)).transpose()
}

/// Checks a checkpoint that was kept.
pub fn read(seen: &Seen) -> Result<Kept, Failure> {
    let key: VerifierKey = seen.log_key.parse().map_err(damaged)?;
    let signed = SignedCheckpoint::parse(seen.checkpoint.as_bytes()).map_err(damaged)?;
    let head = signed.verify(&key).map_err(damaged)?.clone();
    Ok(Kept { key, head, signed: seen.checkpoint.clone() })
}

fn damaged(why: impl std::fmt::Display) -> Failure {
    Failure::evidence(format!("the checkpoint that this client kept was altered: {why}"))
}

/// Takes the newest checkpoint in: it must be signed by the key first seen, and extend the one that was kept. If it
/// isn't or doesn't, the old one stays.
pub async fn follow(profile: &Profile, api: &Api) -> Result<Checkpoint, Failure> {
    // Read before asking: what the server shows afterwards can only be newer, whatever runs beside this.
    let kept = kept(profile)?;
    let key = match &kept {
        Some(kept) => kept.key.clone(),
        None => first_key(profile, api).await?,
    };
    let bytes = tiles::newest(api).await?;
    let signed =
        SignedCheckpoint::parse(&bytes).map_err(|e| Failure::evidence(format!("the newest checkpoint: {e}")))?;
    let head = match signed.verify(&key) {
        Ok(head) => head.clone(),
        Err(why) => {
            let what = format!("the server's log isn't signed by the key that this client knows: {why}");
            return Err(contradiction(profile, &bytes, &what));
        }
    };
    if let Some(kept) = &kept {
        let known = Known::from(&kept.head);
        let proof = proof(api, &known, &head).await?;
        if let Err(why) = known.extended_by(&head, &proof) {
            return Err(contradiction(profile, &bytes, &why.to_string()));
        }
    }
    let checkpoint = String::from_utf8(bytes).map_err(Failure::evidence)?;
    profile.keep_seen(&Seen { log_key: key.to_string(), checkpoint }, newer)?;
    Ok(head)
}

/// As [`follow`], for after a command. That the newest checkpoint can't be had is worth a line, no more: the kept one
/// stays, and the next command asks again.
pub async fn follow_after(profile: &Profile, api: &Api) -> Result<(), Failure> {
    match follow(profile, api).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.exit == Exit::Evidence => Err(failure),
        Err(failure) => {
            say::note(&format!("The log's newest checkpoint couldn't be followed: {}", failure.what));
            Ok(())
        }
    }
}

/// The key from the sign-in; where there is none (a token is used), the one that the server shows. Either way, the
/// first is kept.
async fn first_key(profile: &Profile, api: &Api) -> Result<VerifierKey, Failure> {
    let text = match profile.sign_in() {
        Ok(sign_in) => sign_in.log_key,
        Err(_) => calls::log_key(api).await?.key,
    };
    text.parse().map_err(|e| Failure::evidence(format!("the log's key can't be understood: {e}")))
}

async fn proof(api: &Api, known: &Known, head: &Checkpoint) -> Result<ConsistencyProof, Failure> {
    if head.size <= known.size {
        return Ok(ConsistencyProof { old: known.size, new: head.size, path: Vec::new() });
    }
    tiles::consistency(api, known.size, head.size).await
}

fn contradiction(profile: &Profile, checkpoint: &[u8], what: &str) -> Failure {
    let beside = match profile.keep_contradiction(checkpoint) {
        Ok(path) => format!("what the server showed is kept in {}", path.display()),
        Err(failure) => format!("what the server showed couldn't be kept: {}", failure.what),
    };
    Failure::new(
        Exit::Evidence,
        format!("THE LOG WAS CHANGED. {what}"),
        format!("your older checkpoint stays, and {beside}: keep both, and ask whoever runs the server"),
    )
}

fn newer(seen: &Seen, kept: &Seen) -> bool {
    let size = |seen: &Seen| {
        let signed = SignedCheckpoint::parse(seen.checkpoint.as_bytes()).ok();
        signed.map_or(0, |signed| signed.unverified().size)
    };
    size(seen) > size(kept)
}
