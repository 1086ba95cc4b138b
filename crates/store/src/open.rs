//! Opening a data folder, and everything that must be true of it before a single row is believed.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize},
    },
};

use daypass_domain::Name;
use daypass_ledger::{Frontier, KeyName, NoteSigner};
use daypass_ports::world::{Clock, Random};
use daypass_seal::{MacKey, MasterKey};
use sqlx::{Connection, SqliteConnection, sqlite::SqlitePoolOptions};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use crate::{
    committer::{Committer, Published, QUEUE, Wal},
    error::OpenError,
    head::{HeadFile, Rollback},
    lock::{FolderLock, make_file, make_folder},
    log,
    logstate::{LoadError, LogState},
    member::Tools,
    payloads::Sealer,
    places::{Acquaintance, PlaceWriter, Places, Regions},
    schema::{self, Age},
    sqlite::SqliteStore,
};

/// Connections that only read.
const READERS: u32 = 4;
/// What the canary's MAC covers.
const CANARY: &[&[u8]] = &[b"daypass store canary"];

/// What a store is opened with.
pub struct Options {
    /// The data folder; made when it isn't there, for this user alone.
    pub folder: PathBuf,
    /// Where the newest signed checkpoint is kept: outside of `folder`, best where its backups and snapshots don't reach.
    /// Its folder is made when it isn't there.
    pub head_file: PathBuf,
    /// Which regions' payloads are kept here, and where. // I10
    pub regions: Regions,
    /// The root of the keys of rows and payloads.
    pub keys: MasterKey,
    /// The log's origin and the name of its key: `daypass.local/<installation>`.
    pub log_name: String,
    /// The Ed25519 seed (RFC 8032) of the log's key.
    pub log_seed: Zeroizing<[u8; 32]>,
    /// Wall time for entries, boot time for the head file's syncs.
    pub clock: Arc<dyn Clock>,
    /// Salts, nonces, data keys.
    pub random: Arc<dyn Random>,
    /// What to do about a folder that was put back to an earlier state.
    pub rollback: Rollback,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("folder", &self.folder)
            .field("head_file", &self.head_file)
            .field("regions", &self.regions)
            .field("log_name", &self.log_name)
            .field("rollback", &self.rollback)
            .finish_non_exhaustive()
    }
}

/// What is derived from the options' secrets.
struct Keys {
    signer: NoteSigner,
    canary: [u8; 32],
    mac: MacKey,
    sealer: Sealer,
}

impl Keys {
    fn derive(options: &mut Options) -> Result<Self, OpenError> {
        let no_key = |e: daypass_ledger::key::KeyError| OpenError::LogKey { why: e.to_string() };
        let name = KeyName::new(options.log_name.as_str()).map_err(no_key)?;
        let signer = NoteSigner::from_seed(name, std::mem::take(&mut options.log_seed)).map_err(no_key)?;
        let (keys, log) = (&options.keys, options.log_name.as_bytes());
        let canary: MacKey = keys.mac_key("store canary", b"");
        // With the log's name in it, rows of another installation under the same master key don't pass either.
        let mac = keys.mac_key("store rows", log);
        let wrapping = keys.sealing_key("store data keys", log);
        Ok(Self { signer, canary: canary.mac(CANARY), mac, sealer: Sealer { wrapping } })
    }
}

/// Opens a data folder.
pub(crate) async fn open(mut options: Options) -> Result<SqliteStore, OpenError> {
    let keys = Keys::derive(&mut options)?;
    make_folder(&options.folder)?;
    place_head(&options)?;
    let lock = FolderLock::take(&options.folder)?;
    let file = options.folder.join(schema::FILE);
    make_file(&file)?;
    let failed = |e: sqlx::Error| OpenError::of_sqlite(&file, &e);
    let mut db = SqliteConnection::connect_with(&schema::writer(&file)).await.map_err(failed)?;
    schema::check(&mut db, &file).await?;
    prepare(&mut db, &file, &keys, &options.regions.home).await?;
    belongs(&mut db, &file, &keys).await?;
    let log = LogState::load(&mut db, keys.signer.verifier()).await.map_err(|e| match e {
        LoadError::Sqlite(e) => failed(e),
        LoadError::Damaged(why) => OpenError::LogDamaged { file: file.clone(), why },
    })?;
    let (home, writers) = open_places(&mut db, &file, &keys, &options.regions).await?;
    let mut head = HeadFile::new(options.head_file.clone());
    let accepted = match (head.check(&mut db, &log, keys.signer.verifier()).await, options.rollback) {
        (Ok(()), _) => {
            head.write(&log.head.to_bytes(), options.clock.boot())
                .map_err(|e| OpenError::of_io(&options.head_file, &e))?;
            None
        }
        // The head is replaced by the first commit: before what was live is ended, this folder stays refused.
        (Err(found), Rollback::Accept) if is_rollback(&found) => Some(found),
        (Err(found), Rollback::Accept | Rollback::Refuse) => return Err(found),
    };
    let pool =
        SqlitePoolOptions::new().max_connections(READERS).connect_with(schema::reader(&file)).await.map_err(failed)?;
    let published = Arc::new(Published {
        revision: watch::Sender::new(log.revision),
        last_time_us: AtomicI64::new(log.last_time.micros()),
    });
    let log_key = keys.signer.verifier().clone();
    let tools = Arc::new(Tools {
        mac: keys.mac,
        sealer: keys.sealer,
        places: Places::new(home, &writers),
        random: Arc::clone(&options.random),
    });
    let (jobs, queue) = mpsc::channel(QUEUE);
    let committer = Committer {
        open: Some((db, log)),
        file: file.clone(),
        signer: keys.signer,
        tools: Arc::clone(&tools),
        clock: options.clock,
        head: Arc::new(Mutex::new(head)),
        published: Arc::clone(&published),
        lock,
        page_limit: None,
        // Whoever had the folder before may have ended between destroying a key and emptying the log.
        wal: Wal::HoldsDestroyed,
        places: writers,
    };
    tokio::spawn(committer.run(queue));
    let lag = Arc::new(AtomicUsize::new(0));
    Ok(SqliteStore { jobs, pool, tools, published, lag, log_key, file, accepted })
}

fn is_rollback(error: &OpenError) -> bool {
    match error {
        OpenError::RolledBack(_) | OpenError::HeadMissing { .. } | OpenError::HeadUnreadable { .. } => true,
        OpenError::Folder { .. }
        | OpenError::InUse { .. }
        | OpenError::Corrupt { .. }
        | OpenError::NotOurs { .. }
        | OpenError::Newer { .. }
        | OpenError::WrongKey
        | OpenError::OtherLog { .. }
        | OpenError::LogKey { .. }
        | OpenError::LogDamaged { .. }
        | OpenError::HeadInside { .. }
        | OpenError::NotEmpty { .. }
        | OpenError::OtherPlace { .. }
        | OpenError::PlaceUnnamed { .. }
        | OpenError::PlaceIsHome { .. }
        | OpenError::Database { .. } => false,
    }
}

/// Makes the head file's folder, and sees that it isn't the data folder, whatever links lead there.
fn place_head(options: &Options) -> Result<(), OpenError> {
    let Some(around) = options.head_file.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    make_folder(around)?;
    let real = |folder: &Path| folder.canonicalize().map_err(|e| OpenError::of_io(folder, &e));
    if real(around)?.starts_with(real(&options.folder)?) {
        return Err(OpenError::HeadInside { head: options.head_file.clone() });
    }
    Ok(())
}

/// Makes or migrates the tables, in one transaction.
async fn prepare(db: &mut SqliteConnection, file: &Path, keys: &Keys, home: &Name) -> Result<(), OpenError> {
    let failed = |e: sqlx::Error| OpenError::of_sqlite(file, &e);
    let age = schema::age(db, file).await?;
    let mut transaction = db.begin().await.map_err(failed)?;
    schema::migrate(&mut transaction).await.map_err(failed)?;
    if age == Age::New {
        let head = log::sign(&Frontier::new(), &keys.signer).map_err(|why| OpenError::LogKey { why })?;
        first_rows(&mut transaction, keys, &head.note().to_string(), home).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

async fn first_rows(db: &mut SqliteConnection, keys: &Keys, head: &str, home: &Name) -> Result<(), sqlx::Error> {
    let log_key = keys.signer.verifier().to_string();
    let values = [("canary", &keys.canary[..]), ("log_key", log_key.as_bytes()), ("home", home.as_str().as_bytes())];
    for (name, value) in values {
        remember(db, name, value).await?;
    }
    sqlx::query("INSERT INTO head (one, revision, note) VALUES (1, 0, $1)").bind(head).execute(db).await.map(drop)
}

async fn remember(db: &mut SqliteConnection, name: &str, value: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2)").bind(name).bind(value).execute(db).await.map(drop)
}

/// How `meta` names a region whose place was made.
const PLACE: &str = "place:";

/// Opens the places of the regions that aren't home, and gives home's name. // I10
async fn open_places(
    db: &mut SqliteConnection,
    file: &Path,
    keys: &Keys,
    regions: &Regions,
) -> Result<(String, Vec<PlaceWriter>), OpenError> {
    let failed = |e: sqlx::Error| OpenError::of_sqlite(file, &e);
    let home = String::from_utf8_lossy(&meta(db, file, "home").await?).into_owned();
    let known: Vec<String> = sqlx::query_scalar("SELECT substr(name, 7) FROM meta WHERE name LIKE 'place:%'")
        .fetch_all(&mut *db)
        .await
        .map_err(failed)?;
    if let Some(region) = known.iter().find(|known| !regions.elsewhere.keys().any(|r| r.as_str() == known.as_str())) {
        return Err(OpenError::PlaceUnnamed { region: region.clone() });
    }
    let mut writers = Vec::with_capacity(regions.elsewhere.len());
    for (at, (region, folder)) in regions.elsewhere.iter().enumerate() {
        if region.as_str() == home {
            return Err(OpenError::PlaceIsHome { region: home });
        }
        let acquaintance = match known.iter().any(|known| known == region.as_str()) {
            true => Acquaintance::Known,
            false => Acquaintance::New,
        };
        let mut writer = PlaceWriter::new(at, region.clone(), folder, &keys.mac);
        writer.prepare(acquaintance).await?;
        // After the place itself: a crash between the two makes it once more, and it is there already.
        if acquaintance == Acquaintance::New {
            remember(db, &format!("{PLACE}{region}"), b"made").await.map_err(failed)?;
        }
        writers.push(writer);
    }
    Ok((home, writers))
}

/// Whether folder, master key and log key belong together.
async fn belongs(db: &mut SqliteConnection, file: &Path, keys: &Keys) -> Result<(), OpenError> {
    // The canary tells the operator of a mistake. It keeps nobody out: rows and log are checked for themselves.
    if meta(db, file, "canary").await? != keys.canary {
        return Err(OpenError::WrongKey);
    }
    let given = keys.signer.verifier().to_string();
    let found = meta(db, file, "log_key").await?;
    if found == given.as_bytes() {
        return Ok(());
    }
    Err(OpenError::OtherLog { found: String::from_utf8_lossy(&found).into_owned(), given })
}

async fn meta(db: &mut SqliteConnection, file: &Path, name: &str) -> Result<Vec<u8>, OpenError> {
    let value: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(name)
        .fetch_optional(db)
        .await
        .map_err(|e| OpenError::of_sqlite(file, &e))?;
    value.ok_or_else(|| OpenError::Corrupt { file: file.to_owned(), why: format!("its {name} is missing") })
}
