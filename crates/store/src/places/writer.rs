//! The side of a place that writes: owned by the committer, and made durable before the entries that name it.

use std::path::{Path, PathBuf};

use daypass_domain::Name;
use daypass_ledger::{KeyScope, OpenPart};
use daypass_ports::world::Random;
use daypass_seal::MacKey;
use sqlx::{Connection, SqliteConnection};

use super::FILE;
use crate::{
    committer::{Wal, empty_wal},
    error::OpenError,
    lock::{FolderLock, make_file, make_folder},
    payloads::{self, PartError, Sealer},
    prepare::PartSlot,
    schema::{self, Age},
};

/// A payload part on its way to another region than home.
#[derive(Debug)]
pub(crate) struct Stray {
    /// Which of the places.
    pub(crate) place: usize,
    /// The entry, and which of its parts.
    pub(crate) at: (u64, u64),
    pub(crate) slot: PartSlot,
    pub(crate) open: OpenPart,
}

/// A place that can't be written just now.
#[derive(Debug, thiserror::Error)]
#[error("the folder of the region {region} can't be written ({file}): {why}. See that its disk is there and has room",
    file = .file.display())]
pub(crate) struct Away {
    /// Which of the places.
    pub(crate) place: usize,
    region: Name,
    file: PathBuf,
    why: String,
}

/// A region's folder, for writing.
#[derive(Debug)]
pub(crate) struct PlaceWriter {
    place: usize,
    pub(crate) region: Name,
    pub(crate) file: PathBuf,
    canary: [u8; 32],
    /// Nothing while the folder is away; looked for again at the next write.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    db: SqliteConnection,
    wal: Wal,
    _lock: FolderLock,
}

/// Whether the installation has written to a place before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acquaintance {
    /// No: it may be made.
    New,
    /// Yes: if it is empty now, its disk isn't there, and nothing must be written below its mount point.
    Known,
}

impl PlaceWriter {
    pub(crate) fn new(place: usize, region: Name, folder: &Path, key: &MacKey) -> Self {
        let canary = key.mac(&[b"daypass place canary", region.as_str().as_bytes()]);
        Self { place, region, file: folder.join(FILE), canary, open: None }
    }

    /// Opens the place, or makes it when it is new. One that is known and away is looked for again later.
    ///
    /// # Errors
    /// When what is there is damaged, in use, or another's; when a new one can't be made.
    pub(crate) async fn prepare(&mut self, acquaintance: Acquaintance) -> Result<(), OpenError> {
        if acquaintance == Acquaintance::New {
            make_folder(self.file.parent().unwrap_or(Path::new(".")))?;
            make_file(&self.file)?;
        }
        match self.connect(acquaintance).await {
            Ok(open) => self.open = Some(open),
            Err(OpenError::Folder { why, .. }) if acquaintance == Acquaintance::Known => {
                tracing::error!(region = %self.region, why, "the region's folder is away: nothing is given there");
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    async fn connect(&self, acquaintance: Acquaintance) -> Result<Open, OpenError> {
        let failed = |e: sqlx::Error| OpenError::of_sqlite(&self.file, &e);
        if !self.file.exists() {
            return Err(OpenError::Folder { path: self.file.clone(), why: "it is not there".to_owned() });
        }
        let lock = FolderLock::take(self.file.parent().unwrap_or(Path::new(".")))?;
        let mut db = SqliteConnection::connect_with(&schema::writer(&self.file)).await.map_err(failed)?;
        schema::check(&mut db, &self.file).await?;
        match (schema::age(&mut db, &self.file).await?, acquaintance) {
            (Age::New, Acquaintance::New) => self.make(&mut db).await.map_err(failed)?,
            (Age::New, Acquaintance::Known) => {
                return Err(OpenError::Corrupt { file: self.file.clone(), why: "it is empty".to_owned() });
            }
            (Age::Existing, _) => {}
        }
        let canary: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'place'")
            .fetch_optional(&mut db)
            .await
            .map_err(failed)?;
        if canary.as_deref() != Some(&self.canary) {
            return Err(OpenError::OtherPlace { file: self.file.clone(), region: self.region.to_string() });
        }
        // Whoever had the folder before may have ended between destroying a key and emptying the log.
        Ok(Open { db, wal: Wal::HoldsDestroyed, _lock: lock })
    }

    async fn make(&self, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let mut transaction = db.begin().await?;
        schema::make_place(&mut transaction).await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('place', $1)")
            .bind(&self.canary[..])
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Makes parts durable: before the entries that commit to them, so that no entry names what isn't there.
    pub(crate) async fn write(&mut self, sealer: &Sealer, random: &dyn Random, parts: &[&Stray]) -> Result<(), Away> {
        let written = match self.ready().await {
            Ok(open) => write_all(&mut open.db, sealer, random, parts).await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.settle(written).await
    }

    /// Destroys the keys of a scope, and gives how many there were. // I9
    pub(crate) async fn destroy(&mut self, scope: &KeyScope) -> Result<u64, Away> {
        let destroyed = match self.ready().await {
            Ok(open) => match payloads::destroy(&mut open.db, scope).await {
                Ok(keys) => {
                    if keys > 0 {
                        open.wal = Wal::HoldsDestroyed;
                    }
                    empty_wal(&mut open.db, &mut open.wal).await;
                    Ok(keys)
                }
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        self.settle(destroyed).await
    }

    /// Empties the write-ahead log where it still holds a destroyed key.
    pub(crate) async fn empty_wal(&mut self) {
        if let Some(open) = &mut self.open {
            empty_wal(&mut open.db, &mut open.wal).await;
        }
    }

    pub(crate) async fn close(self) {
        if let Some(open) = self.open {
            schema::close(open.db).await;
        }
    }

    async fn ready(&mut self) -> Result<&mut Open, OpenError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.connect(Acquaintance::Known).await?,
        };
        Ok(self.open.insert(open))
    }

    /// After a failure the connection is not believed any more.
    async fn settle<T>(&mut self, result: Result<T, String>) -> Result<T, Away> {
        match result {
            Ok(value) => Ok(value),
            Err(why) => {
                if let Some(open) = self.open.take() {
                    schema::close(open.db).await;
                }
                Err(Away { place: self.place, region: self.region.clone(), file: self.file.clone(), why })
            }
        }
    }
}

async fn write_all(
    db: &mut SqliteConnection,
    sealer: &Sealer,
    random: &dyn Random,
    parts: &[&Stray],
) -> Result<(), PartError> {
    let mut transaction = db.begin().await?;
    for part in parts {
        sealer.write(&mut transaction, random, part.at, &part.slot, &part.open).await?;
    }
    Ok(transaction.commit().await?)
}
