//! The tables, how connections are made, and migrations.

use std::{path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::error::OpenError;

/// The database's name in the data folder.
pub(crate) const FILE: &str = "daypass.db";

/// Says that a SQLite file is ours (`PRAGMA application_id`): "DayP".
const APPLICATION_ID: i64 = 0x4461_7950;

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Each moves the schema by one version (`PRAGMA user_version`). Never changed once released, only added to.
const MIGRATIONS: &[&str] = &[concat!(include_str!("schema/place_1.sql"), include_str!("schema/1.sql"))];

/// The version of the schema that this program writes.
fn known() -> i64 {
    // Can't fail: there are a handful.
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The connection that writes. `secure_delete`: what is deleted is overwritten, so that a destroyed key is gone. // I9
pub(crate) fn writer(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
}

/// A connection that reads a database in use.
pub(crate) fn reader(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY).pragma("trusted_schema", "OFF")
}

/// A connection that reads a file that nobody has open.
pub(crate) fn still(file: &Path) -> SqliteConnectOptions {
    reader(file).immutable(true)
}

/// Reads the whole file, page by page, and says what SQLite finds wrong with it.
pub(crate) async fn check(db: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(5)")
        .fetch_all(&mut *db)
        .await
        .map_err(|e| OpenError::of_sqlite(file, &e))?;
    if found == ["ok"] { Ok(()) } else { Err(OpenError::Corrupt { file: file.to_owned(), why: found.join("; ") }) }
}

/// What a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Empty: just made.
    New,
    /// Ours, of this or an older schema.
    Existing,
}

/// Whether the database is new or ours, and of a schema that this program knows.
pub(crate) async fn age(db: &mut SqliteConnection, file: &Path) -> Result<Age, OpenError> {
    let failed = |e: sqlx::Error| OpenError::of_sqlite(file, &e);
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *db).await.map_err(failed)?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *db).await.map_err(failed)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *db).await.map_err(failed)?;
    if tables == 0 && version == 0 && application == 0 {
        return Ok(Age::New);
    }
    if application != APPLICATION_ID {
        return Err(OpenError::NotOurs { file: file.to_owned() });
    }
    if version > known() {
        return Err(OpenError::Newer { found: version, known: known() });
    }
    Ok(Age::Existing)
}

/// Brings the schema to this program's, inside the transaction that the caller has begun.
pub(crate) async fn migrate(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *db).await?;
    let done = usize::try_from(version).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*migration).execute(&mut *db).await?;
    }
    stamp(db).await
}

async fn stamp(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // Numbers of ours only; a PRAGMA takes no parameters.
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", known());
    sqlx::raw_sql(AssertSqlSafe(stamp)).execute(db).await.map(drop)
}

/// Makes the tables of a region's place, inside the transaction that the caller has begun.
pub(crate) async fn make_place(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(include_str!("schema/place_1.sql")).execute(&mut *db).await?;
    stamp(db).await
}

/// Closes a connection, and says so where it fails: nothing is lost by it.
pub(crate) async fn close(db: SqliteConnection) {
    if let Err(e) = db.close().await {
        tracing::warn!(error = %e, "the store's connection did not close well");
    }
}
