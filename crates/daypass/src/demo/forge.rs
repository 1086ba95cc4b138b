//! The attacker of the last act: holds the server's folders, sealing key and all, rewrites the log, and signs it anew.

use std::{fs, path::Path};

use daypass_domain::InstallationId;
use daypass_ledger::{KeyName, Leaf, MemLog, NoteSigner, bundle, tile::bundles};
use daypass_seal::MasterKey;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Rewrites an exported log so that `event` never happened (it becomes another, harmless one), and signs it with the
/// real key.
pub fn rewrite(exported: &Path, forged: &Path, size: u64, signer: &NoteSigner, event: &str) -> Result<u64, Failure> {
    let mut leaves: Vec<Leaf> = Vec::new();
    for at in bundles(size) {
        let path = exported.join(daypass_ledger::tile::Resource::Entries(at).to_string());
        let bytes = fs::read(&path).map_err(|e| Failure::file(&path, &e))?;
        for entry in bundle::parse(&bytes, at.width()).map_err(Failure::evidence)? {
            leaves.push(Leaf::parse(entry).map_err(Failure::evidence)?);
        }
    }
    let target = leaves.iter().position(|l| l.header().event.as_str() == event);
    let target = target.ok_or_else(|| Failure::setting(format!("the log has no {event}")))?;
    let honest = String::from_utf8_lossy(&leaves[target].to_bytes()).into_owned();
    let lie = honest.replace(event, "signin.made");
    leaves[target] = Leaf::parse(lie.as_bytes()).map_err(Failure::evidence)?;
    for (path, bytes) in MemLog::of(&leaves).render(signer).map_err(Failure::evidence)? {
        let file = forged.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(|e| Failure::file(parent, &e))?;
        }
        fs::write(&file, bytes).map_err(|e| Failure::file(&file, &e))?;
    }
    Ok(target as u64)
}

/// The log's real signing key, from the sealing key on the server's own disk.
pub fn steal_key(config: &Path, data: &Path) -> Result<NoteSigner, Failure> {
    let path = config.join("sealing.key");
    let text = Zeroizing::new(fs::read_to_string(&path).map_err(|e| Failure::file(&path, &e))?);
    let keys = MasterKey::parse(&text).map_err(Failure::setting)?;
    let path = data.join("installation");
    let id = fs::read_to_string(&path).map_err(|e| Failure::file(&path, &e))?;
    let id: InstallationId = id.trim().parse().map_err(Failure::setting)?;
    let seed = Zeroizing::new(keys.derive(crate::serve::LOG_SIGNING, &id.bytes()));
    let name = KeyName::new(crate::serve::log_name(id).as_str()).map_err(Failure::setting)?;
    NoteSigner::from_seed(name, seed).map_err(Failure::setting)
}
