//! The sealing key: from a file, an environment variable or a command; made at the first start.

use std::{io, path::Path};

use data_encoding::HEXLOWER;
use daypass_ports::{
    secret::Secret,
    world::{Random, random_bytes},
};
use daypass_seal::{MasterKey, MasterKeyError};
use zeroize::Zeroizing;

use super::{
    credentials::{Binding, Unreadable},
    folders::private_file,
};

/// Why there is no sealing key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// What it is bound to can't be read.
    #[error("the sealing key can't be read from {binding}: {why}")]
    Unreadable {
        /// What it is bound to.
        binding: String,
        /// What the system said.
        why: Unreadable,
    },
    /// It can't be made.
    #[error("the sealing key can't be written to {path}: {why}")]
    Unwritable {
        /// Where.
        path: String,
        /// What the system said.
        why: io::Error,
    },
    /// What was read is no key.
    #[error("what {binding} gives isn't a sealing key: {why}")]
    Bad {
        /// What it is bound to.
        binding: String,
        /// Why not.
        why: MasterKeyError,
    },
    /// There is data, and no key.
    #[error(
        "there is data in {data}, and no sealing key at {key}: put the key of that data there \
         (a new one could open nothing of it), or start with an empty data folder"
    )]
    Lost {
        /// The data folder.
        data: String,
        /// Where the key should be.
        key: String,
    },
}

/// The sealing key that `binding` gives.
pub async fn read(binding: &Binding) -> Result<MasterKey, KeyError> {
    let shown = binding.to_string();
    let secret: Secret = binding.read().await.map_err(|why| KeyError::Unreadable { binding: shown.clone(), why })?;
    MasterKey::parse(secret.expose()).map_err(|why| KeyError::Bad { binding: shown, why })
}

/// The key in the default file, made at the first start.
pub async fn read_or_make(path: &Path, data: &Path, random: &dyn Random) -> Result<MasterKey, KeyError> {
    if !path.exists() {
        let used = data.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if used {
            return Err(KeyError::Lost { data: data.display().to_string(), key: path.display().to_string() });
        }
        let bytes = Zeroizing::new(random_bytes::<32>(random));
        let text = Zeroizing::new(format!("{}\n", HEXLOWER.encode(bytes.as_slice())));
        private_file(path, text.as_bytes())
            .map_err(|why| KeyError::Unwritable { path: path.display().to_string(), why })?;
    }
    read(&Binding::File(path.to_owned())).await
}
